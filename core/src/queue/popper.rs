//! The consumer's end of the queue: a blocking pop on a connection of its own. It outlives every
//! fault of Redis and never shows one; while Redis is away it hands out a ticket a second that says
//! "look for yourself". A ticket taken off a list is in memory only: a popper that is dropped while
//! it pops may lose one, and a killed process loses those it had not claimed, until the sweep.

use std::time::{Duration, Instant};

use redis::{AsyncConnectionConfig, Client, RedisError, aio::MultiplexedConnection, cmd, pipe};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Lane, Queue, QueueError, Ticket, Verb, ticket::texts_of};

/// How long Redis holds a pop open while there is nothing; also the idle rhythm of commands.
const BLOCK: Duration = Duration::from_secs(2);
/// An answer later than this means that the server or the way to it is gone.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// Connecting, greeting included.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// Pause after a failure.
const PAUSE: Duration = Duration::from_millis(500);
/// Without Redis for this long, it is time to look into the ledger.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A pop that was answered faster found a backlog, and more is likely to be there.
const BACKLOG_ANSWER_MAX: Duration = Duration::from_millis(5);

/// A ticket and where it came from, so that it can be put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Popped {
    /// The list it was on.
    pub lane: Lane,
    /// The wake-up itself.
    pub ticket: Ticket,
}

/// Takes tickets of one verb off the lists, the most urgent lane first.
pub struct Popper {
    queue: Queue,
    verb: Verb,
    wire: Option<Wire>,
    away_since: Option<Instant>,
}

/// A connection that is used for pops alone, and the number by which the server knows it.
struct Wire {
    connection: MultiplexedConnection,
    id: i64,
    verb: Verb,
    keys: [String; Lane::ALL.len()],
}

impl Popper {
    pub(super) fn new(queue: Queue, verb: Verb) -> Popper {
        Popper {
            queue,
            verb,
            wire: None,
            away_since: None,
        }
    }

    /// Waits for tickets and brings at most `n` of them. Brings one [`Ticket::look`] a second while
    /// there is no Redis, and may bring nothing only once `stop` was given. At a stop no ticket is
    /// lost: the pop that is under way is called back, or waited for, at most 2 s.
    pub async fn pop(&mut self, n: usize, stop: &CancellationToken) -> Vec<Popped> {
        while !stop.is_cancelled() {
            match self.try_pop(n.max(1), stop).await {
                Ok(popped) => {
                    self.back();
                    if !popped.is_empty() {
                        return popped;
                    }
                }
                Err(error) => {
                    if self.look_is_due(&error, stop).await {
                        let ticket = Ticket::look(self.verb);
                        return vec![Popped {
                            lane: Lane::Express,
                            ticket,
                        }];
                    }
                }
            }
        }
        Vec::new()
    }

    /// Puts tickets that nobody started back to the front of their lists.
    pub async fn put_back(&self, popped: Vec<Popped>) {
        for lane in Lane::ALL {
            let tickets = popped
                .iter()
                .filter(|p| p.lane == lane && !p.ticket.is_look());
            // Each push goes before the one before it.
            let texts = texts_of(tickets.rev().map(|popped| &popped.ticket));
            if texts.is_empty() {
                continue;
            }
            let key = self.queue.key(self.verb, lane);
            if let Err(error) = self
                .queue
                .ask::<()>(pipe().lpush(&key, &texts).ignore())
                .await
            {
                tracing::warn!(%error, count = texts.len(), "tickets are left to the sweep");
            }
        }
    }

