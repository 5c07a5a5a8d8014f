//! A schema of the test's own beside the service's: it counts every touch of a row, makes chunks
//! slow, and holds a chunk at a gate. What a chunk that is rolled back did is not counted.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use super::TestApp;
use super::processes::eventually;

const SCHEMA: &str = "
create schema if not exists test;
create table test.touches (
    xid xid8 not null default pg_current_xact_id(), side text, op text, key text);
create table test.commits (
    xid xid8 not null default pg_current_xact_id(), import_id bigint, first_row bigint, next_row bigint);
create function test.log_chunk() returns trigger language plpgsql as $$ begin
    insert into test.commits (import_id, first_row, next_row)
    values (new.import_id, new.first_row, new.next_row);
    return null;
end $$;
create trigger test_log after insert on chunks for each row execute function test.log_chunk();";

/// A typed table and the column that tells its rows apart.
pub(crate) struct Watched {
    pub(crate) table: String,
    pub(crate) key: String,
}

/// Makes the schema. Once for every test.
pub(crate) async fn install(app: &TestApp) {
    sqlx::raw_sql(SCHEMA).execute(&app.pool).await.unwrap();
}

/// Counts the touches of the profiles of a database, told apart by `field`; those of a collection
/// where `field` is `Collection.Field`.
pub(crate) async fn watch(app: &TestApp, database: &str, field: &str) -> Watched {
    let watched = find(app, database, field).await;
    let (table, key) = (&watched.table, &watched.key);
    let function = format!("test.touch_{}", table.trim_start_matches("data."));
    let side = if field.contains('.') {
        "subprofile"
    } else {
        "profile"
    };
    let sql = format!(
        "create function {function}() returns trigger language plpgsql as $$ begin
             if tg_op = 'DELETE' then
                 insert into test.touches (side, op, key) select '{side}', 'D', {key} from gone;
             else
                 insert into test.touches (side, op, key) select '{side}', left(tg_op, 1), {key} from made;
             end if;
             return null;
         end $$;
         create trigger test_i after insert on {table} referencing new table as made
             for each statement execute function {function}();
         create trigger test_u after update on {table} referencing new table as made
             for each statement execute function {function}();
         create trigger test_d after delete on {table} referencing old table as gone
             for each statement execute function {function}();"
    );
    run(&app.pool, sql).await;
    watched
}

/// Where a field of profiles, or `Collection.Field`, is kept.
pub(crate) async fn find(app: &TestApp, database: &str, field: &str) -> Watched {
    let (collection, field) = match field.split_once('.') {
        Some((collection, field)) => (Some(collection), field),
        None => (None, field),
    };
    let (table, key): (i64, i64) = sqlx::query_as(
        "select coalesce(c.id, d.id), f.id
         from databases d join fields f on f.database_id = d.id
         left join collections c on c.id = f.collection_id
         where d.name = $1 and c.name is not distinct from $2 and f.name = $3",
    )
    .bind(database)
    .bind(collection)
    .bind(field)
    .fetch_one(&app.pool)
    .await
    .unwrap();
    Watched {
        table: format!("data.t{table}"),
        key: format!("f{key}"),
    }
}

/// Every move of a checkpoint takes this long from now on, with its chunk's rows written and not
/// committed.
pub(crate) async fn slow_checkpoints(app: &TestApp, pause: Duration) {
    let sql = format!(
        "create or replace function test.slow() returns trigger language plpgsql as $$ begin
             perform pg_sleep({});
             return new;
         end $$;
         create or replace trigger test_slow before update on lanes for each row
             when (new.next_row > old.next_row) execute function test.slow();",
        pause.as_secs_f64()
    );
    run(&app.pool, sql).await;
}

async fn run(pool: &PgPool, sql: String) {
    let sql = format!("create schema if not exists test; {sql}");
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(pool)
        .await
        .unwrap();
}

/// Holds the chunk that makes a profile with a certain key, in the middle of its transaction.
/// Postgres lets nobody wait for a lock for more than 5 s here, so it has to be opened soon.
pub(crate) struct Gate {
    bar: PgConnection,
}

impl Gate {
    /// Holds whoever inserts the profile whose `field` is `gate`.
    pub(crate) async fn shut(app: &TestApp, database: &str, field: &str) -> Gate {
        let Watched { table, key } = find(app, database, field).await;
        let sql = format!(
            "create or replace function test.gate() returns trigger language plpgsql as $$ begin
                 perform pg_advisory_xact_lock(77, 7);
                 return new;
             end $$;
             create trigger test_gate before insert on {table} for each row
                 when (new.{key} = 'gate') execute function test.gate();"
        );
        run(&app.pool, sql).await;
        let mut bar = PgConnection::connect(&app.database_url).await.unwrap();
        sqlx::query("select pg_advisory_lock(77, 7)")
            .execute(&mut bar)
            .await
            .unwrap();
        Gate { bar }
    }

    /// Waits until a chunk stands at the gate.
    pub(crate) async fn reached(&self, app: &TestApp) {
        eventually("a chunk reaches the gate", Duration::from_secs(30), || {
            waits_for_lock(app, 77)
        })
        .await;
    }

    pub(crate) async fn open(self) {
        self.bar.close().await.unwrap();
    }
}

/// Waits until someone waits for the right to write to a database.
pub(crate) async fn someone_waits_to_write(app: &TestApp) {
    eventually("someone waits to write", Duration::from_secs(4), || {
        waits_for_lock(app, 4800)
    })
    .await;
}

async fn waits_for_lock(app: &TestApp, class: i32) -> bool {
    sqlx::query_scalar(
        "select exists (select from pg_locks where locktype = 'advisory' and not granted
             and classid = $1::oid and database =
                 (select oid from pg_database where datname = current_database()))",
    )
    .bind(class)
    .fetch_one(&app.pool)
    .await
    .unwrap()
}

/// Where the rows of an import's chunks begin and end, in the order of truth.
pub(crate) async fn chunks(app: &TestApp, import: i64) -> Vec<(i64, i64)> {
    sqlx::query_as("select first_row, next_row from chunks where import_id = $1 order by seq")
        .bind(import)
        .fetch_all(&app.pool)
        .await
        .unwrap()
}

/// Every row is in exactly one chunk.
pub(crate) fn cover(chunks: &[(i64, i64)], rows: i64) -> bool {
    let mut sorted = chunks.to_vec();
    sorted.sort_unstable();
    let mut next = 1;
    for (first_row, next_row) in sorted {
        if first_row != next {
            return false;
        }
        next = next_row;
    }
    next == rows + 1
}

/// How many touches a kind of change made, and how many different rows they touched.
pub(crate) async fn touched(app: &TestApp, op: &str) -> (i64, i64) {
    sqlx::query_as("select count(*), count(distinct key) from test.touches where op = $1")
        .bind(op)
        .fetch_one(&app.pool)
        .await
        .unwrap()
}
