//! Small imports of one database in one transaction: whoever has its turn takes along those behind it
//! that ask for the same, so that a commit is shared by as many as wait for it. Each keeps books of its
//! own. Whoever needs more than a plain end goes alone.

use longshore_core::error::{Class, Error};
use longshore_core::import::State;
use longshore_core::plan::Plan;
use longshore_core::store::chunks::Done;
use longshore_core::store::connect::lock_database;
use longshore_core::store::imports::{Import, Rest};
use longshore_core::store::together::{self, Books, Company, Member};
use longshore_core::store::turns;
use sqlx::{Connection, PgConnection, Postgres, Transaction};

use super::chunk::{Chunk, Layout};
use super::commit::{self, Target};
use super::{Job, Outcome, Stop, feed};

/// Imports that share a transaction at most, and the rows of each.
const COMPANY: Company = Company {
    imports_max: 64,
    rows_max: 100,
};

/// With so many rows nobody else is taken along: the transaction stays short, since renewals of the lease,
/// requests and others on the database wait meanwhile.
const ROWS_MAX: i64 = 1_000;

/// So many transactions at most follow each other under one claim: what else is due has its turn, too.
const IN_A_ROW_MAX: usize = 8;

impl Job<'_> {
    /// Applies this import with those that can come along, and then those that came in meanwhile. None: it
    /// has to go alone.
    pub(super) async fn apply_together(
        &self,
        connection: &mut PgConnection,
        plan: &Plan,
    ) -> Result<Option<Outcome>, Stop> {
        if !self.can_share(plan) {
            return Ok(None);
        }
        let own = (self.import.id, self.held.epoch);
        let Some(mut next) = self.share(connection, plan, Some(own)).await? else {
            return Ok(None);
        };
        for _ in 1..IN_A_ROW_MAX {
            if self.context.stop.is_cancelled() {
                break;
            }
            // Nobody is claimed for it: whatever goes wrong now is left to who claims it.
            match self.share(connection, plan, None).await {
                Ok(Some(more)) => next.extend(more),
                _ => break,
            }
        }
        Ok(Some(Outcome::Complete(next)))
    }

    /// Applies those that stand first in line, with the holder's own among them if there is one; returns
    /// who is next. None: nothing was done.
    async fn share(
        &self,
        connection: &mut PgConnection,
        plan: &Plan,
        own: Option<(i64, i64)>,
    ) -> Result<Option<Vec<i64>>, Stop> {
        let mut company = COMPANY;
        // Where one of them turns out not to be plain, those before it go without it.
        while company.imports_max > 0 {
            let mut tx = connection.begin().await?;
            lock_database(&mut tx, self.import.database_id).await?;
            let members = self.company(&mut tx, own, company).await?;
            let is_own = |member: &Member| own.is_some_and(|(id, _)| member.import.id == id);
            if members.is_empty() || own.is_some() && !members.iter().any(is_own) {
                tx.rollback().await?;
                return Ok(None);
            }
            match apply_all(&mut tx, plan, &members).await {
                Ok(Applied::All(books)) => return self.complete_all(tx, &books).await,
                Ok(Applied::Until(place)) => {
                    tx.rollback().await?;
                    company.imports_max = i64::try_from(place).unwrap_or(0);
                }
                Err(error) => return go_alone(tx, &error).await,
            }
        }
        Ok(None)
    }

    /// Those that come along, in the order of their turns. Nobody does where the schema is another than the
    /// one that the plan was bound to.
    async fn company(
        &self,
        tx: &mut PgConnection,
        own: Option<(i64, i64)>,
        company: Company,
    ) -> Result<Vec<Member>, Stop> {
        let gathered = together::gather(tx, self.import.database_id, own, company).await?;
        let schemas = &self.context.schemas;
        let is_current = |version| schemas.is_current(self.database, version);
        if !gathered.schema_version.is_some_and(is_current) {
            return Ok(Vec::new());
        }
        let mut members = gathered.members;
        let (mut rows, mut with_own) = (0, own.is_none());
        let alike = members.iter().take_while(|Member { import, .. }| {
            let comes = asks_for_the_same(import, self.import) && (rows < ROWS_MAX || !with_own);
            rows += import.survey.as_ref().map_or(0, |survey| survey.rows);
            with_own |= own.is_some_and(|(id, _)| import.id == id);
            comes
        });
        let alike = alike.count();
        members.truncate(alike);
        Ok(members)
    }

    async fn complete_all(
        &self,
        mut tx: Transaction<'_, Postgres>,
        books: &[Books],
    ) -> Result<Option<Vec<i64>>, Stop> {
        if let Err(error) = together::complete(&mut tx, books).await {
            return go_alone(tx, &error).await;
        }
        let next = turns::wake_next(&mut tx, self.import.database_id).await?;
        tx.commit().await?;
        tracing::debug!(imports = books.len(), "completed together");
        Ok(Some(next))
    }

    fn can_share(&self, plan: &Plan) -> bool {
        self.import.state == State::Queued
            && self.rescues == 0
            && self.rows <= COMPANY.rows_max
            && plan.can_share_a_chunk()
    }
}

