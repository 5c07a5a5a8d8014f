//! Takes decimal numbers apart without dropping a digit, and says whether an `i64` or a double
//! holds all of it. Texts may be long and exponents absurd; neither may cost more than one pass.

use crate::code::Code;

/// Decimal digits that a double always gives back as they were (`DBL_DIG` of C).
pub const SIGNIFICANT_DIGITS_MAX: usize = 15;

/// Digits that fit in `u64` whatever they are.
const U64_DIGITS: usize = 19;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    /// `[+-]?digits[.digits]`
    Plain,
    /// RFC 8259, section 6.
    Json,
}

/// A decimal as written: `digits` times ten to the `exponent`, where the first and the last digit
/// are not zero.
#[derive(Default)]
pub(super) struct Decimal {
    negative: bool,
    /// Meaningless when `count` is above [`U64_DIGITS`].
    digits: u64,
    count: usize,
    exponent: i64,
}

impl Decimal {
    pub(super) fn scan(text: &str, grammar: Grammar) -> Option<Decimal> {
        let mut decimal = Decimal::default();
        let mut rest = text.as_bytes();
        match rest {
            [b'-', tail @ ..] => (decimal.negative, rest) = (true, tail),
            [b'+', tail @ ..] if grammar == Grammar::Plain => rest = tail,
            _ => {}
        }
        let integer = take_digits(&mut rest)?;
        if grammar == Grammar::Json && integer.len() > 1 && integer[0] == b'0' {
            return None;
        }
        let mut fraction: &[u8] = &[];
        if let [b'.', tail @ ..] = rest {
            rest = tail;
            fraction = take_digits(&mut rest)?;
        }
        let mut power = 0;
        if let ([b'e' | b'E', tail @ ..], Grammar::Json) = (rest, grammar) {
            rest = tail;
            power = take_power(&mut rest)?;
        }
        decimal.keep(integer, fraction);
        decimal.exponent += power;
        rest.is_empty().then_some(decimal)
    }

    fn keep(&mut self, integer: &[u8], fraction: &[u8]) {
        let mut zeros_pending = 0;
        for byte in integer.iter().chain(fraction) {
            if *byte != b'0' {
                self.push_zeros(zeros_pending);
                zeros_pending = 0;
                self.digits = self
                    .digits
                    .saturating_mul(10)
                    .saturating_add(u64::from(byte - b'0'));
                self.count += 1;
            } else if self.count > 0 {
                zeros_pending += 1;
            }
        }
        // Lengths of texts in memory are far below i64.
        self.exponent = zeros_pending as i64 - fraction.len() as i64;
    }

    fn push_zeros(&mut self, zeros: usize) {
        for _ in 0..zeros.min(U64_DIGITS) {
            self.digits = self.digits.saturating_mul(10);
        }
        self.count += zeros;
    }

    pub(super) fn whole(&self) -> Result<i64, Code> {
        if self.count == 0 {
            return Ok(0);
        }
        if self.exponent < 0 {
            return Err(Code::InvalidInteger);
        }
        let power = u32::try_from(self.exponent)
            .ok()
            .filter(|power| *power < 19);
        let (Some(power), true) = (power, self.count <= U64_DIGITS) else {
            return Err(Code::NumberOutOfRange);
        };
        let magnitude = i128::from(self.digits) * 10_i128.pow(power);
        let signed = if self.negative { -magnitude } else { magnitude };
        i64::try_from(signed).map_err(|_| Code::NumberOutOfRange)
    }

    /// The double that gives these digits back, if one does. The denormals next to zero have fewer
    /// digits than they show.
    pub(super) fn double(&self, source: &str) -> Option<f64> {
        match self.count {
            0 => Some(0.0),
            1..=SIGNIFICANT_DIGITS_MAX => source
                .parse()
                .ok()
                .filter(|double: &f64| double.is_normal()),
            _ => None,
        }
    }
}

/// At least one digit.
fn take_digits<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, tail) = rest.split_at(length);
    *rest = tail;
    (length > 0).then_some(digits)
}

/// The digits of an exponent, with their sign. Beyond a billion all of them are equally absurd.
fn take_power(rest: &mut &[u8]) -> Option<i64> {
    let mut sign = 1;
    if let [first @ (b'+' | b'-'), tail @ ..] = *rest {
        sign = if *first == b'-' { -1 } else { 1 };
        *rest = tail;
    }
    let absurd = 1_000_000_000;
    let power = take_digits(rest)?.iter().fold(0_i64, |power, byte| {
        (power * 10 + i64::from(byte - b'0')).min(absurd)
    });
    Some(sign * power)
}
