//! redb, with its panics as errors: on damaged files it may assert what does not hold.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::redb::{Builder, Database, StorageBackend};

use super::super::BoxError;
use crate::guard::log;

/// How much of the file is kept in memory. Records are read once, when it is opened, so little is needed.
const CACHE_BYTES: usize = 8 << 20;

/// Runs what calls redb. A panic is an error.
pub(super) fn guarded<T>(run: impl FnOnce() -> Result<T, BoxError>) -> Result<T, BoxError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("the database library panicked: {}", said.unwrap_or("without a word")).into())
    })
}

/// A database, the opening and closing of which may fail but not panic.
#[derive(Debug)]
pub(super) struct Guarded(Option<Database>);

impl Guarded {
    /// Opens a database, or makes one where the backend is empty. With `checks`, every page of it is read and held against
    /// its checksum.
    pub(super) fn open(backend: impl StorageBackend, checks: bool) -> Result<Self, BoxError> {
        guarded(|| {
            let mut builder = Builder::new();
            builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(checks);
            Ok(Self(Some(builder.create_with_backend(backend)?)))
        })
    }

    /// Works with the database.
    pub(super) fn run<T>(
        &mut self,
        run: impl FnOnce(&mut Database) -> Result<T, BoxError>,
    ) -> Result<T, BoxError> {
        let database = self.0.as_mut().ok_or("it is closed")?;
        guarded(|| run(database))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let database = self.0.take();
        if let Err(error) = guarded(|| {
            drop(database);
            Ok(())
        }) {
            log!(warn, %error, "a database could not be closed");
        }
    }
}
