//! Days and points in time, in the one form that every country reads alike. A day that the
//! calendar lacks, a leap second or a time without its zone is refused, never moved.

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Utc};

use super::Misfit;
use crate::cell::Cell;
use crate::code::Code;

pub(super) const DATE_FORM: &str = "YYYY-MM-DD";
pub(super) const DATETIME_FORM: &str =
    "YYYY-MM-DDThh:mm:ss with Z or an offset, such as 2024-12-31T23:59:59+01:00";
const ZONE_FORM: &str = "a zone at the end: Z or an offset, such as 2024-12-31T23:59:59+01:00";
const FRACTION_FORM: &str = "at most 6 digits after the seconds, such as 23:59:59.123456";
const YEARS_FORM: &str = "a time within the years 0001 to 9999 of UTC";

/// Postgres counts from 2000-01-01, chrono from 0000-12-31.
const EPOCH_FROM_CE: i32 = 730_120;
/// 2000-01-01 in seconds since 1970.
const EPOCH_UNIX_SECONDS: i64 = 946_684_800;
const DAY_MICROS: i64 = 86_400 * SECOND_MICROS;
const SECOND_MICROS: i64 = 1_000_000;
/// 0001-01-01 and 9999-12-31 as Postgres counts them.
const DAYS: std::ops::RangeInclusive<i32> = 1 - EPOCH_FROM_CE..=3_652_059 - EPOCH_FROM_CE;

pub(super) fn encode_date(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let day = match cell {
        Cell::Text(text) => day(text.as_bytes()),
        _ => None,
    };
    let Some(day) = day else {
        return Err(Misfit::new(Code::InvalidDate, DATE_FORM));
    };
    out.extend_from_slice(&day.to_be_bytes());
    Ok(())
}

pub(super) fn encode_datetime(cell: Cell<'_>, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let instant = match cell {
        Cell::Text(text) => instant(text.as_bytes()),
        _ => Err(DATETIME_FORM),
    };
    let instant = instant.map_err(|expected| Misfit::new(Code::InvalidDatetime, expected))?;
    out.extend_from_slice(&instant.to_be_bytes());
    Ok(())
}

/// The zone of a clock that shows UTC.
pub(super) const UTC: &str = "Z";

/// An instant as its column keeps it: microseconds since 2000-01-01 UTC.
#[must_use]
pub fn micros(instant: &DateTime<Utc>) -> i64 {
    instant.timestamp_micros() - EPOCH_UNIX_SECONDS * SECOND_MICROS
}

/// The day as `YYYY-MM-DD`; `None` outside the years 0001 to 9999.
pub(super) fn date_text(day: i32) -> Option<String> {
    let known = DAYS.contains(&day);
    let date = known.then(|| NaiveDate::from_num_days_from_ce_opt(day + EPOCH_FROM_CE))??;
    Some(date.to_string())
}

/// RFC 3339 in UTC with `Z`, its fraction only if there is one; `None` outside 0001 to 9999.
pub(super) fn datetime_text(micros: i64) -> Option<String> {
    let seconds = micros.div_euclid(SECOND_MICROS) + EPOCH_UNIX_SECONDS;
    let nanos = u32::try_from(micros.rem_euclid(SECOND_MICROS) * 1_000).ok()?;
    let known = in_years(micros);
    let instant = known.then(|| DateTime::<Utc>::from_timestamp(seconds, nanos))??;
    Some(instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

fn in_years(micros: i64) -> bool {
    i32::try_from(micros.div_euclid(DAY_MICROS)).is_ok_and(|day| DAYS.contains(&day))
}

/// Days since 2000-01-01.
fn day(text: &[u8]) -> Option<i32> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = *text else {
        return None;
    };
    let year = pair(y0, y1)? * 100 + pair(y2, y3)?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, pair(m0, m1)?, pair(d0, d1)?)?;
    (year > 0).then(|| date.num_days_from_ce() - EPOCH_FROM_CE)
}

/// Microseconds since 2000-01-01 UTC, or what was expected.
fn instant(text: &[u8]) -> Result<i64, &'static str> {
    let (date, rest) = text.split_at_checked(10).ok_or(DATETIME_FORM)?;
    let day = day(date).ok_or(DATETIME_FORM)?;
    let [b'T' | b't' | b' ', rest @ ..] = rest else {
        return Err(DATETIME_FORM);
    };
    let (clock, rest) = rest.split_at_checked(8).ok_or(DATETIME_FORM)?;
    let seconds = clock_seconds(clock).ok_or(DATETIME_FORM)?;
    let (micros, zone) = fraction(rest)?;
    let seconds = i64::from(seconds) - i64::from(offset_seconds(zone)?);
    let instant = i64::from(day) * DAY_MICROS + seconds * SECOND_MICROS + i64::from(micros);
    if in_years(instant) {
        Ok(instant)
    } else {
        Err(YEARS_FORM)
    }
}

fn clock_seconds(clock: &[u8]) -> Option<u32> {
    let [h0, h1, b':', m0, m1, b':', s0, s1] = *clock else {
        return None;
    };
    let (hour, minute, second) = (pair(h0, h1)?, pair(m0, m1)?, pair(s0, s1)?);
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

/// Microseconds and what follows them. Zeros beyond the sixth digit say nothing and may stand.
fn fraction(rest: &[u8]) -> Result<(u32, &[u8]), &'static str> {
    let [b'.', rest @ ..] = rest else {
        return Ok((0, rest));
    };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at(length);
    let (kept, beyond) = digits.split_at(length.min(6));
    if kept.is_empty() {
        return Err(DATETIME_FORM);
    }
    if beyond.iter().any(|digit| *digit != b'0') {
        return Err(FRACTION_FORM);
    }
    let micros = kept.iter().chain(&[b'0'; 6]).take(6);
    Ok((
        micros.fold(0, |micros, digit| micros * 10 + u32::from(digit - b'0')),
        rest,
    ))
}

