//! Size: memory does not grow with the payload, and every row of a large one is found again.

use serde_json::json;

use crate::app::TestApp;

const ROWS: i64 = 100_000;
const MEMORY_KB_MAX: u64 = 128 * 1024;

/// People in an order that flatters no index.
fn people() -> String {
    let mut csv = String::from("email,first_name,phone,age,score,subscribed,signup\n");
    for place in 0..ROWS {
        let n = place * 7_919 % ROWS;
        csv.push_str(&format!(
            "user{n}@example{}.com,Zoë {n},+31{},{},{}.25,{},20{}-{:02}-{:02}\n",
            n % 97,
            600_000_000 + n,
            18 + n % 70,
            n % 1000,
            n % 3 == 0,
            10 + n % 15,
            1 + n % 12,
            1 + n % 28,
        ));
    }
    csv
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_payload_takes_bounded_memory_and_every_row_is_found_again() {
    let app = TestApp::start().await;
    app.database(json!({"name": "people", "fields": [
        {"name": "email", "type": "email"}, {"name": "first_name", "type": "text"},
        {"name": "phone", "type": "phone"}, {"name": "age", "type": "integer"},
        {"name": "score", "type": "number"}, {"name": "subscribed", "type": "boolean"},
        {"name": "signup", "type": "date"}]}))
        .await;
    let worker = app.worker_process(&[]);
    let location = app.files.put("/people.csv", people());
    let mut totals = Vec::new();
    for _ in 0..2 {
        let id = app
            .submit(
                json!({"database": "people", "action": "update_or_add", "format": "csv",
                           "key_fields": ["email"], "location": location}),
            )
            .await;
        let mut status = app.get(&format!("/imports/{id}?wait=60")).await.json;
        for _ in 0..5 {
            if status["finished_at"].is_null() {
                status = app.get(&format!("/imports/{id}?wait=60")).await.json;
            }
        }
        assert_eq!(status["state"], "completed", "{status}");
        totals.push((
            status["totals"]["created"].clone(),
            status["totals"]["unchanged"].clone(),
        ));
    }
    assert_eq!(totals, [(json!(ROWS), json!(0)), (json!(0), json!(ROWS))]);
    let found: i64 = sqlx::query_scalar(
        "select count(*) from data.t1 p join generate_series(0, $1 - 1) n
             on p.f1 = 'user' || n || '@example' || n % 97 || '.com' and p.f2 = 'Zoë ' || n
            and p.f3 = '+31' || (600000000 + n) and p.f4 = 18 + n % 70 and p.f5 = n % 1000 + 0.25
            and p.f6 = (n % 3 = 0)
            and p.f7 = make_date((2010 + n % 15)::int, (1 + n % 12)::int, (1 + n % 28)::int)",
    )
    .bind(ROWS)
    .fetch_one(&app.pool)
    .await
    .unwrap();
    assert_eq!(found, ROWS);
    let peak = peak_kb(worker.pid());
    println!("the worker's memory was {peak} kB at its peak");
    assert!(peak < MEMORY_KB_MAX, "{peak} kB");
}

/// The operating system's own account of the most memory that a process ever held.
fn peak_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
