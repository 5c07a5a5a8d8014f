//! How imports end. Each end is guarded by the state before it, keeps what the rows have done, and is
//! heard by whoever waits.

use sqlx::PgConnection;

use crate::error::Error;
use crate::import::{Failure, RemovalState};
use crate::store::imports::announce;
use crate::store::removal;

/// Ends an import whose rows are all applied. Refuses if its books do not balance: such an import
/// may not say that it is complete.
pub async fn complete(tx: &mut PgConnection, id: i64) -> Result<(), Error> {
    let completed = sqlx::query(
        "update imports i set version = version + 1, finished_at = now(),
             state = case when b.rejected > 0 then 'completed_with_rejects' else 'completed' end
         from (select sum(created + updated + unchanged + ignored + deleted + rejected) as rows,
                      sum(rejected) as rejected
               from lanes where import_id = $1) b
         where i.id = $1 and i.state in ('applying', 'finishing', 'held') and i.rows_total = b.rows",
    )
    .bind(id)
    .execute(&mut *tx)
    .await?;
    if completed.rows_affected() == 0 {
        return Err(Error::Unreadable(format!(
            "the books of import {id} do not balance"
        )));
    }
    announce(tx, id).await
}

/// Ends an import by an error. Rows already applied stay applied, and its totals say so.
pub async fn fail(tx: &mut PgConnection, id: i64, failure: &Failure) -> Result<(), Error> {
    sqlx::query(
        "update imports set state = 'failed', error = $2, finished_at = now(), version = version + 1
         where id = $1 and finished_at is null",
    )
    .bind(id)
    .bind(sqlx::types::Json(failure))
    .execute(&mut *tx)
    .await?;
    removal::end(tx, id, RemovalState::Refused).await?;
    announce(tx, id).await
}

/// Ends an import on request. Rows already applied stay applied.
pub async fn cancel(tx: &mut PgConnection, id: i64) -> Result<(), Error> {
    sqlx::query(
        "update imports set state = 'cancelled', finished_at = now(), version = version + 1
         where id = $1 and finished_at is null",
    )
    .bind(id)
    .execute(&mut *tx)
    .await?;
    removal::end(tx, id, RemovalState::Refused).await?;
    announce(tx, id).await
}
