//! The columns of a JSON payload: the names of members, numbered as they first appear.

use std::collections::HashMap;

use longshore_core::code::Code;
use longshore_core::limits::{COLUMNS_MAX, ROW_BYTES_MAX};

use super::damage::{Damage, damage};
use super::token::plain;

/// Names by number and numbers by name. Only grows.
#[derive(Default)]
pub(super) struct Columns {
    names: Vec<String>,
    /// Each name as rows mostly have it: quotes around it and a colon behind. Empty for a name that
    /// takes escapes, which no row can have so.
    written: Vec<Vec<u8>>,
    numbers: HashMap<Vec<u8>, usize>,
    bytes: usize,
}

impl Columns {
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// How many bytes this column's name takes with its quotes and its colon, if it is what stands
    /// first. Members mostly stand in the same order in every row: then one comparison spares
    /// reading the name and looking it up.
    #[inline]
    pub(super) fn begins(&self, number: usize, bytes: &[u8]) -> Option<usize> {
        let written = self.written.get(number)?;
        let stands = !written.is_empty() && bytes.starts_with(written);
        stands.then_some(written.len())
    }

    /// The number of a name that has one.
    pub(super) fn known(&self, name: &[u8]) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The number of a name, a new one if need be.
    pub(super) fn number(&mut self, name: &str) -> Result<usize, Damage> {
        match self.known(name.as_bytes()) {
            Some(number) => Ok(number),
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
        self.written.push(written(name));
        self.numbers.insert(name.as_bytes().to_vec(), number);
        Ok(number)
    }
}

fn written(name: &str) -> Vec<u8> {
    if plain(name.as_bytes()) < name.len() {
        return Vec::new();
    }
    format!("\"{name}\":").into_bytes()
}
