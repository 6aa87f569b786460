//! A store in a database file of redb's.

use std::path::{Path, PathBuf};

use ::redb::backends::FileBackend;
use ::redb::{
    Builder, Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, StorageBackend,
    StorageError, TableDefinition,
};
use bytes::Bytes;

use super::{BoxError, at, open_private, put_file_aside};
use crate::journal::{Store, StoreError, Write};

const RECORDS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("records");

/// How much of the file is kept in memory. Records are read once, when it is opened, so little is needed.
const CACHE_BYTES: usize = 8 << 20;

/// A [`Store`] in one file of the embedded database redb: every batch is one transaction.
///
/// Only its owner can read the file, on Unix: it holds the token. Two programs cannot have it open at once.
#[derive(Debug)]
pub struct RedbStore {
    /// None if it could not be opened again after it was put aside.
    database: Option<Database>,
    path: Option<PathBuf>,
    damaged: Option<PathBuf>,
}

impl RedbStore {
    /// Opens the file at `path`, or makes it, and its folder. If it is damaged it is renamed, and an empty one made.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be opened or read, another program has it open, or it is not such a file.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        let mut damaged = None;
        let database = match create(&path) {
            Err(Opening::Damaged) => {
                let aside = put_file_aside(&path);
                damaged = Some(aside.map_err(|error| at("rename", &path, error))?);
                create(&path)
            }
            other => other,
        };
        let database = database.map_err(|error| error.at(&path))?;
        Ok(Self { database: Some(database), path: Some(path), damaged })
    }

    /// A store in something that is not a file, for tests.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if redb cannot work with it.
    #[doc(hidden)]
    pub fn with_backend(backend: impl StorageBackend) -> Result<Self, StoreError> {
        let database = builder().create_with_backend(backend);
        let database = database.map_err(|error| StoreError::new("open", "a backend", error))?;
        Ok(Self { database: Some(database), path: None, damaged: None })
    }

    fn database(&self) -> Result<&Database, BoxError> {
        self.database.as_ref().ok_or_else(|| "it is closed".into())
    }

    fn read(&self, each: &mut dyn FnMut(&[u8], Bytes)) -> Result<(), BoxError> {
        let transaction = self.database()?.begin_read()?;
        let table = match transaction.open_table(RECORDS) {
            Ok(table) => table,
            Err(::redb::TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for record in table.iter()? {
            let (key, value) = record?;
            each(key.value(), Bytes::copy_from_slice(value.value()));
        }
        Ok(())
    }

    fn write(&self, writes: &[Write]) -> Result<(), BoxError> {
        let transaction = self.database()?.begin_write()?;
        {
            let mut table = transaction.open_table(RECORDS)?;
            for write in writes {
                match write {
                    Write::Put { key, value } => drop(table.insert(&**key, &**value)?),
                    Write::Delete { key } => drop(table.remove(&**key)?),
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn error(&self, verb: &'static str, error: impl Into<BoxError>) -> StoreError {
        match &self.path {
            Some(path) => at(verb, path, error),
            None => StoreError::new(verb, "a backend", error),
        }
    }
}

impl Store for RedbStore {
    fn load(&mut self, each: &mut dyn FnMut(&[u8], Bytes)) -> Result<(), StoreError> {
        self.read(each).map_err(|error| self.error("read", error))
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        self.write(writes).map_err(|error| self.error("write to", error))
    }

    fn compact(&mut self) -> Result<(), StoreError> {
        let compacted = self.database.as_mut().map(Database::compact);
        match compacted {
            None | Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(self.error("compact", error)),
        }
    }

    fn put_aside(&mut self) -> Result<Option<PathBuf>, StoreError> {
        let Some(path) = self.path.clone() else {
            return Err(self.error("rename", "it is not a file"));
        };
        // Lets go of its lock.
        self.database = None;
        let aside = put_file_aside(&path).map_err(|error| at("rename", &path, error))?;
        self.database = Some(create(&path).map_err(|error| error.at(&path))?);
        Ok(Some(aside))
    }

    fn damaged(&self) -> Option<PathBuf> {
        self.damaged.clone()
    }
}

/// Why a file could not be opened.
enum Opening {
    Damaged,
    Failed(BoxError),
}

impl Opening {
    fn at(self, path: &Path) -> StoreError {
        match self {
            Self::Damaged => at("open", path, "it is damaged"),
            Self::Failed(error) => at("open", path, error),
        }
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn create(path: &Path) -> Result<Database, Opening> {
    let file = open_private(path).map_err(|error| Opening::Failed(error.into()))?;
    match FileBackend::new(file).and_then(|file| builder().create_with_backend(file)) {
        Ok(database) => Ok(database),
        Err(DatabaseError::Storage(StorageError::Corrupted(_))) => Err(Opening::Damaged),
        Err(error) => Err(Opening::Failed(error.into())),
    }
}
