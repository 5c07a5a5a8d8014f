//! Small imports of one database that are applied in one transaction, each with books of its own. The
//! caller holds the database's lock.

use serde::Serialize;
use sqlx::{FromRow, PgConnection};

use crate::error::Error;
use crate::store::chunks::Done;
use crate::store::imports::{CHANNEL, Import, Row};

/// An import, and the epoch that it is applied under.
#[derive(Debug)]
pub struct Member {
    /// The import.
    pub import: Import,
    /// The epoch: that of its lease, or the next one where nobody holds it.
    pub epoch: i64,
}

/// Who may come along.
#[derive(Debug, Clone, Copy)]
pub struct Company {
    /// Imports, the holder's own among them.
    pub imports_max: i64,
    /// Rows that each of them may have.
    pub rows_max: i64,
}

#[derive(FromRow)]
struct MemberRow {
    #[sqlx(flatten)]
    import: Row,
    epoch: i64,
    comes: bool,
    schema_version: i64,
}

/// Those who come, in the order of their turns, and the version of the schema that their database has.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Who comes.
    pub members: Vec<Member>,
    /// The version; none where nobody stands in line.
    pub schema_version: Option<i64>,
}

/// The small imports that stand first in line on a database, and that can be applied as they are:
/// surveyed, never begun, with nothing asked of them. Nobody holds them but the caller, who may hold
/// `own`, an import under an epoch; their leases are locked. Whoever stands behind one that cannot come
/// has to wait for it.
pub async fn gather(
    tx: &mut PgConnection,
    database_id: i64,
    own: Option<(i64, i64)>,
    company: Company,
) -> Result<Gathered, Error> {
    let (own, own_epoch) = own.unzip();
    let rows: Vec<MemberRow> = sqlx::query_as(
        "with line as materialized (
             select i.id, i.turn from imports i
             where i.database_id = $1 and i.small and i.payload_sha256 is not null
               and i.state in ('queued', 'preparing', 'applying', 'finishing')
             order by i.turn limit $4
         ), free as (
             select l.import_id, l.epoch from leases l
             where l.import_id in (select id from line) and l.rescues = 0 and l.verb = 'apply'
               and not l.cancel_requested and not l.pause_requested
               and case when l.import_id = $2 then l.holder is not null and l.epoch = $3
                        else l.holder is null
                            and (l.due_at <= clock_timestamp() or l.waiting_for_turn) end
             for update skip locked
         )
         select i.id, i.account_id, i.database_id, i.state, i.definition, i.payload_inline,
                i.payload_key, i.payload_bytes, i.payload_sha256, i.rows_total, i.columns, i.found,
                case when i.id = $2 then $3 else coalesce(f.epoch, 0) + 1 end as epoch,
                f.epoch is not null and i.state = 'queued' and i.applying_at is null
                    and i.payload_inline is not null and coalesce(i.rows_total <= $5, false) as comes,
                (select schema_version from databases where id = $1) as schema_version
         from line join imports i on i.id = line.id left join free f on f.import_id = i.id
         order by line.turn",
    )
    .bind(database_id)
    .bind(own)
    .bind(own_epoch)
    .bind(company.imports_max)
    .bind(company.rows_max)
    .fetch_all(tx)
    .await?;
    // One that cannot be read fails by itself, once it stands first.
    let member = |row: MemberRow| {
        Some(Member {
            epoch: row.epoch,
            import: row.import.import().ok()?,
        })
    };
    let schema_version = rows.first().map(|row| row.schema_version);
    let first = rows.into_iter().take_while(|row| row.comes);
    Ok(Gathered {
        members: first.map_while(member).collect(),
        schema_version,
    })
}

/// What all rows of an import came to. Keys that cannot be read matter to removals alone, which none
/// of these has.
#[derive(Debug, Clone, Copy)]
pub struct Books {
    /// The import.
    pub import_id: i64,
    /// The epoch that it was applied under.
    pub epoch: i64,
    /// How many rows it has.
    pub rows: i64,
    /// What they did.
    pub done: Done,
}

