-- Whoever claims steps over what ended imports left in the indexes since the last vacuum. Where
-- thousands come and go in a minute, a fifth of the table is too late.
alter table leases set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
alter table imports set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
