//! Gathers what the bytes of a payload say about its encoding while they are read for the survey.
//! Asked only where nothing declares one and the payload is not UTF-8. The only answer that is
//! relied on is Windows-1252; any other is good for a hint.

use std::io::{self, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, WINDOWS_1252};

/// As many bytes as this, from the first sequence on that is not UTF-8, are enough to tell an encoding.
const TOLD_BY_BYTES: usize = 1 << 20;
/// And so many before it, since letters are told by their neighbours.
const CONTEXT_BYTES: usize = 32;
/// Of a hundred sequences beyond ASCII, so many at most may be UTF-8 by accident.
const ACCIDENTS_PERCENT: u64 = 5;

/// What was seen so far.
pub(crate) struct Evidence {
    /// The first bytes, among which a byte order mark would stand.
    mark: Vec<u8>,
    /// Sequences beyond ASCII that are UTF-8.
    valid: u64,
    /// Those that are not.
    invalid: u64,
    /// The beginning of a sequence that goes on in the next part.
    begun: Vec<u8>,
    /// The last bytes, as long as all are UTF-8.
    before: Vec<u8>,
    detector: EncodingDetector,
    told: usize,
}

impl Evidence {
    pub(crate) fn new() -> Evidence {
        Evidence {
            mark: Vec::new(),
            valid: 0,
            invalid: 0,
            begun: Vec::new(),
            before: Vec::new(),
            detector: EncodingDetector::new(Iso2022JpDetection::Deny),
            told: 0,
        }
    }

    /// The encoding that may be relied on: Windows-1252, where next to nothing is UTF-8 and the
    /// bytes look like it.
    pub(crate) fn verdict(&self) -> Option<&'static str> {
        let all = self.valid + self.invalid;
        let is_utf8 = self.valid * 100 > all * ACCIDENTS_PERCENT;
        let sure = self.guess() == Some(WINDOWS_1252) && !is_utf8;
        sure.then_some("windows-1252")
    }

    /// What it looks like; nothing if it is marked, or all of it is UTF-8.
    pub(crate) fn guess(&self) -> Option<&'static Encoding> {
        if self.invalid == 0 || Encoding::for_bom(&self.mark).is_some() {
            return None;
        }
        Some(self.detector.guess(None, Utf8Detection::Deny))
    }

    fn see(&mut self, part: &[u8]) {
        if self.mark.len() < 3 {
            let missing = 3 - self.mark.len();
            self.mark.extend(part.iter().take(missing));
        }
        if part.is_ascii() && self.begun.is_empty() && self.invalid == 0 {
            self.remember(part);
            return;
        }
        let mut bytes = std::mem::take(&mut self.begun);
        bytes.extend_from_slice(part);
        let whole = bytes.len() - unfinished(&bytes);
        let rest = bytes.split_off(whole);
        self.judge(&bytes);
        self.begun = rest;
    }

    /// The detector takes its time, and what is UTF-8 needs none: it hears what comes from the first
    /// sequence on that is not, and what stands just before it.
    fn judge(&mut self, bytes: &[u8]) {
        let was_valid = self.invalid == 0;
        self.count(bytes);
        match (was_valid, self.invalid == 0) {
            (_, true) => self.remember(bytes),
            (true, false) => {
                let valid =
                    std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
                self.remember(&bytes[..valid]);
                let before = std::mem::take(&mut self.before);
                self.tell(&before);
                self.tell(&bytes[valid..]);
            }
            (false, false) => self.tell(bytes),
        }
    }

    fn tell(&mut self, bytes: &[u8]) {
        let heard = bytes.len().min(TOLD_BY_BYTES - self.told);
        self.told += heard;
        self.detector.feed(&bytes[..heard], false);
    }

    /// Keeps the last bytes of what was seen.
    fn remember(&mut self, bytes: &[u8]) {
        let last = &bytes[bytes.len().saturating_sub(CONTEXT_BYTES)..];
        self.before.extend_from_slice(last);
        let surplus = self.before.len().saturating_sub(CONTEXT_BYTES);
        self.before.drain(..surplus);
    }

    fn count(&mut self, bytes: &[u8]) {
        // Nearly always all of it is UTF-8, which this finds several times as fast.
        if let Ok(text) = std::str::from_utf8(bytes) {
            self.valid += leads(text);
            return;
        }
        for chunk in bytes.utf8_chunks() {
            self.valid += leads(chunk.valid());
            self.invalid += u64::from(!chunk.invalid().is_empty());
        }
    }
}

