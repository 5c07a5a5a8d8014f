//! `GET /v1/imports/{id}/events`: the status as server-sent events, as often as it changes. A stream
//! looks by itself once a second beside the announcements: chunks announce nothing, so that a commit
//! costs no notice that mostly nobody hears.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use longshore_core::code::Code;
use longshore_core::limits::STREAMS_PER_ACCOUNT_MAX;
use longshore_core::store::status::{self as store, Status};

use super::App;
use super::caller::Reader;
use super::imports::number;
use super::notices::Notice;
use super::place::Path;
use super::problem::{Problem, problem};
use super::status;

/// The shortest time between two events.
const PACE: Duration = Duration::from_millis(250);
/// How often a silent stream says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(crate) async fn stream(
    State(app): State<App>,
    Reader(caller): Reader,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let id = number(&id)?;
    let place = app.streams.take(caller.account_id).ok_or_else(|| {
        let detail = format!("An account has {STREAMS_PER_ACCOUNT_MAX} open streams at most.");
        problem(Code::TooManyStreams, detail).retry_after(10)
    })?;
    let notice = app.notices.subscribe();
    let watched = Watched {
        account_id: caller.account_id,
        id,
        seen: last_seen(&headers),
        notice,
        began: false,
        ended: false,
        _place: place,
        app,
    };
    // Whether there is such an import is said before the stream begins.
    watched.look().await?;
    let events = futures::stream::unfold(watched, Watched::next);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

fn last_seen(headers: &HeaderMap) -> Option<String> {
    let header = headers.get("last-event-id")?;
    header.to_str().ok().map(str::to_owned)
}

/// A stream on its way.
struct Watched {
    app: App,
    account_id: i64,
    id: i64,
    /// What the client has: the id of the last event.
    seen: Option<String>,
    notice: Notice,
    began: bool,
    ended: bool,
    _place: Place,
}

impl Watched {
    async fn look(&self) -> Result<Status, Problem> {
        let mut connection = self.app.pool.acquire().await?;
        Ok(store::find(&mut connection, self.account_id, self.id).await?)
    }

    /// The next event, once there is news. None: the stream ends.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Watched)> {
        while !self.ended {
            if self.began {
                tokio::time::sleep(PACE).await;
                if !self.notice.of(self.id).await {
                    return None;
                }
            }
            self.began = true;
            // A ledger that is away for a moment ends nothing; the client learns of it by silence.
            let Ok(found) = self.look().await else {
                continue;
            };
            let is_final = found.state().ok()?.is_final();
            let tag = status::etag(&found).replace('"', "");
            if self.seen.as_ref() == Some(&tag) && !is_final {
                continue;
            }
            self.ended = is_final;
            let event = Event::default().event("status").id(&tag);
            let event = event.json_data(status::shown(&found).ok()?).ok()?;
            self.seen = Some(tag);
            return Some((Ok(event), self));
        }
        None
    }
}

/// The open streams of every account.
#[derive(Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<HashMap<i64, usize>>>);

impl Streams {
    /// A place for one more, if there is one.
    fn take(&self, account_id: i64) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(account_id).or_default();
        if *count >= STREAMS_PER_ACCOUNT_MAX {
            return None;
        }
        *count += 1;
        Some(Place {
            streams: self.clone(),
            account_id,
        })
    }
}

/// The place of an open stream, free again once it ends.
struct Place {
    streams: Streams,
    account_id: i64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self
            .streams
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.account_id) {
            *count -= 1;
        }
    }
}
