-- Texts are compared byte by byte wherever they are keys or unique. Unique indexes are made anew here;
-- those of key combinations are made by the next import that matches by them, beside readers and
-- writers, and none where a unique index serves.
do $$
declare
    t record;
begin
    for t in select indexname from pg_indexes
             where schemaname = 'data' and indexname ~ '^t[0-9]+_[ki][0-9]' loop
        execute format('drop index data.%I', t.indexname);
    end loop;
    for t in select table_name from information_schema.columns
             where table_schema = 'data' and column_name = 'uid' loop
        -- Room on each page from now on, so that an update mostly writes no index.
        execute format('alter table data.%I set (fillfactor = 70)', t.table_name);
        execute format('drop index if exists data.%I', t.table_name || '_uid_idx');
        execute format('create unique index %I on data.%I (uid collate "C") where uid is not null',
                       t.table_name || '_uid_idx', t.table_name);
    end loop;
    for t in select 't' || coalesce(collection_id, database_id) as name,
                 't' || coalesce(collection_id, database_id) || '_u' || id as index,
                 case when case_insensitive then 'lower(f' || id || ')' else 'f' || id end as key
             from fields
             where is_unique and kind in ('text', 'email', 'phone', 'select') loop
        execute format('drop index if exists data.%I', t.index);
        execute format('create unique index %I on data.%I ((%s collate "C"))', t.index, t.name, t.key);
    end loop;
end $$;
delete from key_indexes;
