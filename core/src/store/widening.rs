//! Fields and collections that are added to a database later, also while an import runs: behind the
//! writers' lock, and never so that readers wait.

use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection};

use crate::code::Code;
use crate::database::{Database, TableNumber};
use crate::error::{Class, Error, refused};
use crate::field::Field;
use crate::limits::{COLLECTIONS_MAX, FIELDS_MAX, LINKS_MAX};
use crate::store::connect::{lock_database, lock_databases};
use crate::store::databases::{
    NewCollection, NewField, in_words, insert_collection, insert_fields, name_refused, run,
};
use crate::store::{indexes, typed};

/// Adds a collection. Its table is new, so nobody waits.
pub async fn add_collection(
    connection: &mut PgConnection,
    database: TableNumber,
    collection: &NewCollection,
) -> Result<(), Error> {
    let mut tx = connection.begin().await?;
    // The foreign key takes a short lock on the profiles' table; behind the writers' lock it
    // never waits for a chunk while readers queue up behind it.
    lock_database(&mut tx, database.0).await?;
    let there: i64 = sqlx::query_scalar("select count(*) from collections where database_id = $1")
        .bind(database.0)
        .fetch_one(&mut *tx)
        .await?;
    within(there + 1, COLLECTIONS_MAX, "collections")?;
    let taken: bool = sqlx::query_scalar(
        "select exists (select from links where database_id = $1 and lower(name) = lower($2))
             or exists (select from links where other_id = $1 and lower(reverse) = lower($2))",
    )
    .bind(database.0)
    .bind(&collection.name)
    .fetch_one(&mut *tx)
    .await?;
    if taken {
        let detail = "A link of this database has this name.";
        return Err(name_refused(Code::NameTaken, detail));
    }
    insert_collection(&mut tx, database.0, collection).await?;
    tx.commit().await?;
    Ok(())
}

/// What is asked of a new link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLink {
    /// What this database calls it.
    pub name: String,
    /// What the other database calls it; none: it does not see it.
    pub reverse: Option<String>,
}

