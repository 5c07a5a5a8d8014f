//! The sweep: finds what was dropped. It takes leases that ran out, rings again for what is due
//! while the bell is silent, wakes those whose turn came unnoticed, and clears away what nobody
//! needs any more. Every worker sweeps, one at a time; one that is frozen may not stop the others.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use longshore_core::error::Error;
use longshore_core::import::RemovalState;
use longshore_core::limits::{CHUNK_LOG_KEPT_DAYS, PAYLOAD_KEPT_DAYS};
use longshore_core::queue::{Lane, Ticket, Verb};
use longshore_core::store::connect::{lock_database, own_connection};
use longshore_core::store::{
    chunks, endings, idempotency, imports, leases, payloads, removal, turns, workers,
};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::context::Context;

/// How often old things are cleared away.
const CLEARING: Duration = Duration::from_secs(60 * 60);
/// A payload that no import names is left alone for this long: its import may be on its way.
const ORPHAN_AGE: Duration = Duration::from_secs(60 * 60);

/// Sweeps every sixth of a lease, until `stop`.
pub(crate) async fn run(context: Context, stop: CancellationToken) {
    let mut connection: Option<PgConnection> = None;
    let mut cleared: Option<Instant> = None;
    while !stop.is_cancelled() {
        let swept = sweep(&context, &mut connection, &mut cleared).await;
        if let Err(error) = swept {
            tracing::warn!(error = %error, "the sweep could not be done");
            connection = None;
        }
        tokio::select! {
            () = tokio::time::sleep(context.lease / 6) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn sweep(
    context: &Context,
    connection: &mut Option<PgConnection>,
    cleared: &mut Option<Instant>,
) -> Result<(), Error> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(own_connection(&context.database_url, "longshore-sweep").await?),
    };
    // What ran out needs no right to sweep: each lease is taken by one, and none is waited for.
    let expired = leases::take_expired(connection).await?;
    for (import, _) in &expired {
        tracing::warn!(import, "a lease ran out; the import is due again");
    }
    ring(context, &expired).await;
    let mut tx = connection.begin().await?;
    if !leases::try_sweep(&mut tx).await? {
        return Ok(());
    }
    ring_unclaimed(context, &mut tx).await?;
    let to_wake = turns::databases_to_wake(&mut tx).await?;
    tx.commit().await?;
    for database in to_wake {
        wake_next(context, connection, database).await?;
    }
    for (import, database) in removal::overdue(connection).await? {
        expire(context, connection, (import, database)).await?;
    }
    if cleared.is_none_or(|at| at.elapsed() > CLEARING) {
        *cleared = Some(Instant::now());
        clear(context, connection).await?;
    }
    Ok(())
}

/// Nobody decided about a removal in time: the import ends without it.
async fn expire(
    context: &Context,
    connection: &mut PgConnection,
    (import, database): (i64, i64),
) -> Result<(), Error> {
    let mut tx = connection.begin().await?;
    lock_database(&mut tx, database).await?;
    leases::lock(&mut tx, import).await?;
    if removal::find(&mut tx, import).await?.state != RemovalState::Held {
        return Ok(());
    }
    let warning = "Nobody approved the removal in time: nothing was removed.";
    imports::warn(&mut tx, import, warning).await?;
    removal::end(&mut tx, import, RemovalState::Expired).await?;
    endings::complete(&mut tx, import).await?;
    leases::close(&mut tx, import).await?;
    let woken = turns::wake_next(&mut tx, database).await?;
    tx.commit().await?;
    tracing::warn!(import, "a held removal expired");
    ring_applying(context, woken).await;
    Ok(())
}

async fn wake_next(
    context: &Context,
    connection: &mut PgConnection,
    database: i64,
) -> Result<(), Error> {
    let mut tx = connection.begin().await?;
    lock_database(&mut tx, database).await?;
    let woken = turns::wake_next(&mut tx, database).await?;
    tx.commit().await?;
    ring_applying(context, woken).await;
    Ok(())
}

async fn ring_applying(context: &Context, imports: Vec<i64>) {
    let due: Vec<_> = imports
        .into_iter()
        .map(|id| (id, Verb::Apply.as_str().to_owned()))
        .collect();
    ring(context, &due).await;
}

/// While tickets still wait, whoever pops them finds what is due, or is about to; only a silent bell is rung again.
async fn ring_unclaimed(context: &Context, connection: &mut PgConnection) -> Result<(), Error> {
    let Ok(depths) = context.queue.depth().await else {
        return Ok(());
    };
    let silent = |verb: Verb| {
        depths
            .iter()
            .filter(|depth| depth.verb == verb)
            .all(|depth| depth.waiting == 0)
    };
    let mut after = 0;
    loop {
        let page = leases::unclaimed(connection, after, context.lease / 6).await?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        after = *last;
        let page: Vec<_> = page
            .into_iter()
            .filter(|(_, verb)| {
                Verb::ALL
                    .iter()
                    .any(|known| known.as_str() == verb && silent(*known))
            })
            .collect();
        ring(context, &page).await;
    }
}

async fn ring(context: &Context, due: &[(i64, String)]) {
    for verb in Verb::ALL {
        let tickets: Vec<Ticket> = due
            .iter()
            .filter(|(_, word)| word == verb.as_str())
            .map(|(id, _)| Ticket::new(verb, *id))
            .collect();
        if !tickets.is_empty() {
            context.queue.ring_all(Lane::Bulk, &tickets).await;
        }
    }
}

async fn clear(context: &Context, connection: &mut PgConnection) -> Result<(), Error> {
    idempotency::forget_old(connection).await?;
    workers::forget_lost(connection).await?;
    while removal::purge_seen(connection).await? {}
    while removal::forget_changes(connection).await? {}
    while chunks::forget_old(connection, CHUNK_LOG_KEPT_DAYS).await? > 0 {}
    loop {
        let old = payloads::forget_old(connection, PAYLOAD_KEPT_DAYS).await?;
        if old.is_empty() {
            break;
        }
        for key in old {
            context.payloads.delete(&key).await?;
        }
    }
    let old = context.payloads.older_than(ORPHAN_AGE).await?;
    let orphans = payloads::orphaned(connection, &old).await?;
    for key in orphans.into_iter().collect::<HashSet<_>>() {
        tracing::info!("a payload that no import names is deleted");
        context.payloads.delete(&key).await?;
    }
    Ok(())
}
