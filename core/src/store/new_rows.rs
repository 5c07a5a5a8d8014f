//! New rows on their way into a typed table: many by COPY, a few by a prepared statement, which has less
//! to set up.

use sqlx::{AssertSqlSafe, PgConnection};

use crate::error::Error;
use crate::field::FieldType;
use crate::plan::Side;
use crate::store::binary::{ColumnArray, CopyRows, Value};
use crate::store::typed::writing;

/// So many rows at most go in by a prepared statement: to set up a COPY takes 0.27 ms, whatever it brings.
/// Where COPY begins to be faster was not measured; a small import that shares a transaction has no more.
pub const FEW: usize = 100;

/// New rows of one side. What is said of each stands in the same place of every list.
pub struct NewRows<'a> {
    /// Their ids; none: they are given as they are written.
    pub ids: Option<Vec<i64>>,
    /// Their profiles, for a collection.
    pub parents: Option<Vec<i64>>,
    /// The fields of the side, in its order.
    pub cells: Vec<&'a [Value<'a>]>,
    /// The import that writes them.
    pub import_id: i64,
}

impl NewRows<'_> {
    /// Inserts them, in their order.
    pub async fn insert(self, connection: &mut PgConnection, side: &Side) -> Result<(), Error> {
        match writing::insert(side, self.ids.is_some()) {
            Some(statement) if self.cells.len() <= FEW => {
                self.insert_few(connection, side, statement).await
            }
            _ => self.copy(connection, side).await,
        }
    }

    async fn insert_few(
        &self,
        connection: &mut PgConnection,
        side: &Side,
        statement: String,
    ) -> Result<(), Error> {
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for numbers in self.numbers() {
            query = query.bind(numbers);
        }
        for (place, field) in side.fields.iter().enumerate() {
            if field.is_written() {
                let cells = self.cells.iter().map(|cells| cells[place]).collect();
                query = query.bind(ColumnArray {
                    kind: field.kind,
                    cells,
                });
            }
        }
        for (kind, default) in defaults(side) {
            let cells = vec![Some(default); self.cells.len()];
            query = query.bind(ColumnArray { kind, cells });
        }
        query.bind(self.import_id).execute(connection).await?;
        Ok(())
    }

    /// Inserts many of them.
    pub async fn copy(&self, connection: &mut PgConnection, side: &Side) -> Result<(), Error> {
        let statement = writing::copy_in(side, self.ids.is_some());
        let mut copy = connection.copy_in_raw(&statement).await?;
        match copy.send(self.encode(side)).await {
            Ok(_) => {
                copy.finish().await?;
                Ok(())
            }
            // Left alone, the unfinished copy would poison the connection's next statement.
            Err(error) => {
                let _ = copy.abort("the rows could not be sent").await;
                Err(error.into())
            }
        }
    }

    /// The rows in the binary format of COPY.
    #[must_use]
    pub fn encode(&self, side: &Side) -> Vec<u8> {
        let defaults: Vec<Value<'_>> = defaults(side).map(|(_, default)| Some(default)).collect();
        let written: Vec<usize> = (0..side.fields.len())
            .filter(|place| side.fields[*place].is_written())
            .collect();
        let columns = self.numbers().count() + written.len() + defaults.len() + 1;
        let mut rows = CopyRows::default();
        rows.reserve(self.bytes(columns));
        for (row, cells) in self.cells.iter().enumerate() {
            rows.row(columns);
            for numbers in self.numbers() {
                rows.cell(Some(&numbers[row].to_be_bytes()));
            }
            for place in &written {
                rows.cell(cells[*place]);
            }
            for default in &defaults {
                rows.cell(*default);
            }
            rows.cell(Some(&self.import_id.to_be_bytes()));
        }
        rows.finish()
    }

    /// The columns before the fields.
    fn numbers(&self) -> impl Iterator<Item = &[i64]> {
        let lists = [&self.ids, &self.parents].into_iter();
        lists.flatten().map(Vec::as_slice)
    }

    /// How much they take as COPY takes them, nearly.
    fn bytes(&self, columns: usize) -> usize {
        let cells = self.cells.iter().copied().flatten().flatten();
        let of_cells: usize = cells.map(|cell| cell.len()).sum();
        of_cells + self.cells.len() * (2 + columns * 4 + 3 * 8)
    }
}

/// What fields have that the payload does not bring.
fn defaults(side: &Side) -> impl Iterator<Item = (FieldType, &[u8])> {
    let others = side.others.iter();
    others.filter_map(|field| Some((field.kind, field.default.as_deref()?)))
}
