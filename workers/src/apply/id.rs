//! Reads the ids that a row may name its profile by: ours, and the caller's own.

use longshore_core::cell::Cell;
use longshore_core::code::Code;
use longshore_core::database::TableNumber;
use longshore_core::field::{Field, FieldType, PROFILE_ID};
use longshore_core::id::{Kind, parse};
use longshore_core::limits::KEY_BYTES_MAX;
use longshore_core::value::{self, Encoded, Misfit};

/// Appends the id as its column keeps it.
pub(crate) fn encode(
    field: &Field,
    number: TableNumber,
    cell: Cell<'_>,
    out: &mut Vec<u8>,
) -> Result<Encoded, Misfit> {
    let set = match field.id {
        PROFILE_ID => profile_id(number, cell, out)?,
        _ => uid(field, cell, out)?,
    };
    Ok(Encoded {
        set,
        converted: false,
    })
}

fn profile_id(number: TableNumber, cell: Cell<'_>, out: &mut Vec<u8>) -> Result<bool, Misfit> {
    if cell.is_blank() || cell == Cell::Absent {
        return Ok(false);
    }
    let id = match cell {
        Cell::Text(text) => parse(Kind::Profile, text),
        _ => None,
    };
    match id.filter(|id| TableNumber::of_id(*id) == number) {
        Some(id) => {
            out.extend_from_slice(&id.to_be_bytes());
            Ok(true)
        }
        None => Err(Misfit {
            code: Code::InvalidId,
            expected: "the id of a profile of this database, such as pro_4294967297".to_owned(),
        }),
    }
}

/// Kept as it came; JSON numbers as they were written.
fn uid(field: &Field, cell: Cell<'_>, out: &mut Vec<u8>) -> Result<bool, Misfit> {
    let start = out.len();
    let text = Field {
        kind: FieldType::Text,
        ..field.clone()
    };
    let set = value::encode(&text, cell, out)?;
    if out.len() - start > KEY_BYTES_MAX {
        out.truncate(start);
        return Err(Misfit {
            code: Code::KeyTooLong,
            expected: format!("an id of at most {KEY_BYTES_MAX} bytes"),
        });
    }
    Ok(set)
}
