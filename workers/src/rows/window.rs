//! The part of the payload that is held in memory: always as full as its size allows, so that how
//! the source happens to split its bytes can never show in what is read.

use std::io::{self, ErrorKind, Read};

use longshore_core::limits::ROW_BYTES_MAX;

const BYTES_AT_FIRST: usize = 128 << 10;
/// Small payloads, of which there are many, need no more room than this; it grows to a window's in steps.
const ROOM_AT_FIRST: usize = 4 << 10;

/// A row that is not complete within this many bytes is too long, its line end included.
pub(super) const ROW_AND_END_BYTES_MAX: usize = ROW_BYTES_MAX + 2;

/// The bytes held, and whether the payload ends with them.
#[derive(Clone, Copy)]
pub(super) struct Held<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) ended: bool,
}

impl<'a> Held<'a> {
    /// Without the first bytes.
    pub(super) fn from(self, at: usize) -> Held<'a> {
        Held {
            bytes: &self.bytes[at..],
            ended: self.ended,
        }
    }
}

/// A sliding window over the source. Grows only for a row that does not fit.
pub(super) struct Window<R> {
    source: R,
    /// How much it holds.
    size: usize,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    passed: u64,
}

impl<R: Read> Window<R> {
    pub(super) fn new(source: R) -> Window<R> {
        Window::sized(source, BYTES_AT_FIRST)
    }

    /// A window of another size, which nobody should notice.
    pub(super) fn sized(source: R, size: usize) -> Window<R> {
        Window {
            source,
            size,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            ended: false,
            passed: 0,
        }
    }

    /// The bytes held and not yet consumed.
    #[inline]
    pub(super) fn data(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The same, with whether anything follows.
    #[inline]
    pub(super) fn held(&self) -> Held<'_> {
        Held {
            bytes: self.data(),
            ended: self.ended,
        }
    }

    /// How many bytes of the payload lie before [`Window::data`].
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    #[inline]
    pub(super) fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.passed += bytes as u64;
    }

    /// Reads until the window is full or the source ends; doubles a window that is full already.
    /// An error leaves all bytes where they are.
    pub(super) fn more(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.size {
            self.size *= 2;
        }
        while !self.ended && self.end < self.size {
            if self.end == self.buffer.len() {
                let room = (self.end * 8).max(ROOM_AT_FIRST);
                self.buffer.resize(room.min(self.size), 0);
            }
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(bytes) => self.end += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
