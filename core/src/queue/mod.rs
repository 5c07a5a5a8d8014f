//! The bell: tickets on Redis lists, one list per verb and lane. A ticket only wakes a worker, the
//! ledger holds the truth, so nothing here may ever fail a request or decide what an import's state
//! is. Losing a ticket, or all of Redis, loses seconds: the sweep rings again.

mod line;
mod popper;
mod ticket;

pub use popper::{Popped, Popper};
pub use ticket::{Lane, Ticket, Verb};

use std::sync::Arc;

use redis::{Client, IntoConnectionInfo, RedisError, io::tcp::TcpSettings, pipe};

use crate::limits::TICKETS_WAITING_MAX;
use line::Line;
use ticket::texts_of;

/// Most tickets that go to Redis in one command.
const TICKETS_PER_PUSH_MAX: usize = 1_000;

/// How many tickets wait on one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// What they ask for.
    pub verb: Verb,
    /// How urgent they are.
    pub lane: Lane,
    /// How many.
    pub waiting: u64,
}

/// Why the queue has no answer. Ringing never shows it: there it only means "ring later".
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The setting is not the URL of a Redis server.
    #[error("not the URL of a Redis server")]
    Url(#[source] RedisError),
    /// This service was started without Redis.
    #[error("no Redis is configured")]
    Silent,
    /// No answer in time: the server is down, frozen or out of reach.
    #[error("Redis did not answer in time")]
    Timeout,
    /// It failed less than a second ago and was not asked again.
    #[error("Redis failed a moment ago and was not asked again")]
    Resting,
    /// Redis, or the way to it, answered with an error.
    #[error("Redis failed")]
    Redis(#[from] RedisError),
}

/// The producer's handle. Cheap to clone; all clones share one connection, which heals itself.
#[derive(Clone)]
pub struct Queue {
    line: Option<Arc<Line>>,
    prefix: Arc<str>,
}

impl Queue {
    /// A queue on the server at `url`, with `prefix` before the name of every list. Fails only for
    /// a URL that is none: a server that is down is found later. On Redis Cluster the prefix must
    /// hold a hash tag, such as `{longshore}`, since one pop names several lists.
    pub async fn connect(url: &str, prefix: &str) -> Result<Queue, QueueError> {
        let address = url.into_connection_info().map_err(QueueError::Url)?;
        let address = address.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = Client::open(address).map_err(QueueError::Url)?;
        let queue = Queue {
            line: Some(Arc::new(Line::new(client))),
            prefix: prefix.into(),
        };
        queue.healthy().await;
        Ok(queue)
    }

    /// A queue without Redis: ringing does nothing, and a popper looks for work once a second.
    #[must_use]
    pub fn silent() -> Queue {
        Queue {
            line: None,
            prefix: "".into(),
        }
    }

    /// Wakes a worker for this ticket. False means "not surely rung": Redis is silent, down, full
    /// or slow, and the sweep will ring later. Takes at most 250 ms, and no time at all in the
    /// second after a failure.
    pub async fn ring(&self, lane: Lane, ticket: Ticket) -> bool {
        self.ring_all(lane, &[ticket]).await == 1
    }

    /// Rings for many tickets and says how many were surely rung. Stops at the first failure.
    pub async fn ring_all(&self, lane: Lane, tickets: &[Ticket]) -> usize {
        let mut rung = 0;
        for verb in Verb::ALL {
            let texts = texts_of(tickets.iter().filter(|t| t.verb == verb && !t.is_look()));
            for texts in texts.chunks(TICKETS_PER_PUSH_MAX) {
                let taken = self.push(verb, lane, texts).await;
                rung += taken;
                if taken < texts.len() {
                    return rung;
                }
            }
        }
        rung
    }

    /// Appends to one list and keeps it under its limit by cutting off the newest, which the
    /// ledger still has. The length comes back with the push, so the limit costs nothing.
    async fn push(&self, verb: Verb, lane: Lane, texts: &[String]) -> usize {
        let key = self.key(verb, lane);
        let pushed = self
            .ask::<(usize,)>(pipe().cmd("RPUSH").arg(&key).arg(texts))
            .await;
        let over = match pushed {
            Ok((length,)) => length.saturating_sub(TICKETS_WAITING_MAX),
            Err(_) => return 0,
        };
        if over > 0 {
            tracing::warn!(
                list = key,
                limit = TICKETS_WAITING_MAX,
                "too many tickets are waiting"
            );
            let last = TICKETS_WAITING_MAX - 1;
            let _ = self
                .ask::<()>(pipe().cmd("LTRIM").arg(&key).arg(0).arg(last).ignore())
                .await;
        }
        texts.len().saturating_sub(over)
    }

    /// How many tickets wait, for every verb and lane. All zero without Redis.
    pub async fn depth(&self) -> Result<Vec<Depth>, QueueError> {
        let lists = Verb::ALL
            .into_iter()
            .flat_map(|verb| Lane::ALL.map(|lane| (verb, lane)));
        let mut question = pipe();
        for (verb, lane) in lists.clone() {
            question.cmd("LLEN").arg(self.key(verb, lane));
        }
        let lengths = match self.ask::<Vec<u64>>(&question).await {
            Err(QueueError::Silent) => vec![0; Verb::ALL.len() * Lane::ALL.len()],
            answer => answer?,
        };
        let depth = |((verb, lane), waiting)| Depth {
            verb,
            lane,
            waiting,
        };
        Ok(lists.zip(lengths).map(depth).collect())
    }

    /// Whether Redis answers now. False as well when none is configured.
    pub async fn healthy(&self) -> bool {
        self.ask::<(String,)>(pipe().cmd("PING")).await.is_ok()
    }

    /// The consumer's handle for one verb, with a connection of its own, made at the first pop.
    #[must_use]
    pub fn popper(&self, verb: Verb) -> Popper {
        Popper::new(self.clone(), verb)
    }

    async fn ask<T: redis::FromRedisValue>(
        &self,
        question: &redis::Pipeline,
    ) -> Result<T, QueueError> {
        self.line
            .as_ref()
            .ok_or(QueueError::Silent)?
            .ask(question)
            .await
    }

    fn key(&self, verb: Verb, lane: Lane) -> String {
        format!("{}:{}:{}", self.prefix, verb.as_str(), lane.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_silent_queue_takes_nothing_and_fails_nothing() {
        let queue = Queue::silent();
        assert!(!queue.ring(Lane::Express, Ticket::new(Verb::Fetch, 1)).await);
        assert!(!queue.healthy().await);
        assert!(
            queue
                .depth()
                .await
                .unwrap()
                .iter()
                .all(|depth| depth.waiting == 0)
        );
    }

    #[tokio::test]
    async fn only_a_wrong_url_fails_to_connect() {
        assert!(matches!(
            Queue::connect("http://x", "p").await,
            Err(QueueError::Url(_))
        ));
        let started = std::time::Instant::now();
        let queue = Queue::connect("redis://127.0.0.1:1", "p").await.unwrap();
        assert!(!queue.ring(Lane::Bulk, Ticket::new(Verb::Apply, 1)).await);
        assert!(started.elapsed() < Duration::from_millis(500));
        assert!(matches!(queue.depth().await, Err(QueueError::Resting)));
    }
}
