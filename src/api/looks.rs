//! Looks at the status of imports, shared by those who ask for the same one at the same time: however
//! many poll an import, the ledger answers them one look after the other. Nobody is given a look that
//! began before they asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use longshore_core::error::Error;
use longshore_core::store::status::{self as store, Status};
use sqlx::PgPool;
use tokio::sync::OnceCell;

use super::problem::Problem;
use super::status;

/// What was seen, and the answer that is made of it.
pub(crate) struct Look {
    pub(crate) status: Status,
    pub(crate) body: Bytes,
}

/// Whose import, and which.
type Asked = (i64, i64);

/// The looks that somebody waits for. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Looks(Arc<Mutex<HashMap<Asked, Waiting>>>);

/// Those who ask for one import.
#[derive(Clone, Default)]
struct Waiting {
    /// Held during a look.
    gate: Arc<tokio::sync::Mutex<()>>,
    /// The look that has not begun yet: whoever comes now is given it. None: there was nothing to see.
    next: Arc<OnceCell<Option<Arc<Look>>>>,
}

impl Looks {
    /// A look that begins from now on.
    pub(crate) async fn at(&self, pool: &PgPool, asked: Asked) -> Result<Arc<Look>, Problem> {
        let place = self.wait_for(asked);
        let shared = place.waiting.next.get_or_init(|| async {
            let _alone = place.waiting.gate.lock().await;
            place.begin();
            look(pool, asked).await.ok()
        });
        match shared.await {
            Some(look) => Ok(Arc::clone(look)),
            // Whatever is wrong, everybody hears it in their own words.
            None => look(pool, asked).await,
        }
    }

    fn wait_for(&self, asked: Asked) -> Place<'_> {
        Place {
            waiting: self.lock().entry(asked).or_default().clone(),
            looks: self,
            asked,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Asked, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits.
struct Place<'a> {
    looks: &'a Looks,
    asked: Asked,
    waiting: Waiting,
}

impl Place<'_> {
    /// Whoever comes from here on is given the look behind this one.
    fn begin(&self) {
        if let Some(waiting) = self.looks.lock().get_mut(&self.asked)
            && Arc::ptr_eq(&waiting.next, &self.waiting.next)
        {
            waiting.next = Arc::default();
        }
    }
}

impl Drop for Place<'_> {
    /// The last one to go, also one who gave up, takes the entry along.
    fn drop(&mut self) {
        let mut all = self.looks.lock();
        drop(std::mem::take(&mut self.waiting));
        if let Some(waiting) = all.get(&self.asked)
            && Arc::strong_count(&waiting.gate) == 1
        {
            all.remove(&self.asked);
        }
    }
}

async fn look(pool: &PgPool, (account_id, id): Asked) -> Result<Arc<Look>, Problem> {
    let mut connection = pool.acquire().await?;
    let status = store::find(&mut connection, account_id, id).await?;
    drop(connection);
    let body = serde_json::to_vec(&status::shown(&status)?)
        .map_err(|error| Error::Unreadable(error.to_string()))?;
    Ok(Arc::new(Look {
        status,
        body: body.into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_goes_last_leaves_nothing_behind() {
        let looks = Looks::default();
        let (first, second) = (looks.wait_for((1, 1)), looks.wait_for((1, 1)));
        let other = looks.wait_for((1, 2));
        drop(first);
        assert_eq!(looks.lock().len(), 2);
        drop(second);
        drop(other);
        assert!(looks.lock().is_empty());
    }

    #[test]
    fn whoever_comes_after_the_beginning_is_given_another_look() {
        let looks = Looks::default();
        let early = looks.wait_for((1, 1));
        let with_it = looks.wait_for((1, 1));
        early.begin();
        let late = looks.wait_for((1, 1));
        assert!(Arc::ptr_eq(&early.waiting.next, &with_it.waiting.next));
        assert!(!Arc::ptr_eq(&early.waiting.next, &late.waiting.next));
        // A second beginning of the same look, after whoever began it gave up, takes nobody along.
        with_it.begin();
        let later = looks.wait_for((1, 1));
        assert!(Arc::ptr_eq(&late.waiting.next, &later.waiting.next));
    }
}
