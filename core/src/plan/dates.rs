//! The order of dates, column by column: as the definition says, or as all cells of a column show
//! together. Where they show nothing, or contradict each other, nothing is read at all.

use std::collections::BTreeMap;

use super::{Plan, Target};
use crate::code::Code;
use crate::field::FieldType;
use crate::import::Failure;
use crate::reading::{DateOrder, Dates, Evidence, Found};

impl Plan {
    /// The order of a column's dates; none: ISO only.
    #[must_use]
    pub fn date_order(&self, column: usize) -> Option<DateOrder> {
        self.date_orders.get(column).copied().flatten()
    }

    /// Takes over the order that the definition gives to all columns.
    pub(super) fn order_dates(&mut self, dates: Dates) {
        let order = match dates {
            Dates::DayFirst => Some(DateOrder::DayFirst),
            Dates::MonthFirst => Some(DateOrder::MonthFirst),
            Dates::Iso | Dates::Detect => None,
        };
        self.date_orders = (0..self.targets.len())
            .map(|column| order.filter(|_| self.holds_dates(column)))
            .collect();
    }

    /// Takes over the orders that the survey found.
    #[must_use]
    pub fn with_dates_of(mut self, found: &Found) -> Plan {
        for (column, name) in self.columns.iter().enumerate() {
            if let Some(order) = found.dates.get(name) {
                self.date_orders[column] = Some(*order);
            }
        }
        self
    }

    /// The orders that the payload's cells show, with a note about each. Evidence stands by column.
    pub fn judge_dates(
        &self,
        evidence: &[Evidence],
    ) -> Result<(BTreeMap<String, DateOrder>, Vec<String>), Failure> {
        let (mut orders, mut notes) = (BTreeMap::new(), Vec::new());
        for (column, evidence) in evidence.iter().enumerate() {
            if !self.holds_dates(column) {
                continue;
            }
            let name = &self.columns[column];
            if let Some(order) = judge(name, evidence)? {
                notes.push(note(name, order, evidence));
                orders.insert(name.clone(), order);
            }
        }
        Ok((orders, notes))
    }

    fn holds_dates(&self, column: usize) -> bool {
        let Some(Target::Field { side, field }) = self.targets.get(column) else {
            return false;
        };
        let kind = self.sides[*side].fields[*field].kind;
        matches!(kind, FieldType::Date | FieldType::Datetime)
    }
}

fn judge(name: &str, evidence: &Evidence) -> Result<Option<DateOrder>, Failure> {
    let Evidence {
        day_first,
        month_first,
        either,
        same,
    } = evidence;
    match (&day_first.first, &month_first.first, &either.first) {
        (Some(day), Some(month), _) => Err(failure(
            Code::InconsistentDates,
            format!(
                "The column {name:?} has dates that can only be day first ({} in line {}) and dates \
                 that can only be month first ({} in line {}), so that neither can be relied on.",
                day.1, day.0, month.1, month.0
            ),
            day.0.max(month.0),
        )),
        (Some(_), None, _) => Ok(Some(DateOrder::DayFirst)),
        (None, Some(_), _) => Ok(Some(DateOrder::MonthFirst)),
        (None, None, Some((line, text))) => Err(failure(
            Code::AmbiguousDates,
            format!(
                "The dates of the column {name:?} can be read day first and month first ({text} in \
                 line {line}), and none of its rows shows which is meant. Say so with dates."
            ),
            *line,
        )),
        (None, None, None) if same.cells > 0 => Ok(Some(DateOrder::DayFirst)),
        (None, None, None) => Ok(None),
    }
}

fn note(name: &str, order: DateOrder, evidence: &Evidence) -> String {
    if evidence.day_first.cells + evidence.month_first.cells == 0 {
        return format!("The dates of the column {name:?} mean the same in any order.");
    }
    let seen = match order {
        DateOrder::DayFirst => &evidence.day_first,
        DateOrder::MonthFirst => &evidence.month_first,
    };
    let (line, text) = seen
        .first
        .as_ref()
        .map_or((0, ""), |(line, text)| (*line, text));
    format!(
        "The dates of the column {name:?} were read {}: {} of them can only be read so, the first is \
         {text} in line {line}; {} could be read both ways. Give dates to be sure.",
        order.words(),
        seen.cells,
        evidence.either.cells
    )
}

fn failure(code: Code, message: String, line: u64) -> Failure {
    Failure {
        code: code.as_str().to_owned(),
        message,
        line: Some(line),
        column: None,
    }
}