/// Whether both are bound to the same plan.
fn asks_for_the_same(one: &Import, other: &Import) -> bool {
    let unnamed = |import: &Import| {
        let mut definition = import.definition.clone();
        definition.name = None;
        definition
    };
    let columns = |import: &Import| {
        let survey = import.survey.clone();
        survey.map(|survey| (survey.columns, survey.found))
    };
    columns(one) == columns(other) && unnamed(one) == unnamed(other)
}

/// What became of them.
enum Applied {
    All(Vec<Books>),
    /// This one is not plain.
    Until(usize),
}

/// Whatever went wrong, an import that goes alone tries it again, and gently.
async fn go_alone(tx: Transaction<'_, Postgres>, error: &Error) -> Result<Option<Vec<i64>>, Stop> {
    tracing::warn!(error = %error, "imports that could have shared a transaction go alone");
    tx.rollback().await?;
    Ok(None)
}

/// All rows of all of them, as one chunk in the order of their turns: what one does is seen by those behind
/// it. The rows are written in the name of the first; of who wrote a row only removals ask, and nobody
/// who shares has one.
async fn apply_all(
    tx: &mut PgConnection,
    plan: &Plan,
    members: &[Member],
) -> Result<Applied, Error> {
    let mut chunk = Chunk::new(Layout::new(plan), 1);
    let mut coerced = Vec::with_capacity(members.len());
    for (place, member) in members.iter().enumerate() {
        let before = chunk.coerced;
        if !add_rows(plan, member, &mut chunk) {
            return Ok(Applied::Until(place));
        }
        coerced.push(chunk.coerced - before);
    }
    let first = &members[0];
    let target = Target {
        plan,
        import_id: first.import.id,
        database_id: first.import.database_id,
        epoch: first.epoch,
    };
    let half = Applied::Until(members.len() / 2);
    match commit::apply_shared(tx, &target, &mut chunk).await {
        Ok(Some(applied)) if applied.rejects.is_empty() => {
            let books = members.iter().zip(applied.of_imports).zip(coerced);
            let books = books.map(|((member, done), coerced)| books_of(member, done, coerced));
            Ok(Applied::All(books.collect()))
        }
        // Whatever is wrong with one of them is its own affair; who it is shows where they are fewer.
        Ok(_) => Ok(half),
        Err(error) if error.class() != Class::Transient => Ok(half),
        Err(error) => Err(error),
    }
}

fn books_of(Member { import, epoch }: &Member, done: Done, coerced: i64) -> Books {
    Books {
        import_id: import.id,
        epoch: *epoch,
        rows: import.survey.as_ref().map_or(0, |survey| survey.rows),
        done: Done { coerced, ..done },
    }
}

/// False: its payload is damaged, or a row is rejected.
fn add_rows(plan: &Plan, Member { import, .. }: &Member, chunk: &mut Chunk) -> bool {
    let (Some(snapshot), Some(survey)) = (&import.snapshot, &import.survey) else {
        return false;
    };
    let Rest::Inline(source) = &snapshot.rest else {
        return false;
    };
    let definition = import.definition.with(&survey.found);
    let added = feed::add_whole(plan, &definition, source.as_slice(), chunk);
    added.is_ok() && chunk.rejects.is_empty()
}
