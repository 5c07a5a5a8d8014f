//! When to ask a source again. Pure but for the dice that keep many imports of one source from
//! asking at the same moment.

use std::time::Duration;

use chrono::{DateTime, Utc};
use longshore_core::limits::{FETCH_RETRIES, RETRY_AFTER_MAX};
use rand::Rng;

/// How far a wait strays from the schedule, either way.
const JITTER: f64 = 0.2;

/// The wait before the next attempt, after `attempt` failed ones (from 1); `None` is the end.
/// A source that asks for a longer wait gets it, up to the limit; a shorter one does not shorten
/// the schedule, or a short outage would use up all attempts.
#[must_use]
pub fn wait_before(attempt: u32, asked: Option<Duration>) -> Option<Duration> {
    let place = usize::try_from(attempt.checked_sub(1)?).ok()?;
    let jitter = rand::rng().random_range(-JITTER..=JITTER);
    let scheduled = FETCH_RETRIES.get(place)?.mul_f64(1.0 + jitter);
    Some(asked.map_or(scheduled, |asked| asked.min(RETRY_AFTER_MAX).max(scheduled)))
}

/// Reads a Retry-After, in seconds or as a date.
pub(super) fn asked_wait(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are still a number, and a long wait.
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?.to_utc();
    let wait = (until - now).to_std().unwrap_or(Duration::ZERO);
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_is_kept_within_a_fifth_and_ends() {
        for (place, planned) in FETCH_RETRIES.iter().enumerate() {
            for _ in 0..200 {
                let wait = wait_before(u32::try_from(place).unwrap() + 1, None).unwrap();
                assert!(
                    wait >= planned.mul_f64(0.799) && wait <= planned.mul_f64(1.201),
                    "{wait:?}"
                );
            }
        }
        assert_eq!(
            wait_before(u32::try_from(FETCH_RETRIES.len()).unwrap() + 1, None),
            None
        );
        assert_eq!(wait_before(u32::MAX, Some(Duration::from_secs(1))), None);
        assert_eq!(wait_before(0, None), None);
    }

    #[test]
    fn waits_differ_from_one_import_to_the_next() {
        let first = wait_before(1, None);
        assert!((0..50).any(|_| wait_before(1, None) != first));
    }

    #[test]
    fn a_source_may_ask_for_a_longer_wait_but_not_a_shorter_one() {
        let minute = Duration::from_secs(60);
        assert_eq!(wait_before(1, Some(minute)), Some(minute));
        assert!(wait_before(5, Some(Duration::ZERO)).unwrap() > minute);
    }

    #[test]
    fn a_year_of_waiting_is_capped() {
        let year = Duration::from_secs(365 * 24 * 3600);
        assert_eq!(wait_before(1, Some(year)), Some(RETRY_AFTER_MAX));
        let now = Utc::now();
        assert_eq!(asked_wait("31536000", now), Some(RETRY_AFTER_MAX));
        assert_eq!(
            asked_wait("99999999999999999999999", now),
            Some(RETRY_AFTER_MAX)
        );
        assert_eq!(
            asked_wait("Fri, 31 Dec 9999 23:59:59 GMT", now),
            Some(RETRY_AFTER_MAX)
        );
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        let now = DateTime::parse_from_rfc2822("Sun, 06 Nov 2026 08:49:37 GMT");
        assert!(now.is_err(), "a date with the wrong weekday is no date");
        let now = DateTime::parse_from_rfc2822("Sun, 06 Nov 1994 08:49:37 GMT")
            .unwrap()
            .to_utc();
        let later = "Sun, 06 Nov 1994 08:50:07 GMT";
        assert_eq!(asked_wait(later, now), Some(Duration::from_secs(30)));
        assert_eq!(
            asked_wait("Sun, 06 Nov 1994 08:00:00 GMT", now),
            Some(Duration::ZERO)
        );
        assert_eq!(asked_wait(" 120 ", now), Some(Duration::from_secs(120)));
        for bad in ["", "soon", "-5", "1.5", "1e3"] {
            assert_eq!(asked_wait(bad, now), None, "{bad:?}");
        }
    }
}
