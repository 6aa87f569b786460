//! A store in a database file of redb's.

mod backend;
mod guarded;
mod page;
mod records;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::redb::StorageBackend;
use bytes::Bytes;

use self::backend::{Behind, Disk, Overlay};
use self::guarded::Guarded;
use self::page::{PAGE_BYTES, Page};
use self::records::{FIRST_COMMIT, Found, Record, Report};
use super::paths::{self, Draft};
use super::{BoxError, at};
use crate::guard::log;
use crate::journal::{Loss, Store, StoreError, StoreErrorKind, Write};

/// A [`Store`] in one file of the embedded database redb: every batch is one transaction.
///
/// Only its owner can read the file, on Unix: it holds the token. Two clients cannot have it open at once: the second is
/// refused with [`StoreErrorKind::InUse`].
///
/// Opening reads the whole file, once, and holds each page and each record against its checksum, before anything is
/// written. If the file is damaged, the records that are whole go into a new one, the damaged one is kept beside it, and
/// [`damaged`](Store::damaged) says where. Damage may hide any later write, so all of them count as
/// [outdated](Loss::keys). A panic of redb's is an error of the store's, where the program does not abort on panics. If
/// the file is deleted or replaced while it is open, the next commit fails with [`StoreErrorKind::Gone`].
#[derive(Debug)]
pub struct RedbStore {
    /// None if it failed.
    database: Option<Guarded>,
    disk: Arc<dyn StorageBackend>,
    /// None if it is something else, for tests.
    file: Option<OpenFile>,
    /// The number of the last commit.
    commit: u64,
    report: Report,
    damaged: Option<PathBuf>,
}

/// A file that is open and locked.
#[derive(Debug)]
struct OpenFile {
    /// Where it is, whatever the working directory.
    real: PathBuf,
    file: File,
}

