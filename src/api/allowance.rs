//! How much one client may ask for: submissions a second by token, and imports of an account that
//! are not at their end. Whoever is above hears when to come back; nothing is kept of the attempt.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use longshore_core::code::Code;
use longshore_core::store::imports;

use super::lines::Lines;
use super::problem::{Problem, problem};
use super::rounds::Rounds;

/// A token that rested may submit as many at once as it may in this many seconds.
const BURST_SECS: u32 = 10;
/// Tokens that are remembered before those that rested are forgotten.
const TOKENS_REMEMBERED: usize = 10_000;
/// Fewer imports than this are counted at every submission.
const COUNTED_EACH_TIME: i64 = 1_000;
/// How long a larger count is good for.
const COUNT_KEPT: Duration = Duration::from_secs(1);
/// When to come back for an account that has too many imports: some of them end meanwhile.
const UNFINISHED_RETRY_SECS: u32 = 10;

/// The limits of one process. Clones share their counts.
#[derive(Clone)]
pub struct Allowance {
    rate: Option<Arc<RateLimiter<String, HashMapStateStore<String>, DefaultClock>>>,
    submits_per_second: u32,
    unfinished_max: u32,
    counted: Arc<Mutex<HashMap<i64, Counted>>>,
    counts: Rounds<i64, (), i64>,
}

/// The unfinished imports of an account as they were counted last, and those accepted since.
#[derive(Clone, Copy)]
struct Counted {
    at: Instant,
    imports: i64,
}

impl Allowance {
    /// Limits of submissions per second and token, and of unfinished imports per account; 0: none.
    #[must_use]
    pub fn new(submits_per_second: u32, unfinished_max: u32) -> Allowance {
        let rate = NonZeroU32::new(submits_per_second).map(|rate| {
            let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(BURST_SECS - 1));
            Arc::new(RateLimiter::hashmap(
                Quota::per_second(rate).allow_burst(burst),
            ))
        });
        Allowance {
            rate,
            submits_per_second,
            unfinished_max,
            counted: Arc::default(),
            counts: Rounds::default(),
        }
    }

    /// Charges a submission to its token.
    pub(super) fn charge(&self, token_id: &str) -> Result<(), Problem> {
        let Some(rate) = &self.rate else {
            return Ok(());
        };
        if rate.len() > TOKENS_REMEMBERED {
            rate.retain_recent();
        }
        rate.check_key(&token_id.to_owned()).map_err(|too_early| {
            let wait = too_early.wait_time_from(rate.clock().now());
            let detail = format!(
                "This token may submit {} imports a second, and {BURST_SECS} times as many at once.",
                self.submits_per_second
            );
            problem(Code::RateLimited, detail).retry_after(whole_seconds(wait))
        })
    }

    /// Whether the account may have one more import. Those that are submitted at the same instant
    /// do not see each other, and those that ended within a second may still count.
    pub(super) async fn check_unfinished(
        &self,
        lines: &Lines,
        account_id: i64,
    ) -> Result<(), Problem> {
        let most = self.unfinished_max;
        if most == 0 {
            return Ok(());
        }
        let imports = match self.counted_lately(account_id) {
            Some(imports) => imports,
            None => self.count(lines, account_id).await?,
        };
        self.remember(account_id, imports);
        if imports < i64::from(most) {
            return Ok(());
        }
        let detail = format!(
            "This account has {most} imports that are not at their end, as many as it may. Wait \
             until some have ended, or cancel some; drafts count."
        );
        Err(problem(Code::TooManyQueuedImports, detail).retry_after(UNFINISHED_RETRY_SECS))
    }

    async fn count(&self, lines: &Lines, account_id: i64) -> Result<i64, Problem> {
        let (lines, most) = (lines.clone(), self.unfinished_max);
        let count = move |asked: Vec<()>| {
            let lines = lines.clone();
            async move {
                let mut line = lines.take().await?;
                let imports = imports::unfinished(&mut line, account_id, most).await?;
                line.give_back();
                Ok(vec![imports; asked.len()])
            }
        };
        self.counts.ask(account_id, (), count).await
    }

    fn counted_lately(&self, account_id: i64) -> Option<i64> {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = counted.get(&account_id)?;
        (counted.at.elapsed() < COUNT_KEPT).then_some(counted.imports)
    }

    /// Counting few costs nothing; many are counted once in a while, and those accepted meanwhile
    /// are added.
    fn remember(&self, account_id: i64, imports: i64) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if imports < COUNTED_EACH_TIME {
            counted.remove(&account_id);
            return;
        }
        let at = match counted.get(&account_id) {
            Some(known) if known.at.elapsed() < COUNT_KEPT => known.at,
            _ => Instant::now(),
        };
        let imports = imports + 1;
        counted.insert(account_id, Counted { at, imports });
    }
}

/// Rounded up, and at least one: a wait of nothing would be no wait.
fn whole_seconds(wait: Duration) -> u32 {
    let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    u32::try_from(secs).unwrap_or(u32::MAX).max(1)
}
