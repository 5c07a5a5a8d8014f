//! Turns rows as read into rows as typed: each cell is judged by its field, and a row with a misfit
//! becomes a reject. Pure, on the reading thread.

use longshore_core::cell::Cell;
use longshore_core::code::Code;
use longshore_core::definition::Action;
use longshore_core::field::Field;
use longshore_core::import::Reject;
use longshore_core::limits::{KEY_BYTES_MAX, REJECT_VALUE_CHARS_MAX};
use longshore_core::plan::{Plan, Side, Target};
use longshore_core::policies::OnEmptyKey;
use longshore_core::value;

use super::chunk::{Chunk, Position, Slot, is_white};
use super::id;
use super::name;
use super::version::add_version;
use crate::rows::{Fault, Row};

/// Adds a row to the chunk, typed or as a reject.
pub(crate) fn add_row(plan: &Plan, columns: &[String], row: &Row, chunk: &mut Chunk) {
    let mark = chunk.mark();
    let typed = type_cells(plan, columns, row, chunk)
        .and_then(|()| add_keys(plan, row, chunk))
        .and_then(|()| add_version(plan, row, chunk));
    match typed {
        Ok(()) => chunk.rows.push(position(row)),
        Err(reject) => {
            chunk.rewind(mark);
            chunk.rejects.push(*reject);
            if plan.remove_missing {
                name::keep_keys(plan, columns, row, chunk);
            }
        }
    }
    chunk.next_row += 1;
}

/// Adds a row that could not be read.
pub(crate) fn add_fault(fault: Fault, chunk: &mut Chunk) {
    chunk.rejects.push(Reject {
        number: signed(fault.number),
        line: signed(fault.line),
        column: fault.column,
        code: fault.code,
        value: (!fault.value.is_empty()).then_some(fault.value),
        expected: fault.expected,
    });
    chunk.keys_unread += 1;
    chunk.next_row += 1;
}