impl RedbStore {
    /// Opens the file at `path`, or makes it, and its folder. If it is damaged, what is left goes into a new file, and the
    /// damaged one is kept beside it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be opened, read or made; its [kind](StoreError::kind) is [`StoreErrorKind::InUse`] if
    /// another client has it open, and [`StoreErrorKind::Foreign`] if it is not such a file.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        let real = paths::resolve(&path).map_err(|error| at("open", &path, error))?;
        let file = loop {
            if let Some(file) = paths::open_locked(&real)? {
                break file;
            }
            if let Some(file) = make(&real)? {
                break file;
            }
        };
        let disk = Disk::of(&file).map_err(|error| at("open", &real, error))?;
        Self::load_from(Arc::new(disk), Some(OpenFile { real, file }))
    }

    /// A store in something that is not a file, for tests.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if redb cannot work with it.
    #[doc(hidden)]
    pub fn with_backend(backend: impl StorageBackend) -> Result<Self, StoreError> {
        let made = match backend.len() {
            Ok(0) => page::make(&backend),
            other => other.map(drop),
        };
        made.map_err(|error| StoreError::new("open", "a backend", error))?;
        Self::load_from(Arc::new(backend), None)
    }

    fn load_from(
        disk: Arc<dyn StorageBackend>,
        file: Option<OpenFile>,
    ) -> Result<Self, StoreError> {
        let (commit, report) = (FIRST_COMMIT, Report::default());
        let mut store = Self { database: None, disk, file, commit, report, damaged: None };
        let page = page::read(&*store.disk).map_err(|error| store.error("read", error))?;
        store.judge(page)?;
        if store.database.is_none() {
            let opened = Guarded::open(store.behind(PAGE_BYTES), false);
            store.database = Some(opened.map_err(|error| store.error("open", error))?);
        }
        store.damaged = store.aside();
        Ok(store)
    }

    /// Decides what becomes of a file: it is used as it is, or another one takes its place.
    fn judge(&mut self, page: Page) -> Result<(), StoreError> {
        match page {
            Page::Ours { commit, is_whole } => {
                let found = self.examine();
                let is_current = found.commit.is_some_and(|number| {
                    // Without one copy of the page, the database may be one commit behind.
                    if is_whole { number >= commit } else { number > commit }
                });
                let is_complete = is_current && !found.is_damaged;
                if is_complete && is_whole {
                    self.commit = found.commit.unwrap_or(commit);
                    self.report = found.report;
                    return Ok(());
                }
                self.restore(found, is_complete)
            }
            Page::Damaged => {
                let found = self.examine();
                self.restore(found, false)
            }
            Page::Blank => self.restore(Found::default(), false),
            Page::Old => self.migrate(),
            Page::Foreign => {
                let error = self.error("open", "it begins with something else");
                Err(error.of_kind(StoreErrorKind::Foreign))
            }
        }
    }

    fn behind(&self, offset: u64) -> Behind {
        Behind { whole: Arc::clone(&self.disk), offset }
    }

    /// Reads a copy of the database that nothing is written to. Where the database is sound, all of it; else what can be
    /// read.
    fn examine(&self) -> Found {
        match self.copy_of(PAGE_BYTES, true) {
            Ok(mut database) => Found::read(&mut database),
            Err(error) => {
                log!(warn, %error, "an offline store is damaged");
                let mut found = match self.copy_of(PAGE_BYTES, false) {
                    Ok(mut database) => Found::read(&mut database),
                    Err(_) => Found::default(),
                };
                found.is_damaged = true;
                found
            }
        }
    }

    fn copy_of(&self, offset: u64, checks: bool) -> Result<Guarded, BoxError> {
        Guarded::open(Overlay::new(self.behind(offset))?, checks)
    }

    /// Goes on with a file from before records had checksums.
    fn migrate(&mut self) -> Result<(), StoreError> {
        let read = self.copy_of(0, true).map(|mut database| records::read_old(&mut database));
        match read {
            Ok((records, true)) => self.write_anew(&records, Report::default()),
            // Nothing says which of its records are whole.
            Ok((_, false)) | Err(_) => self.restore(Found::default(), false),
        }
    }

    /// Keeps the file aside and goes on with what is left of it. If that may not be all, everything is in doubt.
    fn restore(&mut self, found: Found, is_complete: bool) -> Result<(), StoreError> {
        let Some(OpenFile { real, .. }) = &self.file else {
            let error = self.error("open", "it cannot be put aside");
            return Err(error.of_kind(StoreErrorKind::Damaged));
        };
        let aside = paths::keep_aside(real);
        let aside = aside.map_err(|error| at("keep the damaged", real, error))?;
        let mut report = found.report;
        report.aside =
            aside.file_name().map(|name| name.as_encoded_bytes().to_vec()).unwrap_or_default();
        if !is_complete {
            report.loss.unnamed = true;
            report.loss.keys.extend(found.records.iter().map(|(key, _)| key.clone()));
        }
        self.write_anew(&found.records, report)
    }

    /// A new file with these records, in the place of this one.
    fn write_anew(&mut self, records: &[Record], report: Report) -> Result<(), StoreError> {
        let Some(OpenFile { real, file }) = &self.file else {
            return Err(self.error("rewrite", "it is not a file"));
        };
        if !paths::leads_to(real, file) {
            return Err(paths::gone("rewrite", real));
        }
        let (real, commit) = (real.clone(), FIRST_COMMIT + 1);
        let failed = |error: BoxError| at("rewrite", &real, error);
        let mut draft = Draft::beside(&real)?;
        write_file(draft.file(), |database| records::fill(database, commit, records, &report))
            .and_then(|disk| Ok(page::write(&disk, commit)?))
            .map_err(failed)?;
        let file = draft.replace(&real).map_err(|error| failed(error.into()))?;
        self.disk = Arc::new(Disk::of(&file).map_err(|error| failed(error.into()))?);
        self.file = Some(OpenFile { real, file });
        (self.commit, self.report) = (commit, report);
        Ok(())
    }

    /// The file that has what was damaged, as long as nothing was committed since.
    fn aside(&self) -> Option<PathBuf> {
        let OpenFile { real, .. } = self.file.as_ref()?;
        let name = String::from_utf8_lossy(&self.report.aside);
        (!name.is_empty()).then(|| real.with_file_name(&*name))
    }

    /// Works with the database. After an error nothing more is done with it.
    fn run<T>(
        &mut self,
        verb: &'static str,
        run: impl FnOnce(&mut ::redb::Database) -> Result<T, BoxError>,
    ) -> Result<T, StoreError> {
        let Some(database) = &mut self.database else {
            return Err(self.error(verb, "it failed before"));
        };
        database.run(run).map_err(|error| {
            self.database = None;
            self.error(verb, error)
        })
    }

    fn error(&self, verb: &'static str, error: impl Into<BoxError>) -> StoreError {
        match &self.file {
            Some(OpenFile { real, .. }) => at(verb, real, error),
            None => StoreError::new(verb, "a backend", error),
        }
    }

    /// Fails if the file is not at its path any more.
    fn check_place(&self) -> Result<(), StoreError> {
        match &self.file {
            Some(OpenFile { real, file }) if !paths::leads_to(real, file) => {
                Err(paths::gone("write to", real))
            }
            _ => Ok(()),
        }
    }
}

