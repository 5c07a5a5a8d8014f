//! Whole and decimal numbers. Every digit that a cell brings is kept, or the cell is refused:
//! doubles hold 15 significant digits exactly, so a sixteenth is out of range, never rounded off.

use super::Misfit;
use super::decimal::{Decimal, Grammar};
use crate::cell::Cell;
use crate::code::Code;

pub(super) const INTEGER_FORM: &str = "a whole number in plain digits, such as 42 or -7";
pub(super) const NUMBER_FORM: &str =
    "a number in plain digits with a dot as its decimal sign, such as 1234.56";
const INTEGER_RANGE: &str =
    "a whole number from -9223372036854775808 to 9223372036854775807; a text field keeps any";
const NUMBER_RANGE: &str = "at most 15 significant digits; use a text field to keep it exactly";

pub(super) fn encode_integer(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let whole = match cell {
        Cell::Text(text) => whole_from_text(text),
        Cell::Number(source) => {
            Decimal::scan(source, Grammar::Json).map_or(Err(Code::InvalidInteger), |d| d.whole())
        }
        _ => Err(Code::InvalidInteger),
    };
    match whole {
        Ok(whole) => out.extend_from_slice(&whole.to_be_bytes()),
        Err(Code::NumberOutOfRange) => {
            return Err(Misfit::new(Code::NumberOutOfRange, INTEGER_RANGE));
        }
        Err(code) => return Err(Misfit::new(code, INTEGER_FORM)),
    }
    Ok(())
}

pub(super) fn encode_number(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let scanned = match cell {
        Cell::Text(text) => Decimal::scan(text, Grammar::Plain).map(|decimal| (decimal, text)),
        Cell::Number(source) => Decimal::scan(source, Grammar::Json).map(|d| (d, source)),
        _ => None,
    };
    let Some((decimal, source)) = scanned else {
        return Err(Misfit::new(Code::InvalidNumber, NUMBER_FORM));
    };
    let Some(double) = decimal.double(source) else {
        return Err(Misfit::new(Code::NumberOutOfRange, NUMBER_RANGE));
    };
    out.extend_from_slice(&double.to_be_bytes());
    Ok(())
}

