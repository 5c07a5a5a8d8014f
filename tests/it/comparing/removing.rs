//! What follows the rows of an import that removes whom they did not name: the brake, whoever
//! decides, and what is gone in the end.

use std::collections::BTreeSet;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::Case;
use super::drawing::Drawn;
use super::finding::Found;
use crate::app::TestApp;
use crate::model::{Brake, Model, Report, Victims};

/// An import that came to its end, as the brake compares the next of its kind with it.
pub(super) struct Former {
    kind: Value,
    rows: i64,
    bytes: i64,
}

/// Draws the limits of a database and sets them.
pub(super) async fn draw_brake(app: &TestApp, random: &mut StdRng, name: &str) -> Brake {
    let brake = Brake {
        percent: *[20, 50, 50, 100].choose(random).unwrap(),
        count: [None, None, Some(1)].choose(random).copied().flatten(),
        allows_empty: random.random_bool(0.5),
    };
    let limits = json!({"brake": {"percent_below_100": brake.percent, "count": brake.count,
        "allow_empty": brake.allows_empty}});
    let path = format!("/databases/{name}");
    app.call("PATCH", &path, Some(limits)).await.expect(200);
    brake
}

/// What is there before an import, as the model and as the service have it.
pub(super) struct Before<'a> {
    pub(super) model: Model,
    pub(super) found: &'a Found,
}

