//! The two packings that Longshore opens, gzip and zstd, whether HTTP names them or the payload's
//! first bytes do. Both may hold several members, one after the other.

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use tokio::io::{AsyncBufRead, BufReader};

/// A reader whose type no longer tells how many packings it opens.
pub(super) type Layer<'a> = Box<dyn AsyncBufRead + Send + Unpin + 'a>;

/// The buffer between two packings.
const BUFFER_BYTES: usize = 64 << 10;

/// A packing of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    /// The packing that a Content-Encoding names; `None` for one that is not opened here.
    pub(super) fn named(encoding: Option<&str>) -> Option<Self> {
        let encoding = encoding.unwrap_or_default().trim().to_ascii_lowercase();
        match encoding.as_str() {
            "" | "identity" => Some(Self::None),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The packing that the first bytes show.
    pub(super) fn shown_by(head: &[u8]) -> Self {
        if head.starts_with(&[0x1f, 0x8b, 0x08]) {
            Self::Gzip
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Self::Zstd
        } else {
            Self::None
        }
    }

    /// Opens it. The decoders stop after the first member unless told otherwise, and what follows
    /// would be lost without a word.
    pub(super) fn open<'a>(self, packed: Layer<'a>) -> Layer<'a> {
        match self {
            Self::None => packed,
            Self::Gzip => {
                let mut decoder = GzipDecoder::new(packed);
                decoder.multiple_members(true);
                Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
            }
            Self::Zstd => {
                let mut decoder = ZstdDecoder::new(packed);
                decoder.multiple_members(true);
                Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
            }
        }
    }
}
