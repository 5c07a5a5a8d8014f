//! Dates such as 31/12/2024, whose order the column says and never a single cell: a cell is read by
//! the order of its column, and evidence for the order is gathered over all of its rows.

use serde::{Deserialize, Serialize};

/// How dates are written in a payload. `YYYY-MM-DD` is always read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dates {
    /// As `YYYY-MM-DD` only.
    #[default]
    Iso,
    /// Also as `DD/MM/YYYY`.
    DayFirst,
    /// Also as `MM/DD/YYYY`.
    MonthFirst,
    /// As each column shows by itself.
    Detect,
}

/// Which number of a date comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// `31/12/2024`
    DayFirst,
    /// `12/31/2024`
    MonthFirst,
}

/// What a cell says about the order of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It can only be read so.
    Only(DateOrder),
    /// It can be read both ways, as two days.
    Either,
    /// It is the same day both ways.
    Same,
}

/// What the cells of a column say together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// Cells that can only be day first, and the first of them.
    pub day_first: Seen,
    /// Cells that can only be month first, and the first of them.
    pub month_first: Seen,
    /// Cells that can be both, and the first of them.
    pub either: Seen,
    /// Cells that are the same day both ways.
    pub same: Seen,
}

/// How many cells, and the first with its line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// How many.
    pub cells: u64,
    /// The first: its line and its text.
    pub first: Option<(u64, String)>,
}

impl Seen {
    fn add(&mut self, line: u64, text: &str) {
        self.cells += 1;
        if self.first.is_none() {
            self.first = Some((line, text.to_owned()));
        }
    }
}

impl Evidence {
    /// Takes a cell into account.
    pub fn add(&mut self, line: u64, text: &str) {
        match sign(text) {
            Some(Sign::Only(DateOrder::DayFirst)) => self.day_first.add(line, text),
            Some(Sign::Only(DateOrder::MonthFirst)) => self.month_first.add(line, text),
            Some(Sign::Either) => self.either.add(line, text),
            Some(Sign::Same) => self.same.add(line, text),
            None => {}
        }
    }
}

impl DateOrder {
    /// How such dates look, for people.
    #[must_use]
    pub fn form(self) -> &'static str {
        match self {
            DateOrder::DayFirst => "DD/MM/YYYY or YYYY-MM-DD",
            DateOrder::MonthFirst => "MM/DD/YYYY or YYYY-MM-DD",
        }
    }

    /// The order in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            DateOrder::DayFirst => "day first",
            DateOrder::MonthFirst => "month first",
        }
    }

    /// The text with its date as `YYYY-MM-DD`. None: it does not begin with a date of this kind.
    /// Whether the calendar has the day is not asked.
    #[must_use]
    pub fn to_iso(self, text: &str) -> Option<String> {
        let Parts {
            first,
            second,
            year,
            rest,
        } = parts(text)?;
        let (day, month) = match self {
            DateOrder::DayFirst => (first, second),
            DateOrder::MonthFirst => (second, first),
        };
        Some(format!("{year}-{month:02}-{day:02}{rest}"))
    }
}

/// What a cell says about the order of its column. None: nothing, as it is no date of this kind, or
/// has no place in any calendar.
fn sign(text: &str) -> Option<Sign> {
    let Parts { first, second, .. } = parts(text)?;
    let (may_be_day_first, may_be_month_first) = (second <= 12, first <= 12);
    match (may_be_day_first, may_be_month_first) {
        _ if first == 0 || second == 0 || first > 31 || second > 31 => None,
        (true, false) => Some(Sign::Only(DateOrder::DayFirst)),
        (false, true) => Some(Sign::Only(DateOrder::MonthFirst)),
        (true, true) if first == second => Some(Sign::Same),
        (true, true) => Some(Sign::Either),
        (false, false) => None,
    }
}

struct Parts<'a> {
    first: u8,
    second: u8,
    year: &'a str,
    rest: &'a str,
}

/// Two numbers of one or two digits and a year of four, with the same `/`, `.` or `-` between them;
/// behind it nothing, or a time of day.
fn parts(text: &str) -> Option<Parts<'_>> {
    let (first, rest) = number(text)?;
    let separator = rest.chars().next().filter(|c| "/.-".contains(*c))?;
    let (second, rest) = number(&rest[1..])?;
    let rest = rest.strip_prefix(separator)?;
    let year = rest.get(..4)?;
    let rest = &rest[4..];
    let is_year = year.bytes().all(|byte| byte.is_ascii_digit());
    let ends = rest.is_empty() || rest.starts_with([' ', 'T', 't']);
    (is_year && ends).then_some(Parts {
        first,
        second,
        year,
        rest,
    })
}

/// A number of one or two digits, and what follows it.
fn number(text: &str) -> Option<(u8, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    (1..=2)
        .contains(&digits)
        .then(|| number.parse().ok())?
        .map(|number| (number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_in_iso_order_by_the_order_of_its_column() {
        for (text, day_first, month_first) in [
            ("31/12/2024", Some("2024-12-31"), Some("2024-31-12")),
            ("1.2.2024", Some("2024-02-01"), Some("2024-01-02")),
            ("01-02-2024", Some("2024-02-01"), Some("2024-01-02")),
            (
                "31/12/2024 23:59:00Z",
                Some("2024-12-31 23:59:00Z"),
                Some("2024-31-12 23:59:00Z"),
            ),
            ("2024-12-31", None, None),
            ("31/12/24", None, None),
            ("31/12-2024", None, None),
            ("031/12/2024", None, None),
            ("31/12/20245", None, None),
            ("31/12/２024", None, None),
            ("31/12/2024x", None, None),
            (" 31/12/2024", None, None),
            ("+1/2/2024", None, None),
            ("1//2024", None, None),
            ("", None, None),
            ("é/1/2024", None, None),
        ] {
            let read = |order: DateOrder| order.to_iso(text);
            assert_eq!(read(DateOrder::DayFirst).as_deref(), day_first, "{text}");
            assert_eq!(
                read(DateOrder::MonthFirst).as_deref(),
                month_first,
                "{text}"
            );
        }
    }

    #[test]
    fn only_what_has_one_reading_is_a_sign() {
        for (text, expected) in [
            ("13/02/2024", Some(Sign::Only(DateOrder::DayFirst))),
            ("02/13/2024", Some(Sign::Only(DateOrder::MonthFirst))),
            ("02/03/2024", Some(Sign::Either)),
            ("03/03/2024", Some(Sign::Same)),
            ("13/13/2024", None),
            ("32/01/2024", None),
            ("00/01/2024", None),
            ("2024-02-13", None),
            ("soon", None),
        ] {
            assert_eq!(sign(text), expected, "{text}");
        }
    }
}
