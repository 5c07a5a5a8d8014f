//! E-mail addresses and phone numbers. Both are judged by a practical rule and kept exactly as
//! given: whether anybody answers there is not ours to know.

use super::Misfit;
use crate::cell::Cell;
use crate::code::Code;

pub(super) const EMAIL_FORM: &str = "an e-mail address with one @, such as name@example.org";
pub(super) const PHONE_FORM: &str = "a phone number of digits, spaces and + - . / ( ), \
     with at least 3 digits and at most 40 characters; x or ext may begin an extension";

const EMAIL_CHARS_MAX: usize = 254;
const LOCAL_BYTES_MAX: usize = 64;
const DOMAIN_CHARS_MAX: usize = 253;
const LABEL_CHARS_MAX: usize = 63;
const PHONE_CHARS_MAX: usize = 40;
const PHONE_DIGITS_MIN: usize = 3;

/// One `@`; before it the dot-atom of RFC 5322 (no quotes, no comments) with letters of any script
/// (RFC 6531); after it a domain of at least two labels, also international ones.
pub(super) fn encode_email(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let Cell::Text(text) = cell else {
        return Err(Misfit::new(Code::InvalidEmail, EMAIL_FORM));
    };
    judge_email(text).map_err(|expected| Misfit::new(Code::InvalidEmail, expected))?;
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// A JSON number of plain digits is taken as it was written; any other has lost its `+` or zeros.
pub(super) fn encode_phone(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let phone = match cell {
        Cell::Text(text) => Some(text).filter(|text| is_phone(text)),
        Cell::Number(source) => Some(source).filter(|source| is_digits(source) && is_phone(source)),
        _ => None,
    };
    let Some(phone) = phone else {
        return Err(Misfit::new(Code::InvalidPhone, PHONE_FORM));
    };
    out.extend_from_slice(phone.as_bytes());
    Ok(())
}

fn judge_email(text: &str) -> Result<(), &'static str> {
    // Bytes bound characters, so that only a long text has to be counted.
    if text.len() > EMAIL_CHARS_MAX && text.chars().count() > EMAIL_CHARS_MAX {
        return Err("an e-mail address of at most 254 characters");
    }
    let (local, domain) = text.split_once('@').ok_or(EMAIL_FORM)?;
    if domain.contains('@') {
        return Err(EMAIL_FORM);
    }
    if local.is_empty() || local.len() > LOCAL_BYTES_MAX {
        return Err("1 to 64 bytes before the @ of an e-mail address");
    }
    if !local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atom))
    {
        return Err("letters, digits, single dots and !#$%&'*+/=?^_`{|}~- before the @");
    }
    judge_domain(domain)
}

fn judge_domain(domain: &str) -> Result<(), &'static str> {
    if domain.len() > DOMAIN_CHARS_MAX && domain.chars().count() > DOMAIN_CHARS_MAX {
        return Err("a domain of at most 253 characters after the @");
    }
    let Some((_, top)) = domain.rsplit_once('.') else {
        return Err("a full domain after the @, such as example.org");
    };
    if !domain.split('.').all(is_label) {
        return Err("a domain of letters, digits, inner hyphens and single dots after the @");
    }
    if is_digits(top) {
        return Err("a domain after the @, not an IP address");
    }
    Ok(())
}

fn is_label(label: &str) -> bool {
    let inner = |character: char| character == '-' || is_letter_or_digit(character);
    !label.is_empty()
        && (label.len() <= LABEL_CHARS_MAX || label.chars().count() <= LABEL_CHARS_MAX)
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(inner)
}

/// `atext` of RFC 5322, section 3.2.3, with the letters of all scripts.
fn is_atom(character: char) -> bool {
    is_letter_or_digit(character) || "!#$%&'*+-/=?^_`{|}~".contains(character)
}

