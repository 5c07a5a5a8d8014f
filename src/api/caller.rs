//! Who asks. Every route but the health check takes one of these, so that none can forget.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use longshore_core::code::Code;
use longshore_core::store::accounts;
use longshore_core::token::{self, Scope, Token};

use super::App;
use super::lines::Lines;
use super::listing::Query;
use super::problem::{Problem, problem};
use super::rounds::Rounds;

/// A caller who may read.
pub(crate) struct Reader(pub(crate) accounts::Caller);
/// A caller who may write.
pub(crate) struct Writer(pub(crate) accounts::Caller);
/// A caller who may manage tokens.
pub(crate) struct Admin(pub(crate) accounts::Caller);

impl FromRequestParts<App> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Reader, Problem> {
        authenticate(parts, app, Scope::Read).await.map(Reader)
    }
}

impl FromRequestParts<App> for Writer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Writer, Problem> {
        let caller = authenticate(parts, app, Scope::Write).await?;
        refuse_parameters(parts)?;
        Ok(Writer(caller))
    }
}

impl FromRequestParts<App> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Admin, Problem> {
        let caller = authenticate(parts, app, Scope::Admin).await?;
        refuse_parameters(parts)?;
        Ok(Admin(caller))
    }
}

/// No call that changes something has parameters: one that is passed over would be a wish that is
/// passed over.
fn refuse_parameters(parts: &Parts) -> Result<(), Problem> {
    Query::of(&parts.uri, &[]).map(drop)
}

async fn authenticate(parts: &Parts, app: &App, scope: Scope) -> Result<accounts::Caller, Problem> {
    refuse_token_in_query(parts)?;
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let header = headers.next().ok_or_else(unauthenticated)?;
    if headers.next().is_some() {
        let detail = "Send one Authorization header.";
        return Err(problem(Code::AmbiguousCredentials, detail));
    }
    let token = header.to_str().ok().and_then(bearer);
    let presented = token.and_then(token::read).ok_or_else(unauthenticated)?;
    let known = app.tokens.known(&app.lines, &presented).await?;
    let caller = known.and_then(|known| known.prove(&presented));
    let caller = caller.ok_or_else(unauthenticated)?;
    app.note_use(&caller.token_id);
    if !caller.may(scope) {
        let detail = format!("This call needs a token with the scope {}.", scope.as_str());
        return Err(problem(Code::ScopeMissing, detail));
    }
    Ok(caller)
}

/// What the ledger knows of a token, asked for by all who come with it at the same time. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Tokens(Rounds<String, (), Option<accounts::Known>>);

impl Tokens {
    /// What is known of the token while this asks: a token that was revoked before is not known.
    async fn known(
        &self,
        lines: &Lines,
        presented: &Token,
    ) -> Result<Option<accounts::Known>, Problem> {
        let (lines, id) = (lines.clone(), presented.id.clone());
        let look = move |asked: Vec<()>| {
            let (lines, id) = (lines.clone(), id.clone());
            async move {
                let mut line = lines.take().await?;
                let known = accounts::valid(&mut line, &id).await?;
                line.give_back();
                Ok(vec![known; asked.len()])
            }
        };
        self.0.ask(presented.id.clone(), (), look).await
    }
}

/// The scheme is compared without regard to case (RFC 9110, section 11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// One answer for missing, unknown, revoked and expired: whoever guesses learns nothing.
fn unauthenticated() -> Problem {
    problem(
        Code::Unauthenticated,
        "Send a valid token as \"Authorization: Bearer <token>\".",
    )
}

/// URLs end up in logs: a token in one counts as exposed.
fn refuse_token_in_query(parts: &Parts) -> Result<(), Problem> {
    let query = parts.uri.query().unwrap_or_default();
    let named = |(name, _): (std::borrow::Cow<'_, str>, _)| {
        matches!(name.as_ref(), "access_token" | "token")
    };
    if url::form_urlencoded::parse(query.as_bytes()).any(named) {
        let detail = "Send the token in the Authorization header. A token in a URL counts as \
                      exposed: revoke it and make a new one.";
        return Err(problem(Code::TokenInQuery, detail));
    }
    Ok(())
}
