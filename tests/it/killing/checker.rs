//! Compares what became of all imports with the model. It reports, it does not judge: a green run
//! wants no faults, a planted bug wants some.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::AssertSqlSafe;

use super::load::{Submitted, database_name};
use super::model::{Books, Kind, Profile, Touch, Touched, World};
use crate::app::TestApp;
use crate::app::witness::{self, Watched};

/// Most faults of one sort that are written out.
const SHOWN_MAX: usize = 10;

/// The typed tables of one database.
pub(crate) struct Tables {
    pub(crate) profiles: Watched,
    pub(crate) orders: Watched,
}

pub(crate) async fn faults(
    app: &TestApp,
    submitted: &[Submitted],
    tables: &[Tables],
) -> Vec<String> {
    let mut faults = Vec::new();
    states(app, submitted, &mut faults).await;
    let mut expected_touches = HashMap::new();
    for (database, tables) in tables.iter().enumerate() {
        let world = fold(app, database, submitted, &mut faults).await;
        profiles(app, tables, &world, &mut faults).await;
        books(app, database, &world, &mut faults).await;
        expected_touches.extend(world.touches);
    }
    touches(app, submitted, expected_touches, &mut faults).await;
    faults
}

async fn states(app: &TestApp, submitted: &[Submitted], faults: &mut Vec<String>) {
    let states: HashMap<i64, String> = sqlx::query_as("select id, state from imports")
        .fetch_all(&app.pool)
        .await
        .unwrap()
        .into_iter()
        .collect();
    let other = submitted
        .iter()
        .filter(|import| states.get(&import.id).map(String::as_str) != Some("completed"));
    report(faults, "is not completed", other, |import| {
        format!("import {} is {:?}", import.id, states.get(&import.id))
    });
    if states.len() != submitted.len() {
        faults.push(format!(
            "{} imports for {} answers",
            states.len(),
            submitted.len()
        ));
    }
}

/// Folds the rows in the recorded order of chunks. Chunks that do not cover every row exactly once
/// are a fault; a row that is in two of them is folded once.
async fn fold(
    app: &TestApp,
    database: usize,
    submitted: &[Submitted],
    faults: &mut Vec<String>,
) -> World {
    let imports: HashMap<i64, &Submitted> = submitted
        .iter()
        .filter(|import| import.database == database)
        .map(|import| (import.id, import))
        .collect();
    let order: Vec<(i64, i64, i64)> = sqlx::query_as(
        "select c.import_id, c.first_row, c.next_row from chunks c
         join imports i on i.id = c.import_id join databases d on d.id = i.database_id
         where d.name = $1 order by c.seq",
    )
    .bind(database_name(database))
    .fetch_all(&app.pool)
    .await
    .unwrap();
    let mut world = World::default();
    let mut chunks: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
    let mut folded: HashMap<i64, Vec<bool>> = imports
        .values()
        .map(|import| (import.id, vec![false; import.lines.len()]))
        .collect();
    for (id, first_row, next_row) in order {
        chunks.entry(id).or_default().push((first_row, next_row));
        let (import, folded) = (imports[&id], folded.get_mut(&id).unwrap());
        for row in first_row..next_row {
            let place = usize::try_from(row - 1).unwrap();
            if let Some(line) = import.lines.get(place)
                && !std::mem::replace(&mut folded[place], true)
            {
                world.apply(id, import.kind, line);
            }
        }
    }
    let torn = imports.values().filter(|import| {
        let chunks = chunks.get(&import.id).map(Vec::as_slice);
        !witness::cover(chunks.unwrap_or_default(), import.lines.len() as i64)
    });
    report(faults, "is not covered once by chunks", torn, |import| {
        format!("import {} ({:?})", import.id, import.kind)
    });
    world
}

async fn profiles(app: &TestApp, tables: &Tables, world: &World, faults: &mut Vec<String>) {
    let (table, key) = (&tables.profiles.table, &tables.profiles.key);
    let fields = columns_after(key);
    let sql = format!("select {key}, {}, {}, id from {table}", fields.0, fields.1);
    let rows: Vec<(String, Option<String>, Option<i64>, i64)> = sqlx::query_as(AssertSqlSafe(sql))
        .fetch_all(&app.pool)
        .await
        .unwrap();
    let (orders, sku) = (&tables.orders.table, &tables.orders.key);
    let sql = format!(
        "select profile_id, {sku}, {} from {orders}",
        columns_after(sku).0
    );
    let order_rows: Vec<(i64, String, i64)> = sqlx::query_as(AssertSqlSafe(sql))
        .fetch_all(&app.pool)
        .await
        .unwrap();
    let mut orders: HashMap<i64, BTreeMap<String, i64>> = HashMap::new();
    let mut doubled = order_rows.len();
    for (profile, sku, quantity) in order_rows {
        orders.entry(profile).or_default().insert(sku, quantity);
    }
    doubled -= orders.values().map(BTreeMap::len).sum::<usize>();
    doubled += rows.len();
    let found: HashMap<String, Profile> = rows
        .into_iter()
        .map(|(key, name, score, id)| {
            let orders = orders.remove(&id).unwrap_or_default();
            let profile = Profile {
                name,
                score,
                orders,
            };
            (key, profile)
        })
        .collect();
    doubled -= found.len();
    if doubled > 0 {
        faults.push(format!("{doubled} profiles or subprofiles are doubled"));
    }
    let keys: HashSet<&String> = found.keys().chain(world.profiles.keys()).collect();
    let wrong = keys
        .into_iter()
        .filter(|key| found.get(*key) != world.profiles.get(*key));
    report(faults, "is not what the model has", wrong, |key| {
        let (is, should) = (found.get(*key), world.profiles.get(*key));
        format!("profile {key} is {is:?}, should be {should:?}")
    });
}

