//! What the imports come to, folded from the log of chunks without any of the service's code.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::AssertSqlSafe;

use crate::app::TestApp;

pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) score: i64,
}

/// An import that was accepted.
pub(crate) struct Submitted {
    pub(crate) id: i64,
    pub(crate) action: &'static str,
    pub(crate) removes: bool,
    pub(crate) lines: Vec<Line>,
}

/// A profile, and who wrote it when.
struct Profile {
    score: i64,
    writer: i64,
    written: i64,
}

#[derive(sqlx::FromRow)]
struct Chunk {
    seq: i64,
    import_id: i64,
    first_row: i64,
    next_row: i64,
    removed_after_id: Option<i64>,
    removed_to_id: Option<i64>,
}

/// created, updated, unchanged, ignored, deleted, removed.
type Books = [i64; 6];

/// Compares profiles and books with the fold; returns how many profiles were removed in all.
pub(crate) async fn compare(app: &TestApp, submitted: &[Submitted]) -> i64 {
    let imports: HashMap<i64, &Submitted> = submitted.iter().map(|one| (one.id, one)).collect();
    let order: Vec<Chunk> = sqlx::query_as(
        "select seq, import_id, first_row, next_row, removed_after_id, removed_to_id
         from chunks order by seq",
    )
    .fetch_all(&app.pool)
    .await
    .unwrap();
    // The newest chunk that was committed when an import was accepted.
    let accepted: HashMap<i64, i64> = sqlx::query_as::<_, (i64, i64)>(
        "select i.id, coalesce(max(c.seq), 0) from imports i
         left join chunks c on c.committed_at <= i.spares_after group by i.id",
    )
    .fetch_all(&app.pool)
    .await
    .unwrap()
    .into_iter()
    .collect();
    let mut world: BTreeMap<String, Profile> = BTreeMap::new();
    let mut books: HashMap<i64, Books> = HashMap::new();
    let mut ended: HashSet<i64> = HashSet::new();
    for chunk in &order {
        let import = imports[&chunk.import_id];
        let books = books.entry(import.id).or_default();
        for row in chunk.first_row..chunk.next_row {
            let line = &import.lines[usize::try_from(row - 1).unwrap()];
            apply(&mut world, import, (line, chunk.seq), books);
        }
        let (Some(after), Some(to)) = (chunk.removed_after_id, chunk.removed_to_id) else {
            continue;
        };
        let named: HashSet<&str> = import.lines.iter().map(|line| line.key.as_str()).collect();
        let is_victim = |key: &str, profile: &Profile| {
            let spared = profile.writer != import.id && profile.written > accepted[&import.id];
            !named.contains(key) && !spared
        };
        for key in gone(app, import.id, (after, to)).await {
            let profile = world.remove(&key);
            let profile = profile.unwrap_or_else(|| panic!("{key} was not there"));
            assert!(is_victim(&key, &profile), "import {} took {key}", import.id);
            books[5] += 1;
        }
        if after == to {
            ended.insert(import.id);
            let left = world.iter().find(|(key, profile)| is_victim(key, profile));
            assert!(
                left.is_none(),
                "import {} left {:?}",
                import.id,
                left.map(|one| one.0)
            );
        }
    }
    for import in submitted {
        assert_eq!(
            ended.contains(&import.id),
            import.removes,
            "import {}",
            import.id
        );
    }
    assert_eq!(found(app).await, shown(&world));
    let kept: Vec<(i64, Vec<i64>)> = sqlx::query_as(
        "select import_id, array[created, updated, unchanged, ignored, deleted, profiles_removed]
         from lanes",
    )
    .fetch_all(&app.pool)
    .await
    .unwrap();
    for (import, kept) in &kept {
        assert_eq!(kept, &books[import], "books of import {import}");
    }
    books.values().map(|books| books[5]).sum()
}

fn apply(
    world: &mut BTreeMap<String, Profile>,
    import: &Submitted,
    (line, seq): (&Line, i64),
    books: &mut Books,
) {
    let new = Profile {
        score: line.score,
        writer: import.id,
        written: seq,
    };
    let there = world.get(&line.key).map(|profile| profile.score);
    let outcome = match (import.action, there) {
        ("delete", Some(_)) => {
            world.remove(&line.key);
            4
        }
        ("update_or_add" | "ignore_or_add", None) => {
            world.insert(line.key.clone(), new);
            0
        }
        ("update" | "update_or_add", Some(score)) if score != line.score => {
            world.insert(line.key.clone(), new);
            1
        }
        ("update" | "update_or_add", Some(_)) => 2,
        _ => 3,
    };
    books[outcome] += 1;
}

/// The keys of what an import removed behind one id and up to another.
async fn gone(app: &TestApp, import: i64, (after, to): (i64, i64)) -> Vec<String> {
    let before: Vec<serde_json::Value> = sqlx::query_scalar(
        "select before from changes where import_id = $1 and id > $2 and id <= $3",
    )
    .bind(import)
    .bind(after)
    .bind(to)
    .fetch_all(&app.pool)
    .await
    .unwrap();
    let key = |row: &serde_json::Value| row[column()].as_str().unwrap().to_owned();
    before.iter().map(key).collect()
}

/// The first field of a fresh ledger.
fn column() -> &'static str {
    "f1"
}

async fn found(app: &TestApp) -> Vec<(String, i64)> {
    let number: i64 = sqlx::query_scalar("select id from databases")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    let statement = format!("select f1, f2 from data.t{number} order by f1 collate \"C\"");
    sqlx::query_as(AssertSqlSafe(statement))
        .fetch_all(&app.pool)
        .await
        .unwrap()
}

fn shown(world: &BTreeMap<String, Profile>) -> Vec<(String, i64)> {
    let profiles = world.iter();
    profiles
        .map(|(key, profile)| (key.clone(), profile.score))
        .collect()
}
