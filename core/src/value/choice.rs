//! One or several of a field's options, spelled exactly as the field spells them. Several are kept
//! in the order of the field's options, so that the order in a payload makes no difference.

use super::{Misfit, array, form, source_text, text};
use crate::cell::Cell;
use crate::code::Code;
use crate::field::{Field, FieldType};
use crate::suggest::did_you_mean;

/// Stands between the options of a multiselect in a text, without spaces. An option that holds it
/// can only be chosen by a JSON list.
pub const SEPARATOR: char = ';';

const OPTIONS_SHOWN: usize = 5;
const OPTION_CHARS_SHOWN: usize = 40;

pub(super) fn encode_one(field: &Field, cell: Cell<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let Some(text) = source_text(cell) else {
        return Err(Misfit::new(Code::InvalidType, form(field.kind)));
    };
    position(field, text)?;
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Options in one text, separated by [`SEPARATOR`].
pub(super) fn encode_separated(
    field: &Field,
    cell: Cell<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Misfit> {
    let Some(text) = source_text(cell) else {
        return Err(Misfit::new(Code::InvalidType, form(field.kind)));
    };
    encode_all(field, text.split(SEPARATOR), out)
}

/// Options in a JSON array of texts; `false` for an empty one, which is blank.
pub(super) fn encode_list(field: &Field, source: &str, out: &mut Vec<u8>) -> Result<bool, Misfit> {
    let Ok(chosen) = serde_json::from_str::<Vec<String>>(source) else {
        return Err(Misfit::new(Code::InvalidType, form(field.kind)));
    };
    if chosen.is_empty() {
        return Ok(false);
    }
    encode_all(field, chosen.iter().map(String::as_str), out)?;
    Ok(true)
}

fn encode_all<'a>(
    field: &Field,
    chosen: impl Iterator<Item = &'a str>,
    out: &mut Vec<u8>,
) -> Result<(), Misfit> {
    let mut positions = Vec::new();
    for option in chosen {
        let position = position(field, option)?;
        if positions.contains(&position) {
            let expected = format!("each option once, not \"{}\" again", shortened(option));
            return Err(Misfit::new(Code::NotAllowedValue, expected));
        }
        positions.push(position);
    }
    positions.sort_unstable();
    let options = positions
        .iter()
        .filter_map(|position| field.options.get(*position));
    array::write(options.map(String::as_str), out);
    Ok(())
}

fn position(field: &Field, option: &str) -> Result<usize, Misfit> {
    let found = field.options.iter().position(|known| known == option);
    found.ok_or_else(|| not_allowed(field, option))
}

fn not_allowed(field: &Field, option: &str) -> Misfit {
    if option.contains('\0') {
        return text::nul();
    }
    let options = || field.options.iter().map(String::as_str);
    let shown = options()
        .take(OPTIONS_SHOWN)
        .map(|option| format!("\"{}\"", shortened(option)));
    let mut expected = format!("one of {}", shown.collect::<Vec<_>>().join(", "));
    if let more @ 1.. = field.options.len().saturating_sub(OPTIONS_SHOWN) {
        expected.push_str(&format!(" and {more} more"));
    }
    if field.kind == FieldType::Multiselect {
        expected.push_str(&format!(", with {SEPARATOR} between several"));
    }
    let suggestion = did_you_mean(option, options());
    if !suggestion.is_empty() {
        expected.push('.');
        expected.push_str(&suggestion);
    }
    Misfit::new(Code::NotAllowedValue, expected)
}

fn shortened(option: &str) -> String {
    match option.char_indices().nth(OPTION_CHARS_SHOWN) {
        Some((end, _)) => format!("{}…", &option[..end]),
        None => option.to_owned(),
    }
}