/// The columns made behind a key: their numbers follow its own.
fn columns_after(key: &str) -> (String, String) {
    let number: i64 = key.trim_start_matches('f').parse().unwrap();
    (format!("f{}", number + 1), format!("f{}", number + 2))
}

async fn books(app: &TestApp, database: usize, world: &World, faults: &mut Vec<String>) {
    #[derive(sqlx::FromRow)]
    struct Row {
        import_id: i64,
        #[sqlx(flatten)]
        books: Books,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select l.* from lanes l join imports i on i.id = l.import_id
         join databases d on d.id = i.database_id where d.name = $1",
    )
    .bind(database_name(database))
    .fetch_all(&app.pool)
    .await
    .unwrap();
    let found: HashMap<i64, Books> = rows
        .into_iter()
        .map(|row| (row.import_id, row.books))
        .collect();
    let wrong = found
        .iter()
        .filter(|(id, books)| world.books.get(*id).copied().unwrap_or_default() != **books);
    report(faults, "has wrong books", wrong, |(id, books)| {
        format!(
            "import {id}: {books:?}, should be {:?}",
            world.books.get(*id)
        )
    });
}

async fn touches(
    app: &TestApp,
    submitted: &[Submitted],
    expected: HashMap<Touch, Touched>,
    faults: &mut Vec<String>,
) {
    // The three orders of a profile may fall into two chunks, between which a small import deletes
    // it: then the second chunk makes it again, rightly. The counts below hold for these too.
    let orders = submitted
        .iter()
        .filter(|import| import.kind == Kind::Orders);
    let orders: Vec<i64> = orders.map(|import| import.id).collect();
    // Import 0 stands for touches outside of any chunk, which the model never expects.
    let doubled: Vec<(i64, String, String, i64)> = sqlx::query_as(
        "select coalesce(c.import_id, 0), t.op, t.key, count(*) from test.touches t
         left join test.commits c using (xid)
         where not (t.side = 'profile' and t.op = 'I' and coalesce(c.import_id, 0) = any($1))
         group by 1, 2, t.side, 3 having count(*) > 1",
    )
    .bind(orders)
    .fetch_all(&app.pool)
    .await
    .unwrap();
    report(faults, "is touched twice", doubled.iter(), |doubled| {
        format!("{doubled:?}")
    });
    let rows: Vec<(i64, String, String, i64, i64)> = sqlx::query_as(
        "select coalesce(c.import_id, 0), t.side, t.op, count(*),
                sum(translate(t.key, 'ak#-', '')::bigint)::bigint
         from test.touches t left join test.commits c using (xid) group by 1, 2, 3",
    )
    .fetch_all(&app.pool)
    .await
    .unwrap();
    let found: HashMap<Touch, Touched> = rows
        .into_iter()
        .map(|(import, side, op, count, sum)| {
            let side = ["profile", "subprofile"]
                .into_iter()
                .find(|known| *known == side);
            let touch = (import, side.unwrap(), op.chars().next().unwrap());
            (touch, (count, sum))
        })
        .collect();
    let touches: HashSet<&Touch> = found.keys().chain(expected.keys()).collect();
    let wrong = touches
        .into_iter()
        .filter(|touch| found.get(*touch) != expected.get(*touch));
    report(
        faults,
        "touched other rows than the model",
        wrong,
        |touch| {
            let (is, should) = (found.get(*touch), expected.get(*touch));
            format!("{touch:?} is {is:?}, should be {should:?}")
        },
    );
}

fn report<T>(
    faults: &mut Vec<String>,
    what: &str,
    found: impl Iterator<Item = T>,
    show: impl Fn(&T) -> String,
) {
    let found: Vec<T> = found.collect();
    let shown = found.iter().take(SHOWN_MAX);
    faults.extend(shown.map(|fault| format!("{what}: {}", show(fault))));
    if found.len() > SHOWN_MAX {
        faults.push(format!("{what}: {} in all", found.len()));
    }
}
