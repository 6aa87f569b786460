//! Frames: plain and compressed, cut off, damaged, with too much behind or in them.

use std::io::Write;

use bytes::Bytes;
use flate2::write::GzEncoder;
use lightlike_core::limits::Limits;
use lightlike_core::wire::{
    COMPRESSION_THRESHOLD_BYTES, Compression, FrameError, FrameOpener, Protocol, open_frame,
    seal_frame,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// As a server compresses: fast.
pub(crate) fn gzip(body: &[u8], out: &mut Vec<u8>) {
    let mut encoder = GzEncoder::new(out, flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap();
}

/// As a server compresses: fast.
pub(crate) fn brotli(body: &[u8], out: &mut Vec<u8>) {
    let params = brotli::enc::BrotliEncoderParams { quality: 1, ..Default::default() };
    brotli::BrotliCompress(&mut &*body, out, &params).unwrap();
}

fn compress(compression: Compression) -> fn(&[u8], &mut Vec<u8>) {
    match compression {
        Compression::None => |_, _| (),
        Compression::Gzip => gzip,
        Compression::Brotli => brotli,
    }
}

const COMPRESSED: [Compression; 2] = [Compression::Gzip, Compression::Brotli];

/// A body that is long enough to be compressed.
fn body() -> Vec<u8> {
    (0..5000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect()
}

fn sealed(compression: Compression) -> Vec<u8> {
    seal_frame(&body(), compression, compress(compression)).to_vec()
}

fn open(frame: impl Into<Bytes>) -> Result<Bytes, FrameError> {
    open_frame(frame.into(), &Limits::default())
}

#[test]
fn a_plain_body_is_not_copied() {
    let frame = seal_frame(&body(), Compression::None, |_, _| ());
    let opened = open(frame.clone()).unwrap();
    assert_eq!(opened.as_ptr(), frame[1..].as_ptr());
    assert_eq!(opened, body());
}

#[test]
fn a_compressed_body_is_what_was_sealed() {
    for compression in COMPRESSED {
        let frame = sealed(compression);
        assert!(frame.len() < body().len() / 2, "{compression:?} compresses");
        assert_eq!(open(frame).unwrap(), body());
    }
}

#[test]
fn a_short_body_is_not_compressed() {
    let at_threshold = [0; COMPRESSION_THRESHOLD_BYTES];
    for compression in COMPRESSED {
        let short = seal_frame(&at_threshold, compression, |_, _| panic!("compressed"));
        assert_eq!((short[0], short.len()), (0, 1 + COMPRESSION_THRESHOLD_BYTES));
        let long = seal_frame(&[0; 1025], compression, compress(compression));
        assert_ne!(long[0], 0);
    }
}

#[test]
fn a_frame_must_say_how_it_is_compressed() {
    assert_eq!(open(Bytes::new()), Err(FrameError::Empty));
    assert_eq!(open(vec![3, 0]), Err(FrameError::UnknownCompression(3)));
}

#[test]
fn truncated_compressed_frame_is_an_error() {
    let mut opener = FrameOpener::new();
    for compression in COMPRESSED {
        let frame = sealed(compression);
        for len in 1..frame.len() {
            let cut_off = Bytes::copy_from_slice(&frame[..len]);
            let error = opener.open(cut_off, &Limits::default()).unwrap_err();
            assert_eq!(error, FrameError::Truncated { compression, bytes: len });
        }
    }
}

#[test]
fn bytes_behind_a_compressed_body_are_an_error() {
    for compression in COMPRESSED {
        for tail in [&[0][..], &[0x1f, 0x8b, 8], &[0; 100]] {
            let error = open([sealed(compression), tail.to_vec()].concat()).unwrap_err();
            assert_eq!(error, FrameError::TrailingBytes { compression, left: tail.len() });
        }
    }
}

#[test]
fn two_compressed_bodies_are_not_one() {
    let mut frame = sealed(Compression::Gzip);
    let second = frame[1..].to_vec();
    let left = second.len();
    frame.extend(second);
    let compression = Compression::Gzip;
    assert_eq!(open(frame), Err(FrameError::TrailingBytes { compression, left }));
}

#[test]
fn damaged_gzip_byte_is_detected() {
    let frame = sealed(Compression::Gzip);
    // The header's flags, time and system are not part of what the checksum is over.
    for position in 11..frame.len() {
        let mut damaged = frame.clone();
        damaged[position] ^= 0x10;
        assert!(open(damaged).is_err(), "byte {position}");
    }
}

#[test]
fn a_body_under_the_wrong_tag_is_damaged() {
    let mut frame = sealed(Compression::Brotli);
    frame[0] = 2;
    let bytes = frame.len();
    assert_eq!(open(frame), Err(FrameError::Corrupt { compression: Compression::Gzip, bytes }));
}

#[test]
fn an_opener_opens_whatever_came_before() {
    let mut opener = FrameOpener::new();
    let large: Vec<u8> = body().repeat(20);
    let damaged = {
        let mut frame = sealed(Compression::Brotli);
        let middle = frame.len() / 2;
        frame.truncate(middle);
        frame
    };
    for body in [&body(), &large, &body(), &vec![1; 2000]] {
        for compression in COMPRESSED {
            let frame = seal_frame(body, compression, compress(compression));
            assert_eq!(opener.open(frame, &Limits::default()).unwrap(), *body);
            assert!(opener.open(damaged.clone().into(), &Limits::default()).is_err());
        }
    }
}

/// Opens a frame a piece at a time; how many it took.
fn open_in_pieces(
    opener: &mut FrameOpener,
    frame: Bytes,
    piece: usize,
) -> (Result<Bytes, FrameError>, usize) {
    let mut opened = opener.begin(frame, &Limits::default());
    for pieces in 0.. {
        match opened {
            Ok(Some(body)) => return (Ok(body), pieces),
            Ok(None) => opened = opener.proceed(piece),
            Err(error) => return (Err(error), pieces),
        }
    }
    unreachable!("it is opened before that")
}

#[test]
fn frame_opened_in_pieces_is_same() {
    let mut opener = FrameOpener::new();
    let body: Vec<u8> = body().repeat(20);
    for compression in COMPRESSED {
        let frame = seal_frame(&body, compression, compress(compression));
        for piece in [1, 1000, 30_000, 500_000] {
            let (opened, pieces) = open_in_pieces(&mut opener, frame.clone(), piece);
            assert_eq!(opened.unwrap(), body);
            let fewest = body.len() / piece.max(1000) / 4;
            assert!(pieces >= fewest, "{compression:?}: {pieces} pieces of {piece} bytes");
            let cut_off = frame.slice(..frame.len() - 3);
            let bytes = cut_off.len();
            let (opened, _) = open_in_pieces(&mut opener, cut_off, piece);
            assert_eq!(opened, Err(FrameError::Truncated { compression, bytes }));
            // One that is begun and not finished leaves nothing behind.
            assert_eq!(opener.begin(frame.clone(), &Limits::default()), Ok(None));
            let _ = opener.proceed(piece.min(1000));
        }
    }
    opener.stop();
    assert!(!opener.is_opening());
}

#[test]
fn a_small_frame_cannot_take_much_memory() {
    let limits = {
        let mut limits = Limits::default();
        limits.max_message_bytes = 1 << 20;
        limits
    };
    let zeros = vec![0; 16 << 20];
    for compression in COMPRESSED {
        let bomb = seal_frame(&zeros, compression, compress(compression));
        assert!(bomb.len() < zeros.len() / 100);
        let frame = bomb.len();
        let error = open_frame(bomb, &limits).unwrap_err();
        assert_eq!(error, FrameError::MessageTooLarge { frame, limit: 1 << 20 });
    }
}

#[test]
fn gigabyte_brotli_window_is_refused() {
    // The header of "large window" brotli, which the format of the web does not have, with 30 bits of window.
    let frame = vec![1, 0x11, 0x1e, 0, 0, 0, 0];
    assert!(matches!(open(frame), Err(FrameError::Corrupt { .. })));
}

#[test]
fn protocols_and_compressions_parse_handshake_names() {
    for protocol in Protocol::ALL {
        assert_eq!(Protocol::from_subprotocol(protocol.subprotocol()), Some(protocol));
    }
    assert_eq!(Protocol::from_subprotocol(""), Some(Protocol::V2));
    assert_eq!(Protocol::from_subprotocol("v1.bsatn.spacetimedb"), None);
    for compression in [Compression::None, Compression::Gzip, Compression::Brotli] {
        assert_eq!(Compression::from_query(compression.query()), Some(compression));
    }
    assert_eq!(Compression::from_query("gzip"), None);
}

proptest! {
    // A compressor in a debug build takes its time.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_body_survives_any_compression(body in vec(any::<u8>(), 0..4000)) {
        for compression in [Compression::None, Compression::Gzip, Compression::Brotli] {
            let frame = seal_frame(&body, compression, compress(compression));
            prop_assert_eq!(open(frame).unwrap(), body.clone());
        }
    }

    #[test]
    fn any_bytes_open_or_are_an_error(mut frame in vec(any::<u8>(), 1..200), tag in 0_u8..4) {
        frame[0] = tag;
        let _ = open(frame);
    }
}
