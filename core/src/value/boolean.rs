//! `true` and `false`, in the three ways that programs write them, and no other word.

use super::Misfit;
use crate::cell::Cell;
use crate::code::Code;

pub(super) const FORM: &str = "true or false (also True, TRUE, False, FALSE)";

pub(super) fn encode(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let truth = match cell {
        Cell::Boolean(truth) => truth,
        Cell::Text("true" | "True" | "TRUE") => true,
        Cell::Text("false" | "False" | "FALSE") => false,
        _ => return Err(Misfit::new(Code::InvalidBoolean, FORM)),
    };
    out.push(u8::from(truth));
    Ok(())
}