impl Store for RedbStore {
    fn load(&mut self, each: &mut dyn FnMut(&[u8], Bytes)) -> Result<(), StoreError> {
        if self.run("read", |database| records::each_record(database, each))? {
            return Ok(());
        }
        let error = self.error("read", "a record is not what was written");
        Err(error.of_kind(StoreErrorKind::Damaged))
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let number = self.commit + 1;
        self.run("write to", |database| records::commit(database, number, writes))?;
        if let Err(error) = self.check_place() {
            self.database = None;
            return Err(error);
        }
        (self.commit, self.report) = (number, Report::default());
        // It is synced with the next commit. Without it, damage to this one may be taken for what a crash has left.
        if let Err(error) = page::write(&*self.disk, number) {
            log!(debug, %error, "a commit could not be noted");
        }
        Ok(())
    }

    fn compact(&mut self) -> Result<(), StoreError> {
        self.run("compact", |database| Ok(database.compact()?)).map(|_| ())
    }

    fn put_aside(&mut self) -> Result<Option<PathBuf>, StoreError> {
        // What it has not written yet belongs to what is put aside.
        self.database = None;
        self.restore(Found::default(), false)?;
        let opened = Guarded::open(self.behind(PAGE_BYTES), false);
        self.database = Some(opened.map_err(|error| self.error("open", error))?);
        Ok(self.aside())
    }

    fn damaged(&self) -> Option<PathBuf> {
        self.damaged.clone()
    }

    fn loss(&self) -> Loss {
        self.report.loss.clone()
    }
}

/// Makes an empty file. `None` if somebody else did meanwhile.
fn make(path: &Path) -> Result<Option<File>, StoreError> {
    let mut draft = Draft::beside(path)?;
    write_file(draft.file(), |_| Ok(())).map_err(|error| at("make", path, error))?;
    draft.place(path).map_err(|error| at("make", path, error))
}

/// Writes a page and a database behind it.
fn write_file(
    file: &File,
    fill: impl FnOnce(&mut ::redb::Database) -> Result<(), BoxError>,
) -> Result<Disk, BoxError> {
    let disk = Arc::new(Disk::of(file)?);
    page::make(&*disk)?;
    let whole: Arc<dyn StorageBackend> = Arc::<Disk>::clone(&disk);
    Guarded::open(Behind { whole, offset: PAGE_BYTES }, false)?.run(fill)?;
    Ok(Disk::of(file)?)
}
