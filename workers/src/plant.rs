//! Bugs planted on purpose, so that the kill loop can be seen to fail. They exist only in a build
//! with the feature `planted-bugs`, and act only when LONGSHORE_PLANT names one: `shields_down` (no
//! bug yet), `epoch_check_dropped`, `checkpoint_outside_transaction`.

use longshore_core::error::Error;
use longshore_core::store::chunks::Span;
use sqlx::PgConnection;

/// Whether the shields before the epoch are down: a claimant ends the backends of the holder before
/// it, and a holder looks for its lease at every chunk. They stop nearly all that the epoch is there
/// to stop, so a dropped epoch check would show once in a thousand pauses; and only without them can
/// it be shown that the epoch alone is enough.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn shields_down() -> bool {
    false
}

/// Whether the shields before the epoch are down: a claimant ends the backends of the holder before
/// it, and a holder looks for its lease at every chunk. They stop nearly all that the epoch is there
/// to stop, so a dropped epoch check would show once in a thousand pauses; and only without them can
/// it be shown that the epoch alone is enough.
#[cfg(feature = "planted-bugs")]
pub(crate) fn shields_down() -> bool {
    matches!(
        std::env::var("LONGSHORE_PLANT").as_deref(),
        Ok("shields_down" | "epoch_check_dropped")
    )
}

/// Between a chunk's rows and its checkpoint, which belong into one transaction and one epoch.
#[cfg(not(feature = "planted-bugs"))]
#[expect(
    clippy::unused_async,
    reason = "the same signature as with planted bugs"
)]
pub(crate) async fn before_checkpoint(_: &mut PgConnection, span: Span) -> Result<Span, Error> {
    Ok(span)
}

/// Between a chunk's rows and its checkpoint, which belong into one transaction and one epoch.
#[cfg(feature = "planted-bugs")]
pub(crate) async fn before_checkpoint(tx: &mut PgConnection, span: Span) -> Result<Span, Error> {
    match std::env::var("LONGSHORE_PLANT").as_deref() {
        Ok("epoch_check_dropped") => wherever_it_stands(tx, span).await,
        Ok("checkpoint_outside_transaction") => {
            sqlx::raw_sql("commit; begin").execute(tx).await?;
            Ok(span)
        }
        _ => Ok(span),
    }
}

/// Adds to whatever the checkpoint is now, as a worker does that trusts its lease.
#[cfg(feature = "planted-bugs")]
async fn wherever_it_stands(tx: &mut PgConnection, span: Span) -> Result<Span, Error> {
    let (epoch, next_row): (i64, i64) = sqlx::query_as(
        "select epoch, next_row from lanes where import_id = $1 and lane = 0 for update",
    )
    .bind(span.import_id)
    .fetch_one(tx)
    .await?;
    let rows = span.next_row - span.first_row;
    Ok(Span {
        epoch,
        first_row: next_row,
        next_row: next_row + rows,
        ..span
    })
}
