//! The summary of rejects: every cause once, with its count, its rows and examples.

use serde_json::json;

use crate::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn rejects_are_grouped_by_cause_with_counts_row_ranges_and_examples() {
    let app = TestApp::start().await;
    let fields = json!([{"name": "email", "type": "email"}, {"name": "age", "type": "integer"}]);
    app.database(json!({"name": "p", "fields": fields})).await;
    let mut rows = String::from("email,age\n");
    for row in 1..=200 {
        rows += &match row {
            1..=7 => format!("a{row}@x.example,many\n"),
            12 => "a12@x.example,few\n".to_owned(),
            // Every other row from here on: more ranges than are shown.
            20..=100 if row % 2 == 0 => format!("nobody{},1\n", row % 3),
            150 => "x\n".to_owned(),
            _ => format!("a{row}@x.example,1\n"),
        };
    }
    let status = app
        .import(json!({"database": "p", "action": "add", "source": rows}))
        .await;
    let id = status["id"].as_str().unwrap();
    let path = format!("/imports/{id}/rejects/summary");
    let summary = app.get(&path).await.expect(200).json;
    assert_eq!(
        (&summary["rejected"], &summary["kept"]),
        (&json!(50), &json!(50))
    );
    let causes = summary["causes"].as_array().unwrap();
    let short: Vec<_> = causes
        .iter()
        .map(|cause| {
            (
                cause["code"].as_str().unwrap(),
                cause["count"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        short,
        [
            ("invalid_email", 41),
            ("invalid_integer", 8),
            ("wrong_field_count", 1)
        ]
    );
    assert_eq!(causes[1]["column"], "age");
    assert_eq!(causes[1]["rows"], json!(["1-7", "12"]));
    assert_eq!(causes[1]["more_rows"], false);
    let example = &causes[1]["examples"][0];
    assert_eq!(
        (&example["row"], &example["line"], &example["value"]),
        (&json!(1), &json!(2), &json!("many"))
    );
    assert_eq!(causes[1]["examples"][1]["value"], "few", "each value once");
    assert!(causes[1]["remedy"].as_str().unwrap().len() > 10);
    assert_eq!(causes[0]["rows"].as_array().unwrap().len(), 20);
    assert_eq!(causes[0]["more_rows"], true);
    assert_eq!(causes[0]["examples"].as_array().unwrap().len(), 3);
    app.get("/imports/imp_99/rejects/summary").await.expect(404);
    let clean = app
        .import(json!({"database": "p", "action": "add", "source": "age\n1\n"}))
        .await;
    let path = format!("/imports/{}/rejects/summary", clean["id"].as_str().unwrap());
    let summary = app.get(&path).await.expect(200).json;
    assert_eq!(summary, json!({"rejected": 0, "kept": 0, "causes": []}));
}

/// How long a summary of very many takes: `cargo test … summing_up -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn a_summary_of_a_million_rejects_is_measured() {
    let app = TestApp::start().await;
    app.database(json!({"name": "p", "fields": [{"name": "email", "type": "email"}]}))
        .await;
    let id = app.submit(json!({"database": "p", "action": "add"})).await;
    sqlx::query(
        "insert into rejects (import_id, row_number, line, column_name, code, value, expected)
         select $1, n, n + 1, case when n % 3 = 0 then 'email' end,
             (array['invalid_email', 'required', 'too_long'])[1 + n % 3], 'value ' || n % 1000, 'x'
         from generate_series(1, 1000000) n",
    )
    .bind(id.strip_prefix("imp_").unwrap().parse::<i64>().unwrap())
    .execute(&app.pool)
    .await
    .unwrap();
    let began = std::time::Instant::now();
    app.get(&format!("/imports/{id}/rejects/summary"))
        .await
        .expect(200);
    println!("1,000,000 rejects: {:?}", began.elapsed());
}
