//! Other encodings than UTF-8, turned into it on the way. What cannot be decoded becomes a byte that
//! no UTF-8 has, so that its row is rejected like any other with bytes of the kind; nothing is
//! replaced by a character that was not there.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, WINDOWS_1252};

/// Stands for what cannot be decoded.
const UNDECODABLE: u8 = 0xFF;
const PART_BYTES: usize = 16 << 10;

/// A source in some encoding, read as UTF-8.
pub struct Decoded<R> {
    source: R,
    decoder: Decoder,
    /// Windows-1252 leaves five bytes without a meaning, which decoders turn into controls.
    refuses_controls: bool,
    raw: Vec<u8>,
    raw_at: usize,
    text: Vec<u8>,
    text_at: usize,
    source_ended: bool,
    ended: bool,
}

impl<R: Read> Decoded<R> {
    /// Reads `source` as `encoding`; a byte order mark of its own is dropped.
    pub fn new(encoding: &'static Encoding, source: R) -> Decoded<R> {
        Decoded {
            source,
            decoder: encoding.new_decoder_with_bom_removal(),
            refuses_controls: encoding == WINDOWS_1252,
            raw: Vec::new(),
            raw_at: 0,
            text: Vec::new(),
            text_at: 0,
            source_ended: false,
            ended: false,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        while self.text_at == self.text.len() && !self.ended {
            if self.raw_at == self.raw.len() && !self.source_ended {
                self.raw.resize(PART_BYTES, 0);
                let read = self.source.read(&mut self.raw)?;
                self.raw.truncate(read);
                self.raw_at = 0;
                self.source_ended = read == 0;
            }
            self.decode();
        }
        Ok(())
    }

    fn decode(&mut self) {
        self.text.clear();
        self.text_at = 0;
        let mut text = [0; PART_BYTES];
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
            &self.raw[self.raw_at..],
            &mut text,
            self.source_ended,
        );
        self.raw_at += read;
        self.text.extend_from_slice(&text[..written]);
        if self.refuses_controls {
            refuse_controls(&mut self.text);
        }
        match result {
            DecoderResult::Malformed(..) => self.text.push(UNDECODABLE),
            DecoderResult::InputEmpty => self.ended = self.source_ended,
            DecoderResult::OutputFull => {}
        }
    }
}

/// The controls U+0080 to U+009F are `C2 80` to `C2 9F`; no byte of Windows-1252 means one of them.
fn refuse_controls(text: &mut [u8]) {
    for place in 1..text.len() {
        if text[place - 1] == 0xC2 && (0x80..=0x9F).contains(&text[place]) {
            text[place - 1] = UNDECODABLE;
            text[place] = UNDECODABLE;
        }
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.fill()?;
        let there = &self.text[self.text_at..];
        let count = there.len().min(buffer.len());
        buffer[..count].copy_from_slice(&there[..count]);
        self.text_at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives its bytes in pieces of these sizes.
    struct Pieces<'a>(&'a [u8], Vec<usize>, usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.1[self.2 % self.1.len()]
                .min(self.0.len())
                .min(buffer.len());
            self.2 += 1;
            buffer[..size].copy_from_slice(&self.0[..size]);
            self.0 = &self.0[size..];
            Ok(size)
        }
    }

    fn decoded(encoding: &'static Encoding, bytes: &[u8], sizes: Vec<usize>) -> Vec<u8> {
        let mut text = Vec::new();
        let mut source = Decoded::new(encoding, Pieces(bytes, sizes, 0));
        source.read_to_end(&mut text).unwrap();
        text
    }

    proptest! {
        #[test]
        fn text_comes_back_however_it_is_cut(text in "\\PC{0,300}", sizes in prop::collection::vec(1..9_usize, 1..6)) {
            for encoding in [encoding_rs::UTF_16LE, encoding_rs::UTF_16BE] {
                let units = text.encode_utf16();
                let bytes: Vec<u8> = match encoding == encoding_rs::UTF_16LE {
                    true => units.flat_map(u16::to_le_bytes).collect(),
                    false => units.flat_map(u16::to_be_bytes).collect(),
                };
                prop_assert_eq!(decoded(encoding, &bytes, sizes.clone()), text.as_bytes());
            }
        }

        #[test]
        fn any_bytes_are_decoded_or_marked_and_never_replaced(bytes in prop::collection::vec(any::<u8>(), 0..400), sizes in prop::collection::vec(1..9_usize, 1..6)) {
            for encoding in [WINDOWS_1252, encoding_rs::ISO_8859_15, encoding_rs::UTF_16LE] {
                let whole = decoded(encoding, &bytes, vec![bytes.len().max(1)]);
                prop_assert_eq!(&decoded(encoding, &bytes, sizes.clone()), &whole);
                let marks = whole.iter().filter(|byte| **byte == UNDECODABLE).count();
                if encoding == WINDOWS_1252 {
                    let undefined = bytes.iter().filter(|byte| matches!(byte, 0x81 | 0x8D | 0x8F | 0x90 | 0x9D));
                    prop_assert_eq!(marks, 2 * undefined.count());
                }
                let kept: Vec<u8> = whole.into_iter().filter(|byte| *byte != UNDECODABLE).collect();
                let replaced = String::from_utf8_lossy(&kept).contains(char::REPLACEMENT_CHARACTER);
                prop_assert!(!replaced || encoding == encoding_rs::UTF_16LE && bytes.windows(2).any(|pair| pair == [0xFD, 0xFF]));
            }
        }
    }
}
