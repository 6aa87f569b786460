//! A store in one file that is only ever appended to. The format is in [`frame`].

mod contents;
mod copy;
mod frame;
mod scan;
mod v1;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use self::contents::{Contents, Place};
use self::copy::Copy;
use self::frame::{FileId, HEAD_BYTES, Head, Kind};
use self::scan::{Found, Scan, scan};
use super::paths::{self, Draft};
use super::{at, checksum};
use crate::guard::log;
use crate::journal::{Loss, Store, StoreError, StoreErrorKind, Write};

/// How much of a file may be of no use before it is written anew.
const SLACK_BYTES: u64 = 1 << 20;

/// A [`Store`] in one file, with no library behind it. Every batch is appended and synced; when most of the file is of no
/// use any more, what is left is written to a new one, which takes its place.
///
/// Only its owner can read the file, on Unix: it holds the token. Two clients cannot have it open at once: the second is
/// refused with [`StoreErrorKind::InUse`].
///
/// A file that was cut short is as after its last whole batch: that is what a crash leaves. Damage is found by checksums: a
/// damaged record is skipped, all others are kept, the damaged file is kept beside the new one, and
/// [`damaged`](Store::damaged) says where. Any one damaged byte costs one record at most. A file that is empty or nothing but
/// zeros is damaged too: one of this store never is. If the file is deleted or replaced
/// while it is open, the next commit fails with [`StoreErrorKind::Gone`].
#[derive(Debug)]
pub struct FileStore {
    /// The path as it was given.
    path: PathBuf,
    /// Where the file is, whatever the working directory.
    real: PathBuf,
    file: File,
    id: FileId,
    /// Where the next frame goes.
    end: u64,
    /// Number of the last batch.
    seq: u64,
    contents: Contents,
    damaged: Option<PathBuf>,
    /// The end of the file is not known any more.
    broken: bool,
}

impl FileStore {
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
        let found = Found::nothing();
        let mut store = Self {
            path,
            real,
            file,
            id: found.id,
            end: found.end,
            seq: found.seq,
            contents: found.contents,
            damaged: None,
            broken: false,
        };
        store.load_file()?;
        // Runs may all be too short to get there. What is too long is as good as what is not.
        if let Err(error) = store.compact() {
            if store.broken {
                return Err(error);
            }
            log!(warn, %error, "the offline store could not be made smaller");
        }
        Ok(store)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finds out what the file has, and writes it anew if it is damaged, or of an older format.
    fn load_file(&mut self) -> Result<(), StoreError> {
        let bytes = self.read_file().map_err(|error| at("read", &self.real, error))?;
        match scan(&bytes) {
            Scan::Ours(found) if !found.is_damaged => {
                let unconfirmed = found.unconfirmed;
                self.adopt(*found);
                self.mend_end(&bytes, unconfirmed)
                    .map_err(|error| at("write to", &self.real, error))?;
            }
            Scan::Ours(found) => self.restore(&Rest::of(&found.contents, &bytes))?,
            Scan::Blank => self.restore(&Rest::of(&Found::nothing().contents, &bytes))?,
            Scan::Old => {
                let old = v1::read(&bytes);
                let rest = Rest::of_old(&old);
                if old.is_damaged { self.restore(&rest)? } else { self.write_anew(&rest, None)? }
            }
            Scan::Foreign => {
                let error = at("open", &self.real, "it begins with something else");
                return Err(error.of_kind(StoreErrorKind::Foreign));
            }
        }
        self.damaged = self.aside();
        Ok(())
    }