/// How many sequences beyond ASCII there are. Counted in parts for which a byte suffices: many bytes
/// are then counted by one instruction.
fn leads(text: &str) -> u64 {
    let parts = text.as_bytes().chunks(usize::from(u8::MAX));
    let leads = |part: &[u8]| part.iter().map(|byte| u8::from(*byte >= 0xC0)).sum::<u8>();
    parts.map(|part| u64::from(leads(part))).sum()
}

/// How many bytes at the end begin a sequence that is not complete yet.
fn unfinished(bytes: &[u8]) -> usize {
    let tail = bytes.len().min(3);
    let starts = (1..=tail).find(|back| bytes[bytes.len() - back] >= 0xC0);
    let Some(back) = starts else {
        return 0;
    };
    match std::str::from_utf8(&bytes[bytes.len() - back..]) {
        Err(error) if error.error_len().is_none() => back,
        _ => 0,
    }
}

/// A source that is watched while somebody reads it.
pub(crate) struct Watched<'a, R> {
    pub(crate) source: R,
    pub(crate) evidence: &'a mut Evidence,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.evidence.see(&buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(bytes: &[u8], part: usize) -> Evidence {
        let mut evidence = Evidence::new();
        for part in bytes.chunks(part) {
            evidence.see(part);
        }
        evidence
    }

    fn verdict(text: &str, encoding: &'static Encoding) -> Option<&'static str> {
        let (bytes, _, unmappable) = encoding.encode(text);
        assert!(!unmappable, "{text}");
        seen(&bytes, 7).verdict()
    }

    #[test]
    fn windows_1252_is_told_and_no_other_encoding_is_taken_for_it() {
        let german = "name;city\nJürgen Groß;Köln\nZoë Müller;Düsseldorf\nJosé Peña;Málaga\n";
        let polish = "imię;miasto\nŁukasz Wójcik;Łódź\nStanisław Dąbrowski;Gdańsk\n";
        let russian = "имя;город\nИван Петров;Москва\nМария Иванова;Казань\n";
        let greek = "όνομα;πόλη\nΓιώργος Παπαδόπουλος;Αθήνα\nΜαρία;Θεσσαλονίκη\n";
        let japanese = "名前;市\n山田太郎;東京都\n鈴木花子;大阪市\n";
        assert_eq!(verdict(german, WINDOWS_1252), Some("windows-1252"));
        assert_eq!(verdict(german, encoding_rs::UTF_8), None);
        for (text, encoding) in [
            (polish, encoding_rs::WINDOWS_1250),
            (russian, encoding_rs::WINDOWS_1251),
            (russian, encoding_rs::KOI8_R),
            (greek, encoding_rs::WINDOWS_1253),
            (japanese, encoding_rs::SHIFT_JIS),
            (japanese, encoding_rs::EUC_JP),
        ] {
            assert_eq!(verdict(text, encoding), None, "{}", encoding.name());
        }
    }

    #[test]
    fn text_of_two_encodings_is_told_to_be_neither() {
        let mut mixed = "Zoë;Köln;Müller;Málaga\n".repeat(3).into_bytes();
        mixed.extend_from_slice(&WINDOWS_1252.encode("Zoë;Köln;Müller;Málaga\n").0);
        assert_eq!(seen(&mixed, 5).verdict(), None);
    }

    #[test]
    fn sequences_are_counted_however_many_there_are() {
        for count in [0, 1, 254, 255, 256, 257, 10_000] {
            assert_eq!(leads(&"é".repeat(count)), count as u64);
            assert_eq!(
                seen("né".repeat(count).as_bytes(), 1_000).valid,
                count as u64
            );
        }
    }

    proptest! {
        #[test]
        fn evidence_is_the_same_however_the_bytes_are_cut(
            bytes in prop::collection::vec(prop_oneof![0x20..0x7F_u8, any::<u8>()], 0..200),
            part in 1..9_usize,
        ) {
            let (cut, whole) = (seen(&bytes, part), seen(&bytes, 1_000));
            let tail = |evidence: &Evidence| evidence.begun.len();
            prop_assert_eq!((cut.valid, cut.invalid, tail(&cut)), (whole.valid, whole.invalid, tail(&whole)));
            prop_assert_eq!(cut.guess(), whole.guess());
        }

        #[test]
        fn utf8_is_never_taken_for_anything_else(text in "\\PC{0,200}", part in 1..9_usize) {
            prop_assert_eq!(seen(text.as_bytes(), part).guess(), None);
        }
    }
}
