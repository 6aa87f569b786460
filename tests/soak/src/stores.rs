//! Stores of clients, which outlive them.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use lightlike::ClientBuilder;
use lightlike::offline::{FileStore, MemoryStore, RedbStore, StoreError};

/// Kind of store.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Nothing,
    Memory,
    File,
    Redb,
}

/// Kinds of eight clients, where each may be of another.
const KINDS: [Kind; 8] = {
    use Kind::{File, Memory, Nothing, Redb};
    [Nothing, Memory, Nothing, File, Nothing, File, Nothing, Redb]
};

impl FromStr for Kind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::Nothing),
            "memory" => Ok(Self::Memory),
            "file" => Ok(Self::File),
            "redb" => Ok(Self::Redb),
            _ => Err("stores are none, memory, file or redb"),
        }
    }
}

/// A store that a client is made with again and again.
pub(crate) enum Kept {
    Nothing,
    Memory(MemoryStore),
    File(PathBuf),
    Redb(PathBuf),
}

impl Kept {
    /// Half of the clients keep nothing, unless all are to be of one kind.
    pub(crate) fn of(client: usize, kind: Option<Kind>, folder: &Path) -> Self {
        match kind.unwrap_or(KINDS[client % KINDS.len()]) {
            Kind::Nothing => Self::Nothing,
            Kind::Memory => Self::Memory(MemoryStore::new()),
            Kind::File => Self::File(folder.join(format!("{client}.journal"))),
            Kind::Redb => Self::Redb(folder.join(format!("{client}.redb"))),
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