    fn read_file(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn adopt(&mut self, Found { id, contents, end, seq, .. }: Found) {
        (self.id, self.contents, self.end, self.seq) = (id, contents, end, seq);
    }

    /// Cuts off what a crash left of the last frame, and confirms the last whole batch.
    fn mend_end(&mut self, bytes: &[u8], unconfirmed: Option<(Head, u64)>) -> io::Result<()> {
        if self.end == bytes.len() as u64 && unconfirmed.is_none() {
            return Ok(());
        }
        self.file.set_len(self.end)?;
        if let Some((head, at)) = unconfirmed {
            let index = at as usize + HEAD_BYTES;
            let index = &bytes[index..index + head.index as usize];
            // Whoever was killed before it could sync the batch has read it by now.
            self.file.sync_data()?;
            self.confirm(&head, index);
        }
        self.file.sync_all()
    }

    /// Keeps the file aside and goes on with what is left of it.
    fn restore(&mut self, rest: &Rest<'_>) -> Result<(), StoreError> {
        let aside = paths::keep_aside(&self.real);
        let aside = aside.map_err(|error| at("keep the damaged", &self.real, error))?;
        self.write_anew(rest, aside.file_name().map(OsStr::as_encoded_bytes))
    }

    fn write_anew(&mut self, rest: &Rest<'_>, aside: Option<&[u8]>) -> Result<(), StoreError> {
        let records = rest.records.iter().map(|(key, value)| Ok((*key, Cow::Borrowed(*value))));
        let (draft, id) = self.draft(&rest.loss, aside, records)?;
        self.replace(draft, &id)
    }

    /// A new file with these records, and its id.
    fn draft<'a>(
        &self,
        loss: &Loss,
        aside: Option<&[u8]>,
        records: impl Iterator<Item = Result<(&'a [u8], Cow<'a, [u8]>), StoreError>>,
    ) -> Result<(Draft, FileId), StoreError> {
        let failed = |error| at("rewrite", &self.real, error);
        let mut draft = Draft::beside(&self.real)?;
        let mut copy = Copy::begin(draft.file()).map_err(failed)?;
        let mut lost: BTreeSet<&[u8]> = loss.keys.iter().map(|key| &**key).collect();
        for record in records {
            let (key, value) = record?;
            copy.put(key, &value, lost.remove(key)).map_err(failed)?;
        }
        let id = copy.end(loss.unnamed, &lost, aside).map_err(failed)?;
        Ok((draft, id))
    }

    /// Puts a new file in the place of this one.
    fn replace(&mut self, draft: Draft, id: &FileId) -> Result<(), StoreError> {
        if !paths::leads_to(&self.real, &self.file) {
            self.broken = true;
            return Err(paths::gone("rewrite", &self.real));
        }
        // From here on it is not known which of the two files is at the path, if there is an error.
        self.broken = true;
        let replaced = draft.replace(&self.real);
        self.file = replaced.map_err(|error| at("rewrite", &self.real, error))?;
        let bytes = self.read_file().map_err(|error| at("read", &self.real, error))?;
        match scan(&bytes) {
            Scan::Ours(found) if found.id == *id && !found.is_damaged => self.adopt(*found),
            _ => return Err(at("rewrite", &self.real, "what was written is not what is read")),
        }
        self.broken = false;
        Ok(())
    }

    /// The file that has what was damaged, as long as nobody has committed since.
    fn aside(&self) -> Option<PathBuf> {
        let name = String::from_utf8_lossy(self.contents.aside()?);
        Some(self.real.with_file_name(&*name))
    }

    fn read_value(&self, key: &[u8], place: Place) -> Result<Bytes, StoreError> {
        let mut value = vec![0; place.len as usize];
        let mut file = &self.file;
        let read = file.seek(SeekFrom::Start(place.at)).and_then(|_| file.read_exact(&mut value));
        read.map_err(|error| at("read", &self.real, error))?;
        if checksum(&[key, &value]) != place.sum {
            let error = at("read", &self.real, "a record is not what was written");
            return Err(error.of_kind(StoreErrorKind::Damaged));
        }
        Ok(value.into())
    }