pub(super) fn position(row: &Row) -> Position {
    Position {
        number: signed(row.number),
        line: signed(row.line),
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn type_cells(
    plan: &Plan,
    columns: &[String],
    row: &Row,
    chunk: &mut Chunk,
) -> Result<(), Box<Reject>> {
    chunk.make_room();
    for (column, target) in plan.targets.iter().enumerate() {
        let Target::Field { side, field: place } = *target else {
            continue;
        };
        // Deleting reads the keys only: what else the row says does not matter.
        let keys_only = plan.action == Action::Delete;
        if (keys_only && !plan.sides[side].is_matched_by(place)) || plan.passes_over(side) {
            continue;
        }
        type_cell(plan, columns, (row, column), chunk)?;
    }
    Ok(())
}

/// Puts one cell of the row that is being added into its slot.
pub(super) fn type_cell(
    plan: &Plan,
    columns: &[String],
    (row, column): (&Row, usize),
    chunk: &mut Chunk,
) -> Result<(), Box<Reject>> {
    let cell = row.cell(column);
    let (Target::Field { side, field: place }, false) =
        (plan.targets[column], cell == Cell::Absent)
    else {
        return Ok(());
    };
    let date = ordered_date(plan, column, cell);
    let meant = date.as_deref().map_or(cell, Cell::Text);
    let start = chunk.buffer.len() as u32;
    let field = &plan.sides[side].fields[place];
    let encoded = match field.is_of_system() {
        true => id::encode(field, plan.sides[side].number, cell, &mut chunk.buffer),
        false => value::encode_by(plan.policies.on_invalid, field, meant, &mut chunk.buffer),
    };
    let encoded = encoded.map_err(|misfit| {
        let name = columns.get(column).cloned();
        let expected = match plan.date_order(column) {
            Some(order) if misfit.code == Code::InvalidDate => order.form().to_owned(),
            _ => misfit.expected,
        };
        reject(row, name, misfit.code, Some(shown(cell)), expected)
    })?;
    chunk.coerced += i64::from(encoded.converted);
    let slot = match encoded.set {
        true => Slot::Set(start, chunk.buffer.len() as u32),
        false => Slot::Blank,
    };
    chunk.put(side, place, slot);
    Ok(())
}

/// A date in the order of its column, as ISO has it.
fn ordered_date(plan: &Plan, column: usize, cell: Cell<'_>) -> Option<String> {
    let order = plan.date_order(column)?;
    match cell {
        Cell::Text(text) => order.to_iso(text),
        _ => None,
    }
}

/// Checks the keys of all sides.
fn add_keys(plan: &Plan, row: &Row, chunk: &mut Chunk) -> Result<(), Box<Reject>> {
    (0..plan.sides.len()).try_for_each(|side| add_key(plan, side, row, chunk))
}

/// Checks the key of one side and folds it where its fields ignore case.
pub(super) fn add_key(
    plan: &Plan,
    side: usize,
    row: &Row,
    chunk: &mut Chunk,
) -> Result<(), Box<Reject>> {
    let side_plan = &plan.sides[side];
    let this_row = chunk.rows.len();
    let needed = plan.action != Action::Add && (side == 0 || chunk.brings(this_row, side));
    let at = |place: usize| At {
        plan,
        side,
        place,
        row,
    };
    let mut missing = None;
    let mut keyed_by_default = true;
    let mut bytes = 0;
    for (place, field) in side_plan.fields[..side_plan.keys].iter().enumerate() {
        match key_bytes(side_plan, place, chunk, side) {
            Some((start, end)) => {
                bytes += (end - start) as usize;
                fold(field, (start, end), chunk);
            }
            None => {
                keyed_by_default &=
                    add_default_key(field, chunk.slot(this_row, side, place), chunk);
                missing = missing.or(Some(place));
            }
        }
        if needed && bytes > KEY_BYTES_MAX {
            return Err(at(place).too_long());
        }
    }
    if !needed {
        return Ok(());
    }
    if !side_plan.alternatives.is_empty() {
        missing = check_alternatives(plan, side, row, chunk)?;
    }
    match (missing, plan.policies.on_empty_key) {
        (None, _) => {}
        (Some(_), OnEmptyKey::Create) => {
            chunk.keyless.insert((this_row, side));
            if keyed_by_default {
                chunk.keyed_by_default.insert((this_row, side));
            }
        }
        (Some(place), OnEmptyKey::Reject) => {
            return Err(at(place).missing());
        }
    }
    Ok(())
}

/// Appends the key cell that whatever is made of an empty one will have. False: none.
fn add_default_key(field: &Field, slot: Slot, chunk: &mut Chunk) -> bool {
    let default = match slot {
        Slot::Blank | Slot::Absent => field.default.as_deref(),
        Slot::Set(..) => None,
    };
    match default {
        Some(bytes) => {
            let start = chunk.buffer.len() as u32;
            chunk.buffer.extend_from_slice(bytes);
            fold(field, (start, chunk.buffer.len() as u32), chunk);
        }
        None => chunk.keys.push((0, 0)),
    }
    default.is_some()
}

/// Any group of which all fields have a value is enough. Returns what to name if none has.
fn check_alternatives(
    plan: &Plan,
    side: usize,
    row: &Row,
    chunk: &Chunk,
) -> Result<Option<usize>, Box<Reject>> {
    let side_plan = &plan.sides[side];
    let mut found = false;
    for group in &side_plan.alternatives {
        let cells: Option<Vec<(u32, u32)>> = group
            .iter()
            .map(|place| key_bytes(side_plan, *place, chunk, side))
            .collect();
        let bytes: u32 = cells.iter().flatten().map(|(start, end)| end - start).sum();
        if bytes as usize > KEY_BYTES_MAX {
            let place = group[0];
            return Err(At {
                plan,
                side,
                place,
                row,
            }
            .too_long());
        }
        found |= cells.is_some();
    }
    let first = side_plan
        .alternatives
        .first()
        .and_then(|group| group.first());
    Ok(first.copied().filter(|_| !found))
}

/// The cell of the row being added, if it can be part of a key.
fn key_bytes(side_plan: &Side, place: usize, chunk: &Chunk, side: usize) -> Option<(u32, u32)> {
    match chunk.slot(chunk.rows.len(), side, place) {
        Slot::Set(start, end) if !is_white(&side_plan.fields[place], chunk.bytes((start, end))) => {
            Some((start, end))
        }
        _ => None,
    }
}

/// A key field of the row that is being added.
struct At<'a> {
    plan: &'a Plan,
    side: usize,
    place: usize,
    row: &'a Row,
}

impl At<'_> {
    fn too_long(&self) -> Box<Reject> {
        let expected = format!("a key of at most {KEY_BYTES_MAX} bytes in all");
        self.refuse(Code::KeyTooLong, expected)
    }

    fn missing(&self) -> Box<Reject> {
        let what = self.plan.sides[self.side].what();
        let expected = format!("a value: this field says which {what} is meant");
        self.refuse(Code::KeyMissing, expected)
    }

    fn refuse(&self, code: Code, expected: String) -> Box<Reject> {
        let At {
            plan,
            side,
            place,
            row,
        } = *self;
        let cell = plan
            .column_of(side, place)
            .map_or(Cell::Absent, |column| row.cell(column));
        let value = (!cell.is_blank() && cell != Cell::Absent).then(|| shown(cell));
        let name = field_name(plan, side, &plan.sides[side].fields[place]);
        reject(row, Some(name), code, value, expected)
    }
}

