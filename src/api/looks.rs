//! Looks at the status of imports, shared by those who ask at the same time: however many poll, the
//! ledger answers an account one look after the other. Nobody is given a look that began before they
//! asked.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use longshore_core::error::Error;
use longshore_core::import::State;
use longshore_core::store::status::{self as store, Status};

use super::lines::Lines;
use super::problem::{Problem, not_found};
use super::rounds::Rounds;
use super::status;

/// What was seen, and the answer that is made of it.
pub(crate) struct Look {
    pub(crate) status: Status,
    pub(crate) body: Bytes,
}

/// The looks that somebody waits for, by account. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Looks {
    whole: Rounds<i64, i64, Result<Arc<Look>, Problem>>,
    states: Rounds<i64, i64, Option<State>>,
}

impl Looks {
    /// A look that begins from now on.
    pub(crate) async fn at(
        &self,
        lines: &Lines,
        (account_id, id): (i64, i64),
    ) -> Result<Arc<Look>, Problem> {
        let lines = lines.clone();
        let all = move |ids| look(lines.clone(), account_id, ids);
        self.whole.ask(account_id, id, all).await?
    }

    /// Its state alone.
    pub(crate) async fn state(
        &self,
        lines: &Lines,
        (account_id, id): (i64, i64),
    ) -> Result<State, Problem> {
        let lines = lines.clone();
        let all = move |ids| states(lines.clone(), account_id, ids);
        let state = self.states.ask(account_id, id, all).await?;
        state.ok_or_else(|| not_found("import"))
    }
}

async fn look(
    lines: Lines,
    account_id: i64,
    ids: Vec<i64>,
) -> Result<Vec<Result<Arc<Look>, Problem>>, Problem> {
    let mut line = lines.take().await?;
    let seen = store::find_all(&mut line, account_id, &distinct(&ids)).await?;
    line.give_back();
    let looks = seen.into_iter().map(|status| (status.id, shown(status)));
    let looks: HashMap<i64, _> = looks.collect();
    let look = |id| {
        looks
            .get(id)
            .cloned()
            .unwrap_or_else(|| Err(not_found("import")))
    };
    Ok(ids.iter().map(look).collect())
}

fn shown(status: Status) -> Result<Arc<Look>, Problem> {
    let body = serde_json::to_vec(&status::shown(&status)?)
        .map_err(|error| Error::Unreadable(error.to_string()))?;
    let body = body.into();
    Ok(Arc::new(Look { status, body }))
}

async fn states(
    lines: Lines,
    account_id: i64,
    ids: Vec<i64>,
) -> Result<Vec<Option<State>>, Problem> {
    let mut line = lines.take().await?;
    let states = store::states(&mut line, account_id, &distinct(&ids)).await?;
    line.give_back();
    Ok(ids.iter().map(|id| states.get(id).copied()).collect())
}

/// Many may ask for one.
fn distinct(ids: &[i64]) -> Vec<i64> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids
}
