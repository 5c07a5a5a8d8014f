//! The columns of a JSON payload: the names of members, numbered as they first appear.

use std::collections::HashMap;

use longshore_core::code::Code;
use longshore_core::limits::{COLUMNS_MAX, ROW_BYTES_MAX};

use super::damage::{Damage, damage};

/// Names by number and numbers by name. Only grows.
#[derive(Default)]
pub(super) struct Columns {
    names: Vec<String>,
    numbers: HashMap<String, usize>,
    bytes: usize,
}

impl Columns {
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of a name, a new one if need be. `guess` is tried first: members mostly stand in
    /// the same order in every row, which spares the look-up.
    #[inline]
    pub(super) fn number(&mut self, name: &str, guess: usize) -> Result<usize, Damage> {
        if self.names.get(guess).is_some_and(|known| known == name) {
            return Ok(guess);
        }
        match self.numbers.get(name) {
            Some(number) => Ok(*number),
            None => self.add(name),
        }
    }

    fn add(&mut self, name: &str) -> Result<usize, Damage> {
        let number = self.names.len();
        self.bytes += name.len();
        if number == COLUMNS_MAX || self.bytes > ROW_BYTES_MAX {
            let message = format!(
                "The rows have more than {COLUMNS_MAX} different members in all, or names of more \
                 than {ROW_BYTES_MAX} bytes."
            );
            return Err(damage(Code::TooManyColumns, message));
        }
        if name.contains('\0') {
            let message = "The name of a member holds the NUL character.";
            return Err(damage(Code::NulCharacter, message));
        }
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        Ok(number)
    }
}
