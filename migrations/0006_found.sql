-- What the survey found about how the payload is read, where the definition leaves it open: its
-- encoding, the order of its dates. Whoever reads the payload again reads the same.
alter table imports add column found jsonb;
