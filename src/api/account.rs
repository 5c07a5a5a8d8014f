//! `GET /v1/account`: whose a token is and what it may do, for whoever has one and is not sure.

use axum::Json;
use axum::extract::State;
use longshore_core::store::accounts;
use longshore_core::token::Scope;
use serde_json::{Value, json};

use super::App;
use super::caller::Reader;
use super::problem::Problem;

pub(crate) async fn show(
    State(app): State<App>,
    Reader(caller): Reader,
) -> Result<Json<Value>, Problem> {
    let mut connection = app.pool.acquire().await?;
    let name = accounts::name(&mut connection, caller.account_id).await?;
    let scopes: Vec<&str> = caller.scopes.iter().copied().map(Scope::as_str).collect();
    Ok(Json(json!({
        "name": name,
        "token": {"id": caller.token_id, "scopes": scopes},
    })))
}
