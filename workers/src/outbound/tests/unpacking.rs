//! The unpacking of sources and uploads.

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use tokio::io::BufReader;

use super::*;

async fn unpacked(bytes: &[u8], encoding: Option<&str>) -> Result<Vec<u8>, UnpackError> {
    let mut sink = Vec::new();
    let snapshot = unpack(bytes, encoding, &mut sink, &short()).await?;
    assert_eq!(snapshot.bytes, sink.len() as u64);
    assert_eq!(snapshot.wire_bytes, bytes.len() as u64);
    assert_eq!(snapshot.sha256, <[u8; 32]>::from(Sha256::digest(&sink)));
    Ok(sink)
}

async fn code_of(bytes: &[u8], encoding: Option<&str>) -> Code {
    match unpacked(bytes, encoding).await.unwrap_err() {
        UnpackError::Payload { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn plain_and_packed_payloads_become_the_same_snapshot() {
    let (zipped, squeezed) = (gzip(CSV).await, zstd(CSV).await);
    let twice = gzip(&zipped).await;
    let mixed = zstd(&zipped).await;
    for (bytes, encoding) in [
        (CSV, None),
        (CSV, Some("identity")),
        (CSV, Some("")),
        (&zipped, None),
        (&zipped, Some("gzip")),
        (&zipped, Some("X-GZIP")),
        (&squeezed, None),
        (&squeezed, Some("zstd")),
        (&twice, Some("gzip")),
        (&mixed, Some("zstd")),
    ] {
        assert_eq!(
            unpacked(bytes, encoding).await.unwrap(),
            CSV,
            "{encoding:?}"
        );
    }
}

#[tokio::test]
async fn every_member_of_a_packed_payload_is_read() {
    for pack in [gzip(CSV).await, zstd(CSV).await] {
        let three = pack.repeat(3);
        assert_eq!(unpacked(&three, None).await.unwrap(), CSV.repeat(3));
    }
}

#[tokio::test]
async fn a_bomb_stops_at_the_ratio() {
    let zeros = vec![0; 4 << 20];
    let (zipped, squeezed) = (gzip(&zeros).await, zstd(&zeros).await);
    let nested = gzip(&zipped).await;
    for (bomb, encoding) in [
        (&zipped, None),
        (&zipped, Some("gzip")),
        (&squeezed, None),
        (&nested, Some("gzip")),
    ] {
        let mut sink = Vec::new();
        let error = unpack(bomb.as_slice(), encoding, &mut sink, &short())
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "stopped at 100:1");
        assert!(sink.len() < (1 << 20) + (128 << 10), "{}", sink.len());
        assert_eq!(
            code_of(bomb, encoding).await,
            Code::PayloadTooLargeDecompressed
        );
    }
}

#[tokio::test]
async fn a_small_payload_may_pack_as_well_as_it_likes() {
    let zeros = vec![b'0'; 1 << 19];
    let packed = gzip(&zeros).await;
    assert!(packed.len() * 100 < zeros.len());
    assert_eq!(unpacked(&packed, None).await.unwrap(), zeros);
}

#[tokio::test]
async fn unpacking_stops_at_the_largest_size() {
    let limits = Limits {
        unpacked_bytes_max: 1000,
        ..short()
    };
    let exact = vec![b'a'; 1000];
    let mut sink = Vec::new();
    assert!(
        unpack(exact.as_slice(), None, &mut sink, &limits)
            .await
            .is_ok()
    );
    let above = gzip(&vec![b'a'; 1001]).await;
    let error = unpack(above.as_slice(), None, &mut sink, &limits)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "stopped at 1000 unpacked bytes");
}

#[tokio::test]
async fn a_cut_is_told_from_damage() {
    let text: Vec<u8> = (0..20_000_u32)
        .flat_map(|n| n.to_string().into_bytes())
        .collect();
    for pack in [gzip(&text).await, zstd(&text).await] {
        for left in [4, 12, pack.len() / 2, pack.len() - 1] {
            let code = code_of(&pack[..left], None).await;
            assert_eq!(code, Code::PayloadTruncated, "{left} of {}", pack.len());
        }
        let mut damaged = pack.clone();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 40].fill(0xa5);
        assert_eq!(code_of(&damaged, None).await, Code::PayloadCorrupt);
        let trailing = [pack.as_slice(), b"trailing garbage"].concat();
        assert_eq!(code_of(&trailing, None).await, Code::PayloadCorrupt);
        assert_eq!(code_of(CSV, Some("gzip")).await, Code::PayloadCorrupt);
    }
}

#[tokio::test]
async fn a_wrong_checksum_is_damage() {
    let mut packed = gzip(CSV).await;
    let checksum = packed.len() - 8;
    packed[checksum] ^= 1;
    assert_eq!(code_of(&packed, None).await, Code::PayloadCorrupt);
}

#[tokio::test]
async fn a_failing_reader_is_told_from_a_damaged_payload() {
    let packed = gzip(&CSV.repeat(1000)).await;
    let broken = breaking_after(packed[..20].to_vec());
    let error = unpack(broken, None, &mut Vec::new(), &short())
        .await
        .unwrap_err();
    assert!(matches!(error, UnpackError::Reader(_)), "{error:?}");
}

fn breaking_after(bytes: Vec<u8>) -> impl tokio::io::AsyncBufRead + Send + Unpin {
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let pieces = [Ok(bytes::Bytes::from(bytes)), Err(broken)];
    tokio_util::io::StreamReader::new(futures::stream::iter(pieces))
}

#[tokio::test]
async fn a_web_page_that_was_uploaded_is_left_to_the_readers() {
    assert!(unpacked(b"<!DOCTYPE html>", None).await.is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_survive_packing_in_any_pieces(
        bytes in proptest::collection::vec(any::<u8>(), 1..5000),
        piece in 1_usize..700,
        packing in 0..3,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (packed, encoding) = match packing {
                0 => (bytes.clone(), None),
                1 => (gzip(&bytes).await, Some("gzip")),
                _ => (zstd(&bytes).await, Some("zstd")),
            };
            let mut sink = Vec::new();
            let reader = BufReader::with_capacity(piece, packed.as_slice());
            let snapshot = unpack(reader, encoding, &mut sink, &short()).await.unwrap();
            assert_eq!(sink, bytes);
            assert_eq!(snapshot.wire_bytes, packed.len() as u64);
        });
    }
}
