//! Follows an import until it is final or a person has to act. A service that goes away for a while
//! is waited for, within bounds; Ctrl-C ends the watching, never the import.

use std::time::{Duration, Instant};

use super::answers::Import;
use super::client::Client;
use super::exit::Exit;
use super::failure::Failure;
use super::progress::Progress;
use super::render::{plain, say, warn};
use super::{rejects, summary};

/// How long a service that does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Watches until the import is settled, then prints how it ended.
pub(super) async fn watch(client: &Client, id: &str, json: bool) -> Result<Exit, Failure> {
    let mut progress = Progress::new(json);
    progress.follow();
    let ended = tokio::select! {
        ended = until_settled(client, id, &mut progress) => Some(ended),
        _ = tokio::signal::ctrl_c() => None,
    };
    progress.clear();
    match ended {
        Some(Ok(import)) => Ok(conclude(client, &import, json).await),
        Some(Err(failure)) => {
            warn(&format!(
                "The import is kept; watch it: longshore status {} --watch",
                plain(id)
            ));
            Err(failure)
        }
        None => Ok(leave(id)),
    }
}

/// Prints how an import stands: one line of JSON, or its books and first rejects.
pub(super) async fn conclude(client: &Client, import: &Import, json: bool) -> Exit {
    if json {
        say(&import.raw.to_string());
        return Exit::of(import.state.as_str());
    }
    say(&summary::whole(import));
    if import.totals.rejected > 0
        && let Ok(found) = rejects::first(client, &import.id).await
        && !found.is_empty()
    {
        say(&summary::rejects(&found, import.totals.rejected));
    }
    if let Some(step) = summary::next_step(import) {
        say(&step);
    }
    Exit::of(import.state.as_str())
}

fn leave(id: &str) -> Exit {
    let id = plain(id);
    warn(&format!(
        "The import runs on. Watch it: longshore status {id} --watch; end it: longshore cancel {id}"
    ));
    Exit::Interrupted
}

async fn until_settled(
    client: &Client,
    id: &str,
    progress: &mut Progress,
) -> Result<Import, Failure> {
    let mut patience = Patience::new();
    // The first answer comes at once, so that there is something to look at.
    let mut wait = 0;
    loop {
        let asked = Instant::now();
        let pause = match client.import(id, wait).await {
            Ok(import) => {
                wait = progress.wait_secs();
                progress.observe(&import);
                if import.state.is_settled() {
                    return Ok(import);
                }
                patience = Patience::new();
                PAUSE_MIN.saturating_sub(asked.elapsed())
            }
            Err(failure) => {
                let (pause, news) = patience.judge(failure, Instant::now())?;
                news.iter().for_each(|news| progress.note(news));
                pause
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// How often, and how much longer, a service that does not answer is asked again.
#[derive(Debug)]
struct Patience {
    since: Option<Instant>,
    pause: Duration,
}

impl Patience {
    fn new() -> Patience {
        Patience {
            since: None,
            pause: PAUSE_MIN,
        }
    }

    /// The pause before the next try, and what to tell at the first; or the failure itself, when
    /// it will not pass or has lasted too long.
    fn judge(
        &mut self,
        failure: Failure,
        now: Instant,
    ) -> Result<(Duration, Option<String>), Failure> {
        let news = self
            .since
            .is_none()
            .then(|| format!("{failure}; trying again"));
        let since = *self.since.get_or_insert(now);
        if !failure.may_pass() || now.duration_since(since) >= PATIENCE {
            return Err(failure);
        }
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        let asked_for = failure.retry_after().unwrap_or_default().min(PATIENCE);
        Ok((self.pause.max(asked_for), news))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::failure::Problem;

    fn busy(retry_after: Option<u64>) -> Failure {
        Failure::Faulty(Box::new(Problem::read(503, b"").after(retry_after)))
    }

    #[test]
    fn a_service_that_does_not_answer_is_asked_less_and_less_often_and_not_for_ever() {
        let (start, mut patience) = (Instant::now(), Patience::new());
        let (first, news) = patience.judge(busy(None), start).unwrap();
        assert!(news.unwrap().contains("trying again"));
        let (second, news) = patience.judge(busy(None), start).unwrap();
        assert!(second > first && news.is_none());
        let (told, _) = patience.judge(busy(Some(7)), start).unwrap();
        assert_eq!(told, Duration::from_secs(7));
        assert!(patience.judge(busy(None), start + PATIENCE).is_err());
    }

    #[test]
    fn a_refusal_is_not_asked_again() {
        let refusal = Failure::Refused(Box::new(Problem::read(404, b"")));
        assert!(Patience::new().judge(refusal, Instant::now()).is_err());
    }
}
