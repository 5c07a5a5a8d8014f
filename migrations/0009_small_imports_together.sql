-- What a slot may take is decided by the database, too: small imports of one database are left to the
-- slot that applies such ones already.
alter table leases add column database_id bigint;
update leases l set database_id = i.database_id from imports i where i.id = l.import_id;
alter table leases alter column database_id set not null;

-- Grows with whatever a database is read with: its fields and collections, its links, and the fields of
-- the databases at their other ends. What was read under a version need not be read again.
alter table databases add column schema_version bigint not null default 1;
create function note_schema_change() returns trigger language plpgsql as $$
declare
    changed bigint[];
begin
    if tg_table_name = 'links' then
        changed := case when tg_op = 'DELETE' then array[old.database_id, old.other_id]
                        else array[new.database_id, new.other_id] end;
    elsif tg_table_name = 'databases' then
        changed := array[new.id];
    else
        changed := array[case when tg_op = 'DELETE' then old.database_id else new.database_id end];
    end if;
    changed := changed
        || array(select database_id from links where other_id = any(changed))
        || array(select other_id from links where database_id = any(changed));
    update databases set schema_version = schema_version + 1 where id = any(changed);
    return null;
end $$;
create trigger schema_changed after insert or update or delete on fields
    for each row execute function note_schema_change();
create trigger schema_changed after insert or update or delete on collections
    for each row execute function note_schema_change();
create trigger schema_changed after insert or update or delete on links
    for each row execute function note_schema_change();
create trigger schema_changed after update of name on databases
    for each row execute function note_schema_change();
