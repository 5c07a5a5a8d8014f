//! Cells in Postgres' binary format, on their way in and out: array parameters, and COPY.
//! Formats: PostgreSQL documentation, "COPY" (binary format), and array_send in its source.

use sqlx::Type;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, Postgres};

use crate::field::FieldType;
use crate::value;

/// A value of a column: its bytes in binary format, or null.
pub type Value<'a> = Option<&'a [u8]>;

/// One column of several rows, bound as an array parameter for `unnest`. Arrays of arrays would be
/// flattened there, so multiselect travels as array literals and is cast in the statement.
pub struct ColumnArray<'a> {
    /// The type of the column.
    pub kind: FieldType,
    /// Its cells.
    pub cells: Vec<Value<'a>>,
}

impl Type<Postgres> for ColumnArray<'_> {
    fn type_info() -> PgTypeInfo {
        <String as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for ColumnArray<'_> {
    fn produces(&self) -> Option<PgTypeInfo> {
        Some(match self.kind.sql_type() {
            "int8" => <i64 as PgHasArrayType>::array_type_info(),
            "float8" => <f64 as PgHasArrayType>::array_type_info(),
            "bool" => <bool as PgHasArrayType>::array_type_info(),
            "date" => <chrono::NaiveDate as PgHasArrayType>::array_type_info(),
            "timestamptz" => <chrono::DateTime<chrono::Utc> as PgHasArrayType>::array_type_info(),
            _ => <String as PgHasArrayType>::array_type_info(),
        })
    }

    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let count = i32::try_from(self.cells.len())?;
        let dimensions = i32::from(count > 0);
        buffer.extend_from_slice(&dimensions.to_be_bytes());
        let nulls = i32::from(self.cells.iter().any(Option::is_none));
        buffer.extend_from_slice(&nulls.to_be_bytes());
        buffer.extend_from_slice(&element_oid(self.kind).to_be_bytes());
        if count > 0 {
            buffer.extend_from_slice(&count.to_be_bytes());
            buffer.extend_from_slice(&1_i32.to_be_bytes());
        }
        for cell in &self.cells {
            match cell {
                None => buffer.extend_from_slice(&(-1_i32).to_be_bytes()),
                Some(bytes) if self.kind == FieldType::Multiselect => {
                    put(buffer, value::array_literal(bytes)?.as_bytes())?;
                }
                Some(bytes) => put(buffer, bytes)?,
            }
        }
        Ok(IsNull::No)
    }
}

fn put(buffer: &mut Vec<u8>, bytes: &[u8]) -> Result<(), std::num::TryFromIntError> {
    buffer.extend_from_slice(&i32::try_from(bytes.len())?.to_be_bytes());
    buffer.extend_from_slice(bytes);
    Ok(())
}

/// The type number of one element, from `pg_type.dat` of PostgreSQL.
fn element_oid(kind: FieldType) -> u32 {
    match kind.sql_type() {
        "int8" => 20,
        "float8" => 701,
        "bool" => 16,
        "date" => 1082,
        "timestamptz" => 1184,
        _ => 25,
    }
}

/// Rows for `copy … from stdin (format binary)`.
pub struct CopyRows {
    buffer: Vec<u8>,
}

impl Default for CopyRows {
    fn default() -> CopyRows {
        let mut buffer = b"PGCOPY\n\xff\r\n\0".to_vec();
        buffer.extend_from_slice(&[0; 8]);
        CopyRows { buffer }
    }
}

impl CopyRows {
    /// Makes room for so many bytes more.
    pub fn reserve(&mut self, bytes: usize) {
        self.buffer.reserve_exact(bytes);
    }

    /// Begins a row of this many columns; as many calls of [`CopyRows::cell`] follow.
    pub fn row(&mut self, columns: usize) {
        let columns = i16::try_from(columns).unwrap_or(i16::MAX);
        self.buffer.extend_from_slice(&columns.to_be_bytes());
    }

    /// The row's next column.
    pub fn cell(&mut self, cell: Value<'_>) {
        match cell {
            None => self.buffer.extend_from_slice(&(-1_i32).to_be_bytes()),
            Some(bytes) => {
                let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
                self.buffer.extend_from_slice(&length.to_be_bytes());
                self.buffer.extend_from_slice(bytes);
            }
        }
    }

    /// The whole stream, with its trailer.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.buffer.extend_from_slice(&(-1_i16).to_be_bytes());
        self.buffer
    }
}
