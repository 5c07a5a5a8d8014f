-- Removing what a payload does not name, behind a brake.

-- What another import wrote after this moment is spared: the commit of the newest chunk of the
-- database when the import was accepted.
alter table imports add column spares_after timestamptz;

-- An import that removes needs a turn of its own.
alter table imports drop column small;
alter table imports add column small boolean not null generated always as
    (coalesce(payload_bytes, 0) <= 1048576 and coalesce(rows_total, 0) <= 1000
     and coalesce(definition ->> 'remove_missing', 'false') <> 'true') stored;

-- The brake of a database; null: the default.
alter table databases
    add column brake_percent int,
    add column brake_percent_below_100 int,
    add column brake_count bigint,
    add column brake_allows_empty boolean not null default false,
    add constraint databases_brake_in_range check (coalesce(brake_percent, 0) between 0 and 100
        and coalesce(brake_percent_below_100, 0) between 0 and 100 and coalesce(brake_count, 0) >= 0);

-- The removal of an import that has one: judged, held, allowed, and how far it is.
create table removals (
    import_id bigint primary key references imports on delete cascade,
    state text not null default 'pending',
    -- The tables that are cleaned: of the profiles, then of the collections that the payload addresses.
    tables bigint[] not null,
    reasons jsonb not null default '[]',
    profiles bigint not null default 0,
    subprofiles bigint not null default 0,
    living bigint not null default 0,
    approved bigint,
    held_until timestamptz,
    -- Everything up to this id is removed.
    after_id bigint not null default 0,
    seen_purged boolean not null default false,
    constraint removals_state_known check (state in
        ('pending', 'held', 'approved', 'removing', 'refused', 'expired', 'done')),
    constraint removals_approved_with_a_number check (state <> 'approved' or approved is not null),
    constraint removals_held_with_an_end check ((state = 'held') = (held_until is not null))
);
create index removals_held on removals (held_until) where state = 'held';
create index removals_unpurged on removals (import_id) where not seen_purged;

-- What the rows of an import that removes named: ids are unique over all tables. Logged, since a
-- table that a crash empties would remove everything.
create table seen (
    import_id bigint not null,
    id bigint not null,
    primary key (import_id, id)
);

-- What imports took away, as it was. Kept for a while; of a subprofile with its profile.
create table changes (
    seq bigint generated always as identity primary key,
    import_id bigint not null references imports on delete cascade,
    id bigint not null,
    profile_id bigint,
    kind text not null,
    before jsonb,
    changed_at timestamptz not null default clock_timestamp(),
    constraint changes_kind_known check (kind in ('removed'))
);
create index changes_by_import on changes (import_id, seq);
create index changes_by_time on changes (changed_at);

-- Removals stand in the order of truth beside the chunks of rows.
alter table chunks add column removed_after_id bigint, add column removed_to_id bigint;

alter table lanes
    add column keys_unread bigint not null default 0,
    add column profiles_removed bigint not null default 0,
    add column subprofiles_removed bigint not null default 0;

-- A profile's times are those of the statement that wrote it: a transaction begins before it waits
-- for the database's lock.
do $$
declare
    t record;
begin
    for t in select c.table_name from information_schema.columns c
             where c.table_schema = 'data' and c.column_name = 'updated_at' loop
        execute format('alter table data.%I alter created_at set default statement_timestamp(), '
                       'alter updated_at set default statement_timestamp()', t.table_name);
    end loop;
end $$;
