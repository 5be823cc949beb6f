//! Framing vectors, round trips through every codec and level, and hostile streams.

use proptest::prelude::*;

use super::*;
use crate::batch::Magic;
use crate::vectors::hex;

const PLENTY: u64 = 1 << 30;

fn compress(compression: Compression, bytes: &[u8], magic: Magic) -> Vec<u8> {
    let mut compressor = Compressor::new(compression, Vec::new(), magic).unwrap();
    for piece in bytes.chunks(1000) {
        compressor.write(piece).unwrap();
    }
    compressor.finish().unwrap()
}

fn decompress(codec: Codec, bytes: &[u8], magic: Magic, bytes_max: u64) -> Result<Vec<u8>, CompressionError> {
    Decompressor::new(codec, bytes, magic, bytes_max)?.read_to_end()
}

fn mixed(length: usize) -> Vec<u8> {
    (0..length).map(|i| if i % 3 == 0 { (i / 7) as u8 } else { ((i * i) >> 5) as u8 }).collect()
}

#[test]
fn every_codec_and_level_round_trips() {
    #[track_caller]
    fn check(compression: Compression) {
        for length in [0, 1, 1000, 32 * 1024, 64 * 1024, 65 * 1024, 300_000] {
            for magic in [Magic::V0, Magic::V1, Magic::V2] {
                let bytes = mixed(length);
                let compressed = compress(compression, &bytes, magic);
                assert_eq!(decompress(compression.codec(), &compressed, magic, PLENTY), Ok(bytes));
            }
        }
    }
    for codec in Codec::ALL {
        check(Compression::of(codec));
    }
    check(Compression::with_level(Codec::Gzip, 1));
    check(Compression::with_level(Codec::Gzip, 9));
    check(Compression::with_level(Codec::Gzip, -1));
    check(Compression::with_level(Codec::Zstd, -131_072));
    check(Compression::with_level(Codec::Zstd, 19));
    for level in [1, 2, 3, 9, 12, 17] {
        check(Compression::with_level(Codec::Lz4, level));
    }
}

#[test]
fn levels_matter() {
    let text: Vec<u8> =
        (0..20_000).flat_map(|n| format!("{} fox {} ", n % 97, n % 1009).into_bytes()).collect();
    let size = |codec, level| compress(Compression::with_level(codec, level), &text, Magic::V2).len();
    assert!(size(Codec::Gzip, 9) < size(Codec::Gzip, 1));
    assert!(size(Codec::Zstd, 19) < size(Codec::Zstd, -50));
    assert!(size(Codec::Lz4, 17) < size(Codec::Lz4, 1));
    assert!(size(Codec::Lz4, 12) < size(Codec::Lz4, 9), "9 is the fast compressor");
    assert_eq!(
        compress(Compression::with_level(Codec::Lz4, 9), &text, Magic::V2),
        compress(Compression::of(Codec::Lz4), &text, Magic::V2)
    );
}

#[test]
fn snappy_framed_and_raw() {
    let framed = hex("82534e4150505900 00000001 00000001 00000007 051068656c6c6f");
    assert_eq!(compress(Compression::of(Codec::Snappy), b"hello", Magic::V2), framed);
    assert_eq!(decompress(Codec::Snappy, &framed, Magic::V2, PLENTY).unwrap(), b"hello");
    let raw = &framed[framed.len() - 7..];
    assert_eq!(decompress(Codec::Snappy, raw, Magic::V2, PLENTY).unwrap(), b"hello");
    let joined = [framed.clone(), framed.clone()].concat();
    assert_eq!(decompress(Codec::Snappy, &joined, Magic::V2, PLENTY).unwrap(), b"hellohello");
}

#[test]
fn lz4_header_checksum() {
    let correct = hex("04224d18604082");
    let wrong = hex("04224d1860401a");
    let lz4 = Compression::of(Codec::Lz4);
    assert!(compress(lz4, b"x", Magic::V1).starts_with(&correct));
    assert!(compress(lz4, b"x", Magic::V0).starts_with(&wrong));
    let frame = compress(lz4, b"hello", Magic::V0);
    assert_eq!(decompress(Codec::Lz4, &frame, Magic::V0, PLENTY).unwrap(), b"hello");
    assert!(decompress(Codec::Lz4, &frame, Magic::V2, PLENTY).is_err());
    let frame = compress(lz4, b"hello", Magic::V2);
    assert_eq!(decompress(Codec::Lz4, &frame, Magic::V0, PLENTY).unwrap(), b"hello");
}

