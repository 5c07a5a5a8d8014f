-- What a slot may take is decided by the database, too: small imports of one database are left to the
-- slot that applies such ones already.
alter table leases add column database_id bigint;
update leases l set database_id = i.database_id from imports i where i.id = l.import_id;
alter table leases alter column database_id set not null;
