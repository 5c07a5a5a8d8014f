//! Tokens: made, listed and revoked by whoever has the scope `admin`.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use longshore_core::code::Code;
use longshore_core::database::check_name;
use longshore_core::definition::escape_pointer;
use longshore_core::error::Complaint;
use longshore_core::json;
use longshore_core::store::accounts::{self, NewToken, TokenRow};
use longshore_core::suggest::did_you_mean;
use longshore_core::token::{self, Scope};
use serde_json::{Value, json as object};

use super::App;
use super::body;
use super::caller::Admin;
use super::place::Path;
use super::problem::Problem;

const BODY_BYTES_MAX: usize = 16 << 10;

pub(crate) async fn create(
    State(app): State<App>,
    Admin(caller): Admin,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let body = body::json(&headers, body, BODY_BYTES_MAX).await?;
    let new = parse(&body)?;
    let (token, text) = token::generate();
    let mut connection = app.pool.acquire().await?;
    accounts::keep_token(&mut connection, caller.account_id, &token, &new).await?;
    let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    Ok((
        StatusCode::CREATED,
        Json(object!({
            "id": token.id,
            "name": new.name,
            "scopes": scopes,
            "expires_at": new.expires_at,
            "token": text,
        })),
    ))
}

fn parse(body: &[u8]) -> Result<NewToken, Problem> {
    let value = json::value(body)?;
    if !value.is_object() {
        let detail = "A token is a JSON object with name and scopes.";
        return Err(Complaint::new(Code::InvalidType, "", detail).into());
    }
    let mut complaints = Vec::new();
    let known = ["name", "scopes", "expires_at"];
    for name in value
        .as_object()
        .into_iter()
        .flat_map(|members| members.keys())
    {
        if !known.contains(&name.as_str()) {
            let hint = did_you_mean(name, known.into_iter());
            let detail = format!("A token has no member {name:?}.{hint}");
            complaints.push(Complaint::new(
                Code::UnknownField,
                format!("/{}", escape_pointer(name)),
                detail,
            ));
        }
    }
    let name = value["name"].as_str().unwrap_or_default().to_owned();
    complaints.extend(check_name(&name, "/name").err());
    let words = value["scopes"].as_array();
    let scope = |word: &Value| word.as_str().and_then(Scope::parse);
    let scopes: Option<Vec<Scope>> = words.and_then(|words| words.iter().map(scope).collect());
    let scopes = scopes
        .filter(|scopes| !scopes.is_empty())
        .unwrap_or_else(|| {
            let detail = "scopes is an array of read, write and admin, with at least one of them.";
            complaints.push(Complaint::new(Code::InvalidEnum, "/scopes", detail));
            Vec::new()
        });
    let expires_at = expiry(&value["expires_at"], &mut complaints);
    match complaints.is_empty() {
        true => Ok(NewToken {
            name,
            scopes,
            expires_at,
        }),
        false => Err(complaints.into()),
    }
}

fn expiry(value: &Value, complaints: &mut Vec<Complaint>) -> Option<DateTime<Utc>> {
    if value.is_null() {
        return None;
    }
    let time = value
        .as_str()
        .and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    if time.is_none() {
        let detail = "expires_at is a time such as 2030-01-31T12:00:00Z.";
        complaints.push(Complaint::new(Code::InvalidDatetime, "/expires_at", detail));
    }
    time.map(|time| time.to_utc())
}

pub(crate) async fn list(
    State(app): State<App>,
    Admin(caller): Admin,
) -> Result<Json<Value>, Problem> {
    let tokens = accounts::tokens(&app.pool, caller.account_id).await?;
    let data: Vec<Value> = tokens.iter().map(shown).collect();
    Ok(Json(object!({ "data": data, "next_cursor": null })))
}

fn shown(token: &TokenRow) -> Value {
    object!({
        "id": token.id,
        "name": token.name,
        "scopes": token.scopes,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "last_used_at": token.last_used_at,
    })
}

pub(crate) async fn revoke(
    State(app): State<App>,
    Admin(caller): Admin,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    accounts::revoke(&app.pool, caller.account_id, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
