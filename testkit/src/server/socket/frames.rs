//! WebSocket frames of the server's side, written by hand: tests must be able to break them.

use std::io::Write;

use bytes::Bytes;
use lightlike_core::bsatn::EncodeError;
use lightlike_core::wire::{Compression, Protocol, ServerMessage, encode_server, seal_frame};

/// Number of payload bytes in one frame of a message.
///
/// # Source
///
/// The server cuts every message so, to let control frames pass.
const FRAME_BYTES: usize = 4096;

/// Number of message bytes that v3 puts into one frame; a single message may be larger.
///
/// # Source
///
/// SpacetimeDB 2.14.0.
const BATCH_BYTES: usize = 512 << 10;

const CONTINUATION: u8 = 0x0;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const FINAL: u8 = 0x80;

/// Compression of frames for a client that asked for `wanted`: gzip in place of brotli, in a build without.
const fn built(wanted: Compression) -> Compression {
    match wanted {
        Compression::Brotli if !cfg!(feature = "brotli") => Compression::Gzip,
        built => built,
    }
}

/// The payloads that carry `messages`: one each on v2, as few as the batch's size allows on v3.
pub(crate) fn payloads(
    messages: &[ServerMessage],
    protocol: Protocol,
    compression: Compression,
) -> Result<Vec<Bytes>, EncodeError> {
    let compression = built(compression);
    let mut payloads = Vec::new();
    let mut body = Vec::new();
    let mut seal = |body: &mut Vec<u8>| {
        if !body.is_empty() {
            payloads
                .push(seal_frame(body, compression, |body, out| compress(body, compression, out)));
            body.clear();
        }
    };
    for message in messages {
        let start = body.len();
        encode_server(message, &mut body)?;
        if protocol == Protocol::V2 {
            seal(&mut body);
        } else if body.len() > BATCH_BYTES && start > 0 {
            let mut rest = body.split_off(start);
            seal(&mut body);
            body.append(&mut rest);
        }
    }
    seal(&mut body);
    Ok(payloads)
}

/// Compresses as the server does: for speed.
fn compress(body: &[u8], compression: Compression, out: &mut Vec<u8>) {
    // Writing into memory does not fail.
    let written = match compression {
        Compression::None => out.write_all(body),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
            encoder.write_all(body).and_then(|()| encoder.finish().map(drop))
        }
        #[cfg(not(feature = "brotli"))]
        Compression::Brotli => Err(std::io::ErrorKind::Unsupported.into()),
        #[cfg(feature = "brotli")]
        Compression::Brotli => {
            let params = brotli::enc::BrotliEncoderParams { quality: 1, ..Default::default() };
            brotli::BrotliCompress(&mut &body[..], out, &params).map(drop)
        }
    };
    debug_assert!(written.is_ok(), "compressing into memory does not fail: {written:?}");
}

/// The frames of one binary message.
pub(crate) fn message_frames(payload: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let pieces = payload.len().div_ceil(FRAME_BYTES).max(1);
    (0..pieces).map(move |piece| {
        let start = piece * FRAME_BYTES;
        let bytes = &payload[start..payload.len().min(start + FRAME_BYTES)];
        let opcode = if piece == 0 { BINARY } else { CONTINUATION };
        let last = if piece + 1 == pieces { FINAL } else { 0 };
        let mut frame = Vec::with_capacity(bytes.len() + 4);
        put_frame(last | opcode, bytes, &mut frame);
        frame
    })
}

/// A ping without a payload.
pub(crate) fn ping() -> Vec<u8> {
    vec![FINAL | PING, 0]
}

/// A close frame; a reason that is too long for one is cut.
pub(crate) fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(&reason.as_bytes()[..end]);
    let mut frame = Vec::new();
    put_frame(FINAL | CLOSE, &payload, &mut frame);
    frame
}

/// Appends one frame of at most 65535 payload bytes; a server does not mask.
fn put_frame(first: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    match u8::try_from(payload.len()) {
        Ok(len) if len < 126 => out.push(len),
        _ => {
            out.push(126);
            // Pieces are smaller than a frame's limit, so nothing is lost here.
            let len = u16::try_from(payload.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

#[cfg(all(test, not(feature = "brotli")))]
mod tests {
    use lightlike_core::limits::Limits;
    use lightlike_core::wire::{RequestId, open_frame};

    use super::*;

    #[test]
    fn brotli_request_gets_gzip_without_the_feature() {
        let error = "x".repeat(5000).into();
        let message =
            ServerMessage::OneOffQueryResult { request_id: RequestId(1), result: Err(error) };
        let sealed = |compression| payloads(&[message.clone()], Protocol::V2, compression).unwrap();
        let frame = sealed(Compression::Brotli).remove(0);
        assert!(frame.len() < 1000, "{} bytes", frame.len());
        let plain = sealed(Compression::None).remove(0).slice(1..);
        assert_eq!(open_frame(frame, &Limits::DEFAULT).unwrap(), plain);
    }
}
