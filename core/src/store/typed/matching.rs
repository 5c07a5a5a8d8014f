//! Finds what the keys of rows match, by index. The order is left to [`crate::store::matches`]: sorting
//! here what mostly comes in order costs a twentieth of it.

use super::{arriving_cast, names, parameters, short_enough};
use crate::field::Field;
use crate::plan::Side;

/// Finds the profiles of the keys in `$1…`, arrays of folded key cells: ordinal of the key, id,
/// the fields that the payload brings beside the keys, and `updated_at` where versions are checked;
/// at most as many as the last parameter.
#[must_use]
pub fn match_profiles(side: &Side) -> String {
    format!(
        "select k.n, p.id{} from unnest({}) with ordinality as k({}, n) join {} p on {} limit ${}",
        selected(side),
        parameters(&side.fields[..side.keys], 1),
        names(side.keys),
        side.number.table(),
        key_conditions(side),
        side.keys + 1
    )
}

/// Finds the subprofiles of the pairs of profile id (`$1`) and keys (`$2…`).
#[must_use]
pub fn match_subprofiles(side: &Side) -> String {
    let separator = if side.keys > 0 { ", " } else { "" };
    let and = if side.keys > 0 { " and " } else { "" };
    format!(
        "select k.n, p.id{} from unnest($1::int8[]{separator}{}) with ordinality \
         as k(profile_id{separator}{}, n) join {} p on p.profile_id = k.profile_id{and}{} \
         limit ${}",
        selected(side),
        parameters(&side.fields[..side.keys], 2),
        names(side.keys),
        side.number.table(),
        key_conditions(side),
        side.keys + 2
    )
}

/// Finds the profiles that one group of alternatives says: its cells as they came, each in an array
/// of one; what is found as by [`match_profiles`].
#[must_use]
pub fn match_alternative(side: &Side, group: &[usize]) -> String {
    let fields: Vec<Field> = group
        .iter()
        .map(|place| side.fields[*place].clone())
        .collect();
    let equal = fields.iter().enumerate().map(|(position, field)| {
        let value = format!("(${}::{}[])[1]", position + 1, field.kind.sql_type());
        match field.case_insensitive && field.kind.is_text() {
            true => format!("{} = lower({value})", field.key_expression("p")),
            false => format!("{} = {value}", field.key_expression("p")),
        }
    });
    let short = Some(short_enough(&fields, "p")).filter(|condition| !condition.is_empty());
    format!(
        "select 1::int8, p.id{} from {} p where {} limit ${}",
        selected(side),
        side.number.table(),
        equal.chain(short).collect::<Vec<_>>().join(" and "),
        group.len() + 1
    )
}

fn selected(side: &Side) -> String {
    let mut columns: String = side.fields[side.keys..]
        .iter()
        .map(|field| format!(", p.{}", field.column()))
        .collect();
    if side.versioned {
        columns.push_str(", p.updated_at");
    }
    columns
}

fn key_conditions(side: &Side) -> String {
    let keys = &side.fields[..side.keys];
    let equal = keys.iter().enumerate().map(|(position, field)| {
        let cast = arriving_cast(field.kind);
        format!("{} = k.c{position}{cast}", field.key_expression("p"))
    });
    // Only an index that was made for these keys leaves long values out.
    let short = side.needs_index().then(|| short_enough(keys, "p"));
    let short = short.filter(|condition| !condition.is_empty());
    equal.chain(short).collect::<Vec<_>>().join(" and ")
}
