//! The tokens of JSON (RFC 8259), checked to the letter: strings, numbers, literals, white space.
//! Bytes in, lengths out; nothing is decoded but escapes, and those on request.

use super::row::Kind;

/// Why a value was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It goes on behind the bytes held; so far it is JSON.
    Short,
    /// The byte at this place cannot stand there.
    Bad(usize, &'static str),
}

/// A place in bytes that are being read as JSON.
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// Nothing follows: a number may end with the bytes.
    pub(super) whole: bool,
}

/// Eight bytes of this value.
const fn eight(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Marks the high bit of bytes that a string may not hold as they are: quotes, backslashes and
/// controls. The lowest mark is right; one above it may be the borrow of a subtraction.
#[inline]
fn marks(word: u64) -> u64 {
    let zeros = |word: u64| word.wrapping_sub(eight(1)) & !word;
    let controls = word.wrapping_sub(eight(0x20)) & !word;
    (zeros(word ^ eight(b'"')) | zeros(word ^ eight(b'\\')) | controls) & eight(0x80)
}

/// How many bytes at the start a string may hold as they are. Looks at eight at once.
#[inline]
pub(super) fn plain(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return place * 8 + (marks.trailing_zeros() / 8) as usize;
        }
    }
    let is_plain = |byte: &&u8| marks(eight(**byte)) == 0;
    words.len() * 8 + tail.iter().take_while(is_plain).count()
}

impl Cursor<'_> {
    #[inline]
    pub(super) fn peek(&self) -> Result<u8, Stop> {
        self.bytes.get(self.at).copied().ok_or(Stop::Short)
    }

    /// The bytes that were not read yet.
    #[inline]
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn white(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    #[inline]
    pub(super) fn bad<T>(&self, hint: &'static str) -> Result<T, Stop> {
        Err(Stop::Bad(self.at, hint))
    }

    /// A value that holds no other; true for a string with escapes.
    #[inline]
    pub(super) fn scalar(&mut self) -> Result<(Kind, bool), Stop> {
        match self.peek()? {
            b'"' => Ok((Kind::Text, self.string()?)),
            b'-' | b'0'..=b'9' => self.number().map(|()| (Kind::Number, false)),
            b't' => self.literal(b"true").map(|()| (Kind::True, false)),
            b'f' => self.literal(b"false").map(|()| (Kind::False, false)),
            b'n' => self.literal(b"null").map(|()| (Kind::Null, false)),
            other => self.bad(value_hint(other)),
        }
    }

    /// Moves behind a string whose opening quote is next. True if it holds escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Result<bool, Stop> {
        self.at += 1;
        let mut escaped = false;
        loop {
            self.at += plain(self.rest());
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(escaped);
                }
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return self.bad("control characters and line ends in a string are escaped"),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Stop> {
        self.at += 1;
        match self.peek()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => match self.unit()? {
                0xD800..=0xDBFF => self.low_surrogate()?,
                0xDC00..=0xDFFF => return self.lone_surrogate(),
                _ => {}
            },
            _ => return self.bad("JSON has no such escape"),
        }
        Ok(())
    }

    /// The four hexadecimal digits behind a `u`, which is next.
    fn unit(&mut self) -> Result<u32, Stop> {
        self.at += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = char::from(self.peek()?).to_digit(16) else {
                return self.bad("\\u takes four hexadecimal digits");
            };
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn low_surrogate(&mut self) -> Result<(), Stop> {
        for wanted in [b'\\', b'u'] {
            if self.peek()? != wanted {
                return self.lone_surrogate();
            }
            self.at += 1;
        }
        self.at -= 1;
        match self.unit()? {
            0xDC00..=0xDFFF => Ok(()),
            _ => self.lone_surrogate(),
        }
    }

    fn lone_surrogate<T>(&self) -> Result<T, Stop> {
        self.bad("half of a surrogate pair stands alone")
    }

    fn number(&mut self) -> Result<(), Stop> {
        self.at += usize::from(self.peek()? == b'-');
        match self.peek()? {
            b'0' => {
                self.at += 1;
                if let Some(b'0'..=b'9') = self.bytes.get(self.at) {
                    return self.bad("a number may not start with 0");
                }
            }
            b'1'..=b'9' => self.digits()?,
            _ => return self.bad("a digit was expected; NaN and Infinity are not JSON"),
        }
        if let Some(b'.') = self.bytes.get(self.at) {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek()?, b'+' | b'-'));
            self.digits()?;
        }
        if self.at == self.bytes.len() && !self.whole {
            return Err(Stop::Short);
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Stop> {
        if !self.peek()?.is_ascii_digit() {
            return self.bad("a digit was expected");
        }
        while let Some(b'0'..=b'9') = self.bytes.get(self.at) {
            self.at += 1;
        }
        Ok(())
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Stop> {
        for wanted in word {
            if self.peek()? != *wanted {
                return self.bad("a word without quotes is true, false or null");
            }
            self.at += 1;
        }
        Ok(())
    }
}

/// What to say of a byte that starts no value.
fn value_hint(byte: u8) -> &'static str {
    match byte {
        b'\'' => "strings have double quotes, not single ones",
        b'/' | b'#' => "JSON has no comments",
        b'N' | b'I' => "NaN and Infinity are not JSON",
        b'+' => "a number has no leading +",
        b'.' => "a number has a digit before its point",
        b']' | b'}' | b',' => "a value is missing",
        _ => "a value was expected",
    }
}

/// Writes out a string that was read with escapes, without its quotes.
pub(super) fn unescape(written: &str, text: &mut String) {
    let mut rest = written;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let (character, length) = decode(escape);
        text.push(character);
        rest = escape.get(length..).unwrap_or_default();
    }
    text.push_str(rest);
}

/// The character of an escape, and how many bytes it takes behind its backslash.
fn decode(escape: &str) -> (char, usize) {
    match escape.as_bytes().first() {
        Some(b'b') => ('\u{8}', 1),
        Some(b'f') => ('\u{c}', 1),
        Some(b'n') => ('\n', 1),
        Some(b'r') => ('\r', 1),
        Some(b't') => ('\t', 1),
        Some(b'u') => match (hex(escape, 1), hex(escape, 7)) {
            (high @ 0xD800..=0xDBFF, low) => {
                let point = 0x10000 + ((high - 0xD800) << 10) + (low.wrapping_sub(0xDC00) & 0x3FF);
                (
                    char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER),
                    11,
                )
            }
            (unit, _) => (
                char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER),
                5,
            ),
        },
        Some(other) => (char::from(*other), 1),
        None => (char::REPLACEMENT_CHARACTER, 0),
    }
}

fn hex(escape: &str, at: usize) -> u32 {
    let digits = escape.get(at..at + 4).unwrap_or_default();
    u32::from_str_radix(digits, 16).unwrap_or(0)
}
