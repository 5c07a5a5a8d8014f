//! The producer's line to Redis: one shared connection that is made when first needed and again
//! whenever it broke. It must never hold a caller for more than [`ANSWER_TIMEOUT`], so it answers
//! "no" for [`REST`] after a failure instead of trying again for everybody.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use redis::{
    AsyncConnectionConfig, Client, FromRedisValue, Pipeline, RedisError, aio::MultiplexedConnection,
};
use tokio::time::timeout;

use super::QueueError;

/// The longest that a caller waits, connecting and a second try included.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(250);
/// How long Redis is left alone after a failure.
const REST: Duration = Duration::from_secs(1);

pub(super) struct Line {
    client: Client,
    connecting: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    rest_until: Option<Instant>,
    failing: bool,
}

impl Line {
    pub(super) fn new(client: Client) -> Line {
        Line {
            client,
            connecting: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Sends the commands and brings their answers. After an error they may have been carried out
    /// all the same, or twice.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        question: &Pipeline,
    ) -> Result<T, QueueError> {
        if self
            .state()
            .rest_until
            .is_some_and(|until| Instant::now() < until)
        {
            return Err(QueueError::Resting);
        }
        let answer = timeout(ANSWER_TIMEOUT, self.ask_twice(question)).await;
        match answer {
            Err(_) => {
                self.rest("no answer in time");
                Err(QueueError::Timeout)
            }
            Ok(Err(error)) => {
                self.rest(&error);
                Err(QueueError::Redis(error))
            }
            Ok(Ok(answer)) => {
                self.recovered();
                Ok(answer)
            }
        }
    }

    /// A connection shows only when used that the server was restarted behind it; hence a second
    /// try on a fresh one.
    async fn ask_twice<T: FromRedisValue>(&self, question: &Pipeline) -> Result<T, RedisError> {
        let mut connection = self.connection().await?;
        match question.query_async(&mut connection).await {
            Err(error) if error.is_io_error() && !error.is_timeout() => {
                self.state().connection = None;
                question.query_async(&mut self.connection().await?).await
            }
            answer => answer,
        }
    }

    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let _turn = self.connecting.lock().await;
        if let Some(connection) = self.state().connection.clone() {
            return Ok(connection);
        }
        // The caller's own timeout is the limit; a second one here could only disagree with it.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(Some(ANSWER_TIMEOUT));
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        self.state().connection = Some(connection.clone());
        Ok(connection)
    }

    fn rest(&self, reason: impl std::fmt::Display) {
        let mut state = self.state();
        state.connection = None;
        state.rest_until = Some(Instant::now() + REST);
        if !std::mem::replace(&mut state.failing, true) {
            tracing::warn!(%reason, "Redis failed; tickets wait for the sweep");
        }
    }

    fn recovered(&self) {
        if std::mem::take(&mut self.state().failing) {
            tracing::info!("Redis takes tickets again");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
