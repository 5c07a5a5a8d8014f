//! What is held waits for a person: seen, approved up to a number, refused, cancelled or expired; each
//! once, whoever comes at the same time.

use serde_json::{Value, json};

use super::{people, removed, removing};
use crate::app::processes::eventually;
use crate::app::{TestApp, told, witness};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// An import that lacks 60 of 100 profiles, held.
async fn held(app: &TestApp, name: &str) -> String {
    people(app, name).await;
    let rows: String = (0..100).map(|row| format!("{row},1\n")).collect();
    app.import(
        json!({"database": name, "action": "add", "source": format!("email,points\n{rows}")}),
    )
    .await;
    let rows: String = (0..40).map(|row| format!("{row},2\n")).collect();
    let id = app
        .submit(removing(
            name,
            json!(["email"]),
            &format!("email,points\n{rows}"),
        ))
        .await;
    app.work_until_idle().await;
    let status = app.status(&id).await;
    assert_eq!(status["state"], "held", "{status}");
    id
}

async fn approve(app: &TestApp, id: &str, removals: i64) -> crate::app::Answer {
    let body = json!({"removals": removals});
    app.post(&format!("/imports/{id}/approve"), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_while_victims_are_counted_is_obeyed_before_anything_is_held() {
    let app = TestApp::start().await;
    for (verb, state) in [("cancel", "cancelled"), ("pause", "paused")] {
        people(&app, verb).await;
        let rows: String = (0..100).map(|row| format!("{row},1\n")).collect();
        super::fill(&app, verb, &format!("email,points\n{rows}")).await;
        let definition = removing(verb, json!(["email"]), "email,points\n1,2\n");
        let id = app.submit(definition).await;
        let number: i64 = id.strip_prefix("imp_").unwrap().parse().unwrap();
        // Time to take the removal's row, for which the worker waits once its rows are applied, behind
        // its look at what was asked and before it counts.
        witness::slow_checkpoints(&app, std::time::Duration::from_millis(300)).await;
        let finishing = async || {
            sqlx::query_scalar::<_, bool>(
                "select exists (select from imports where id = $1 and state = 'finishing')",
            )
            .bind(number)
            .fetch_one(&app.pool)
            .await
            .unwrap()
        };
        let hold = async {
            let mut tx = app.pool.begin().await.unwrap();
            loop {
                let locked = sqlx::query("select from removals where import_id = $1 for update")
                    .bind(number)
                    .execute(&mut *tx)
                    .await
                    .unwrap();
                if locked.rows_affected() > 0 && finishing().await {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            eventually("the worker counts", PATIENCE, async || {
                sqlx::query_scalar::<_, bool>(
                    "select exists (select from pg_stat_activity where wait_event_type = 'Lock'
                         and query like '%from removals%for update%' and datname = current_database())",
                )
                .fetch_one(&app.pool)
                .await
                .unwrap()
            })
            .await;
            app.post(&format!("/imports/{id}/{verb}"), json!(null))
                .await
                .expect(202);
            tx.commit().await.unwrap();
        };
        tokio::join!(app.work_until_idle(), hold);
        witness::slow_checkpoints(&app, std::time::Duration::ZERO).await;
        assert_eq!(app.status(&id).await["state"], state);
        assert_eq!(app.profiles(verb).await.len(), 100);
        if state == "paused" {
            app.post(&format!("/imports/{id}/resume"), json!(null))
                .await
                .expect(202);
            app.work_until_idle().await;
            assert_eq!(app.status(&id).await["state"], "held");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_list_is_no_measure_for_the_next_one_and_a_failed_approval_wins_no_time() {
    let app = TestApp::start().await;
    people(&app, "p").await;
    super::release_brake(&app, "p").await;
    let listing = |rows: usize| -> String {
        let rows: String = (0..rows).map(|row| format!("{row:03},1\n")).collect();
        format!("email,points\n{rows}")
    };
    app.import(removing("p", json!(["email"]), &listing(100)))
        .await;
    for _ in 0..2 {
        // The same keys in other words are the same kind of list.
        let id = app
            .submit(removing("p", json!(["Email"]), &listing(40)))
            .await;
        app.work_until_idle().await;
        let held = app.status(&id).await;
        assert_eq!(held["state"], "held", "{held}");
        approve(&app, &id, 59).await.expect(409);
        let until = &app.status(&id).await["removal"]["held_until"];
        assert_eq!(until, &held["removal"]["held_until"]);
        app.post(&format!("/imports/{id}/refuse"), json!(null))
            .await
            .expect(202);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_import_says_what_it_waits_for_and_shows_its_victims() {
    let app = TestApp::start().await;
    let id = held(&app, "p").await;
    let status = app.status(&id).await;
    assert_eq!(
        status["phase"],
        "all rows are applied; nothing is removed before it is approved"
    );
    assert_eq!(
        status["totals"]["updated"], 40,
        "rows that are applied stay applied"
    );
    let removal = &status["removal"];
    assert_eq!(
        (removal["profiles"].as_i64(), removal["living"].as_i64()),
        (Some(60), Some(100))
    );
    assert!(removal["held_until"].is_string());
    let mut victims: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = app
            .get(&format!("/imports/{id}/removals?limit=25{cursor}"))
            .await
            .expect(200)
            .json;
        victims.extend(page["data"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let emails: Vec<&str> = victims
        .iter()
        .map(|one| one["fields"]["email"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = (40..100).map(|row| row.to_string()).collect();
    assert_eq!(emails, expected);
    // It is settled: a long poll does not wait.
    let began = std::time::Instant::now();
    app.get(&format!("/imports/{id}?wait=30")).await.expect(200);
    assert!(began.elapsed() < std::time::Duration::from_secs(10));
    // And it has given its turn up.
    super::fill(&app, "p", "email,points\n0,9\n").await;
    assert!(app.told_profiles("p").await.starts_with("0/9; "));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_allows_what_it_names_and_no_more() {
    let app = TestApp::start().await;
    let id = held(&app, "p").await;
    let outdated = approve(&app, &id, 59).await.expect(409);
    assert_eq!(outdated.code(), "approval_outdated");
    assert!(
        outdated.text.contains("60 would be removed now"),
        "{}",
        outdated.text
    );
    assert_eq!(
        app.status(&id).await["removal"]["reasons"][0]["code"],
        "brake_grown"
    );
    for (body, code) in [
        (json!({}), "missing_field"),
        (json!({"removals": "60"}), "invalid_type"),
        (json!({"removals": -1}), "invalid_type"),
        (json!({"removals": 60, "force": true}), "unknown_field"),
    ] {
        let refused = app
            .post(&format!("/imports/{id}/approve"), body)
            .await
            .expect(422);
        assert_eq!(refused.code(), code);
    }
    approve(&app, &id, 60).await.expect(202);
    assert_eq!(
        approve(&app, &id, 60).await.expect(409).code(),
        "nothing_to_approve"
    );
    app.work_until_idle().await;
    let status = app.status(&id).await;
    assert_eq!(told(&status), "updated 40; profiles ~40");
    assert_eq!(removed(&status), (60, 0));
    assert_eq!(status["removal"]["state"], "done");
    assert_eq!(app.profiles("p").await.len(), 40);
    let gone = app
        .get(&format!("/imports/{id}/removals?limit=1000"))
        .await
        .expect(200)
        .json;
    assert_eq!(gone["data"].as_array().unwrap().len(), 60);
    assert_eq!(
        approve(&app, &id, 60).await.expect(409).code(),
        "nothing_to_approve"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_grew_between_approval_and_removal_is_held_again() {
    let app = TestApp::start().await;
    let id = held(&app, "p").await;
    // Somebody else spared ten, so that fifty were approved.
    let rows: String = (50..60).map(|row| format!("{row},7\n")).collect();
    super::fill(&app, "p", &format!("email,points\n{rows}")).await;
    approve(&app, &id, 50).await.expect(202);
    // Then the ten are no longer spared: as if written before.
    sqlx::query("update imports set spares_after = now() + interval '1 hour' where id = $1")
        .bind(id.strip_prefix("imp_").unwrap().parse::<i64>().unwrap())
        .execute(&app.pool)
        .await
        .unwrap();
    app.work_until_idle().await;
    let status = app.status(&id).await;
    assert_eq!(status["state"], "held", "{status}");
    assert_eq!(status["removal"]["reasons"][0]["code"], "brake_grown");
    assert_eq!(app.profiles("p").await.len(), 100);
    approve(&app, &id, 60).await.expect(202);
    app.work_until_idle().await;
    assert_eq!(app.profiles("p").await.len(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_completes_and_a_cancel_cancels_without_a_removal() {
    let app = TestApp::start().await;
    for (name, call, state) in [("r", "refuse", "completed"), ("c", "cancel", "cancelled")] {
        let id = held(&app, name).await;
        app.post(&format!("/imports/{id}/{call}"), json!(null))
            .await
            .expect(202);
        app.work_until_idle().await;
        let status = app.status(&id).await;
        assert_eq!(status["state"], state, "{status}");
        assert_eq!(status["removal"]["state"], "refused");
        assert_eq!(status["totals"]["updated"], 40);
        assert_eq!(app.profiles(name).await.len(), 100);
        assert_eq!(
            approve(&app, &id, 60).await.expect(409).code(),
            "nothing_to_approve"
        );
        let again = app
            .post(&format!("/imports/{id}/refuse"), json!(null))
            .await
            .expect(409);
        assert_eq!(again.code(), "nothing_to_approve");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_decisions_at_the_same_time_one_holds() {
    let app = TestApp::start().await;
    for round in 0..6 {
        let name = format!("round-{round}");
        let id = held(&app, &name).await;
        let (refusal, cancel) = (
            format!("/imports/{id}/refuse"),
            format!("/imports/{id}/cancel"),
        );
        let (approved, again, refused, cancelled) = tokio::join!(
            approve(&app, &id, 60),
            approve(&app, &id, 60),
            app.post(&refusal, json!(null)),
            app.post(&cancel, json!(null)),
        );
        app.work_until_idle().await;
        let status = app.status(&id).await;
        let left = app.profiles(&name).await.len();
        let decided = [approved.status, again.status, refused.status]
            .iter()
            .filter(|status| **status == 202)
            .count();
        assert!(
            decided <= 1,
            "{} {} {}",
            approved.text,
            again.text,
            refused.text
        );
        let (state, removal) = (
            status["state"].as_str().unwrap(),
            status["removal"]["state"].as_str().unwrap(),
        );
        match (state, removal) {
            ("cancelled", "refused") => assert_eq!((left, cancelled.status), (100, 202)),
            ("completed", "refused") => assert_eq!((left, refused.status), (100, 202)),
            ("completed", "done") => {
                assert!(left == 40 && (approved.status == 202 || again.status == 202))
            }
            other => panic!("{other:?} {status}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_decides_in_time_ends_without_a_removal() {
    let app = TestApp::start().await;
    let id = held(&app, "p").await;
    sqlx::query(
        "update removals set held_until = now() - interval '1 second' where state = 'held'",
    )
    .execute(&app.pool)
    .await
    .unwrap();
    app.keep_working();
    let status = app.get(&format!("/imports/{id}")).await.expect(200).json;
    assert_eq!(status["state"], "held");
    for _ in 0..600 {
        if app.status(&id).await["state"] == "completed" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let status = app.status(&id).await;
    assert_eq!(
        (
            status["state"].as_str(),
            status["removal"]["state"].as_str()
        ),
        (Some("completed"), Some("expired"))
    );
    assert!(
        status["warnings"]
            .to_string()
            .contains("Nobody approved the removal in time")
    );
    assert_eq!(app.profiles("p").await.len(), 100);
}
