//! Accounts and their tokens. A token is kept as its hash; its text is shown once.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgPool};
use subtle::ConstantTimeEq;

use crate::error::Error;
use crate::token::{Scope, Token};

/// Who asks, as a token proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account_id: i64,
    /// The token, by its public part.
    pub token_id: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// Whether the token may do this. `admin` includes everything, `write` includes `read`.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|held| *held >= scope)
    }
}

/// A token without its secret.
#[derive(Debug, Clone, FromRow)]
pub struct TokenRow {
    /// The public part of the token, which is its id.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is no longer valid.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The account of this name, made if it is new.
pub async fn ensure(connection: &mut PgConnection, name: &str) -> Result<i64, Error> {
    let id = sqlx::query_scalar(
        "insert into accounts (name) values ($1)
         on conflict (name) do update set name = excluded.name returning id",
    )
    .bind(name)
    .fetch_one(connection)
    .await?;
    Ok(id)
}

/// The name of an account.
pub async fn name(connection: &mut PgConnection, account_id: i64) -> Result<String, Error> {
    Ok(
        sqlx::query_scalar("select name from accounts where id = $1")
            .bind(account_id)
            .fetch_one(connection)
            .await?,
    )
}

/// Whether any token exists: a fresh installation has none.
pub async fn any_token(connection: &mut PgConnection) -> Result<bool, Error> {
    Ok(sqlx::query_scalar("select exists (select from tokens)")
        .fetch_one(connection)
        .await?)
}

/// Keeps a token. One that is there already stays as it is.
pub async fn keep_token(
    connection: &mut PgConnection,
    account_id: i64,
    token: &Token,
    new: &NewToken,
) -> Result<(), Error> {
    let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    sqlx::query(
        "insert into tokens (id, account_id, name, scopes, hash, expires_at)
         values ($1, $2, $3, $4, $5, $6) on conflict (id) do nothing",
    )
    .bind(&token.id)
    .bind(account_id)
    .bind(&new.name)
    .bind(scopes)
    .bind(token.hash.as_slice())
    .bind(new.expires_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// What is asked of a new token.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// A name for people.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// From when on it is no longer valid.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What the ledger knows of a token that is valid.
#[derive(Debug, Clone, FromRow)]
pub struct Known {
    id: String,
    account_id: i64,
    scopes: Vec<String>,
    hash: Vec<u8>,
}

impl Known {
    /// Who asks with this token; none if its secret is another.
    #[must_use]
    pub fn prove(&self, presented: &Token) -> Option<Caller> {
        let same =
            self.id == presented.id && bool::from(self.hash.ct_eq(presented.hash.as_slice()));
        let scopes = self.scopes.iter().filter_map(|scope| Scope::parse(scope));
        same.then(|| Caller {
            account_id: self.account_id,
            token_id: self.id.clone(),
            scopes: scopes.collect(),
        })
    }
}

/// What is known of the token with this public part, if it is neither revoked nor expired.
pub async fn valid(connection: &mut PgConnection, id: &str) -> Result<Option<Known>, Error> {
    Ok(sqlx::query_as(
        "select id, account_id, scopes, hash from tokens
         where id = $1 and revoked_at is null and (expires_at is null or expires_at > now())",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?)
}

/// Notes that a token was used; to the minute, so that busy tokens cost no writes.
pub async fn note_use(pool: &PgPool, token_id: &str) -> Result<(), Error> {
    sqlx::query(
        "update tokens set last_used_at = now()
         where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')",
    )
    .bind(token_id)
    .execute(pool)
    .await?;
    Ok(())
}

/// The tokens of an account, newest first.
pub async fn tokens(pool: &PgPool, account_id: i64) -> Result<Vec<TokenRow>, Error> {
    Ok(sqlx::query_as(
        "select id, name, scopes, created_at, expires_at, revoked_at, last_used_at from tokens
         where account_id = $1 order by created_at desc, id",
    )
    .bind(account_id)
    .fetch_all(pool)
    .await?)
}

/// Revokes a token of the account. Revoking twice is the same as once.
pub async fn revoke(pool: &PgPool, account_id: i64, id: &str) -> Result<(), Error> {
    // Postgres takes no text with NUL, and no id has one.
    if id.contains('\0') {
        return Err(Error::NotFound("token"));
    }
    let found = sqlx::query(
        "update tokens set revoked_at = coalesce(revoked_at, now())
         where account_id = $1 and id = $2",
    )
    .bind(account_id)
    .bind(id)
    .execute(pool)
    .await?
    .rows_affected();
    if found == 0 {
        Err(Error::NotFound("token"))
    } else {
        Ok(())
    }
}