/// `[+-]?digits`. Leading zeros say nothing about a number, so they may stand.
fn whole_from_text(text: &str) -> Result<i64, Code> {
    text.parse().map_err(|_| {
        // The standard parser may meet the overflow before it meets a letter.
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            Code::NumberOutOfRange
        } else {
            Code::InvalidInteger
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(cell: Cell<'_>) -> Result<i64, Code> {
        let mut out = Vec::new();
        encode_integer(cell, &mut out).map_err(|misfit| misfit.code)?;
        Ok(i64::from_be_bytes(out.try_into().unwrap()))
    }

    fn number(cell: Cell<'_>) -> Result<f64, Code> {
        let mut out = Vec::new();
        encode_number(cell, &mut out).map_err(|misfit| misfit.code)?;
        Ok(f64::from_be_bytes(out.try_into().unwrap()))
    }

    #[test]
    fn an_integer_is_digits_with_at_most_a_sign() {
        for (text, whole) in [
            ("0", 0),
            ("-0", 0),
            ("+7", 7),
            ("007", 7),
            ("-42", -42),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(integer(Cell::Text(text)), Ok(whole), "{text}");
        }
        for text in [
            " ",
            "+",
            "-",
            "+-1",
            " 12 ",
            "12 ",
            "1.0",
            "1e3",
            "1,000",
            "1.000",
            "1_000",
            "１２",
            "0x10",
            "NaN",
            "twelve",
            "99999999999999999999x",
            "1\n",
            "−5",
        ] {
            assert_eq!(
                integer(Cell::Text(text)),
                Err(Code::InvalidInteger),
                "{text}"
            );
        }
        for text in [
            "9223372036854775808",
            "-9223372036854775809",
            "123456789012345678901234567890",
        ] {
            assert_eq!(
                integer(Cell::Text(text)),
                Err(Code::NumberOutOfRange),
                "{text}"
            );
        }
    }

    #[test]
    fn a_json_number_is_an_integer_when_it_is_whole() {
        for (source, whole) in [
            ("12", 12),
            ("-0", 0),
            ("-0.0", 0),
            ("1.0", 1),
            ("1e3", 1000),
            ("1.5E+1", 15),
            ("1200e-2", 12),
            ("0e999999999999999999999", 0),
            ("9223372036854775807", i64::MAX),
            ("-9.223372036854775808e18", i64::MIN),
            ("1000000000000000000", 1_000_000_000_000_000_000),
        ] {
            assert_eq!(integer(Cell::Number(source)), Ok(whole), "{source}");
        }
        for source in [
            "1.5",
            "1e-1",
            "10.01",
            "12345678901234567890.5",
            "1e-999999999999",
            "01",
            "+1",
            "",
            "1e",
        ] {
            assert_eq!(
                integer(Cell::Number(source)),
                Err(Code::InvalidInteger),
                "{source}"
            );
        }
        for source in [
            "9223372036854775808",
            "1e19",
            "1e400",
            "1e999999999999999999999",
            "18446744073709551616",
        ] {
            assert_eq!(
                integer(Cell::Number(source)),
                Err(Code::NumberOutOfRange),
                "{source}"
            );
        }
        assert_eq!(integer(Cell::Boolean(true)), Err(Code::InvalidInteger));
    }

    #[test]
    fn a_number_is_written_with_a_dot_and_without_an_exponent() {
        for (text, double) in [
            ("0", 0.0),
            ("1.50", 1.5),
            ("+1234.56", 1234.56),
            ("-0.1", -0.1),
            ("000.5", 0.5),
            ("1000000000000000000000", 1e21),
            ("123456789012345", 123_456_789_012_345.0),
            ("0.000123456789012345", 0.000_123_456_789_012_345),
        ] {
            assert_eq!(number(Cell::Text(text)), Ok(double), "{text}");
        }
        for text in [
            " ", ".5", "5.", ".", "-", "+", "1e3", "1E400", "1.234,56", "1,234.56", "1 234",
            " 12 ", "１２", "0x10", "NaN", "nan", "Infinity", "-inf", "1.2.3", "--1", "1-", "€5",
            "5%",
        ] {
            assert_eq!(number(Cell::Text(text)), Err(Code::InvalidNumber), "{text}");
        }
    }

    #[test]
    fn a_json_number_follows_the_grammar_of_json() {
        assert_eq!(number(Cell::Number("1e3")), Ok(1000.0));
        assert_eq!(number(Cell::Number("-2.50E-3")), Ok(-0.0025));
        assert_eq!(number(Cell::Number("1e308")), Ok(1e308));
        for source in ["+1", "01", ".5", "5.", "1e", "1e+", "NaN", "0x10", "1 ", ""] {
            assert_eq!(
                number(Cell::Number(source)),
                Err(Code::InvalidNumber),
                "{source}"
            );
        }
        assert_eq!(number(Cell::Boolean(true)), Err(Code::InvalidNumber));
    }

    #[test]
    fn a_number_that_a_double_would_round_is_out_of_range() {
        for source in [
            "1234567890123456",
            "0.1234567890123456",
            "123456789012345678901234567890",
            "1.0000000000000001e0",
            "1e400",
            "-1e400",
            "1e-400",
            "1.23456789012345e-310",
            "1e999999999999999999999",
            "1e-999999999999999999999",
        ] {
            assert_eq!(
                number(Cell::Number(source)),
                Err(Code::NumberOutOfRange),
                "{source}"
            );
        }
        let zeros = format!("1{}1", "0".repeat(60_000));
        assert_eq!(number(Cell::Text(&zeros)), Err(Code::NumberOutOfRange));
    }

    #[test]
    fn minus_zero_is_zero() {
        for cell in [
            Cell::Text("-0"),
            Cell::Text("-0.00"),
            Cell::Number("-0"),
            Cell::Number("-0e5"),
        ] {
            assert!(number(cell).unwrap().is_sign_positive(), "{cell:?}");
        }
    }
}