    /// Appends a batch and waits until it is on the disk.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.end))?;
        if let Err(error) = self.file.write_all(bytes) {
            // Half a batch must not stay in front of whole ones.
            self.broken = self.file.set_len(self.end).is_err();
            return Err(error);
        }
        // What a disk has that failed to sync is not known, now or later.
        let synced = self.file.sync_data();
        self.broken = synced.is_err();
        synced
    }

    /// Notes behind a batch that it was synced. That is synced with the next one: without it, a batch that is damaged
    /// later would be taken for a torn one.
    fn confirm(&mut self, batch: &Head, index: &[u8]) {
        let confirmation = frame::confirmation(batch, index, &self.id, self.end);
        let at = self.file.seek(SeekFrom::Start(self.end));
        match at.and_then(|_| self.file.write_all(&confirmation)) {
            Ok(()) => self.end += confirmation.len() as u64,
            // The next batch takes its place.
            Err(error) => log!(debug, %error, "a batch could not be confirmed"),
        }
    }
}

impl Store for FileStore {
    fn load(&mut self, each: &mut dyn FnMut(&[u8], Bytes)) -> Result<(), StoreError> {
        for (key, place) in self.contents.places() {
            each(key, self.read_value(key, place)?);
        }
        Ok(())
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        if self.broken {
            return Err(at("write to", &self.real, "an earlier write failed half way"));
        }
        let written = frame::Draft::of(writes).and_then(|draft| {
            let (head, bytes) = draft.frame(Kind::Batch, &self.id, self.end, self.seq + 1)?;
            self.append(&bytes)?;
            Ok((draft, head))
        });
        let (draft, head) = written.map_err(|error| at("write to", &self.real, error))?;
        if !paths::leads_to(&self.real, &self.file) {
            self.broken = true;
            return Err(paths::gone("write to", &self.real));
        }
        self.contents.acknowledge();
        let mut value_at = self.end + (HEAD_BYTES + draft.index().len()) as u64;
        self.end += head.frame();
        self.seq = head.seq;
        for item in head.items(draft.index()).into_iter().flatten() {
            self.contents.apply(&item, value_at);
            if let frame::Item::Put { len, .. } = item {
                value_at += u64::from(len);
            }
        }
        self.confirm(&head, draft.index());
        Ok(())
    }

    fn compact(&mut self) -> Result<(), StoreError> {
        if self.broken || self.end < 2 * self.contents.live() + SLACK_BYTES {
            return Ok(());
        }
        let places = self.contents.places().into_iter();
        let records =
            places.map(|(key, place)| Ok((key, Cow::Owned(self.read_value(key, place)?.into()))));
        let (draft, id) = self.draft(&self.contents.loss(), self.contents.aside(), records)?;
        self.replace(draft, &id)
    }

    fn put_aside(&mut self) -> Result<Option<PathBuf>, StoreError> {
        self.restore(&Rest::of(&Found::nothing().contents, &[]))?;
        Ok(self.aside())
    }

    fn damaged(&self) -> Option<PathBuf> {
        self.damaged.clone()
    }

    fn loss(&self) -> Loss {
        self.contents.loss()
    }
}

/// What is left of a file.
struct Rest<'a> {
    records: Vec<(&'a [u8], &'a [u8])>,
    loss: Loss,
}

impl<'a> Rest<'a> {
    fn of(contents: &'a Contents, bytes: &'a [u8]) -> Self {
        let value = |place: &Place| {
            let from = usize::try_from(place.at).ok()?;
            bytes.get(from..from + place.len as usize)
        };
        let places = contents.places().into_iter();
        let records = places.filter_map(|(key, place)| Some((key, value(&place)?)));
        Self { records: records.collect(), loss: contents.loss() }
    }

    fn of_old(old: &v1::Old<'a>) -> Self {
        let mut loss = Loss::default();
        if old.is_damaged {
            loss.unnamed = true;
            loss.keys = old.records.keys().map(|key| Box::from(*key)).collect();
        }
        let records = old.records.iter().map(|(key, value)| (*key, *value)).collect();
        Self { records, loss }
    }
}

/// Makes an empty file. `None` if somebody else did meanwhile.
fn make(path: &Path) -> Result<Option<File>, StoreError> {
    let mut draft = Draft::beside(path)?;
    let made = Copy::begin(draft.file())
        .and_then(|copy| copy.end(false, &BTreeSet::new(), None))
        .and_then(|_| draft.place(path));
    made.map_err(|error| at("make", path, error))
}
