//! The page in front of the database: what the file is, and how far it had come.
//!
//! redb falls back to the commit before when its last one is damaged, and does not say so. The page has the number of the
//! last commit, so that this is seen. It is there twice, in different sectors, written in turns and not synced: after a
//! crash it may be behind the database, never ahead of it.

use std::io;

use ::redb::StorageBackend;

use super::super::checksum;

/// What the file begins with: what it is, and the number of its format.
const MAGIC: &[u8; 8] = b"LLredb\x02\n";
/// Bytes in front of the database.
pub(super) const PAGE_BYTES: u64 = 4096;
/// Distance of the two copies.
const COPY_AT: usize = 2048;
const COPY_BYTES: usize = 20;

/// What a page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// The number of the last commit; whether both copies are whole, as far as a crash leaves them.
    Ours {
        commit: u64,
        is_whole: bool,
    },
    /// Both copies are damaged.
    Damaged,
    /// Empty, or nothing but zeros.
    Blank,
    /// The file begins with the database, as it did before there was a page.
    Old,
    Foreign,
}

/// What a database file of redb's begins with.
const DATABASE: &[u8; 5] = b"redb\x1a";

/// Reads the page at the beginning of a file.
pub(super) fn read(file: &(impl StorageBackend + ?Sized)) -> io::Result<Page> {
    let len = file.len()?;
    let mut bytes = vec![0; len.min(PAGE_BYTES + DATABASE.len() as u64) as usize];
    file.read(0, &mut bytes)?;
    let (first, second) = (parse(&bytes, 0), parse(&bytes, COPY_AT));
    Ok(match (first, second) {
        (Some(first), Some(second)) => {
            Page::Ours { commit: first.max(second), is_whole: first.abs_diff(second) <= 1 }
        }
        (Some(commit), None) | (None, Some(commit)) => Page::Ours { commit, is_whole: false },
        (None, None) if bytes.starts_with(DATABASE) => Page::Old,
        (None, None) if is_zero(file, &bytes)? => Page::Blank,
        (None, None) if resembles(&bytes) => Page::Damaged,
        (None, None) => Page::Foreign,
    })
}

fn parse(bytes: &[u8], at: usize) -> Option<u64> {
    let copy = bytes.get(at..at + COPY_BYTES)?;
    let sum = u32::from_le_bytes(copy[16..].try_into().ok()?);
    let is_whole = copy.starts_with(MAGIC) && checksum(&[&copy[..16]]) == sum;
    is_whole.then(|| copy[8..16].try_into().ok()).flatten().map(u64::from_le_bytes)
}

fn is_zero(file: &(impl StorageBackend + ?Sized), bytes: &[u8]) -> io::Result<bool> {
    if bytes.iter().any(|byte| *byte != 0) {
        return Ok(false);
    }
    let (len, mut at, mut rest) = (file.len()?, bytes.len() as u64, vec![0; 1 << 16]);
    while at < len {
        let part = &mut rest[..(len - at).min(1 << 16) as usize];
        file.read(at, part)?;
        if part.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += part.len() as u64;
    }
    Ok(true)
}

/// Whether a damaged file looks like one of ours: a copy of the magic number differs in no more than two bytes, or a
/// database lies where ours does.
fn resembles(bytes: &[u8]) -> bool {
    let resembles = |at: usize, magic: &[u8]| {
        let copy = bytes.get(at..at + magic.len());
        copy.is_some_and(|copy| copy.iter().zip(magic).filter(|(a, b)| a != b).count() <= 2)
    };
    resembles(0, MAGIC)
        || resembles(COPY_AT, MAGIC)
        || resembles(PAGE_BYTES as usize, DATABASE)
        || resembles(0, DATABASE)
        || MAGIC.starts_with(bytes)
}

/// Makes the page of a new file.
pub(super) fn make(file: &(impl StorageBackend + ?Sized)) -> io::Result<()> {
    file.set_len(PAGE_BYTES)?;
    write(file, 0)?;
    write(file, 1)
}

/// Notes a commit.
pub(super) fn write(file: &(impl StorageBackend + ?Sized), commit: u64) -> io::Result<()> {
    let mut copy = [0; COPY_BYTES];
    copy[..8].copy_from_slice(MAGIC);
    copy[8..16].copy_from_slice(&commit.to_le_bytes());
    let sum = checksum(&[&copy[..16]]);
    copy[16..].copy_from_slice(&sum.to_le_bytes());
    file.write(if commit.is_multiple_of(2) { 0 } else { COPY_AT as u64 }, &copy)
}