/// South and South-East Asian scripts write vowels and tones as marks that are no letters by
/// themselves; accents may come apart from their letters everywhere.
fn is_letter_or_digit(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || (!character.is_ascii() && character.is_alphabetic())
        || matches!(character, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{109f}' | '\u{1780}'..='\u{17d3}')
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_phone(text: &str) -> bool {
    let start = text.find(['x', 'X', 'e', 'E']).unwrap_or(text.len());
    let (number, extension) = text.split_at(start);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    text.len() <= PHONE_CHARS_MAX
        && digits >= PHONE_DIGITS_MIN
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && number
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+ -./()".contains(&byte))
        && plus_leads(number)
        && (extension.is_empty() || is_extension(extension))
}

/// A `+` stands once and before every digit, if at all.
fn plus_leads(number: &str) -> bool {
    number.rfind('+').is_none_or(|at| {
        !number[..at]
            .bytes()
            .any(|byte| byte == b'+' || byte.is_ascii_digit())
    })
}

fn is_extension(extension: &str) -> bool {
    let extension = extension.to_ascii_lowercase();
    ["ext.", "ext", "x"]
        .iter()
        .find_map(|mark| extension.strip_prefix(mark))
        .is_some_and(|digits| is_digits(digits.trim_start_matches(' ')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_address_fits_in_every_script() {
        for text in [
            "name@example.org",
            "a@b.co",
            "First.Last+tag@sub.example.co.uk",
            "o'hara@example.ie",
            "!#$%&'*+-/=?^_`{|}~@example.org",
            "jörg@müller.de",
            "用户@例子.世界",
            "मेल@हिन्दी.भारत",
            "ผู้ใช้@ตัวอย่าง.ไทย",
            "a@xn--mller-kva.de",
            "1@1and1.com",
            "cafe\u{301}@example.org",
        ] {
            assert_eq!(judge_email(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn an_address_that_cannot_be_one_is_refused() {
        let long_local = format!("{}@example.org", "a".repeat(65));
        let long_label = format!("a@{}.org", "b".repeat(64));
        let long_domain = format!("a@{}org", "bcd.".repeat(63));
        let long = format!("{}@{}.org", "a".repeat(64), "b".repeat(332));
        for text in [
            " ",
            "@",
            "name",
            "a@b@c",
            "a@b@c.org",
            "a b@c",
            "a b@example.org",
            "name@",
            "@example.org",
            "name@localhost",
            "name@example.org.",
            "name@.example.org",
            "name@example..org",
            ".name@example.org",
            "name.@example.org",
            "na..me@example.org",
            " name@example.org",
            "name@example.org ",
            "name@-example.org",
            "name@example-.org",
            "name@exam_ple.org",
            "\"a b\"@example.org",
            "Name <name@example.org>",
            "name@[192.0.2.1]",
            "name@192.0.2.1",
            "name@example.org,other@example.org",
            "name\u{200b}@example.org",
            "na\tme@example.org",
            "name@example。org",
            "name＠example.org",
            "na\u{a0}me@example.org",
            "name@exa\u{7f}mple.org",
            &long_local,
            &long_label,
            &long_domain,
            &long,
        ] {
            assert!(judge_email(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_phone_number_is_kept_as_people_write_it() {
        for text in [
            "112",
            "00123",
            "+31612345678",
            "+31 (0)20 123 45 67",
            "(020) 123-4567",
            "020/1234567",
            "020.123.45.67",
            "(+31) 20 1234567",
            "555-0100 x12",
            "555-0100x12",
            "555-0100 ext. 12",
            "555-0100 EXT12",
        ] {
            assert!(is_phone(text), "{text}");
        }
        for text in [
            " ",
            "+",
            "12",
            "1 2",
            "call me",
            "+31+20123",
            "20+31123",
            "555-0100 ",
            " 555-0100",
            "555-0100 x",
            "555-0100 ext",
            "555-0100 x1x2",
            "555-0100 e12",
            "12 x345",
            "１２３４５",
            "555\t0100",
            "555_0100",
            "555\u{2011}0100",
            "=1+2+3",
            "06-12345678; 020-1234567",
            "12345678901234567890123456789012345678901",
        ] {
            assert!(!is_phone(text), "{text}");
        }
    }

    #[test]
    fn a_json_number_is_a_phone_number_only_in_plain_digits() {
        let mut out = Vec::new();
        assert_eq!(encode_phone(Cell::Number("31612345678"), &mut out), Ok(()));
        assert_eq!(out, b"31612345678");
        for source in ["3.1e10", "-31612345678", "316.5", "12"] {
            let misfit = encode_phone(Cell::Number(source), &mut out).unwrap_err();
            assert_eq!(misfit.code, Code::InvalidPhone, "{source}");
        }
    }
}