/// Seconds east of UTC.
fn offset_seconds(zone: &[u8]) -> Result<i32, &'static str> {
    let (sign, hours, minutes) = match *zone {
        [] => return Err(ZONE_FORM),
        [b'Z' | b'z'] => return Ok(0),
        [sign, h0, h1, b':', m0, m1] | [sign, h0, h1, m0, m1] => (sign, pair(h0, h1), pair(m0, m1)),
        _ => return Err(DATETIME_FORM),
    };
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return Err(DATETIME_FORM),
    };
    match (hours, minutes) {
        (Some(hours @ 0..24), Some(minutes @ 0..60)) => {
            Ok(sign * (hours * 3600 + minutes * 60).cast_signed())
        }
        _ => Err(DATETIME_FORM),
    }
}

fn pair(tens: u8, ones: u8) -> Option<u32> {
    let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
    digits.then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misfit(text: &str) -> Option<&'static str> {
        instant(text.as_bytes()).err()
    }

    #[test]
    fn a_date_is_a_real_day_in_one_form() {
        for (text, expected) in [
            ("2000-01-01", 0),
            ("1999-12-31", -1),
            ("2024-02-29", 8825),
            ("0001-01-01", -730_119),
            ("9999-12-31", 2_921_939),
        ] {
            assert_eq!(day(text.as_bytes()), Some(expected), "{text}");
            assert_eq!(date_text(expected).as_deref(), Some(text));
        }
        for text in [
            "31-02-2024",
            "02/03/04",
            "2024-13-01",
            "2024-02-30",
            "2023-02-29",
            "1900-02-29",
            "20240-01-01",
            "0000-01-01",
            "2024-1-1",
            "2024-00-10",
            "2024-01-00",
            "20240101",
            " ",
            "2024-01-01 ",
            " 2024-01-01",
            "2024/01/01",
            "2024-01-01T00:00:00Z",
            "+024-01-01",
            "２０２４-01-01",
            "today",
            "infinity",
            "45292",
        ] {
            assert_eq!(day(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_datetime_is_kept_in_utc() {
        for (text, micros, utc) in [
            ("2000-01-01T00:00:00Z", 0, "2000-01-01T00:00:00Z"),
            ("2000-01-01t00:00:01z", 1_000_000, "2000-01-01T00:00:01Z"),
            ("2000-01-01 02:00:00+02:00", 0, "2000-01-01T00:00:00Z"),
            ("1999-12-31T18:30:00-0530", 0, "2000-01-01T00:00:00Z"),
            ("2000-01-01T00:00:00-00:00", 0, "2000-01-01T00:00:00Z"),
            (
                "1999-12-31T23:59:59.999999Z",
                -1,
                "1999-12-31T23:59:59.999999Z",
            ),
            (
                "2000-01-01T00:00:00.5Z",
                500_000,
                "2000-01-01T00:00:00.500Z",
            ),
            (
                "2000-01-01T00:00:00.1234560000Z",
                123_456,
                "2000-01-01T00:00:00.123456Z",
            ),
            // The hour that clocks skip in Amsterdam is an hour like any other once it has its zone.
            (
                "2024-03-31T02:30:00+01:00",
                765_163_800_000_000,
                "2024-03-31T01:30:00Z",
            ),
            (
                "0001-01-01T00:00:00Z",
                -63_082_281_600_000_000,
                "0001-01-01T00:00:00Z",
            ),
            (
                "9999-12-31T23:59:59Z",
                252_455_615_999_000_000,
                "9999-12-31T23:59:59Z",
            ),
        ] {
            assert_eq!(instant(text.as_bytes()), Ok(micros), "{text}");
            assert_eq!(datetime_text(micros).as_deref(), Some(utc));
        }
    }

    #[test]
    fn a_datetime_in_another_form_is_refused() {
        for text in [
            " ",
            "2024-01-01",
            "2024-01-01T",
            "2024-01-01T10:00Z",
            "2024-01-01T10:00:60Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T10:60:00Z",
            "2024-01-01T10:00:00.Z",
            "2024-01-01T10:00:00,5Z",
            "2024-01-01T10:00:00+2",
            "2024-01-01T10:00:00+24:00",
            "2024-01-01T10:00:00+02:60",
            "2024-01-01T10:00:00 +02:00",
            "2024-01-01T10:00:00ZZ",
            "2024-01-01T10:00:00 Europe/Amsterdam",
            "2024-01-01_10:00:00Z",
            "1704103200",
            "2024-02-30T10:00:00Z",
            "2024-01-01T10:00:00*02:00",
            "2024-01-01T10:00:00CET",
        ] {
            assert_eq!(misfit(text), Some(DATETIME_FORM), "{text}");
        }
        assert_eq!(misfit("2024-01-01T10:00:00"), Some(ZONE_FORM));
        assert_eq!(misfit("2024-01-01 10:00:00.25"), Some(ZONE_FORM));
        assert_eq!(misfit("2024-01-01T10:00:00.1234567Z"), Some(FRACTION_FORM));
        assert_eq!(misfit("0001-01-01T00:00:00+01:00"), Some(YEARS_FORM));
        assert_eq!(misfit("9999-12-31T23:59:59-01:00"), Some(YEARS_FORM));
    }

    #[test]
    fn days_beyond_four_digit_years_are_not_shown() {
        for day in [i32::MIN, i32::MAX, DAYS.start() - 1, DAYS.end() + 1] {
            assert_eq!(date_text(day), None, "{day}");
        }
        for micros in [i64::MIN, i64::MAX] {
            assert_eq!(datetime_text(micros), None, "{micros}");
        }
    }
}