/// Appends the key cell as it is compared. Beyond ASCII only Postgres knows.
fn fold(field: &Field, (start, end): (u32, u32), chunk: &mut Chunk) {
    let folds = field.case_insensitive && field.kind.is_text();
    let bytes = &chunk.buffer[start as usize..end as usize];
    if folds && !bytes.is_ascii() {
        chunk.unfolded.push(chunk.keys.len());
        chunk.keys.push((start, end));
    } else if folds && bytes.iter().any(u8::is_ascii_uppercase) {
        let folded = bytes.to_ascii_lowercase();
        let place = chunk.buffer.len() as u32;
        chunk.buffer.extend_from_slice(&folded);
        chunk.keys.push((place, chunk.buffer.len() as u32));
    } else {
        chunk.keys.push((start, end));
    }
}

/// A field as the payload names it; one that it does not bring, by its own name.
pub(crate) fn field_name(plan: &Plan, side: usize, field: &Field) -> String {
    let side_plan = &plan.sides[side];
    let place = side_plan
        .fields
        .iter()
        .position(|known| known.id == field.id);
    let column = place.and_then(|place| plan.column_of(side, place));
    match (column, side_plan.prefix()) {
        (Some(column), _) => plan.columns[column].clone(),
        (None, Some(prefix)) => format!("{prefix}.{}", field.name),
        (None, None) => field.name.clone(),
    }
}

pub(crate) fn reject(
    row: &Row,
    column: Option<String>,
    code: Code,
    value: Option<String>,
    expected: String,
) -> Box<Reject> {
    let Position { number, line } = position(row);
    Box::new(Reject {
        number,
        line,
        column,
        code,
        value,
        expected,
    })
}

/// A rejected value as it is shown: shortened, with a mark that it was.
pub(crate) fn shown(cell: Cell<'_>) -> String {
    let text = match cell {
        Cell::Absent => "",
        Cell::Null => "null",
        Cell::Boolean(true) => "true",
        Cell::Boolean(false) => "false",
        Cell::Text(text) | Cell::Number(text) | Cell::List(text) | Cell::Object(text) => text,
    };
    match text.char_indices().nth(REJECT_VALUE_CHARS_MAX) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}