/// Frames as the `lz4` tool and librdkafka write them: larger blocks, checksums, content size.
#[test]
fn lz4_frames_of_others() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    use std::io::Write;
    let bytes = mixed(700_000);
    for block_size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB] {
        let info = FrameInfo::new()
            .block_size(block_size)
            .block_checksums(true)
            .content_checksum(true)
            .content_size(Some(bytes.len() as u64));
        let frame = |mode| {
            let mut encoder = FrameEncoder::with_frame_info(info.clone().block_mode(mode), Vec::new());
            encoder.write_all(&bytes).unwrap();
            encoder.finish().unwrap()
        };
        let mut independent = frame(BlockMode::Independent);
        assert_eq!(decompress(Codec::Lz4, &independent, Magic::V2, PLENTY).unwrap(), bytes);
        assert!(decompress(Codec::Lz4, &frame(BlockMode::Linked), Magic::V2, PLENTY).is_err());
        independent[100] ^= 1;
        assert!(decompress(Codec::Lz4, &independent, Magic::V2, PLENTY).is_err());
    }
    let ours = compress(Compression::of(Codec::Lz4), &bytes, Magic::V2);
    let mut theirs = Vec::new();
    std::io::Read::read_to_end(&mut lz4_flex::frame::FrameDecoder::new(ours.as_slice()), &mut theirs)
        .unwrap();
    assert_eq!(theirs, bytes);
}

#[test]
fn cut_off_streams_are_errors() {
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd] {
        let compressed = compress(Compression::of(codec), &mixed(100_000), Magic::V2);
        for length in [1, 5, 20, compressed.len() / 2, compressed.len() - 1] {
            assert!(
                decompress(codec, &compressed[..length], Magic::V2, PLENTY).is_err(),
                "{codec:?} cut off at {length}"
            );
        }
    }
    let snappy = compress(Compression::of(Codec::Snappy), &mixed(100_000), Magic::V2);
    assert!(decompress(Codec::Snappy, &snappy[..snappy.len() - 1], Magic::V2, PLENTY).is_err());
}

#[test]
fn the_bound_holds() {
    let zeros = vec![0u8; 10_000_000];
    for codec in Codec::ALL {
        let compressed = compress(Compression::of(codec), &zeros, Magic::V2);
        let error = decompress(codec, &compressed, Magic::V2, 1_000_000).unwrap_err();
        assert_eq!(error, CompressionError::TooLarge { bytes_max: 1_000_000 }, "{codec:?}");
        assert_eq!(decompress(codec, &compressed, Magic::V2, 10_000_000).unwrap().len(), zeros.len());
    }
}

#[test]
fn snappy_lies_about_its_length() {
    // A raw block of a few bytes that claims 2^32 - 1.
    let lie = hex("ffffffff0f 00 61");
    assert!(decompress(Codec::Snappy, &lie, Magic::V2, u64::MAX).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..5000), repeat in 1usize..40) {
        let bytes = bytes.repeat(repeat);
        for codec in Codec::ALL {
            let compressed = compress(Compression::of(codec), &bytes, Magic::V2);
            prop_assert_eq!(&decompress(codec, &compressed, Magic::V2, PLENTY).unwrap(), &bytes);
        }
    }

    #[test]
    fn damaged_streams_never_panic(
        seed in proptest::collection::vec(any::<u8>(), 1..300),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        for codec in Codec::ALL {
            let mut compressed = compress(Compression::of(codec), &seed.repeat(20), Magic::V2);
            for (at, byte) in &changes {
                let at = at.index(compressed.len());
                compressed[at] = *byte;
            }
            if let Ok(bytes) = decompress(codec, &compressed, Magic::V2, 1 << 20) {
                prop_assert!(bytes.len() <= 1 << 20);
            }
            let _ = decompress(codec, &seed, Magic::V0, 1 << 20);
        }
    }
}
