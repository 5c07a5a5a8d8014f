//! The version of a profile that a row expects: read while typing, judged when it is decided.

use longshore_core::cell::Cell;
use longshore_core::code::Code;
use longshore_core::field::{Field, FieldType};
use longshore_core::import::Reject;
use longshore_core::plan::{Plan, Target};
use longshore_core::value;

use super::chunk::{Chunk, Version};
use super::typing::{self, reject};
use crate::rows::Row;

const SECOND: i64 = 1_000_000;

/// Reads what the row expects, if its import checks versions.
pub(crate) fn add_version(plan: &Plan, row: &Row, chunk: &mut Chunk) -> Result<(), Box<Reject>> {
    if !plan.sides[0].versioned {
        return Ok(());
    }
    let mut version = Version::Missing;
    let mut any = false;
    for (column, target) in plan.targets.iter().enumerate() {
        let cell = row.cell(column);
        let read = match target {
            Target::Version => expected(cell).map(|found| version = found),
            Target::Override => overrides(cell).map(|found| any = found),
            Target::Nowhere | Target::Field { .. } => Ok(()),
        };
        read.map_err(|(code, expected)| {
            let name = plan.columns.get(column).cloned();
            reject(row, name, code, Some(typing::shown(cell)), expected)
        })?;
    }
    chunk
        .versions
        .push(if any { Version::Any } else { version });
    Ok(())
}

/// A version is as exact as it is written: without a fraction, whole seconds are compared, and with
/// three decimals, as many clients write them, milliseconds.
fn expected(cell: Cell<'_>) -> Result<Version, (Code, String)> {
    let mut out = Vec::new();
    match value::encode(&plain(FieldType::Datetime), cell, &mut out) {
        Ok(true) => {
            let bytes = out.as_slice().try_into().unwrap_or_default();
            Ok(Version::Expected {
                micros: i64::from_be_bytes(bytes),
                unit: SECOND / 10_i64.pow(decimals(cell)),
            })
        }
        Ok(false) => Ok(Version::Missing),
        Err(misfit) => Err((misfit.code, misfit.expected)),
    }
}

/// Digits behind the dot of the seconds, as far as Postgres keeps them.
fn decimals(cell: Cell<'_>) -> u32 {
    let fraction = match cell {
        Cell::Text(text) => text.split_once('.').map_or("", |(_, fraction)| fraction),
        _ => "",
    };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    u32::try_from(digits).unwrap_or(u32::MAX).min(6)
}

fn overrides(cell: Cell<'_>) -> Result<bool, (Code, String)> {
    let mut out = Vec::new();
    match value::encode(&plain(FieldType::Boolean), cell, &mut out) {
        Ok(set) => Ok(set && out == [1]),
        Err(misfit) => Err((misfit.code, misfit.expected)),
    }
}

fn plain(kind: FieldType) -> Field {
    Field {
        kind,
        ..Field::uid()
    }
}

/// A version in the form in which it is expected.
pub(crate) fn shown(micros: i64) -> String {
    value::to_text(FieldType::Datetime, &micros.to_be_bytes()).unwrap_or_default()
}

/// Whether the profile still is as the row expects it.
pub(crate) fn agrees(found: i64, micros: i64, unit: i64) -> bool {
    found.div_euclid(unit) == micros.div_euclid(unit)
}
