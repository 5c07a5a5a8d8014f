-- Keys may be compared without case although their fields are not: such a combination has an index
-- of its own.
alter table key_indexes add column without_case boolean not null default false;
alter table key_indexes drop constraint key_indexes_pkey;
alter table key_indexes add primary key (table_number, field_ids, without_case);

-- Cells that were converted, where an import converts what does not fit.
alter table lanes add column coerced bigint not null default 0;
