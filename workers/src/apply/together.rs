//! Small imports of one database in one transaction: whoever has its turn takes along those behind it
//! that ask for the same, so that a commit is shared by as many as wait for it. Each keeps books of its
//! own. Whoever needs more than a plain end goes alone.

use std::time::{Duration, Instant};

use longshore_core::error::{Class, Error};
use longshore_core::import::State;
use longshore_core::plan::Plan;
use longshore_core::store::connect::lock_database;
use longshore_core::store::imports::{Import, Rest};
use longshore_core::store::together::{self, Books, Company, Member};
use longshore_core::store::turns;
use sqlx::{Connection, PgConnection, Postgres, Transaction};

use super::commit::{self, Target};
use super::feed::read_at_once;
use super::{Job, Outcome, Stop};

/// Imports that share a transaction at most, and the rows of each: the transaction stays short, since
/// others wait for the database meanwhile.
const COMPANY: Company = Company {
    imports_max: 64,
    rows_max: 100,
};

/// After this long nobody else is taken along: renewals of the lease and requests wait meanwhile.
const LASTS_MAX: Duration = Duration::from_millis(300);

impl Job<'_> {
    /// Applies this import with those that can come along. None: it has to go alone.
    pub(super) async fn apply_together(
        &self,
        connection: &mut PgConnection,
        plan: &Plan,
    ) -> Result<Option<Outcome>, Stop> {
        let mut company = COMPANY;
        if !self.can_share(plan) {
            return Ok(None);
        }
        // Where one of them turns out not to be plain, those before it go without it.
        while company.imports_max > 0 {
            let mut tx = connection.begin().await?;
            lock_database(&mut tx, self.import.database_id).await?;
            // Others may have been accepted since the plan was bound, against another schema.
            let schemas = &self.context.schemas;
            let database = schemas.by_number(&mut tx, self.import.database_id).await?;
            if !std::ptr::eq(&raw const *database, self.database) {
                tx.rollback().await?;
                return Ok(None);
            }
            let own = (self.import.id, self.held.epoch);
            let mut members =
                together::gather(&mut tx, self.import.database_id, own, company).await?;
            let alike = members
                .iter()
                .take_while(|member| asks_for_the_same(&member.import, self.import));
            members.truncate(alike.count());
            if !members.iter().any(|member| member.import.id == own.0) {
                tx.rollback().await?;
                return Ok(None);
            }
            match apply_all(&mut tx, plan, (&members, own.0)).await {
                Ok(Applied::All(books)) => {
                    return self.complete_all(tx, &books).await;
                }
                Ok(Applied::Until(place)) => {
                    tx.rollback().await?;
                    company.imports_max = i64::try_from(place).unwrap_or(0);
                }
                Err(error) => return go_alone(tx, &error).await,
            }
        }
        Ok(None)
    }

    async fn complete_all(
        &self,
        mut tx: Transaction<'_, Postgres>,
        books: &[Books],
    ) -> Result<Option<Outcome>, Stop> {
        if let Err(error) = together::complete(&mut tx, books).await {
            return go_alone(tx, &error).await;
        }
        let next = turns::wake_next(&mut tx, self.import.database_id).await?;
        tx.commit().await?;
        tracing::debug!(imports = books.len(), "completed together");
        Ok(Some(Outcome::Complete(next)))
    }

    fn can_share(&self, plan: &Plan) -> bool {
        self.import.state == State::Queued
            && self.rescues == 0
            && self.rows <= COMPANY.rows_max
            && plan.can_share_a_transaction()
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
async fn go_alone(tx: Transaction<'_, Postgres>, error: &Error) -> Result<Option<Outcome>, Stop> {
    tracing::warn!(error = %error, "imports that could have shared a transaction go alone");
    tx.rollback().await?;
    Ok(None)
}

async fn apply_all(
    tx: &mut PgConnection,
    plan: &Plan,
    (members, own): (&[Member], i64),
) -> Result<Applied, Error> {
    let began = Instant::now();
    let mut all = Vec::with_capacity(members.len());
    for (place, member) in members.iter().enumerate() {
        match apply_one(tx, plan, member).await {
            Ok(Some(books)) => all.push(books),
            Ok(None) => return Ok(Applied::Until(place)),
            // Whatever is wrong with one of them is its own affair.
            Err(error) if error.class() != Class::Transient => return Ok(Applied::Until(place)),
            Err(error) => return Err(error),
        }
        let has_own = all.iter().any(|books| books.import_id == own);
        if has_own && began.elapsed() > LASTS_MAX {
            break;
        }
    }
    Ok(Applied::All(all))
}

/// None: its payload is damaged, or a row is rejected.
async fn apply_one(
    tx: &mut PgConnection,
    plan: &Plan,
    Member { import, epoch }: &Member,
) -> Result<Option<Books>, Error> {
    let (Some(snapshot), Some(survey)) = (&import.snapshot, &import.survey) else {
        return Ok(None);
    };
    let Rest::Inline(source) = &snapshot.rest else {
        return Ok(None);
    };
    let definition = import.definition.with(&survey.found);
    let Ok(mut chunk) = read_at_once(plan, &definition, source.as_slice()) else {
        return Ok(None);
    };
    if !chunk.rejects.is_empty() {
        return Ok(None);
    }
    let target = Target {
        plan,
        import_id: import.id,
        database_id: import.database_id,
        epoch: *epoch,
    };
    let applied = commit::apply_plainly(tx, &target, &mut chunk).await?;
    Ok(applied.map(|done| Books {
        import_id: import.id,
        epoch: *epoch,
        rows: survey.rows,
        done,
    }))
}
