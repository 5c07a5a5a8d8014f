//! What many submissions ask of the ledger at the same time: their database, and to be accepted. Those
//! of one database are accepted by one statement, and what is wrong with one is its own affair.

use std::sync::Arc;

use longshore_core::code::Code;
use longshore_core::database::Database;
use longshore_core::error::{Class, Error};
use longshore_core::import::State;
use longshore_core::queue::{Lane, Queue, Ticket, Verb};
use longshore_core::store::acceptance::{self, Accepted, NewImport};
use longshore_core::store::schemas::Schemas;
use sqlx::PgConnection;

use super::databases::unknown_database;
use super::lines::Lines;
use super::problem::Problem;
use super::rounds::Rounds;

/// Clones share their rounds.
#[derive(Clone, Default)]
pub(crate) struct Acceptances {
    databases: Rounds<(i64, String), (), Arc<Database>>,
    imports: Rounds<i64, (Arc<NewImport>, Lane), Result<Accepted, Problem>>,
}

impl Acceptances {
    /// The account's database of this id or name, as it is now.
    pub(crate) async fn database(
        &self,
        (lines, schemas): (&Lines, &Schemas),
        (account_id, name): (i64, &str),
    ) -> Result<Arc<Database>, Problem> {
        let (lines, schemas, name) = (lines.clone(), schemas.clone(), name.to_owned());
        let room = (account_id, name.clone());
        let look = move |asked: Vec<()>| {
            let (lines, schemas, name) = (lines.clone(), schemas.clone(), name.clone());
            async move {
                let mut line = lines.take().await?;
                let database = match schemas.find(&mut line, account_id, &name).await {
                    Err(Error::NotFound(_)) => {
                        return Err(unknown_database(&mut line, account_id, &name).await?);
                    }
                    found => found?,
                };
                line.give_back();
                Ok(vec![database; asked.len()])
            }
        };
        self.databases.ask(room, (), look).await
    }

    /// Accepts an import that removes nothing and has no idempotency key, and rings for it.
    pub(crate) async fn accept(
        &self,
        (lines, queue): (&Lines, &Queue),
        new: &Arc<NewImport>,
        lane: Lane,
    ) -> Result<Accepted, Problem> {
        let (lines, queue) = (lines.clone(), queue.clone());
        let accept = move |all: Vec<(Arc<NewImport>, Lane)>| {
            let (lines, queue) = (lines.clone(), queue.clone());
            async move {
                let mut line = lines.take().await?;
                let accepted = accept_all(&mut line, &all).await?;
                let mut refused = accepted.iter().filter_map(|one| one.as_ref().err());
                if !refused.any(is_trouble) {
                    line.give_back();
                }
                ring_for(&queue, &all, &accepted).await;
                Ok(accepted)
            }
        };
        let room = new.database_id;
        self.imports
            .ask(room, (Arc::clone(new), lane), accept)
            .await?
    }
}

/// What Postgres refuses of several is asked again of each: none of them is kept then. Trouble that passes is
/// everybody's.
async fn accept_all(
    connection: &mut PgConnection,
    all: &[(Arc<NewImport>, Lane)],
) -> Result<Vec<Result<Accepted, Problem>>, Problem> {
    let new: Vec<&NewImport> = all.iter().map(|(new, _)| new.as_ref()).collect();
    match acceptance::accept_all(connection, &new).await {
        Ok(accepted) => Ok(accepted.into_iter().map(Ok).collect()),
        Err(error @ Error::Sql(sqlx::Error::Database(_)))
            if all.len() > 1 && error.class() != Class::Transient =>
        {
            Ok(accept_each(connection, &new).await)
        }
        Err(error) => Err(error.into()),
    }
}

/// One by one. Trouble that passes is that of all who are left.
async fn accept_each(
    connection: &mut PgConnection,
    new: &[&NewImport],
) -> Vec<Result<Accepted, Problem>> {
    let mut answers = Vec::with_capacity(new.len());
    for one in new {
        let accepted = acceptance::accept(connection, one).await;
        answers.push(accepted.map_err(Problem::from));
        if let Some(Err(trouble)) = answers.last()
            && is_trouble(trouble)
        {
            let trouble = Err(trouble.clone());
            answers.resize(new.len(), trouble);
            break;
        }
    }
    answers
}

fn is_trouble(problem: &Problem) -> bool {
    problem.code() == Code::TemporarilyUnavailable
}

/// Rings once for all that are small: whoever claims the first of them takes the others along, and rings
/// where there is more. Others have slots of their own.
async fn ring_for(
    queue: &Queue,
    all: &[(Arc<NewImport>, Lane)],
    accepted: &[Result<Accepted, Problem>],
) {
    let mut rung_for_small = false;
    for ((new, lane), accepted) in all.iter().zip(accepted) {
        let Ok(accepted) = accepted else { continue };
        let is_small = accepted.small && new.verb == Verb::Apply;
        if new.state == State::Draft || is_small && rung_for_small {
            continue;
        }
        rung_for_small |= is_small;
        queue.ring(*lane, ticket(new, accepted)).await;
    }
}

/// What wakes a worker for an import that was accepted.
pub(crate) fn ticket(new: &NewImport, accepted: &Accepted) -> Ticket {
    Ticket {
        small_in: accepted.small.then_some(new.database_id),
        ..Ticket::new(new.verb, accepted.id)
    }
}
