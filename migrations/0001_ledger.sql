-- The ledger: who may ask, where profiles live, and what became of every import.
-- Profiles themselves live in typed tables that the service makes in the schema "data".

create schema data;

create table accounts (
    id bigint generated always as identity primary key,
    name text not null constraint accounts_name_unique unique,
    created_at timestamptz not null default now()
);

-- Only the hash of a token is kept: whoever reads this table cannot use it.
create table tokens (
    id text primary key,
    account_id bigint not null references accounts,
    name text not null,
    scopes text[] not null,
    hash bytea not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    constraint tokens_scopes_known
        check (cardinality(scopes) > 0 and scopes <@ array['read', 'write', 'admin']),
    constraint tokens_hash_is_sha256 check (octet_length(hash) = 32)
);

-- Databases and collections share one run of numbers: the number names the typed table, and
-- every profile id is table number x 2^32 + running number, so 2^21 tables keep ids below 2^53.
create sequence table_numbers maxvalue 2097151;

create table databases (
    id bigint primary key default nextval('table_numbers'),
    account_id bigint not null references accounts,
    name text not null,
    created_at timestamptz not null default now()
);
create unique index databases_name_unique on databases (account_id, lower(name));

create table collections (
    id bigint primary key default nextval('table_numbers'),
    database_id bigint not null references databases on delete cascade,
    name text not null,
    created_at timestamptz not null default now()
);
create unique index collections_name_unique on collections (database_id, lower(name));

create table fields (
    id bigint generated always as identity primary key,
    database_id bigint not null references databases on delete cascade,
    collection_id bigint references collections on delete cascade,
    name text not null,
    kind text not null,
    required boolean not null default false,
    is_unique boolean not null default false,
    case_insensitive boolean not null default false,
    default_value jsonb,
    options text[] not null default '{}',
    created_at timestamptz not null default now(),
    constraint fields_kind_known check (kind in ('text', 'integer', 'number', 'boolean', 'date',
        'datetime', 'email', 'phone', 'select', 'multiselect')),
    constraint fields_options_belong check (cardinality(options) = 0 or kind in ('select', 'multiselect'))
);
create unique index fields_name_unique on fields (database_id, coalesce(collection_id, 0), lower(name));

-- One row for every combination of key fields that has, or is getting, its index.
create table key_indexes (
    table_number bigint not null,
    field_ids bigint[] not null,
    database_id bigint not null references databases on delete cascade,
    ready boolean not null default false,
    primary key (table_number, field_ids)
);

-- Acceptance gives an import its turn; imports of one database apply in that order.
create sequence turns;

create table imports (
    id bigint generated always as identity primary key,
    account_id bigint not null references accounts,
    database_id bigint not null references databases on delete cascade,
    name text,
    state text not null,
    definition jsonb not null,
    turn bigint,
    payload_inline bytea,
    payload_key text,
    payload_bytes bigint,
    payload_sha256 bytea,
    rows_total bigint,
    columns text[],
    -- At most 1,000 rows and 1 MiB: goes between two chunks of a large import.
    -- Until the rows are counted the bytes alone decide.
    small boolean not null generated always as
        (coalesce(payload_bytes, 0) <= 1048576 and coalesce(rows_total, 0) <= 1000) stored,
    warnings jsonb not null default '[]',
    error jsonb,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    applying_at timestamptz,
    finished_at timestamptz,
    constraint imports_state_known check (state in ('draft', 'queued', 'fetching', 'preparing',
        'applying', 'finishing', 'held', 'paused', 'completed', 'completed_with_rejects', 'failed',
        'cancelled')),
    constraint imports_finished_iff_final check ((finished_at is not null) =
        (state in ('completed', 'completed_with_rejects', 'failed', 'cancelled'))),
    constraint imports_error_iff_failed check ((error is not null) = (state = 'failed')),
    constraint imports_turn_when_accepted check (state in ('draft', 'cancelled') or turn is not null),
    constraint imports_snapshot_before_applying check (state not in ('applying', 'finishing',
        'completed', 'completed_with_rejects') or payload_sha256 is not null),
    constraint imports_rows_counted_before_applying check (state not in ('applying', 'finishing',
        'completed', 'completed_with_rejects') or rows_total is not null)
);
create index imports_newest on imports (account_id, id desc);
create index imports_by_database on imports (database_id, id desc);
create index imports_in_line on imports (database_id, turn)
    where state in ('queued', 'fetching', 'preparing', 'applying', 'finishing');
create index imports_unfinished on imports (state, id) where finished_at is null;

-- The right to try. In a row of its own, so that nothing locks an import's row for long and a
-- renewal never waits for a chunk. due_at says when a worker may claim it; null: nothing to do.
create table leases (
    import_id bigint primary key references imports on delete cascade,
    account_id bigint not null,
    verb text not null,
    due_at timestamptz,
    epoch bigint not null default 0,
    holder text,
    held_until timestamptz,
    backend_pids int[] not null default '{}',
    rescues int not null default 0,
    attempts int not null default 0,
    rows_at_rescue bigint not null default 0,
    cancel_requested boolean not null default false,
    waiting_for_turn boolean not null default false,
    -- As in imports: what a slot may take is decided without looking there.
    small boolean not null,
    constraint leases_verb_known check (verb in ('fetch', 'apply')),
    constraint leases_holder_iff_held check ((holder is null) = (held_until is null)),
    constraint leases_held_is_not_due check (holder is null or due_at is null)
);
create index leases_due on leases (verb, account_id, import_id) where due_at is not null;
create index leases_held on leases (held_until) where holder is not null;

-- How far an import is durable, and its books: moved as the last statement of every chunk.
create table lanes (
    import_id bigint not null references imports on delete cascade,
    lane int not null,
    epoch bigint not null,
    next_row bigint not null default 1,
    chunks bigint not null default 0,
    created bigint not null default 0,
    updated bigint not null default 0,
    unchanged bigint not null default 0,
    ignored bigint not null default 0,
    deleted bigint not null default 0,
    rejected bigint not null default 0,
    profiles_created bigint not null default 0,
    profiles_updated bigint not null default 0,
    profiles_deleted bigint not null default 0,
    subprofiles_created bigint not null default 0,
    subprofiles_updated bigint not null default 0,
    subprofiles_deleted bigint not null default 0,
    primary key (import_id, lane),
    constraint lanes_books_balance check
        (next_row - 1 = created + updated + unchanged + ignored + deleted + rejected)
);

-- The commit order of chunks, which is the order of truth: the number is drawn under the
-- database's lock, which is held until the commit.
create table chunks (
    seq bigint generated always as identity primary key,
    import_id bigint not null references imports on delete cascade,
    lane int not null,
    first_row bigint not null,
    next_row bigint not null,
    committed_at timestamptz not null default clock_timestamp()
);
create index chunks_by_time on chunks (committed_at);
create index chunks_by_import on chunks (import_id);

create table rejects (
    import_id bigint not null references imports on delete cascade,
    row_number bigint not null,
    line bigint not null,
    column_name text,
    code text not null,
    value text,
    expected text not null,
    primary key (import_id, row_number)
);

create table idempotency_keys (
    account_id bigint not null references accounts,
    key text not null,
    fingerprint bytea not null,
    import_id bigint not null references imports on delete cascade,
    created_at timestamptz not null default now(),
    primary key (account_id, key)
);

-- Who is working; a worker that was not seen for a while is gone.
create table workers (
    name text primary key,
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now()
);
