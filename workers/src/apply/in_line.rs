//! Chunks of one import that are applied side by side, on connections of their own, and committed in
//! their order: the checkpoint stays one number, and the order of truth that of the rows. Chunks that
//! stand in line share the database's lock, which keeps everybody else out. What a row does to a
//! profile that a chunk before may have written waits for that chunk's commit.
//!
//! Nobody in line may wait for whoever stands behind: a chunk asks for the lock only once the one
//! before it has it, since a stranger who waits for the lock keeps all behind him waiting; and it asks
//! for it once, so that an error in the data must not end its transaction.

use std::sync::Arc;

use longshore_core::error::Error;
use longshore_core::store::connect::{share_database, wait_in_line};
use sqlx::{Connection, PgConnection};
use tokio::sync::watch;

use super::all_new::AllNew;
use super::chunk::Chunk;
use super::commit::{Committed, Target, settle};
use super::keys::Keys;
use super::numbers::Numbers;
use super::pieces::{Pieces, fold_all_keys};

/// How far a chunk is, as those behind it see it. A chunk that vanishes says nothing any more.
#[derive(Debug, Default)]
struct Progress {
    /// It has the lock, and these are its keys.
    keys: Option<Arc<Keys>>,
    /// The ids of what it makes are drawn.
    has_drawn: bool,
    /// It is committed, and the import goes on.
    is_committed: bool,
}

/// Everybody who is not done.
#[derive(Default)]
pub(super) struct Line {
    chunks: Vec<watch::Receiver<Progress>>,
    all_new: AllNew,
}

impl Line {
    /// A place behind all of them.
    pub(super) fn stand(&mut self) -> Place {
        self.chunks.retain(|chunk| !chunk.borrow().is_committed);
        let before = self.chunks.clone();
        let (own, seen) = watch::channel(Progress::default());
        self.chunks.push(seen);
        let all_new = self.all_new.clone();
        Place {
            before,
            own,
            all_new,
        }
    }
}

/// Where a chunk stands.
pub(super) struct Place {
    /// Those before it, the first one first.
    before: Vec<watch::Receiver<Progress>>,
    own: watch::Sender<Progress>,
    all_new: AllNew,
}

impl Place {
    /// Waits until it is next to draw ids. Whoever vanished draws no more.
    pub(super) async fn next_to_draw(&self) {
        self.until(|before| before.has_drawn).await;
    }

    pub(super) fn has_drawn(&self) {
        self.own
            .send_if_modified(|own| !std::mem::replace(&mut own.has_drawn, true));
    }

    /// Waits until the one before is that far, and with it all before that one. False: it never will be.
    async fn until(&self, is_reached: impl Fn(&Progress) -> bool) -> bool {
        match self.before.last() {
            Some(before) => before
                .clone()
                .wait_for(|before| is_reached(before))
                .await
                .is_ok(),
            None => true,
        }
    }

    /// The rows that mean whom a chunk before means that is not committed yet; and the others.
    fn split(&self, own: &Keys, chunk: &Chunk) -> (Vec<usize>, Vec<usize>) {
        let keys = |before: &watch::Receiver<Progress>| {
            let before = before.borrow();
            before.keys.clone().filter(|_| !before.is_committed)
        };
        let before: Vec<Arc<Keys>> = self.before.iter().filter_map(keys).collect();
        let meets = |row: &usize| before.iter().any(|keys| own.is_among(*row, keys));
        chunk.all_rows().into_iter().partition(meets)
    }
}

/// Applies a chunk beside those before it, and commits it behind them. None: one of them failed, and
/// nothing is kept of this one.
pub(super) async fn commit(
    connection: &mut PgConnection,
    target: &Target<'_>,
    chunk: &mut Chunk,
    place: &Place,
) -> Result<Option<Committed>, Error> {
    fold_all_keys(connection, chunk).await?;
    let keys = Arc::new(Keys::of(target.plan, chunk));
    if !place.until(|before| before.keys.is_some()).await {
        return Ok(None);
    }
    let mut tx = connection.begin().await?;
    share_database(&mut tx, target.database_id).await?;
    wait_in_line(&mut tx).await?;
    place
        .own
        .send_modify(|own| own.keys = Some(Arc::clone(&keys)));
    let (late, early) = place.split(&keys, chunk);
    let mut numbers = Numbers::in_line(place);
    numbers.expect(&late);
    let mut pieces = Pieces::of(target, chunk, numbers);
    pieces.apply_beside(&mut tx, &early, &place.all_new).await?;
    if !place.until(|before| before.is_committed).await {
        return Ok(None);
    }
    pieces.apply_guarded(&mut tx, &late).await?;
    place.has_drawn();
    let committed = settle(&mut tx, target, chunk, pieces.outcome).await?;
    tx.commit().await?;
    if matches!(committed, Committed::More) {
        place.own.send_modify(|own| own.is_committed = true);
    }
    Ok(Some(committed))
}
