//! Requests that come together, and random stories of work, crashes and requests: state and lease
//! always fit together, books never shrink, and in the end every row is applied once.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{ask, cut_small, definition, number, people, state};
use crate::app::{TestApp, told};
use longshore_core::queue::Verb;

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_the_same_time_never_contradict_the_lease() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    for round in 0..40 {
        let id = app.submit(definition("p", 30)).await;
        cut_small(&app, &id).await;
        let worker = app.worker.clone();
        let step = tokio::spawn(async move { worker.step(Verb::Apply).await });
        let requests = [
            "pause",
            "resume",
            "pause",
            if round % 3 == 0 { "cancel" } else { "resume" },
        ];
        let answers = tokio::join!(
            ask(&app, &id, requests[0]),
            ask(&app, &id, requests[1]),
            ask(&app, &id, requests[2]),
            ask(&app, &id, requests[3]),
        );
        for answer in [&answers.0, &answers.1, &answers.2, &answers.3] {
            assert!([202, 409].contains(&answer.status), "{}", answer.text);
        }
        step.await.unwrap().unwrap();
        fits(&app, &id).await;
        app.work_until_idle().await;
        if state(&app, &id).await == "paused" {
            ask(&app, &id, "resume").await.expect(202);
            app.work_until_idle().await;
        }
        let status = app.status(&id).await;
        match status["state"].as_str().unwrap() {
            "completed" => assert_eq!(told(&status), "created 30; profiles +30"),
            "cancelled" => assert_eq!(round % 3, 0),
            other => panic!("{other}: {status}"),
        }
    }
}

/// A final or resting import has no lease and is not due; any other has or is, or waits for its turn.
async fn fits(app: &TestApp, id: &str) {
    let (state, held, due, waiting): (String, bool, bool, bool) = sqlx::query_as(
        "select i.state, l.holder is not null, l.due_at is not null, l.waiting_for_turn
         from imports i join leases l on l.import_id = i.id where i.id = $1",
    )
    .bind(number(id))
    .fetch_one(&app.pool)
    .await
    .unwrap();
    let rests = matches!(
        state.as_str(),
        "paused" | "completed" | "cancelled" | "failed"
    );
    let moves = held || due || waiting;
    assert_eq!(
        moves, !rests,
        "{state}: held {held}, due {due}, waiting {waiting}"
    );
}

/// What a sweep does with a lease that ran out.
async fn sweep(app: &TestApp, id: &str) {
    sqlx::query(
        "update leases set holder = null, held_until = null, due_at = now()
         where import_id = $1 and holder is not null",
    )
    .bind(number(id))
    .execute(&app.pool)
    .await
    .unwrap();
}

/// Brings an import to its end. The last statement of a worker that was dropped may be carried out
/// behind a sweep, and be a claim: so there is always another sweep.
async fn end(app: &TestApp, id: &str) -> serde_json::Value {
    for _ in 0..100 {
        sweep(app, id).await;
        ask(app, id, "resume").await;
        app.work_until_idle().await;
        let status = app.status(id).await;
        if ["completed", "cancelled"].contains(&status["state"].as_str().unwrap()) {
            return status;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    app.status(id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn random_stories_of_work_crashes_and_requests_end_well() {
    let seed: u64 = std::env::var("LONGSHORE_TEST_SEED")
        .ok()
        .map_or_else(rand::random, |text| text.parse().unwrap());
    let mut random = StdRng::seed_from_u64(seed);
    let app = TestApp::start().await;
    people(&app, "p").await;
    let mut applied_in_all = 0;
    for story in 0..25 {
        let context = format!("seed {seed}, story {story}");
        let rows = random.random_range(1..40);
        let id = app.submit(definition("p", rows)).await;
        cut_small(&app, &id).await;
        let mut before = 0;
        for _ in 0..random.random_range(1..25) {
            match random.random_range(0..10) {
                0..4 => {
                    // A worker that is dropped in the middle, sooner or later.
                    let patience = std::time::Duration::from_millis(random.random_range(1..25));
                    let _ = tokio::time::timeout(patience, app.worker.step(Verb::Apply)).await;
                }
                4..6 => sweep(&app, &id).await,
                6 | 7 => {
                    ask(&app, &id, "pause").await;
                }
                8 => {
                    ask(&app, &id, "resume").await;
                }
                _ => {
                    sqlx::query("update leases set held_until = now() - interval '1 second' where import_id = $1 and holder is not null")
                        .bind(number(&id)).execute(&app.pool).await.unwrap();
                }
            }
            fits(&app, &id).await;
            let created = app.status(&id).await["totals"]["created"].as_i64().unwrap();
            assert!(created >= before, "{context}");
            before = created;
        }
        let cancels = random.random_bool(0.2);
        if cancels {
            ask(&app, &id, "cancel").await;
        }
        let status = end(&app, &id).await;
        let created = status["totals"]["created"].as_i64().unwrap();
        match status["state"].as_str().unwrap() {
            "completed" => assert_eq!(created, rows as i64, "{context}"),
            "cancelled" => assert!(cancels, "{context}"),
            other => panic!("{other}; {context}: {status}"),
        }
        applied_in_all += created;
        let there: i64 =
            sqlx::query_scalar("select coalesce(sum(profiles_created), 0)::bigint from lanes")
                .fetch_one(&app.pool)
                .await
                .unwrap();
        assert_eq!(there, applied_in_all, "{context}");
    }
    assert_eq!(
        app.profiles("p").await.len() as i64,
        applied_in_all,
        "seed {seed}"
    );
}
