//! Connections to the ledger, with the settings that each kind of work needs.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};

use crate::error::Error;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// Brings the schema up to date. Safe to run by several at once.
pub async fn migrate(database_url: &str) -> Result<(), Error> {
    // Tables may be large, and nobody is served before this is done.
    let patient = [("statement_timeout", "0"), ("lock_timeout", "0")];
    let mut connection = options(database_url, "longshore-migrate")?
        .options(patient)
        .connect()
        .await?;
    MIGRATIONS
        .run(&mut connection)
        .await
        .map_err(|error| sqlx::Error::Migrate(Box::new(error)))?;
    connection.close().await?;
    Ok(())
}

/// How to reach the ledger. `name` is seen in `pg_stat_activity`, and a claimant terminates the
/// backends of the holder before it only where the name still fits. No statement may wait for
/// ever, and a client that vanished is noticed.
pub fn options(database_url: &str, name: &str) -> Result<PgConnectOptions, Error> {
    let options = PgConnectOptions::from_str(database_url)?
        .application_name(name)
        .options([
            ("statement_timeout", "30s"),
            ("lock_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "10s"),
            ("client_connection_check_interval", "2s"),
            ("timezone", "UTC"),
            // A statement is planned once for a connection, not anew for every value: while tables grow,
            // Postgres takes the plan for any value to be dearer than those it made when they were small.
            ("plan_cache_mode", "force_generic_plan"),
        ]);
    Ok(options)
}

/// A connection that was in use so lately is taken to be there still.
pub const TRUSTED_FOR: Duration = Duration::from_millis(100);

/// A pool that asks a connection whether it is still there, unless it was in use just now: a server
/// that went away costs a request or two, and a busy service does not ask twice for everything.
fn pool(connections_max: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections_max)
        .test_before_acquire(false)
        .before_acquire(|connection, was| {
            Box::pin(async move {
                if was.idle_for > TRUSTED_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
}

/// A pool for the doors: short waits, so that a database that is down is said at once.
pub fn door_pool(database_url: &str, connections_max: u32) -> Result<PgPool, Error> {
    Ok(pool(connections_max)
        .acquire_timeout(Duration::from_secs(3))
        .connect_lazy_with(options(database_url, "longshore-serve")?))
}

/// A pool for workers. Rows are matched by index, chunk by chunk: a hash or merge join would read
/// the whole table for every chunk, so the planner is told not to.
pub fn worker_pool(
    database_url: &str,
    holder: &str,
    connections_max: u32,
) -> Result<PgPool, Error> {
    let options = options(database_url, holder)?.options([
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("enable_seqscan", "off"),
        // Compiling a statement takes longer than a chunk does.
        ("jit", "off"),
    ]);
    Ok(pool(connections_max)
        .acquire_timeout(Duration::from_secs(10))
        .connect_lazy_with(options))
}

/// Whether Postgres answers.
pub async fn ping(pool: &PgPool) -> Result<(), Error> {
    sqlx::query("select 1").execute(pool).await?;
    Ok(())
}

/// A connection of its own, for work that must not wait behind other work.
pub async fn own_connection(database_url: &str, name: &str) -> Result<PgConnection, Error> {
    Ok(options(database_url, name)?.connect().await?)
}

/// A span of time as Postgres keeps it: to the microsecond, and no finer.
pub(crate) fn interval(duration: Duration) -> PgInterval {
    let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    PgInterval {
        months: 0,
        days: 0,
        microseconds,
    }
}

/// Begins the transaction of a database's writer: nobody else writes to its tables until the
/// commit. Waiting writers get the lock in the order in which they asked.
pub async fn lock_database(connection: &mut PgConnection, number: i64) -> Result<(), Error> {
    sqlx::query("select pg_advisory_xact_lock(4800, $1::int)")
        .bind(i32::try_from(number).map_err(|_| Error::Unreadable(format!("table {number}")))?)
        .execute(connection)
        .await?;
    Ok(())
}

/// The same for one of several writers of one import that know of each other: everybody else is kept
/// out, as by the lock of a single writer.
pub async fn share_database(connection: &mut PgConnection, number: i64) -> Result<(), Error> {
    sqlx::query("select pg_advisory_xact_lock_shared(4800, $1::int)")
        .bind(i32::try_from(number).map_err(|_| Error::Unreadable(format!("table {number}")))?)
        .execute(connection)
        .await?;
    Ok(())
}

/// Lets a transaction plan its statements for their values, where these decide which way is short.
pub async fn plan_for_values(tx: &mut PgConnection) -> Result<(), Error> {
    sqlx::query("set local plan_cache_mode = force_custom_plan")
        .execute(tx)
        .await?;
    Ok(())
}

/// Lets a transaction wait for those before it, for as long as a chunk may take in the worst case. One
/// that is orphaned is ended by whoever claims its import.
pub async fn wait_in_line(tx: &mut PgConnection) -> Result<(), Error> {
    sqlx::query("set local idle_in_transaction_session_timeout = '10min'")
        .execute(tx)
        .await?;
    Ok(())
}

/// The lock for a writer of several databases. All writers take these locks in one order.
pub async fn lock_databases(connection: &mut PgConnection, numbers: &[i64]) -> Result<(), Error> {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    for number in numbers {
        lock_database(connection, number).await?;
    }
    Ok(())
}
