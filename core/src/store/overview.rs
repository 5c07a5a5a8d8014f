//! What a dashboard asks: how much waits and how long, what came of the last hour, who works.

use sqlx::{FromRow, PgConnection};

use crate::error::Error;

/// The overview of an account; workers are those of the whole service.
#[derive(Debug, Clone, FromRow)]
pub struct Overview {
    /// Imports that wait for a worker.
    pub queued: i64,
    /// How long the oldest of them waits.
    pub oldest_queued_secs: Option<f64>,
    /// Rows applied in the last hour.
    pub rows_last_hour: i64,
    /// Imports that a person has to decide on.
    pub held: i64,
    /// Workers seen in the last 30 seconds.
    pub workers_alive: i64,
    /// Imports in work whose lease has run out and was not taken yet.
    pub without_lease: i64,
}

/// The figures, from one statement.
pub async fn overview(connection: &mut PgConnection, account_id: i64) -> Result<Overview, Error> {
    Ok(sqlx::query_as(
        "select
             (select count(*) from leases where due_at <= now() and account_id = $1) as queued,
             (select extract(epoch from now() - min(due_at))::float8 from leases
              where due_at <= now() and account_id = $1) as oldest_queued_secs,
             (select coalesce(sum(c.next_row - c.first_row), 0)::bigint from chunks c
              join imports i on i.id = c.import_id
              where c.committed_at > now() - interval '1 hour' and i.account_id = $1) as rows_last_hour,
             (select count(*) from imports where state = 'held' and account_id = $1) as held,
             (select count(*) from workers where seen_at > now() - interval '30 seconds') as workers_alive,
             (select count(*) from leases where holder is not null and held_until < now()
              and account_id = $1) as without_lease",
    )
    .bind(account_id)
    .fetch_one(connection)
    .await?)
}

/// How many imports of the account are in each state.
pub async fn by_state(
    connection: &mut PgConnection,
    account_id: i64,
) -> Result<Vec<(String, i64)>, Error> {
    Ok(
        sqlx::query_as("select state, count(*) from imports where account_id = $1 group by state")
            .bind(account_id)
            .fetch_all(connection)
            .await?,
    )
}
