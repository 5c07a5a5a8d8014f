//! What an expert would write by hand: COPY into a staging table, then one INSERT with ON CONFLICT that
//! changes what is distinct. And the floor: COPY into the final table with its indexes.

use std::path::Path;
use std::time::Instant;

use sqlx::postgres::{PgPoolCopyExt, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor, PgPool};
use tokio::fs::File;

use super::people::COLUMNS;

const TYPED: &str =
    "first_name text, last_name text, phone text, country text, city text, age bigint,
     score float8, subscribed bool, signup date";

/// The expert's connection and tables.
pub(crate) struct Yardstick {
    pub(crate) pool: PgPool,
}

impl Yardstick {
    pub(crate) async fn connect(url: &str) -> Yardstick {
        let pool = PgPoolOptions::new().max_connections(16);
        let pool = pool.connect(url).await.unwrap();
        pool.execute("create schema if not exists yardstick")
            .await
            .unwrap();
        Yardstick { pool }
    }

    async fn run(&self, sql: &str) {
        self.pool
            .execute(sqlx::raw_sql(AssertSqlSafe(sql)))
            .await
            .unwrap();
    }

    /// Empty tables.
    pub(crate) async fn begin(&self) {
        self.run(&format!(
            "drop table if exists yardstick.people, yardstick.staging;
             create table yardstick.people (id bigint generated always as identity primary key,
                 email text unique, {TYPED},
                 created_at timestamptz not null default now(),
                 updated_at timestamptz not null default now());
             create unlogged table yardstick.staging (email text, {TYPED})"
        ))
        .await;
    }

    /// Loads a file; returns the seconds.
    pub(crate) async fn load(&self, file: &Path) -> f64 {
        let began = Instant::now();
        let fields = COLUMNS[1..].join(",");
        let (new, old) = (prefixed("excluded"), prefixed("p"));
        self.run("truncate yardstick.staging").await;
        self.copy("yardstick.staging", file).await;
        self.run(&format!(
            "insert into yardstick.people as p (email,{fields}) select * from yardstick.staging
             on conflict (email) do update set ({fields},updated_at) = ({new},now())
             where ({old}) is distinct from ({new})"
        ))
        .await;
        began.elapsed().as_secs_f64()
    }

    /// COPY into a table with the same indexes, and nothing else; returns the seconds.
    pub(crate) async fn floor(&self, file: &Path) -> f64 {
        self.run(&format!(
            "drop table if exists yardstick.floor;
             create table yardstick.floor (id bigint generated always as identity primary key,
                 email text unique, {TYPED})"
        ))
        .await;
        let began = Instant::now();
        let columns = COLUMNS.join(",");
        self.copy(&format!("yardstick.floor ({columns})"), file)
            .await;
        let seconds = began.elapsed().as_secs_f64();
        self.run("drop table yardstick.floor").await;
        seconds
    }

    async fn copy(&self, table: &str, file: &Path) {
        let statement = format!("copy {table} from stdin (format csv, header)");
        let mut copy = self.pool.copy_in_raw(&statement).await.unwrap();
        copy.read_from(File::open(file).await.unwrap())
            .await
            .unwrap();
        copy.finish().await.unwrap();
    }

    /// Files as they are, to compare with: no index, no comparison of ours.
    pub(crate) async fn stage(&self, files: &[&Path]) {
        self.run("truncate yardstick.staging").await;
        for file in files {
            self.copy("yardstick.staging", file).await;
        }
    }

    /// How many rows differ between the expert's table and this one, which has its columns.
    pub(crate) async fn differing(&self, other: &str) -> i64 {
        self.differing_from("yardstick.people", other).await
    }

    /// How many rows there are in a table, or in whatever else can be selected from.
    pub(crate) async fn count(&self, from: &str) -> i64 {
        let sql = format!("select count(*) from {from}");
        let counted = sqlx::query_scalar(AssertSqlSafe(sql));
        counted.fetch_one(&self.pool).await.unwrap()
    }

    /// How many rows differ between what was staged and this table.
    pub(crate) async fn differing_from_staged(&self, other: &str) -> i64 {
        self.differing_from("yardstick.staging", other).await
    }

    async fn differing_from(&self, expected: &str, other: &str) -> i64 {
        let (one, two) = (prefixed("y"), prefixed("l"));
        let sql = format!(
            "select count(*) from {expected} y full join {other} l using (email)
             where ({one}) is distinct from ({two}) or y.email is null or l.id is null"
        );
        sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

fn prefixed(with: &str) -> String {
    let fields = COLUMNS[1..].iter().map(|column| format!("{with}.{column}"));
    fields.collect::<Vec<_>>().join(",")
}
