//! Draws what an import asks for: action, keys and policies, without contradictions.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Map, Value, json};

use super::schema::{LINKS, Schema};
use crate::model::{
    Action, Import, LINKED, MatchBy, PROFILE, Policies, SUBPROFILE, Several, Target,
};

/// What an import asks for, and what it needs columns for.
pub(super) struct Asked {
    /// As it is meant, still without rows.
    pub(super) meant: Import,
    pub(super) sides: [bool; 3],
    pub(super) writes_uid: bool,
    pub(super) links_by_uid: bool,
    pub(super) asks_override: bool,
    pub(super) ignores_unknown: bool,
    word: &'static str,
}

impl Asked {
    pub(super) fn draw(random: &mut StdRng, schema: &Schema, with_versions: bool) -> Asked {
        let home = usize::from(random.random_bool(0.25));
        let (action, word) = *Action::ALL.choose(random).unwrap();
        // Deletion empties the databases: half as often.
        let (action, word) = match action {
            Action::Delete if random.random_bool(0.4) => Action::ALL[2],
            _ => (action, word),
        };
        let target = match action {
            Action::Delete => target(random, home),
            _ => Target::Profile,
        };
        let orders = target == Target::Subprofile || (home == 0 && random.random_bool(0.55));
        let links = target == Target::Link || random.random_bool(0.45);
        let mut policies = policies(random, action);
        let changes = !matches!(action, Action::Add | Action::IgnoreOrAdd);
        policies.asks_version = with_versions && changes && random.random_bool(0.8);
        let links_by_uid = links && random.random_bool(0.4);
        let uid = |side| schema.uid(home, side);
        let own = match policies.match_by {
            MatchBy::KeyFields => schema.keys(random, (home, PROFILE)),
            MatchBy::AnyKeyField => vec![0, 1],
            MatchBy::Uid | MatchBy::IdOrUid => vec![uid(PROFILE)],
            MatchBy::Id => Vec::new(),
        };
        let of_link = match links_by_uid {
            true => vec![uid(LINKED)],
            false => schema.keys(random, (home, LINKED)),
        };
        let given = |given: bool, keys: Vec<usize>| if given { keys } else { Vec::new() };
        let needs_uid = matches!(policies.match_by, MatchBy::Uid | MatchBy::IdOrUid);
        let removes = matches!(
            action,
            Action::Update | Action::UpdateOrAdd | Action::IgnoreOrAdd
        );
        let asks_override = policies.asks_version && random.random_bool(0.5);
        let meant = Import {
            home,
            action,
            target,
            policies,
            keys: [
                own,
                given(orders, schema.keys(random, (home, SUBPROFILE))),
                given(links, of_link),
            ],
            remove_missing: removes && random.random_bool(0.35),
            brings_subprofiles: orders,
            rows: Vec::new(),
        };
        Asked {
            meant,
            sides: [true, orders, links],
            writes_uid: needs_uid || random.random_bool(0.2),
            links_by_uid,
            asks_override,
            ignores_unknown: random.random_bool(0.15),
            word,
        }
    }

    /// The members of the definition.
    pub(super) fn members(&self, schema: &Schema) -> Map<String, Value> {
        let import = &self.meant;
        let policies = &import.policies;
        let mut members = Map::new();
        let mut say = |name: &str, value: Value| members.insert(name.to_owned(), value);
        say("database", json!(schema.names[import.home]));
        say("action", json!(self.word));
        say("ignore_empty_fields", json!(policies.keeps_blanks));
        say("on_multiple_matches", json!(word_of(policies.several)));
        if policies.empty_key_is_new {
            say("on_empty_key", json!("create"));
        }
        if policies.all_or_nothing {
            say("on_reject", json!("all_or_nothing"));
        }
        if policies.without_case {
            say("key_comparison", json!("without_case"));
        }
        let match_by = match policies.match_by {
            MatchBy::KeyFields => None,
            MatchBy::AnyKeyField => Some("any_key_field"),
            MatchBy::Uid => Some("uid"),
            MatchBy::Id => Some("id"),
            MatchBy::IdOrUid => Some("id_or_uid"),
        };
        match_by.map(|word| say("match_by", json!(word)));
        let keys = self.key_fields(schema);
        if import.action != Action::Add && !keys.is_empty() {
            say("key_fields", json!(keys));
        }
        match import.target {
            Target::Profile => None,
            Target::Subprofile => say("delete_target", json!("subprofile")),
            Target::Link => say("delete_target", json!("link")),
        };
        for (asked, member, column) in [
            (self.reads_id(), "id_column", "id"),
            (self.writes_uid, "uid_column", "ref"),
            (policies.asks_version, "version_column", "seen"),
            (self.asks_override, "override_column", "force"),
        ] {
            asked.then(|| say(member, json!(column)));
        }
        if self.links_by_uid {
            say("link_uid_columns", json!({LINKS[import.home]: "other"}));
        }
        if import.remove_missing {
            say("remove_missing", json!(true));
        }
        if self.ignores_unknown {
            say("on_unknown_column", json!("ignore"));
        }
        members
    }

    pub(super) fn reads_id(&self) -> bool {
        matches!(self.meant.policies.match_by, MatchBy::Id | MatchBy::IdOrUid)
    }

    fn key_fields(&self, schema: &Schema) -> Vec<String> {
        let home = self.meant.home;
        let sides = [PROFILE, SUBPROFILE, LINKED].into_iter();
        let names = sides.flat_map(|side| {
            let keys = self.meant.keys[side].iter();
            keys.filter(move |key| **key < schema.uid(home, side))
                .map(move |key| schema.address(home, side, *key))
        });
        names.collect()
    }
}

fn target(random: &mut StdRng, home: usize) -> Target {
    match random.random_range(0..10) {
        0..3 => Target::Profile,
        3..6 if home == 0 => Target::Subprofile,
        _ => Target::Link,
    }
}

fn policies(random: &mut StdRng, action: Action) -> Policies {
    let adds = action == Action::Add;
    let match_by = match random.random_range(0..100) {
        _ if adds => MatchBy::KeyFields,
        0..52 => MatchBy::KeyFields,
        52..66 => MatchBy::AnyKeyField,
        66..78 => MatchBy::Uid,
        78..88 => MatchBy::Id,
        _ => MatchBy::IdOrUid,
    };
    Policies {
        match_by,
        several: *[Several::All, Several::Newest, Several::Nobody]
            .choose(random)
            .unwrap(),
        empty_key_is_new: random.random_bool(0.3),
        without_case: !adds && random.random_bool(0.25),
        all_or_nothing: random.random_bool(0.2),
        keeps_blanks: random.random_bool(0.3),
        asks_version: false,
    }
}

fn word_of(several: Several) -> &'static str {
    match several {
        Several::All => "all",
        Several::Newest => "newest",
        Several::Nobody => "reject",
    }
}
