//! The format before this one, to be read once: files of it are written anew when they are opened.
//!
//! A file was a mark and a list of batches: each the four bytes `LLJB`, its length and its checksum (CRC-32 over the length
//! and the batch), then the batch. No length can be trusted in a batch that is damaged, so what lies behind one counts only
//! if it follows right where the damaged one claims to end.

use std::collections::HashMap;

use super::super::checksum;
use super::frame::{take, take_sized, take_u32};

const MAGIC: &[u8; 8] = b"LLjourn1";
const MARK: &[u8; 4] = b"LLJB";
/// Mark, length, checksum.
const HEAD_BYTES: usize = 12;

/// Tags of writes.
const PUT: u8 = 0;
const DELETE: u8 = 1;

/// What a file has.
#[derive(Debug, Default)]
pub(super) struct Old<'a> {
    pub(super) records: HashMap<&'a [u8], &'a [u8]>,
    /// Batches are lost, of which the keys are not known.
    pub(super) is_damaged: bool,
}

/// Whether this is a file of that format.
pub(super) fn begins(bytes: &[u8]) -> bool {
    bytes.strip_prefix(MAGIC).is_some_and(|rest| rest.is_empty() || rest.starts_with(MARK))
}

/// Whether it may be one of which the beginning is damaged, or cut short.
pub(super) fn resembles(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
        || bytes.len() > MAGIC.len()
            && bytes[MAGIC.len()..].starts_with(MARK)
            && bytes.iter().zip(MAGIC).filter(|(a, b)| a != b).count() <= 2
}

/// Reads a file, in time that is linear in its length.
pub(super) fn read(bytes: &[u8]) -> Old<'_> {
    let mut old = Old { is_damaged: !bytes.starts_with(MAGIC), ..Old::default() };
    let mut rest = bytes.get(MAGIC.len()..).unwrap_or_default();
    loop {
        match next(rest) {
            Next::Whole { batch, behind } => {
                old.is_damaged |= old.note(batch).is_none();
                rest = behind;
            }
            Next::Skip { behind } => {
                old.is_damaged = true;
                rest = behind;
            }
            Next::Torn => return old,
            Next::Lost => {
                old.is_damaged = true;
                return old;
            }
        }
    }
}

impl<'a> Old<'a> {
    fn note(&mut self, mut batch: &'a [u8]) -> Option<()> {
        let rest = &mut batch;
        while !rest.is_empty() {
            match take(rest, 1)?[0] {
                PUT => drop(self.records.insert(take_sized(rest)?, take_sized(rest)?)),
                DELETE => drop(self.records.remove(take_sized(rest)?)),
                _ => return None,
            }
        }
        Some(())
    }
}

enum Next<'a> {
    Whole {
        batch: &'a [u8],
        behind: &'a [u8],
    },
    /// It is damaged, and another one is where it ends.
    Skip {
        behind: &'a [u8],
    },
    /// The end, or what a crash left of the last batch.
    Torn,
    /// Damage, and nobody knows where it ends.
    Lost,
}

fn next(bytes: &[u8]) -> Next<'_> {
    if bytes.len() < HEAD_BYTES || bytes.iter().all(|byte| *byte == 0) {
        return Next::Torn;
    }
    let Some((batch, behind, is_whole)) = batch(bytes) else {
        // Its length exceeds the file, unless it is none.
        return if bytes.starts_with(MARK) { Next::Torn } else { Next::Lost };
    };
    if is_whole {
        return Next::Whole { batch, behind };
    }
    match self::batch(behind) {
        Some((_, _, true)) => Next::Skip { behind },
        _ if behind.is_empty() => Next::Torn,
        _ => Next::Lost,
    }
}

/// The batch that these bytes begin with, what is behind, and whether its checksum is right. None if it is not there
/// whole.
fn batch(mut bytes: &[u8]) -> Option<(&[u8], &[u8], bool)> {
    if take(&mut bytes, MARK.len())? != MARK {
        return None;
    }
    let (len, sum) = (take_u32(&mut bytes)?, take_u32(&mut bytes)?);
    let batch = take(&mut bytes, len as usize)?;
    Some((batch, bytes, checksum(&[&len.to_le_bytes(), batch]) == sum))
}
