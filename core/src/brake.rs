//! The brake: whether a removal may go on without being asked about. Pure: it is given counts, and
//! names every reason to hold.

use serde::{Deserialize, Serialize};

use crate::code::Code;

/// Below this many living, the other share holds.
const FEW: i64 = 100;
/// Rejected rows above this share of all rows hold, in percent.
const REJECTS_PERCENT: i64 = 5;
/// A payload below this share of the one before holds, in percent.
const SHRUNK_PERCENT: i64 = 50;

/// The limits of a database. "Above" is meant strictly: a share of exactly the limit passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brake {
    /// Most that may be removed of 100 or more, in percent.
    pub percent: i64,
    /// Most that may be removed of fewer than 100, in percent.
    pub percent_below_100: i64,
    /// Most profiles and subprofiles that may be removed in all, whatever the share.
    pub count: Option<i64>,
    /// Whether everything may be removed at once.
    pub allow_empty: bool,
}

impl Default for Brake {
    fn default() -> Brake {
        Brake {
            percent: 10,
            percent_below_100: 50,
            count: None,
            allow_empty: false,
        }
    }
}

/// One table that is cleaned: the profiles, or a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Its name, for people.
    pub name: String,
    /// How many are there.
    pub living: i64,
    /// How many would go.
    pub victims: i64,
}

/// The import, as far as the brake looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Payload {
    /// Its rows.
    pub rows: i64,
    /// Those that were rejected.
    pub rejected: i64,
    /// Those whose key could not be read: whom they protect is not known.
    pub keys_unread: i64,
    /// Its bytes.
    pub bytes: i64,
    /// Rows and bytes of the last import of this kind.
    pub before: Option<(i64, i64)>,
}

/// Why a removal is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The stable code.
    pub code: String,
    /// Which limit, and by how much.
    pub detail: String,
}

impl Reason {
    /// More would go now than somebody approved.
    #[must_use]
    pub fn grown(removals: i64, approved: i64) -> Reason {
        let detail = format!("{removals} would be removed now; {approved} were approved.");
        reason(Code::BrakeGrown, detail)
    }
}

fn reason(code: Code, detail: String) -> Reason {
    Reason {
        code: code.as_str().to_owned(),
        detail,
    }
}

impl Brake {
    /// Every reason to hold; none: the removal may go on. Where nothing would go nothing is held.
    /// `removals` counts everything that goes, also subprofiles that go along with their profiles.
    #[must_use]
    pub fn judge(&self, payload: &Payload, shares: &[Share], removals: i64) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if removals == 0 {
            return reasons;
        }
        for share in shares.iter().filter(|share| share.victims > 0) {
            reasons.extend(self.judge_share(share));
        }
        if let Some(count) = self.count.filter(|count| removals > *count) {
            let detail = format!("{removals} would be removed in all, above {count}.");
            reasons.push(reason(Code::BrakeCount, detail));
        }
        reasons.extend(judge_payload(payload));
        reasons
    }

    fn judge_share(&self, share: &Share) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let (name, living, victims) = (&share.name, share.living, share.victims);
        let percent = if living < FEW {
            self.percent_below_100
        } else {
            self.percent
        };
        if victims == living && !self.allow_empty {
            let detail = format!("{name}: all {living} would be removed.");
            reasons.push(reason(Code::BrakeEmpty, detail));
        }
        if victims * 100 > living * percent {
            let detail =
                format!("{name}: {victims} of {living} would be removed, above {percent} %.");
            reasons.push(reason(Code::BrakePercent, detail));
        }
        reasons
    }
}

fn judge_payload(payload: &Payload) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if payload.keys_unread > 0 {
        let detail = format!(
            "The keys of {} rows could not be read, so that it is not known whom they name.",
            payload.keys_unread
        );
        reasons.push(reason(Code::BrakeKeysUnread, detail));
    }
    if payload.rejected * 100 > payload.rows * REJECTS_PERCENT {
        let detail = format!(
            "{} of {} rows are rejected, above {REJECTS_PERCENT} %.",
            payload.rejected, payload.rows
        );
        reasons.push(reason(Code::BrakeRejects, detail));
    }
    if let Some((rows, bytes)) = payload.before
        && (payload.rows * 100 < rows * SHRUNK_PERCENT
            || payload.bytes * 100 < bytes * SHRUNK_PERCENT)
    {
        let detail = format!(
            "The payload has {} rows and {} bytes, less than half of the last one with {rows} rows \
             and {bytes} bytes.",
            payload.rows, payload.bytes
        );
        reasons.push(reason(Code::BrakeShrunk, detail));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(brake: Brake, payload: Payload, (victims, living): (i64, i64)) -> Vec<String> {
        let share = Share {
            name: "profiles".to_owned(),
            living,
            victims,
        };
        let reasons = brake.judge(&payload, &[share], victims);
        reasons.into_iter().map(|reason| reason.code).collect()
    }

    #[test]
    fn a_share_above_the_limit_holds_and_exactly_the_limit_does_not() {
        for (victims, living, expected) in [
            (0, 100, vec![]),
            (10, 100, vec![]),
            (11, 100, vec!["brake_percent"]),
            (49, 99, vec![]),
            (50, 99, vec!["brake_percent"]),
            (5, 10, vec![]),
            (6, 10, vec!["brake_percent"]),
            (10, 10, vec!["brake_empty", "brake_percent"]),
            (1_000, 10_000, vec![]),
            (1_001, 10_000, vec!["brake_percent"]),
        ] {
            let found = codes(Brake::default(), Payload::default(), (victims, living));
            assert_eq!(found, expected, "{victims} of {living}");
        }
    }

    #[test]
    fn the_limits_of_a_database_are_its_own() {
        let brake = Brake {
            percent: 100,
            percent_below_100: 100,
            count: Some(7),
            allow_empty: true,
        };
        assert!(codes(brake, Payload::default(), (7, 7)).is_empty());
        assert_eq!(codes(brake, Payload::default(), (8, 8)), ["brake_count"]);
    }

    #[test]
    fn a_payload_that_cannot_be_trusted_holds_whatever_the_share() {
        let payload = Payload {
            rows: 100,
            rejected: 5,
            keys_unread: 0,
            bytes: 500,
            before: Some((200, 1_000)),
        };
        assert!(codes(Brake::default(), payload, (1, 100)).is_empty());
        for (worse, code) in [
            (
                Payload {
                    rejected: 6,
                    ..payload
                },
                "brake_rejects",
            ),
            (
                Payload {
                    keys_unread: 1,
                    ..payload
                },
                "brake_keys_unread",
            ),
            (
                Payload {
                    before: Some((201, 1_000)),
                    ..payload
                },
                "brake_shrunk",
            ),
            (
                Payload {
                    before: Some((200, 1_001)),
                    ..payload
                },
                "brake_shrunk",
            ),
        ] {
            assert_eq!(codes(Brake::default(), worse, (1, 100)), [code]);
            assert!(codes(Brake::default(), worse, (0, 100)).is_empty());
        }
    }
}
