//! Stores of journals, and the thread that writes them.

mod coded;
mod file;
mod paths;
#[cfg(feature = "redb")]
mod redb;
mod thread;

pub use self::coded::{Coded, RecordCodec};
pub use self::file::FileStore;
#[cfg(feature = "redb")]
pub use self::redb::RedbStore;
pub(super) use self::thread::{Disk, has_room};

use std::path::Path;

use crate::journal::StoreError;

/// An error of a file's, that names it.
fn at(verb: &'static str, path: &Path, error: impl Into<BoxError>) -> StoreError {
    StoreError::new(verb, path.display().to_string(), error)
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// CRC-32 of some bytes, one behind the other.
fn checksum(parts: &[&[u8]]) -> u32 {
    let mut sum = flate2::Crc::new();
    parts.iter().for_each(|part| sum.update(part));
    sum.sum()
}
