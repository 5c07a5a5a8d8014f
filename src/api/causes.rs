//! `GET /v1/imports/{id}/rejects/summary`: what is wrong with a payload, cause by cause, for whoever
//! does not want to read a million rejects.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use longshore_core::code::Code;
use longshore_core::store::causes::{self, Cause};
use longshore_core::store::status;
use serde_json::{Value, json};

use super::App;
use super::caller::Reader;
use super::imports::number;
use super::listing::Query;
use super::place::Path;
use super::problem::Problem;

pub(crate) async fn summary(
    State(app): State<App>,
    Reader(caller): Reader,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    Query::of(&uri, &[])?;
    let id = number(&id)?;
    let mut connection = app.pool.acquire().await?;
    let status = status::find(&mut connection, caller.account_id, id).await?;
    let causes = causes::summary(&mut connection, id).await?;
    let kept: i64 = causes.iter().map(|cause| cause.count).sum();
    Ok(Json(json!({
        "rejected": status.rejected,
        "kept": kept,
        "causes": causes.iter().map(shown).collect::<Vec<_>>(),
    })))
}

fn shown(cause: &Cause) -> Value {
    let ranges: Vec<String> = cause.rows.iter().map(|range| words(*range)).collect();
    json!({
        "code": cause.code,
        "column": cause.column_name,
        "count": cause.count,
        "rows": ranges,
        "more_rows": cause.ranges > cause.rows.len() as i64,
        "examples": *cause.examples,
        "remedy": Code::parse(&cause.code).map(Code::remedy),
    })
}

/// `12`, or `12-17`.
fn words((first, last): (i64, i64)) -> String {
    match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    }
}
