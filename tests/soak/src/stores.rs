//! Stores of clients, which outlive them.

use std::path::{Path, PathBuf};

use lightlike::{ClientBuilder, FileStore, MemoryStore, RedbStore, StoreError};

/// A store that a client is made with again and again.
pub(crate) enum Kept {
    Nothing,
    Memory(MemoryStore),
    File(PathBuf),
    Redb(PathBuf),
}

impl Kept {
    /// Half of the clients keep nothing.
    pub(crate) fn of(client: usize, folder: &Path) -> Self {
        match client % 8 {
            1 => Self::Memory(MemoryStore::new()),
            3 | 5 => Self::File(folder.join(format!("{client}.journal"))),
            7 => Self::Redb(folder.join(format!("{client}.redb"))),
            _ => Self::Nothing,
        }
    }

    pub(crate) fn keeps(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// Kind of client, for problems.
    pub(crate) fn about(&self) -> &'static str {
        match self {
            Self::Nothing => "without a store",
            Self::Memory(_) => "with a store in memory",
            Self::File(_) => "with a store in a file",
            Self::Redb(_) => "with a store in redb",
        }
    }

    pub(crate) fn put_into(&self, builder: ClientBuilder) -> Result<ClientBuilder, StoreError> {
        Ok(match self {
            Self::Nothing => builder,
            Self::Memory(store) => builder.offline(store.clone()),
            Self::File(path) => builder.offline(FileStore::open(path)?),
            Self::Redb(path) => builder.offline(RedbStore::open(path)?),
        })
    }
}
