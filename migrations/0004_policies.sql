-- Keys may be compared without case although their fields are not: such a combination has an index
-- of its own.
alter table key_indexes add column without_case boolean not null default false;
alter table key_indexes drop constraint key_indexes_pkey;
alter table key_indexes add primary key (table_number, field_ids, without_case);

-- Cells that were converted, where an import converts what does not fit.
alter table lanes add column coerced bigint not null default 0;

-- Joins profiles of two databases, many to many. Its own table in "data" has the same number.
create table links (
    id bigint primary key default nextval('table_numbers'),
    database_id bigint not null references databases on delete cascade,
    other_id bigint not null references databases on delete cascade,
    name text not null,
    -- What the other database calls it; null: it does not see it.
    reverse text,
    created_at timestamptz not null default now(),
    constraint links_join_two_databases check (database_id <> other_id)
);
create unique index links_name_unique on links (database_id, lower(name));
create unique index links_reverse_unique on links (other_id, lower(reverse));

alter table lanes
    add column links_created bigint not null default 0,
    add column links_deleted bigint not null default 0,
    add column linked_created bigint not null default 0,
    add column linked_updated bigint not null default 0;
