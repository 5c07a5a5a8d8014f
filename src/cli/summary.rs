//! An import in words: its books, what it did, why it failed and what to do next.

use super::answers::{Effects, Import, Reject, Totals};
use super::render::{Table, between, count, plain, span, value};

/// The heading of an import: id, state, name and database.
pub(super) fn heading(import: &Import) -> String {
    let name = import
        .name
        .as_deref()
        .map(|name| format!("{} -> ", plain(name)))
        .unwrap_or_default();
    let asked = if import.cancel_requested {
        ", cancel is asked for"
    } else {
        ""
    };
    let (id, database) = (plain(&import.id), plain(&import.database_name));
    format!("{id}  {}{asked}  {name}{database}", import.standing())
}

/// Heading, books, effects, warnings and error.
pub(super) fn whole(import: &Import) -> String {
    let mut lines = vec![heading(import)];
    lines.extend(books(&import.totals));
    lines.extend(effects("profiles", &import.profiles));
    lines.extend(effects("subprofiles", &import.subprofiles));
    lines.extend(took(import));
    lines.extend(import.warnings.iter().map(|warning| {
        let text = warning.get("message").unwrap_or(warning);
        format!("  warning: {}", value(text))
    }));
    lines.extend(error(import));
    lines.join("\n")
}

fn books(totals: &Totals) -> Vec<String> {
    let mut entries: Vec<(&str, u64)> = totals.outcomes().to_vec();
    entries.extend(
        totals
            .unprocessed
            .filter(|rows| *rows > 0)
            .map(|rows| ("unprocessed", rows)),
    );
    let mut lines: Vec<String> = entries
        .iter()
        .map(|(outcome, rows)| format!("  {outcome:<12}{:>12}", count(*rows)))
        .collect();
    lines.push(match (totals.total, totals.balance()) {
        (Some(total), Some(true)) => format!("  {:<12}{:>12}  balanced", "total", count(total)),
        (Some(total), _) => {
            format!(
                "  {:<12}{:>12}  THE BOOKS DO NOT BALANCE: please report it",
                "total",
                count(total)
            )
        }
        (None, _) => format!("  {:<12}{:>12}", "total", "not counted"),
    });
    lines
}

fn effects(of: &str, effects: &Effects) -> Option<String> {
    let Effects {
        created,
        updated,
        deleted,
        removed,
    } = effects;
    let entries = [
        ("created", created),
        ("updated", updated),
        ("deleted", deleted),
        ("removed", removed),
    ];
    let touched: Vec<String> = entries
        .iter()
        .filter(|(_, number)| **number > 0)
        .map(|(done, number)| format!("{} {done}", count(**number)))
        .collect();
    (!touched.is_empty()).then(|| format!("  {of:<12}  {}", touched.join(", ")))
}

fn took(import: &Import) -> Option<String> {
    let time = between(import.started_at.as_deref(), import.finished_at.as_deref())?;
    let speed = match import.rows_done() as f64 / time.as_secs_f64() {
        speed if speed.is_finite() && speed >= 1.0 => format!(", {} rows/s", count(speed as u64)),
        _ => String::new(),
    };
    Some(format!("  {:<12}  {}{speed}", "took", span(time)))
}

fn error(import: &Import) -> Option<String> {
    let error = import.error.as_ref()?;
    let line = error
        .line
        .map(|line| format!(", line {line}"))
        .unwrap_or_default();
    let column = error
        .column
        .map(|column| format!(", column {column}"))
        .unwrap_or_default();
    Some(format!(
        "  error: {} ({}){line}{column}",
        plain(&error.message),
        plain(&error.code)
    ))
}

/// What a person may do now, given how the import stands.
pub(super) fn next_step(import: &Import) -> Option<String> {
    let id = plain(&import.id);
    let step = match import.state.as_str() {
        "held" => held(import, &id),
        "paused" => format!("It goes on after: longshore resume {id}"),
        "draft" => format!("It starts with: longshore start {id}"),
        "completed_with_rejects" => {
            format!("All rejects: longshore rejects {id} --output rejects.csv")
        }
        _ if import.state.is_final() => return None,
        _ => format!("Watch it: longshore status {id} --watch"),
    };
    Some(step)
}

