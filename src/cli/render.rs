//! Numbers, times and tables for people. Texts that come from a payload or from the service pass
//! through [`plain`] first: a control character in them must never steer a terminal.

use std::io::Write;
use std::time::Duration;

use chrono::DateTime;
use serde_json::Value;

/// Writes lines to standard output. A reader that went away (`| head`) is no failure.
pub(super) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Writes lines to standard error.
pub(super) fn warn(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// The text with its control characters shown instead of obeyed.
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            steering if steering.is_control() || is_direction(steering) => {
                shown.extend(steering.escape_default());
            }
            harmless => shown.push(harmless),
        }
    }
    shown
}

fn is_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A number with a comma after every three digits.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the unit that people read.
pub(super) fn bytes(number: u64) -> String {
    let mut amount = number as f64;
    for unit in ["bytes", "KiB", "MiB"] {
        if amount < 1024.0 {
            return if unit == "bytes" {
                format!("{number} bytes")
            } else {
                format!("{amount:.1} {unit}")
            };
        }
        amount /= 1024.0;
    }
    format!("{amount:.1} GiB")
}

/// A time span: exact while short, in two units when long.
pub(super) fn span(span: Duration) -> String {
    match span.as_secs() {
        0..60 => format!("{:.1} s", span.as_secs_f64()),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The time between two RFC 3339 instants.
pub(super) fn between(from: Option<&str>, to: Option<&str>) -> Option<Duration> {
    let from = DateTime::parse_from_rfc3339(from?).ok()?;
    let to = DateTime::parse_from_rfc3339(to?).ok()?;
    (to - from).to_std().ok()
}

/// A JSON value in one line: text without its quotes, null as nothing.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => plain(text),
        Value::Array(items)
            if items
                .iter()
                .all(|item| !item.is_object() && !item.is_array()) =>
        {
            items.iter().map(self::value).collect::<Vec<_>>().join(", ")
        }
        other => plain(&other.to_string()),
    }
}

/// A table: columns as wide as their widest cell, numbers to the right.
#[derive(Debug)]
pub(super) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(super) fn new(head: &[&'static str]) -> Table {
        Table {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn width(&self, column: usize) -> usize {
        let cells = self
            .rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells.chain([self.head[column].len()]).max().unwrap_or(0)
    }

    fn is_numeric(&self, column: usize) -> bool {
        let mut cells = self
            .rows
            .iter()
            .filter_map(|row| row.get(column))
            .peekable();
        cells.peek().is_some()
            && cells.all(|cell| cell.chars().all(|one| one.is_ascii_digit() || one == ','))
    }

    fn line(&self, cells: &[String]) -> String {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate().take(self.head.len()) {
            let gap = " ".repeat(self.width(column).saturating_sub(cell.chars().count()));
            match self.is_numeric(column) {
                true => line.extend([&gap, cell.as_str()]),
                false => line.extend([cell.as_str(), &gap]),
            }
            line.push_str("  ");
        }
        line.trim_end().to_owned()
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head: Vec<String> = self.head.iter().map(|name| (*name).to_owned()).collect();
        formatter.write_str(&self.line(&head))?;
        for row in &self.rows {
            write!(formatter, "\n{}", self.line(row))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn spans_and_sizes_are_read_at_a_glance() {
        assert_eq!(span(Duration::from_millis(2_140)), "2.1 s");
        assert_eq!(span(Duration::from_secs(200)), "3 min 20 s");
        assert_eq!(span(Duration::from_secs(7_260)), "2 h 1 min");
        assert_eq!(bytes(17), "17 bytes");
        assert_eq!(bytes(867_936), "847.6 KiB");
        let span = between(
            Some("2026-11-22T10:00:00Z"),
            Some("2026-11-22T11:00:01.5+01:00"),
        );
        assert_eq!(span, Some(Duration::from_millis(1_500)));
    }

    #[test]
    fn a_table_aligns_texts_left_and_numbers_right() {
        let mut table = Table::new(&["ID", "ROWS", "NAME"]);
        table.row(vec!["imp_1".into(), "7,884".into(), "Ærø".into()]);
        table.row(vec!["imp_12".into(), "3".into(), String::new()]);
        assert_eq!(
            table.to_string(),
            "ID       ROWS  NAME\nimp_1   7,884  Ærø\nimp_12      3"
        );
    }

    #[test]
    fn control_and_direction_characters_are_shown_not_obeyed() {
        assert_eq!(
            plain("a\u{1b}[31m\nb\u{202e}c é"),
            "a\\u{1b}[31m\\nb\\u{202e}c é"
        );
    }
}
