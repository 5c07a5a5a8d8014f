//! What a status poll costs: 64 connections that ask for one import again and again, against a route
//! with the same authentication and one select by primary key.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::report::Report;
use super::service::Service;
use super::small::rate;

const CONNECTIONS: usize = 64;

pub(crate) async fn measure(service: &Service, time: Duration, report: &mut Report) {
    let database = service.database("polled").await;
    let definition = json!({"database": database, "action": "add", "source": [{"age": 41}]});
    let accepted = service.post("/imports", &definition).await;
    let id = accepted["id"].as_str().unwrap().to_owned();
    service.wait_for(&id).await;
    let status = format!("/imports/{id}");
    let (mut polls, mut selects) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        for (path, rates) in [(status.as_str(), &mut polls), ("/account", &mut selects)] {
            let get = || async {
                let answer = service.call(Method::GET, path).send().await.unwrap();
                assert_eq!(answer.status(), 200);
                answer.bytes().await.unwrap();
            };
            rates.push(rate((CONNECTIONS, time / 3), get).await);
        }
    }
    let pair = (
        super::report::median(&polls),
        super::report::median(&selects),
    );
    let what = format!("status polls / one select by primary key, {CONNECTIONS} connections");
    report.rate(&what, pair, 0.60);
}