impl Case<'_> {
    /// Compares the brake with the model's, decides where it holds, and removes from the model whom
    /// the service is to remove. Returns the status in the end.
    pub(super) async fn settle_removal(
        &mut self,
        (drawn, report): (&Drawn, &mut Report),
        before: Before<'_>,
        (status, context): (Value, &str),
    ) -> Value {
        let import = &drawn.meant;
        let none_applied = report.failed || report.refused.len() == import.rows.len();
        if !import.remove_missing || none_applied {
            return status;
        }
        let victims = self.model.victims(import, &report.named);
        let (must, may) = self.reasons(drawn, report, (&victims, &status));
        if import.policies.all_or_nothing && !must.is_empty() {
            let code = status["error"]["code"].clone();
            assert!(
                must.contains(code.as_str().unwrap_or_default()),
                "{must:?}; {context}"
            );
            self.notes.count("the brake refused the whole import");
            self.model = before.model;
            report.books = crate::model::Books::default();
            report.end = Some(("failed", code));
            return status;
        }
        let held = reasons_of(&status);
        assert_eq!(
            status["state"] == "held",
            !held.is_empty(),
            "held; {context}"
        );
        assert!(
            must.is_subset(&held),
            "reasons {must:?} among {held:?}; {context}"
        );
        assert!(
            held.iter()
                .all(|code| must.contains(code) || may.contains(code)),
            "reasons {held:?} among {must:?} {may:?}; {context}"
        );
        held.iter().for_each(|code| self.note_reason(code));
        let status = match held.is_empty() {
            true => {
                self.model.remove(import, &victims);
                self.note_removal(&victims);
                status
            }
            false => {
                self.check_list(&victims, &before, (&status, context)).await;
                self.decide(drawn, (&victims, report), &status).await
            }
        };
        let gone = match report.end.is_none() {
            true => [
                victims.profiles.len() as i64,
                victims.removals() - victims.profiles.len() as i64,
            ],
            false => [0, 0],
        };
        let removed =
            ["profiles", "subprofiles"].map(|part| status[part]["removed"].as_i64().unwrap());
        let refused = status["removal"]["state"] == "refused";
        assert_eq!(
            removed,
            if refused { [0, 0] } else { gone },
            "removed; {context}\n{status}"
        );
        if report.end.is_none() && !refused {
            self.former.push(former(&status, import.brings_subprofiles));
        }
        status
    }

    /// Reasons that there must be, and one that there may be.
    fn reasons(
        &self,
        drawn: &Drawn,
        report: &Report,
        (victims, status): (&Victims, &Value),
    ) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
        let (mut must, mut may) = (BTreeSet::new(), BTreeSet::new());
        if victims.removals() == 0 {
            return (must, may);
        }
        must.extend(victims.reasons(self.brakes[drawn.meant.home]));
        let now = former(status, drawn.meant.brings_subprofiles);
        let same = self
            .former
            .iter()
            .rev()
            .find(|former| former.kind == now.kind);
        for (is_so, reason) in [
            (report.named.unread, "brake_keys_unread"),
            (
                report.refused.len() as i64 * 100 > now.rows * 5,
                "brake_rejects",
            ),
            (
                same.is_some_and(|same| now.rows * 2 < same.rows || now.bytes * 2 < same.bytes),
                "brake_shrunk",
            ),
        ] {
            if is_so {
                must.insert(reason);
            }
        }
        if report.named.partly_unread {
            may.insert("brake_keys_unread");
        }
        (must, may)
    }

    /// The list of whom it would take names them all, and nobody else.
    async fn check_list(
        &self,
        victims: &Victims,
        before: &Before<'_>,
        (status, context): (&Value, &str),
    ) {
        let removal = &status["removal"];
        let counts =
            [&removal["profiles"], &removal["subprofiles"]].map(|count| count.as_i64().unwrap());
        let profiles = victims.profiles.len() as i64;
        assert_eq!(
            counts,
            [profiles, victims.removals() - profiles],
            "counts; {context}"
        );
        let path = format!("/imports/{}/removals", status["id"].as_str().unwrap());
        let page = self.app.get(&path).await.expect(200).json;
        let listed = page["data"].as_array().unwrap();
        let ids: BTreeSet<&str> = listed
            .iter()
            .filter(|one| one["collection"].is_null())
            .map(|one| one["id"].as_str().unwrap())
            .collect();
        let known = before.found.known(&before.model);
        let expected: BTreeSet<&str> = known
            .iter()
            .flatten()
            .filter(|known| victims.profiles.contains(&known.number))
            .map(|known| known.id.as_str())
            .collect();
        assert_eq!(ids, expected, "listed profiles; {context}");
        let others = listed.len() - ids.len();
        assert_eq!(
            others,
            victims.subprofiles.len(),
            "listed subprofiles; {context}"
        );
    }

    /// Somebody approves, refuses or cancels.
    async fn decide(
        &mut self,
        drawn: &Drawn,
        (victims, report): (&Victims, &mut Report),
        status: &Value,
    ) -> Value {
        let id = status["id"].as_str().unwrap();
        let removals = victims.removals();
        let path = |verb: &str| format!("/imports/{id}/{verb}");
        match self.random.random_range(0..5) {
            0 => {
                self.app.post(&path("refuse"), json!({})).await.expect(202);
                self.notes.count("somebody refused");
            }
            1 => {
                self.app.post(&path("cancel"), json!({})).await.expect(202);
                self.notes.count("somebody cancelled");
                report.end = Some(("cancelled", Value::Null));
            }
            _ => {
                let less = json!({"removals": removals - 1});
                let refused = self.app.post(&path("approve"), less).await.expect(409);
                assert_eq!(refused.code(), "approval_outdated");
                let all = json!({"removals": removals});
                self.app.post(&path("approve"), all).await.expect(202);
                self.notes.count("somebody approved");
                self.model.remove(&drawn.meant, victims);
                self.note_removal(victims);
            }
        }
        self.app.work_until_idle().await;
        self.app.status(id).await
    }

    fn note_reason(&mut self, code: &'static str) {
        self.notes.count(code);
    }

    fn note_removal(&mut self, victims: &Victims) {
        for (is_so, what) in [
            (victims.removals() == 0, "there was nothing to remove"),
            (!victims.profiles.is_empty(), "profiles were removed"),
            (
                !victims.subprofiles.is_empty(),
                "subprofiles were removed by themselves",
            ),
            (victims.along > 0, "subprofiles went along"),
        ] {
            if is_so {
                self.notes.count(what);
            }
        }
    }
}

const REASONS: [&str; 6] = [
    "brake_percent",
    "brake_count",
    "brake_empty",
    "brake_keys_unread",
    "brake_rejects",
    "brake_shrunk",
];

/// The reasons that the service gives.
fn reasons_of(status: &Value) -> BTreeSet<&'static str> {
    let given = status["removal"]["reasons"]
        .as_array()
        .into_iter()
        .flatten();
    let known = |reason: &Value| {
        let code = reason["code"].as_str().unwrap();
        REASONS.into_iter().find(|known| *known == code).unwrap()
    };
    given.map(known).collect()
}

fn former(status: &Value, with_subprofiles: bool) -> Former {
    let definition = &status["definition"];
    Former {
        kind: json!([
            status["database"],
            definition["key_fields"],
            definition["match_by"],
            with_subprofiles
        ]),
        rows: status["totals"]["total"].as_i64().unwrap(),
        bytes: status["payload"]["bytes"].as_i64().unwrap(),
    }
}
