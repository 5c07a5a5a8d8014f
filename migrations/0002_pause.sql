-- A request to pause stands beside the one to cancel; the holder obeys at the end of its chunk.
alter table leases add column pause_requested boolean not null default false;
-- When the holder said last that it is there: by a claim, or by a renewal.
alter table leases add column renewed_at timestamptz;
