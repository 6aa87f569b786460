//! The writing end of messages.
//!
//! Lengths are the only thing that can go wrong: the wire counts in 32 bits.

use core::mem;

use super::rows::RowList;
use crate::bsatn::{EncodeError, Writer};

/// Writes one message behind what `out` holds, or nothing if `write` fails.
pub(super) fn whole(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    let written = write(out);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

pub(super) fn u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn len(out: &mut Vec<u8>, len: usize) -> Result<(), EncodeError> {
    u32(out, u32::try_from(len).map_err(|_| EncodeError { len })?);
    Ok(())
}

pub(super) fn bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), EncodeError> {
    len(out, bytes.len())?;
    out.extend_from_slice(bytes);
    Ok(())
}

pub(super) fn rows(out: &mut Vec<u8>, rows: &RowList) {
    out.extend_from_slice(rows.encoded());
}

pub(super) fn list<T>(
    out: &mut Vec<u8>,
    elements: &[T],
    mut element: impl FnMut(&mut Vec<u8>, &T) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    len(out, elements.len())?;
    elements.iter().try_for_each(|each| element(out, each))
}

/// Writes what `encode` does, behind its length in bytes.
pub(super) fn measured(
    out: &mut Vec<u8>,
    encode: impl FnOnce(&mut Writer),
) -> Result<(), EncodeError> {
    len(out, 0)?;
    let start = out.len();
    let mut writer = Writer::append_to(mem::take(out));
    encode(&mut writer);
    let (bytes, fitted) = writer.into_parts();
    *out = bytes;
    fitted?;
    let len = out.len() - start;
    let len_bytes = u32::try_from(len).map_err(|_| EncodeError { len })?.to_le_bytes();
    out[start - 4..start].copy_from_slice(&len_bytes);
    Ok(())
}