/// One row of the statement that closes the books.
#[derive(Serialize)]
struct BooksRow {
    place: usize,
    import_id: i64,
    epoch: i64,
    next_row: i64,
    created: i64,
    updated: i64,
    unchanged: i64,
    ignored: i64,
    deleted: i64,
    profiles_created: i64,
    profiles_updated: i64,
    profiles_deleted: i64,
    subprofiles_created: i64,
    subprofiles_updated: i64,
    subprofiles_deleted: i64,
    links_created: i64,
    links_deleted: i64,
    linked_created: i64,
    linked_updated: i64,
    coerced: i64,
}

impl BooksRow {
    fn of((place, books): (usize, &Books)) -> BooksRow {
        let Done {
            totals,
            profiles,
            subprofiles,
            links,
            linked,
            coerced,
            keys_unread: _,
        } = books.done;
        BooksRow {
            place,
            import_id: books.import_id,
            epoch: books.epoch,
            next_row: books.rows + 1,
            created: totals.created,
            updated: totals.updated,
            unchanged: totals.unchanged,
            ignored: totals.ignored,
            deleted: totals.deleted,
            profiles_created: profiles.created,
            profiles_updated: profiles.updated,
            profiles_deleted: profiles.deleted,
            subprofiles_created: subprofiles.created,
            subprofiles_updated: subprofiles.updated,
            subprofiles_deleted: subprofiles.deleted,
            links_created: links.created,
            links_deleted: links.deleted,
            linked_created: linked.created,
            linked_updated: linked.updated,
            coerced,
        }
    }
}

/// Completes imports of which no row was rejected: their books, their places in the order of truth, their
/// ends and their leases, in one statement. Refuses, as the end of a single import does, if the books
/// of one do not balance.
pub async fn complete(tx: &mut PgConnection, books: &[Books]) -> Result<(), Error> {
    let rows: Vec<BooksRow> = books.iter().enumerate().map(BooksRow::of).collect();
    let completed = sqlx::query(
        "with books as materialized (
             select * from jsonb_to_recordset($1) as b(place int, import_id bigint, epoch bigint,
                 next_row bigint, created bigint, updated bigint, unchanged bigint, ignored bigint,
                 deleted bigint, profiles_created bigint, profiles_updated bigint,
                 profiles_deleted bigint, subprofiles_created bigint, subprofiles_updated bigint,
                 subprofiles_deleted bigint, links_created bigint, links_deleted bigint,
                 linked_created bigint, linked_updated bigint, coerced bigint)
         ), kept as (
             insert into lanes (import_id, lane, epoch, next_row, chunks, created, updated, unchanged,
                 ignored, deleted, profiles_created, profiles_updated, profiles_deleted,
                 subprofiles_created, subprofiles_updated, subprofiles_deleted, links_created,
                 links_deleted, linked_created, linked_updated, coerced)
             select import_id, 0, epoch, next_row, 1, created, updated, unchanged, ignored, deleted,
                 profiles_created, profiles_updated, profiles_deleted, subprofiles_created,
                 subprofiles_updated, subprofiles_deleted, links_created, links_deleted,
                 linked_created, linked_updated, coerced
             from books
         ), logged as (
             insert into chunks (import_id, lane, first_row, next_row)
             select import_id, 0, 1, next_row from books order by place
         ), closed as (
             update leases l set epoch = b.epoch, holder = null, held_until = null, due_at = null,
                 backend_pids = '{}', waiting_for_turn = false
             from books b where l.import_id = b.import_id
         )
         update imports i set state = 'completed', version = version + 1,
             started_at = coalesce(started_at, greatest(now(), created_at)),
             applying_at = greatest(now(), created_at), finished_at = clock_timestamp()
         from books b
         where i.id = b.import_id and i.state = 'queued' and i.rows_total = b.next_row - 1
         returning pg_notify($2, i.id::text)",
    )
    .bind(sqlx::types::Json(rows))
    .bind(CHANNEL)
    .execute(tx)
    .await?;
    if completed.rows_affected() == books.len() as u64 {
        Ok(())
    } else {
        let ids: Vec<i64> = books.iter().map(|books| books.import_id).collect();
        Err(Error::Unreadable(format!(
            "the books of the imports {ids:?} do not balance"
        )))
    }
}