/// Why the brake holds it, and the ways out.
fn held(import: &Import, id: &str) -> String {
    let Some(removal) = &import.removal else {
        return format!("A brake holds it: longshore approve {id}, or longshore refuse {id}");
    };
    let mut lines: Vec<String> = removal
        .reasons
        .iter()
        .map(|reason| {
            format!(
                "  held: {} ({})",
                plain(&reason.detail),
                plain(&reason.code)
            )
        })
        .collect();
    let removals = removal.profiles + removal.subprofiles;
    lines.push(format!(
        "Nothing is removed yet. Approve: longshore approve {id} --removals {removals}; complete \
         without the removal: longshore refuse {id}; whom it would take: GET /v1/imports/{id}/removals"
    ));
    lines.join("\n")
}

/// The first rejects, as a table.
pub(super) fn rejects(found: &[Reject], of: u64) -> String {
    let mut table = Table::new(&["LINE", "COLUMN", "CODE", "MESSAGE"]);
    for reject in found {
        table.row(vec![
            reject.line.map(|line| line.to_string()).unwrap_or_default(),
            plain(reject.column.as_deref().unwrap_or_default()),
            plain(&reject.code),
            plain(&reject.message),
        ]);
    }
    let rejects = if of == 1 { "reject" } else { "rejects" };
    format!("First {} of {} {rejects}:\n{table}", found.len(), count(of))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn import(totals: serde_json::Value) -> Import {
        Import::read(json!({
            "id": "imp_7", "name": "people.csv", "state": "completed_with_rejects",
            "database_name": "people", "totals": totals, "profiles": {"created": 1200, "updated": 2},
            "started_at": "2026-11-22T10:00:00Z", "finished_at": "2026-11-22T10:00:02Z",
            "warnings": ["Column \"x\" is not mapped."], "a_member_of_tomorrow": true,
        }))
        .unwrap()
    }

    #[test]
    fn balanced_books_say_so() {
        let text = whole(&import(
            json!({"total": 1203, "created": 1200, "updated": 2, "rejected": 1,
            "unprocessed": 0}),
        ));
        let expected = "imp_7  completed_with_rejects  people.csv -> people
  created            1,200
  updated                2
  unchanged              0
  ignored                0
  deleted                0
  rejected               1
  total              1,203  balanced
  profiles      1,200 created, 2 updated
  took          2.0 s, 601 rows/s
  warning: Column \"x\" is not mapped.";
        assert_eq!(text, expected);
    }

    #[test]
    fn books_with_a_row_missing_are_called_out() {
        assert!(whole(&import(json!({"total": 3, "created": 2}))).contains("DO NOT BALANCE"));
    }

    #[test]
    fn an_import_with_the_least_members_is_still_shown() {
        let import = Import::read(json!({"id": "imp_1", "state": "queued"})).unwrap();
        assert!(whole(&import).starts_with("imp_1  queued  ?\n"));
        assert!(whole(&import).contains("not counted"));
        assert!(
            next_step(&import)
                .unwrap()
                .contains("longshore status imp_1 --watch")
        );
    }

    #[test]
    fn a_failure_names_code_line_and_column() {
        let import = Import::read(
            json!({"id": "imp_1", "state": "failed", "database_name": "p",
            "error": {"code": "unclosed_quote", "message": "A quote opens here.", "line": 7,
            "column": 3}}),
        )
        .unwrap();
        assert!(
            whole(&import)
                .ends_with("  error: A quote opens here. (unclosed_quote), line 7, column 3")
        );
        assert_eq!(next_step(&import), None);
    }

    #[test]
    fn a_reject_shows_its_line_column_code_and_message() {
        let reject: Reject = serde_json::from_value(json!({"row": 1, "line": 2, "column": "elevation",
            "code": "invalid_integer", "value": "6.4", "message": "\"6.4\": expected a whole number"}))
        .unwrap();
        assert_eq!(
            rejects(&[reject], 1590),
            "First 1 of 1,590 rejects:\nLINE  COLUMN     CODE             MESSAGE\n   \
             2  elevation  invalid_integer  \"6.4\": expected a whole number"
        );
    }

    #[test]
    fn state_and_phase_are_not_said_twice() {
        for (state, phase, standing) in [
            ("applying", "applying rows", "applying rows"),
            (
                "queued",
                "waiting for a worker",
                "queued (waiting for a worker)",
            ),
            ("completed", "done", "completed"),
        ] {
            let import = json!({"id": "imp_1", "state": state, "phase": phase});
            assert_eq!(Import::read(import).unwrap().standing(), standing);
        }
    }
}