    async fn try_pop(
        &mut self,
        n: usize,
        stop: &CancellationToken,
    ) -> Result<Vec<Popped>, QueueError> {
        let line = self.queue.line.clone().ok_or(QueueError::Silent)?;
        // Taken, so that a failed pop leaves no wire behind on which a late answer could arrive.
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => Wire::open(line.client(), &self.queue, self.verb).await?,
        };
        let id = wire.id;
        let popped = {
            let pop = wire.pop(n);
            tokio::pin!(pop);
            tokio::select! {
                popped = &mut pop => popped?,
                () = stop.cancelled() => {
                    // Refused or unheard, the pop ends by itself all the same.
                    let _ = line.ask::<()>(pipe().cmd("CLIENT").arg("UNBLOCK").arg(id)).await;
                    timeout(BLOCK, pop).await.map_err(|_| QueueError::Timeout)??
                }
            }
        };
        self.wire = Some(wire);
        Ok(popped)
    }

    fn back(&mut self) {
        if self.away_since.take().is_some() {
            tracing::info!(verb = self.verb.as_str(), "Redis gives tickets again");
        }
    }

    /// Pauses, and says whether Redis has been away for another [`LOOK_EVERY`].
    async fn look_is_due(&mut self, error: &QueueError, stop: &CancellationToken) -> bool {
        if self.away_since.is_none() && !matches!(error, QueueError::Silent) {
            tracing::warn!(verb = self.verb.as_str(), %error, "Redis is away; looking every second");
        }
        let since = *self.away_since.get_or_insert_with(Instant::now);
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = stop.cancelled() => return false,
        }
        let due = since.elapsed() >= LOOK_EVERY;
        if due {
            self.away_since = Some(Instant::now());
        }
        due
    }
}

impl Wire {
    async fn open(client: &Client, queue: &Queue, verb: Verb) -> Result<Wire, QueueError> {
        let keys = Lane::ALL.map(|lane| queue.key(verb, lane));
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(ANSWER_TIMEOUT));
        let open = async {
            let mut connection = client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            let id = cmd("CLIENT").arg("ID").query_async(&mut connection).await?;
            Ok(Wire {
                connection,
                id,
                verb,
                keys,
            })
        };
        timeout(CONNECT_TIMEOUT, open)
            .await
            .map_err(|_| QueueError::Timeout)?
    }

    /// One blocking pop; if it was answered at once, then what else is there, up to `n`. At idle
    /// the single ticket is handed on without asking for more.
    async fn pop(&mut self, n: usize) -> Result<Vec<Popped>, QueueError> {
        let asked = Instant::now();
        let first: Option<(String, Vec<u8>)> = cmd("BLPOP")
            .arg(&self.keys)
            .arg(BLOCK.as_secs())
            .query_async(&mut self.connection)
            .await?;
        let Some((key, text)) = first else {
            return Ok(Vec::new());
        };
        let lane = if key == self.keys[0] {
            Lane::Express
        } else {
            Lane::Bulk
        };
        let mut popped = Vec::from_iter(read(self.verb, lane, &text));
        if asked.elapsed() < BACKLOG_ANSWER_MAX {
            self.pop_more(n, &mut popped).await;
        }
        Ok(popped)
    }

    /// Keeps silent about errors: what was popped before must reach the caller, and the next pop
    /// will meet the same error.
    async fn pop_more(&mut self, n: usize, popped: &mut Vec<Popped>) {
        for (lane, key) in Lane::ALL.into_iter().zip(&self.keys) {
            let more = n.saturating_sub(popped.len());
            if more == 0 {
                return;
            }
            let mut question = cmd("LPOP");
            let answer = question
                .arg(key)
                .arg(more)
                .query_async(&mut self.connection)
                .await;
            let Ok(texts): Result<Option<Vec<Vec<u8>>>, RedisError> = answer else {
                return;
            };
            let texts = texts.unwrap_or_default();
            popped.extend(texts.iter().filter_map(|text| read(self.verb, lane, text)));
        }
    }
}

fn read(verb: Verb, lane: Lane, text: &[u8]) -> Option<Popped> {
    match serde_json::from_slice::<Ticket>(text) {
        Ok(ticket) if ticket.verb == verb => Some(Popped { lane, ticket }),
        _ => {
            tracing::warn!(verb = verb.as_str(), "dropped a ticket that cannot be read");
            None
        }
    }
}
