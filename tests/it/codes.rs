//! Every stable code with a test that produces it, and where the code appears in it. The test is
//! held to it: its service has to give this code in this place before it is dropped. What only the
//! fetcher meets (foreign TLS, names, slowness) names a test of the fetcher's on real sockets.

use std::fmt;

use longshore_core::code::Code;

/// Where a code is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// In the answer to a call.
    Request,
    /// As the error of a failed import.
    Import,
    /// As the reason of a reject.
    Row,
    /// As a reason why a removal is held.
    Removal,
    /// In a warning, while a source is tried again.
    Warning,
}

impl Place {
    const ALL: [Place; 5] = [
        Place::Request,
        Place::Import,
        Place::Row,
        Place::Removal,
        Place::Warning,
    ];
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Place::Request => "request",
            Place::Import => "import",
            Place::Row => "row",
            Place::Removal => "removal",
            Place::Warning => "warning",
        })
    }
}

/// One line of the table below.
pub(crate) struct Promise {
    pub(crate) code: Code,
    pub(crate) place: Place,
    /// The test's path as the test binary names it; with `.rs::` in it, one of the fetcher's.
    pub(crate) test: &'static str,
}

/// The codes that nothing answers with yet; the documentation leaves them out.
pub(crate) const AWAITED: [Code; 0] = [];

/// code, place, test.
const TABLE: &str = include_str!("codes.txt");

pub(crate) fn table() -> Vec<Promise> {
    let promise = |line: &'static str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [code, place, test] = words[..] else {
            panic!("{line}");
        };
        let named = |known: &Place| known.to_string() == place;
        let (code, place) = (Code::parse(code), Place::ALL.into_iter().find(named));
        let (Some(code), Some(place)) = (code, place) else {
            panic!("{line}");
        };
        Promise { code, place, test }
    };
    TABLE.lines().map(promise).collect()
}

/// Whether the table, and with it the documentation, says that the code is met there.
pub(crate) fn is_listed(code: Code, place: Place) -> bool {
    let listed = |promise: &Promise| promise.code == code && promise.place == place;
    table().iter().any(listed)
}

/// What this test has to produce.
pub(crate) fn promised(test: &str) -> Vec<(Code, Place)> {
    let table = table().into_iter();
    table
        .filter(|promise| promise.test == test)
        .map(|promise| (promise.code, promise.place))
        .collect()
}
