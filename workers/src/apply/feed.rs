//! Reads and types the payload on a thread of its own, one chunk ahead of what is being applied.

use std::io::Read;
use std::sync::Arc;

use longshore_core::definition::Definition;
use longshore_core::limits::REJECTS_TOLERATED_ROWS;
use longshore_core::plan::Plan;
use tokio::sync::mpsc;

use super::chunk::{Chunk, Layout};
use super::pace::{CHUNK_BYTES_MAX, Pace};
use super::typing;
use crate::reading;
use crate::rows::{Error, Reader, Row, Step};

/// What the reading thread is given.
pub(crate) struct Feed {
    pub(crate) plan: Arc<Plan>,
    pub(crate) definition: Definition,
    pub(crate) source: Box<dyn Read + Send>,
    pub(crate) first_row: i64,
    pub(crate) pace: Arc<Pace>,
}

/// Starts reading. The channel holds one chunk: memory does not grow with the payload. Reading
/// ends when the receiver is dropped.
pub(crate) fn start(feed: Feed) -> mpsc::Receiver<Result<Chunk, Error>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = read(feed, &sender) {
            // Nobody listening any more is as good.
            let _ = sender.blocking_send(Err(error));
        }
    });
    receiver
}

/// Adds a small payload, whole and on the spot, to a chunk that several share.
pub(crate) fn add_whole(
    plan: &Plan,
    definition: &Definition,
    source: impl Read,
    chunk: &mut Chunk,
) -> Result<(), Error> {
    let (reading, source) = reading::open(definition, source)?;
    let mut reader = Reader::open(reading.format, source)?;
    let mut row = Row::new();
    chunk.last = false;
    while !chunk.last {
        add_next(&mut reader, plan, &mut row, chunk)?;
    }
    chunk.ends.push(chunk.rows.len());
    Ok(())
}

/// Adds the next row to the chunk, or makes it the last one if there is none.
pub(crate) fn add_next(
    reader: &mut Reader<impl Read>,
    plan: &Plan,
    row: &mut Row,
    chunk: &mut Chunk,
) -> Result<(), Error> {
    match reader.next(row)? {
        Step::Row => typing::add_row(plan, reader.columns(), row, chunk),
        Step::Fault(fault) => typing::add_fault(fault, chunk),
        Step::End => chunk.last = true,
    }
    Ok(())
}

fn read(feed: Feed, sender: &mpsc::Sender<Result<Chunk, Error>>) -> Result<(), Error> {
    let (reading, source) = reading::open(&feed.definition, feed.source)?;
    let mut reader = Reader::open(reading.format, source)?;
    reader.skip_to(u64::try_from(feed.first_row).unwrap_or(1))?;
    let layout = Layout::new(&feed.plan);
    let mut row = Row::new();
    let mut chunk = Chunk::new(layout.clone(), feed.first_row);
    loop {
        add_next(&mut reader, &feed.plan, &mut row, &mut chunk)?;
        // Behind these rows it is judged for the first time whether too many are rejected.
        let is_judged = chunk.next_row == REJECTS_TOLERATED_ROWS + 1;
        if chunk.last
            || is_judged
            || chunk.rows_covered() >= feed.pace.rows()
            || chunk.bytes_held() >= CHUNK_BYTES_MAX
        {
            let (last, next) = (chunk.last, chunk.successor());
            if sender.blocking_send(Ok(chunk)).is_err() || last {
                return Ok(());
            }
            chunk = next;
        }
    }
}
