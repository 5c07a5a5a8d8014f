//! The brake of a database: how much an import may remove before somebody is asked.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use longshore_core::brake::Brake;
use longshore_core::code::Code;
use longshore_core::json;
use longshore_core::store::databases;
use longshore_core::store::removal::{self, NewBrake};
use serde_json::{Value, json as object};

use super::App;
use super::body;
use super::caller::Writer;
use super::databases::{refuse, shown};
use super::fields::Judge;
use super::place::Path;
use super::problem::Problem;

const BODY_BYTES_MAX: usize = 16 << 10;

/// `{"brake": {"percent", "percent_below_100", "count", "allow_empty"}}`; null is the default again.
pub(crate) async fn change(
    State(app): State<App>,
    Writer(caller): Writer,
    Path(database): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let value = json::value(&body::json(&headers, body, BODY_BYTES_MAX).await?)?;
    let mut judge = Judge::default();
    judge.known(&value, "", &["brake"]);
    if judge.complaints.is_empty() && value["brake"].is_null() {
        judge.complain(
            Code::MissingField,
            "/brake",
            "brake is missing: an object of limits.",
        );
    }
    let new = judge.brake(&value["brake"]);
    refuse(judge)?;
    let mut connection = app.pool.acquire().await?;
    let number = databases::find(&mut connection, caller.account_id, &database)
        .await?
        .number;
    removal::change_brake(&mut connection, number.0, &new).await?;
    let database = databases::by_number(&mut connection, number.0).await?;
    let brake = removal::brake(&mut connection, number.0).await?;
    Ok(Json(shown(&database, &brake)?))
}

/// The brake as clients see it.
pub(crate) fn shown_brake(brake: &Brake) -> Value {
    object!({
        "percent": brake.percent,
        "percent_below_100": brake.percent_below_100,
        "count": brake.count,
        "allow_empty": brake.allow_empty,
    })
}

impl Judge {
    fn brake(&mut self, value: &Value) -> NewBrake {
        let members = ["percent", "percent_below_100", "count", "allow_empty"];
        if value.is_null() {
            return NewBrake::default();
        }
        self.known(value, "/brake", &members);
        let allow_empty = match value.get("allow_empty") {
            None => None,
            Some(Value::Null) => Some(false),
            Some(Value::Bool(flag)) => Some(*flag),
            Some(_) => {
                let detail = "allow_empty is true or false.";
                self.complain(Code::InvalidType, "/brake/allow_empty", detail);
                None
            }
        };
        NewBrake {
            percent: self.limit(value, "percent", 100).map(narrow),
            percent_below_100: self.limit(value, "percent_below_100", 100).map(narrow),
            count: self.limit(value, "count", i64::MAX),
            allow_empty,
        }
    }

    /// A limit that is given; null is the default.
    fn limit(&mut self, value: &Value, member: &str, most: i64) -> Option<Option<i64>> {
        let at = format!("/brake/{member}");
        match value.get(member)? {
            Value::Null => Some(None),
            Value::Number(number) => match number.as_i64().filter(|one| (0..=most).contains(one)) {
                Some(limit) => Some(Some(limit)),
                None => {
                    let detail = format!("{member} is a whole number from 0 to {most}.");
                    self.complain(Code::OutOfRange, at, detail);
                    None
                }
            },
            _ => {
                let detail = format!("{member} is a whole number, or null for the default.");
                self.complain(Code::InvalidType, at, detail);
                None
            }
        }
    }
}

fn narrow(limit: Option<i64>) -> Option<i32> {
    limit.and_then(|limit| i32::try_from(limit).ok())
}
