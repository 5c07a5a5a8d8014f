-- A chunk may write into linked databases too, under their locks: it stands in the order of all of
-- them.
alter table chunks add column linked_database_ids bigint[] not null default '{}';
