//! The victims of a removal: counted, listed and taken away, chunk by chunk. Callers hold the
//! database's lock and begin and end the transaction.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::brake::{Reason, Share};
use crate::database::{Database, TableNumber};
use crate::error::Error;
use crate::plan::LinkTable;
use crate::store::connect::plan_for_values;
use crate::store::removal::{self, Judged};
use crate::store::typed::removal::{self as typed, Belongings};
use crate::store::{links, profiles};

/// What an import would remove, and from what.
pub struct Scope<'a> {
    /// The import.
    pub import_id: i64,
    /// What another import wrote later is spared.
    pub spares_after: DateTime<Utc>,
    /// The database.
    pub database: &'a Database,
    /// The tables that are cleaned: the profiles' first.
    pub tables: &'a [i64],
    collections: Vec<TableNumber>,
    links: Vec<LinkTable>,
}

/// What a removal comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Table by table.
    pub shares: Vec<Share>,
    /// All in all; subprofiles that go along with their profiles included.
    pub sums: Judged,
}

impl Counts {
    /// Everything that goes.
    #[must_use]
    pub fn removals(&self) -> i64 {
        self.sums.profiles + self.sums.subprofiles
    }
}

impl<'a> Scope<'a> {
    /// The scope of an import, by its moment of sparing.
    pub async fn of(
        connection: &mut PgConnection,
        import_id: i64,
        (database, tables): (&'a Database, &'a [i64]),
    ) -> Result<Scope<'a>, Error> {
        let spares_after: Option<DateTime<Utc>> =
            sqlx::query_scalar("select spares_after from imports where id = $1")
                .bind(import_id)
                .fetch_one(connection)
                .await?;
        Ok(Scope {
            import_id,
            spares_after: spares_after
                .ok_or_else(|| Error::Unreadable(format!("acceptance of import {import_id}")))?,
            database,
            tables,
            collections: database.collections.iter().map(|one| one.number).collect(),
            links: database.links.iter().map(LinkTable::of).collect(),
        })
    }

    fn belongings(&self) -> Belongings<'_> {
        Belongings {
            profiles: self.database.number,
            collections: &self.collections,
            links: &self.links,
        }
    }

    /// Counts what would go. Reads whole tables, so joins of every kind are allowed for it, and it may
    /// take its time.
    pub async fn count(&self, tx: &mut PgConnection) -> Result<Counts, Error> {
        tx.execute(
            "set local enable_hashjoin = on; set local enable_mergejoin = on;
             set local enable_seqscan = on; set local statement_timeout = '10min'",
        )
        .await?;
        plan_for_values(tx).await?;
        let statement = typed::count_profiles(&self.belongings());
        let (living, victims): (i64, i64) = sqlx::query_as(AssertSqlSafe(statement))
            .bind(self.import_id)
            .bind(self.spares_after)
            .fetch_one(&mut *tx)
            .await?;
        let mut counts = Counts {
            shares: vec![Share {
                name: "profiles".to_owned(),
                living,
                victims,
            }],
            sums: Judged {
                profiles: victims,
                subprofiles: 0,
                living,
            },
        };
        for collection in &self.database.collections {
            let statement = typed::count_subprofiles(collection.number, &self.belongings());
            let (living, own, along): (i64, i64, i64) = sqlx::query_as(AssertSqlSafe(statement))
                .bind(self.import_id)
                .bind(self.spares_after)
                .fetch_one(&mut *tx)
                .await?;
            counts.sums.subprofiles += along;
            if self.tables.contains(&collection.number.0) {
                counts.sums.subprofiles += own;
                counts.shares.push(Share {
                    name: collection.name.clone(),
                    // Those that go along are judged with their profiles.
                    living: living - along,
                    victims: own,
                });
            }
        }
        Ok(counts)
    }

    /// The ids of victims after an id, in their order, over all tables. How many are asked for decides
    /// the way to them, so that it is planned for these values, in the transaction of the caller.
    pub async fn after(
        &self,
        tx: &mut PgConnection,
        after: i64,
        limit: i64,
    ) -> Result<Vec<i64>, Error> {
        plan_for_values(tx).await?;
        for table in self.tables {
            let number = TableNumber(*table);
            if TableNumber::of_id(after).0 > *table {
                continue;
            }
            let statement = match number == self.database.number {
                true => typed::profile_victims(&self.belongings()),
                false => typed::subprofile_victims(number, &self.belongings()),
            };
            let ids: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(statement))
                .bind(self.import_id)
                .bind(self.spares_after)
                .bind(after)
                .bind(limit)
                .fetch_all(&mut *tx)
                .await?;
            if !ids.is_empty() {
                return Ok(ids);
            }
        }
        Ok(Vec::new())
    }

    /// Takes away victims of one table, with all that belongs to them, after keeping them as they are.
    /// Returns how many profiles and subprofiles went.
    pub async fn remove(&self, tx: &mut PgConnection, ids: &[i64]) -> Result<(i64, i64), Error> {
        let Some(first) = ids.first() else {
            return Ok((0, 0));
        };
        let number = TableNumber::of_id(*first);
        if number != self.database.number {
            self.keep(tx, typed::keep_subprofiles(number), ids).await?;
            let gone = profiles::delete(tx, number, ids).await?;
            return Ok((0, signed(gone)));
        }
        let mut along = 0;
        for collection in &self.collections {
            self.keep(tx, typed::keep_children(*collection), ids)
                .await?;
            along += signed(profiles::delete_children(tx, *collection, ids).await?);
        }
        for link in &self.links {
            links::delete_all(tx, link, ids).await?;
        }
        self.keep(tx, typed::keep_profiles(number), ids).await?;
        let gone = profiles::delete(tx, number, ids).await?;
        Ok((signed(gone), along))
    }

    async fn keep(
        &self,
        tx: &mut PgConnection,
        statement: String,
        ids: &[i64],
    ) -> Result<(), Error> {
        sqlx::query(AssertSqlSafe(statement))
            .bind(self.import_id)
            .bind(ids)
            .execute(tx)
            .await?;
        Ok(())
    }
}

/// Counts what would go, and names every reason why it may not go yet. What somebody approved is held
/// again only if it grew.
pub async fn judge(
    tx: &mut PgConnection,
    scope: &Scope<'_>,
    approved: Option<i64>,
) -> Result<(Counts, Vec<Reason>), Error> {
    let counts = scope.count(tx).await?;
    let reasons = match approved {
        Some(approved) if counts.removals() > approved => {
            vec![Reason::grown(counts.removals(), approved)]
        }
        Some(_) => Vec::new(),
        None => {
            let brake = removal::brake(tx, scope.database.number.0).await?;
            let payload = removal::payload(tx, scope.import_id).await?;
            brake.judge(&payload, &counts.shares, counts.removals())
        }
    };
    Ok((counts, reasons))
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
