//! What comes before the turn: the survey of the payload, kept for whoever takes the import up
//! later, and the indexes that its keys are matched by.

use std::ops::ControlFlow;

use longshore_core::definition::Action;
use longshore_core::import::State;
use longshore_core::plan::{Plan, Side};
use longshore_core::reading::Found;
use longshore_core::store::connect::own_connection;
use longshore_core::store::imports::Survey;
use longshore_core::store::{imports, indexes, leases};
use sqlx::{Connection, PgConnection};

use super::{Job, reading_ended};
use crate::busy::Stay;
use crate::outcome::{Outcome, Stop, obey};
use crate::survey::{self, Surveyed};

impl Job<'_> {
    /// The survey of the payload: made once, and kept for whoever takes the import up later.
    pub(super) async fn survey(
        &self,
        connection: &mut PgConnection,
    ) -> Result<ControlFlow<Outcome, Survey>, Stop> {
        if let Some(survey) = &self.import.survey {
            return Ok(ControlFlow::Continue(survey.clone()));
        }
        self.enter(connection, State::Preparing).await?;
        let surveyed = tokio::select! {
            surveyed = self.read_whole() => surveyed?,
            () = self.held.lost.cancelled() => return Err(Stop::LeaseLost),
            () = self.held.asked.cancelled() => {
                // Taken back meanwhile: the survey begins anew.
                let outcome = match obey(connection, self.import, self.held.epoch).await? {
                    Some(outcome) => outcome,
                    None => self.release(connection).await?,
                };
                return Ok(ControlFlow::Break(outcome));
            }
            () = self.context.stop.cancelled() => {
                return self.release(connection).await.map(ControlFlow::Break);
            }
        };
        let settled = surveyed.settle(&self.import.definition, self.database);
        let (survey, warnings) = settled.map_err(Stop::Fail)?;
        let mut tx = connection.begin().await?;
        leases::fence(&mut tx, self.import.id, self.held.epoch).await?;
        imports::keep_survey(&mut tx, self.import.id, &survey, &warnings).await?;
        tx.commit().await?;
        Ok(ControlFlow::Continue(survey))
    }

    async fn enter(&self, connection: &mut PgConnection, state: State) -> Result<(), Stop> {
        let mut tx = connection.begin().await?;
        leases::fence(&mut tx, self.import.id, self.held.epoch).await?;
        imports::enter(&mut tx, self.import.id, state).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Reads the payload to its end; a second time if it turns out to be in another encoding. A
    /// reader that nobody waits for any more comes to its end by itself.
    async fn read_whole(&self) -> Result<Surveyed, Stop> {
        let mut found = Found::default();
        loop {
            let source = self.source().await?;
            let definition = self.import.definition.with(&found);
            let reading = tokio::task::spawn_blocking(move || survey::survey(&definition, source));
            match reading.await.map_err(|_| reading_ended())?? {
                survey::Outcome::Encoded(encoding) => found.encoding = Some(encoding.to_owned()),
                survey::Outcome::Surveyed(mut surveyed) => {
                    surveyed
                        .warnings
                        .extend(found.encoding.as_ref().map(|encoding| {
                        format!(
                            "The payload is not UTF-8; its bytes look like {encoding}, and were \
                             read so. Give encoding to be sure."
                        )
                    }));
                    surveyed.survey.found = found;
                    return Ok(surveyed);
                }
            }
        }
    }

    /// The indexes that the keys are matched by, each built on a connection of its own if it is new.
    pub(super) async fn ensure_indexes(
        &self,
        connection: &mut PgConnection,
        plan: &Plan,
        stay: &mut Option<Stay>,
    ) -> Result<(), Stop> {
        if plan.action == Action::Add {
            return Ok(());
        }
        for (place, side) in plan.sides.iter().enumerate() {
            if plan.passes_over(place) {
                continue;
            }
            self.ensure_index(connection, side, stay).await?;
            for group in &side.alternatives {
                self.ensure_index(connection, &side.alternative(group), stay)
                    .await?;
            }
        }
        Ok(())
    }

    async fn ensure_index(
        &self,
        connection: &mut PgConnection,
        side: &Side,
        stay: &mut Option<Stay>,
    ) -> Result<(), Stop> {
        if !side.needs_index() || indexes::is_ready(connection, side).await? {
            return Ok(());
        }
        // Building takes as long as the table is large.
        self.go_alone(stay).await;
        // An import whose payload was surveyed as it came begins with this.
        if self.import.state == State::Queued {
            self.enter(connection, State::Preparing).await?;
        }
        // The profiles of a linked database are indexed on its account.
        let owner = match side.link {
            Some(_) => side.number.0,
            None => self.import.database_id,
        };
        let url = &self.context.database_url;
        let mut builder = own_connection(url, "longshore-index").await?;
        tokio::select! {
            built = indexes::ensure(&mut builder, owner, side) => built?,
            () = self.held.lost.cancelled() => return Err(Stop::LeaseLost),
        }
        let _ = builder.close().await;
        Ok(())
    }
}