/// Joins two databases by a link, behind the locks of both. Its table is new, so nobody waits.
pub async fn add_link(
    connection: &mut PgConnection,
    database: &Database,
    other: &Database,
    link: &NewLink,
) -> Result<(), Error> {
    let mut tx = connection.begin().await?;
    lock_databases(&mut tx, &[database.number.0, other.number.0]).await?;
    let names = [(database, Some(&link.name)), (other, link.reverse.as_ref())];
    for (owner, name) in names {
        let Some(name) = name else {
            continue;
        };
        let (links, taken): (i64, bool) = sqlx::query_as(
            "select (select count(*) from links where database_id = $1 or other_id = $1),
                 exists (select from collections where database_id = $1 and lower(name) = lower($2))
                 or exists (select from links where database_id = $1 and lower(name) = lower($2))
                 or exists (select from links where other_id = $1 and lower(reverse) = lower($2))",
        )
        .bind(owner.number.0)
        .bind(name)
        .fetch_one(&mut *tx)
        .await?;
        within(links + 1, LINKS_MAX, "links of a database")?;
        if taken {
            let detail = format!(
                "{} has a collection or a link with the name {name:?} already.",
                owner.name
            );
            return Err(refused(Code::NameTaken, detail));
        }
    }
    let number: i64 = sqlx::query_scalar(
        "insert into links (database_id, other_id, name, reverse) values ($1, $2, $3, $4)
         returning id",
    )
    .bind(database.number.0)
    .bind(other.number.0)
    .bind(&link.name)
    .bind(&link.reverse)
    .fetch_one(&mut *tx)
    .await
    .map_err(in_words)?;
    let ends = (database.number, other.number);
    run(
        &mut tx,
        typed::links::create_table(TableNumber(number), ends),
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Counted behind the writers' lock, so that two at once cannot pass the limit together.
fn within(count: i64, most: usize, what: &str) -> Result<(), Error> {
    match usize::try_from(count) {
        Ok(count) if count <= most => Ok(()),
        _ => Err(refused(
            Code::LimitReached,
            format!("At most {most} {what}."),
        )),
    }
}

const ALTER_TRIES: u32 = 100;

/// Adds fields to a database or one of its collections, also while an import runs. `alter table`
/// stops every reader while it waits for its lock, so it waits a tenth of a second at most, behind
/// the writers' lock, and comes again.
pub async fn add_fields(
    connection: &mut PgConnection,
    database: TableNumber,
    collection: Option<TableNumber>,
    fields: &[NewField],
) -> Result<(), Error> {
    let number = collection.unwrap_or(database);
    for attempt in 1..=ALTER_TRIES {
        if !indexes::is_building(connection, number).await? {
            match try_add_fields(connection, database, collection, (fields, attempt)).await {
                Ok(made) => {
                    return add_unique_indexes(connection, number, (&made, fields)).await;
                }
                Err(error) if error.class() != Class::Transient => return Err(error),
                Err(error) => tracing::debug!(error = %error, attempt, "a field is added later"),
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let detail = "The table is busy with maintenance. Nothing was changed; try again in a minute.";
    Err(refused(Code::TemporarilyUnavailable, detail))
}

/// An autovacuum makes way only for whoever waits longer than `deadlock_timeout`, a second.
fn patience(attempt: u32) -> &'static str {
    if attempt.is_multiple_of(10) {
        "set local lock_timeout = '1200ms'"
    } else {
        "set local lock_timeout = '100ms'"
    }
}

async fn try_add_fields(
    connection: &mut PgConnection,
    database: TableNumber,
    collection: Option<TableNumber>,
    (fields, attempt): (&[NewField], u32),
) -> Result<Vec<Field>, Error> {
    let mut tx = connection.begin().await?;
    lock_database(&mut tx, database.0).await?;
    tx.execute(patience(attempt)).await?;
    let there: i64 = sqlx::query_scalar(
        "select count(*) from fields
         where database_id = $1 and collection_id is not distinct from $2",
    )
    .bind(database.0)
    .bind(collection.map(|number| number.0))
    .fetch_one(&mut *tx)
    .await?;
    let new = i64::try_from(fields.len()).unwrap_or(i64::MAX);
    within(there.saturating_add(new), FIELDS_MAX, "fields")?;
    let plain: Vec<NewField> = fields
        .iter()
        .map(|field| NewField {
            unique: false,
            ..field.clone()
        })
        .collect();
    let made = insert_fields(
        &mut tx,
        database.0,
        collection.map(|number| number.0),
        &plain,
    )
    .await?;
    let number = collection.unwrap_or(database);
    let statements = made.iter().map(|field| typed::add_column(number, field));
    run(&mut tx, statements.collect()).await?;
    tx.commit().await?;
    Ok(made)
}

/// A field added later becomes unique once its index stands. An import may have written one value
/// twice in between: then the field stays, without being unique, and the answer says so.
async fn add_unique_indexes(
    connection: &mut PgConnection,
    number: TableNumber,
    (made, asked): (&[Field], &[NewField]),
) -> Result<(), Error> {
    for (field, _) in made.iter().zip(asked).filter(|(_, asked)| asked.unique) {
        connection
            .execute("set statement_timeout = 0; set lock_timeout = 0")
            .await?;
        let built = run(connection, vec![typed::add_unique_index(number, field)]).await;
        if built.is_err() {
            run(connection, vec![typed::drop_unique_index(number, field)]).await?;
        }
        connection
            .execute("reset statement_timeout; reset lock_timeout")
            .await?;
        match built {
            Ok(()) => mark_unique(connection, field.id).await?,
            Err(error) if error.class() == Class::Data => {
                let detail = format!(
                    "The field {:?} was added, but cannot be unique: an import wrote one value twice \
                     in the meantime.",
                    field.name
                );
                return Err(refused(Code::UniqueConflict, detail));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn mark_unique(connection: &mut PgConnection, field_id: i64) -> Result<(), Error> {
    sqlx::query("update fields set is_unique = true where id = $1")
        .bind(field_id)
        .execute(connection)
        .await?;
    Ok(())
}
