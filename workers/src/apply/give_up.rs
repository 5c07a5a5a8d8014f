//! When an import is given up for its rejects: a wrong mapping should not run to its end, and an
//! import that applied nothing should not call itself complete. Judged at the end of each chunk,
//! in its transaction: what was applied stays, and the books say so.

use std::collections::BTreeMap;

use longshore_core::code::Code;
use longshore_core::import::{Failure, Reject};
use longshore_core::limits::{REJECTS_PERCENT_MAX, REJECTS_TOLERATED_ROWS};

/// How far an import is, behind a chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// Rows that have an outcome.
    pub(super) rows: i64,
    /// Those that were rejected.
    pub(super) rejected: i64,
    /// No row comes after them.
    pub(super) all: bool,
}

/// Why the import goes no further. The rejects are those of the chunk, to name what is typical.
pub(super) fn judge(standing: Standing, rejects: &[Reject]) -> Option<Failure> {
    let Standing {
        rows,
        rejected,
        all,
    } = standing;
    let too_many = rejected * 100 > rows * REJECTS_PERCENT_MAX;
    let (code, what) = match all {
        true if rows > 0 && rejected == rows => (
            Code::AllRowsFailed,
            format!("Every row was rejected ({rows} of {rows}), so nothing was applied."),
        ),
        _ if rows >= REJECTS_TOLERATED_ROWS && too_many => (
            Code::TooManyRejects,
            match all {
                true => format!(
                    "{rejected} of {rows} rows were rejected, more than {REJECTS_PERCENT_MAX} %."
                ),
                false => format!(
                    "{rejected} of the first {rows} rows were rejected, more than \
                     {REJECTS_PERCENT_MAX} %, so the others were left unprocessed."
                ),
            },
        ),
        _ => return None,
    };
    Some(Failure {
        code: code.as_str().to_owned(),
        message: format!("{what}{}", typical(rejects)),
        line: None,
        column: None,
    })
}

/// The most frequent cause, in words.
fn typical(rejects: &[Reject]) -> String {
    let mut causes: BTreeMap<(Code, Option<&str>), (usize, &str)> = BTreeMap::new();
    for reject in rejects {
        let cause = (reject.code, reject.column.as_deref());
        causes.entry(cause).or_insert((0, &reject.expected)).0 += 1;
    }
    let most = causes.into_iter().max_by_key(|(_, (count, _))| *count);
    let Some(((code, column), (_, expected))) = most else {
        return String::new();
    };
    let place = column.map_or(String::new(), |column| format!(" in the column {column:?}"));
    format!(
        " The most frequent of the last ones is {}{place}: expected {expected}.",
        code.as_str()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(rows: i64, rejected: i64, all: bool) -> Option<String> {
        let standing = Standing {
            rows,
            rejected,
            all,
        };
        judge(standing, &[]).map(|failure| failure.code)
    }

    #[test]
    fn more_than_half_after_a_thousand_rows_is_too_many() {
        for (rows, rejected, expected) in [
            (999, 999, None),
            (1_000, 500, None),
            (1_000, 501, Some("too_many_rejects")),
            (1_000_000, 500_000, None),
            (1_000_000, 500_001, Some("too_many_rejects")),
        ] {
            let found = judged(rows, rejected, false);
            assert_eq!(found.as_deref(), expected, "{rejected} of {rows}");
        }
    }

    #[test]
    fn at_the_end_few_rows_fail_only_where_none_is_left() {
        for (rows, rejected, expected) in [
            (1, 1, Some("all_rows_failed")),
            (2, 1, None),
            (999, 998, None),
            (10_000, 5_000, None),
            (10_000, 5_001, Some("too_many_rejects")),
            (10_000, 10_000, Some("all_rows_failed")),
        ] {
            let found = judged(rows, rejected, true);
            assert_eq!(found.as_deref(), expected, "{rejected} of {rows}");
        }
    }

    #[test]
    fn the_most_frequent_cause_is_named() {
        let reject = |code, column: &str| Reject {
            number: 1,
            line: 2,
            column: Some(column.to_owned()),
            code,
            value: None,
            expected: "YYYY-MM-DD".to_owned(),
        };
        let rejects = [
            reject(Code::InvalidNumber, "price"),
            reject(Code::InvalidDate, "born"),
            reject(Code::InvalidDate, "born"),
        ];
        let standing = Standing {
            rows: 3,
            rejected: 3,
            all: true,
        };
        let message = judge(standing, &rejects).unwrap().message;
        let words = "is invalid_date in the column \"born\": expected YYYY-MM-DD.";
        assert!(message.ends_with(words), "{message}");
    }
}
