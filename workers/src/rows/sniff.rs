//! A look at the first bytes: what is certainly not the declared format is told at once, in words
//! about what it is instead.

use longshore_core::code::Code;

use super::Format;
use super::damage::{Damage, damage};
use super::fault::excerpt;

const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Published signatures that no text payload starts with.
const SIGNATURES: [(&[u8], &str); 5] = [
    (b"\x1F\x8B", "gzip data"),
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
    (b"\x28\xB5\x2F\xFD", "zstd data"),
    (b"\xD0\xCF\x11\xE0", "an old Excel workbook"),
    (b"%PDF-", "a PDF"),
];

/// How many bytes of byte order mark to drop.
pub(super) fn check(format: Format, data: &[u8]) -> Result<usize, Damage> {
    if data.starts_with(b"\xFF\xFE") || data.starts_with(b"\xFE\xFF") {
        let message = "The payload looks like UTF-16; save as UTF-8.";
        return Err(damage(Code::EncodingUnsupported, message));
    }
    for (signature, name) in SIGNATURES {
        if data.starts_with(signature) {
            return Err(mismatch(format!(
                "The payload is {name}, not {}.",
                word(format)
            )));
        }
    }
    let mark = if data.starts_with(UTF8_MARK) {
        UTF8_MARK.len()
    } else {
        0
    };
    let text = data[mark..].trim_ascii_start();
    if text.is_empty() && data.len() - mark == text.len() {
        return Err(empty_payload());
    }
    refuse_markup(text, format)?;
    match (format, text.first()) {
        (Format::Csv { .. }, Some(b'[' | b'{')) => {
            Err(mismatch("The payload looks like JSON, not CSV."))
        }
        (Format::Ndjson, Some(b'[')) => Err(mismatch(
            "The payload looks like a JSON array; declare its format as json.",
        )),
        _ => Ok(mark),
    }
}

fn refuse_markup(text: &[u8], format: Format) -> Result<(), Damage> {
    let starts = |word: &str| {
        text.get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    };
    if starts("<!doctype") || starts("<html") {
        let start = excerpt(&text[..text.len().min(60)]);
        let message = format!("The payload is a web page; it starts with `{start}`.");
        return Err(damage(Code::SourceNotData, message));
    }
    if starts("<?xml") {
        return Err(mismatch(format!(
            "The payload is XML, not {}.",
            word(format)
        )));
    }
    Ok(())
}

/// Nothing at all, or nothing but blank lines.
pub(super) fn empty_payload() -> Damage {
    damage(Code::EmptyPayload, "The payload is empty.")
}

/// Bytes of another format than declared.
pub(super) fn mismatch(message: impl Into<String>) -> Damage {
    damage(Code::FormatMismatch, message)
}

fn word(format: Format) -> &'static str {
    match format {
        Format::Csv { .. } => "CSV",
        Format::Json => "JSON",
        Format::Ndjson => "NDJSON",
    }
}
