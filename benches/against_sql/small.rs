//! The small end: imports of one row, one after the other and from many clients at once, against
//! one-row upserts that are as durable.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::report::{Report, median};
use super::service::Service;
use super::yardstick::Yardstick;

const CLIENTS: usize = 16;
const ONE_AFTER_THE_OTHER: u64 = 300;

pub(crate) async fn measure(
    service: &Service,
    yardstick: &Yardstick,
    time: Duration,
    report: &mut Report,
) {
    let database = service.database("small").await;
    yardstick.begin().await;
    let (mut imports, mut upserts) = (Vec::new(), Vec::new());
    for number in 0..ONE_AFTER_THE_OTHER {
        let began = Instant::now();
        import(service, &database, number).await;
        imports.push(began.elapsed().as_secs_f64() * 1e3);
        let began = Instant::now();
        upsert(&yardstick.pool, number).await;
        upserts.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let bar = (median(&upserts) * 40.0).max(10.0);
    report.millis("one row, submit to completed", median(&imports), bar);
    let next = AtomicU64::new(ONE_AFTER_THE_OTHER);
    let number = || next.fetch_add(1, Ordering::Relaxed);
    let theirs = rate((CLIENTS, time), || async {
        upsert(&yardstick.pool, number()).await
    })
    .await;
    let ours = rate((CLIENTS, time), || async {
        import(service, &database, number()).await
    })
    .await;
    let what = format!("one-row imports / one-row upserts, {CLIENTS} clients");
    report.rate(&what, (ours, theirs), 0.08);
    // Every import has left its row, and none another.
    let table = service.table(&database).await;
    let whole = "first_name = 'Ann' and age = 41 and email like 'user%@example.com'";
    let rows = yardstick.count(&format!("{table} s")).await;
    let kept = yardstick.count(&format!("{table} s where {whole}")).await;
    let imports = "imports i join databases d on d.id = i.database_id
                   where d.name = 'small' and i.state = 'completed'";
    let imports = yardstick.count(imports).await;
    assert_eq!((rows, kept), (imports, imports), "rows of so many imports");
}

/// How long a one-row import takes while a large one runs in the same database: the longest of all.
pub(crate) async fn beside(
    service: &Service,
    (database, large): (&str, &str),
    report: &mut Report,
) {
    let mut slowest: f64 = 0.0;
    let mut imports = 0;
    while service.is_running(large).await {
        let began = Instant::now();
        import(service, database, imports).await;
        slowest = slowest.max(began.elapsed().as_secs_f64() * 1e3);
        imports += 1;
    }
    assert!(imports > 1, "the large import was too short");
    let what = format!("one row beside a large import, the slowest of {imports}");
    report.millis(&what, slowest, 500.0);
}

/// How often a second clients that wait for each of their calls come round.
pub(crate) async fn rate<F: Future<Output = ()>>(
    (clients, time): (usize, Duration),
    call: impl Fn() -> F,
) -> f64 {
    let (began, done) = (Instant::now(), AtomicU64::new(0));
    let client = || async {
        while began.elapsed() < time {
            call().await;
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    join_all((0..clients).map(|_| client())).await;
    done.into_inner() as f64 / began.elapsed().as_secs_f64()
}

async fn import(service: &Service, database: &str, number: u64) {
    let row =
        json!([{"email": format!("user{number}@example.com"), "first_name": "Ann", "age": 41}]);
    let definition = json!({"database": database, "action": "update_or_add",
        "key_fields": ["email"], "source": row});
    let accepted: Value = service.post("/imports", &definition).await;
    service.wait_for(accepted["id"].as_str().unwrap()).await;
}

async fn upsert(pool: &PgPool, number: u64) {
    sqlx::query(
        "insert into yardstick.people (email, first_name, age) values ($1, 'Ann', 41)
         on conflict (email) do update set first_name = excluded.first_name, age = excluded.age",
    )
    .bind(format!("user{number}@example.com"))
    .execute(pool)
    .await
    .unwrap();
}
