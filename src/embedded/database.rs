//! What is asked of a Postgres server over a connection: whether it answers, whether Longshore can
//! live on it, and to make the private database. A configured server is asked, never changed.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

use super::error::CheckError;
use super::programs::POSTGRES_MAJOR_MIN;

const ANSWER_SECS: u64 = 30;
const CONNECT_SECS: u64 = 5;

/// Connects to `url` and makes sure of version 14 or newer and of a UTF8 database; answers the
/// major version. Every start asks this, also of servers that somebody else runs.
pub async fn check_server(url: &str) -> Result<u32, CheckError> {
    tokio::time::timeout(Duration::from_secs(ANSWER_SECS), ask(url))
        .await
        .map_err(|_| CheckError::Silent { secs: ANSWER_SECS })?
}

async fn ask(url: &str) -> Result<u32, CheckError> {
    let mut connection = PgConnection::connect(url).await?;
    let (number, encoding): (i32, String) = sqlx::query_as(
        "select current_setting('server_version_num')::int, current_setting('server_encoding')",
    )
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    judge(u32::try_from(number / 10_000).unwrap_or_default(), encoding)
}

fn judge(major: u32, encoding: String) -> Result<u32, CheckError> {
    if major < POSTGRES_MAJOR_MIN {
        return Err(CheckError::Version { found: major });
    }
    if encoding != "UTF8" {
        return Err(CheckError::Encoding { found: encoding });
    }
    Ok(major)
}

/// Creates the private server's database if need be, and checks the server.
pub(super) async fn make_database(url: &str) -> Result<(), CheckError> {
    create_if_missing(url).await?;
    check_server(url).await?;
    Ok(())
}

async fn create_if_missing(url: &str) -> Result<(), sqlx::Error> {
    let mut connection = connect_to_maintenance(url).await?;
    let exists: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = 'longshore')")
            .fetch_one(&mut connection)
            .await?;
    if !exists {
        sqlx::query("create database longshore")
            .execute(&mut connection)
            .await?;
    }
    connection.close().await
}

/// How a starting server answers.
pub(super) enum Answer {
    /// It takes connections.
    Ready,
    /// It is there, but still replays its log or is about to stop.
    NotYet(sqlx::Error),
    /// Nothing, or not what a private server would say.
    None(sqlx::Error),
}

/// Asks the server whether it takes connections, without needing the private database.
pub(super) async fn is_ready(url: &str) -> Answer {
    match connect_to_maintenance(url).await {
        Ok(connection) => {
            // The server does not care how this one ends.
            let _ = connection.close().await;
            Answer::Ready
        }
        Err(error) if sqlstate(&error).as_deref() == Some("57P03") => Answer::NotYet(error),
        Err(error) => Answer::None(error),
    }
}

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

async fn connect_to_maintenance(url: &str) -> Result<PgConnection, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?.database("postgres");
    tokio::time::timeout(Duration::from_secs(CONNECT_SECS), options.connect())
        .await
        .unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_server_and_another_encoding_are_refused() {
        assert!(matches!(judge(14, "UTF8".into()), Ok(14)));
        assert!(matches!(
            judge(13, "UTF8".into()),
            Err(CheckError::Version { found: 13 })
        ));
        let refused = judge(17, "SQL_ASCII".into()).unwrap_err().to_string();
        assert!(refused.contains("SQL_ASCII"), "{refused}");
    }
}
