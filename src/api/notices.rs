//! Wakes long polls when their import changes: one listener for the whole process. A notice may be
//! lost; whoever waits looks again from time to time all the same.

use std::time::Duration;

use longshore_core::store::imports::CHANNEL;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Announcements of imports that settled.
#[derive(Clone)]
pub(crate) struct Notices {
    sender: broadcast::Sender<i64>,
    stop: CancellationToken,
}

/// How often a waiting request looks by itself.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Notices {
    pub(crate) fn start(pool: PgPool, stop: CancellationToken) -> Notices {
        let (sender, _) = broadcast::channel(1024);
        let notices = Notices {
            sender: sender.clone(),
            stop: stop.clone(),
        };
        tokio::spawn(async move {
            tokio::select! {
                () = listen(pool, sender) => {}
                () = stop.cancelled() => {}
            }
        });
        notices
    }

    pub(crate) fn subscribe(&self) -> Notice {
        Notice {
            receiver: self.sender.subscribe(),
            stop: self.stop.clone(),
        }
    }
}

/// A place in the waiting room, taken before the first look so that nothing is missed between.
pub(crate) struct Notice {
    receiver: broadcast::Receiver<i64>,
    stop: CancellationToken,
}

impl Notice {
    /// Waits for news of an import, or for the time to look again. False: the process stops.
    pub(crate) async fn of(&mut self, import: i64) -> bool {
        let news = async {
            loop {
                match self.receiver.recv().await {
                    Ok(id) if id != import => {}
                    // Lagging behind means that anything may have happened.
                    _ => return,
                }
            }
        };
        tokio::select! {
            () = news => true,
            () = tokio::time::sleep(LOOK_AGAIN) => true,
            () = self.stop.cancelled() => false,
        }
    }
}

async fn listen(pool: PgPool, sender: broadcast::Sender<i64>) {
    loop {
        if let Err(error) = hear(&pool, &sender).await {
            tracing::debug!(error = %error, "announcements are not heard; trying again");
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn hear(pool: &PgPool, sender: &broadcast::Sender<i64>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        let notification = listener.recv().await?;
        if let Ok(id) = notification.payload().parse() {
            // Without anybody waiting there is nobody to tell.
            let _ = sender.send(id);
        }
    }
}
