//! A store in one file that is only ever appended to.
//!
//! The file is a mark and a list of batches: each the four bytes `LLJB`, its length and its checksum (CRC-32 over the
//! length and the batch), then the batch. A batch counts when it is there whole. One that is cut short at the end of the
//! file is what a crash leaves, and is cut off; one that is wrong and has whole ones behind it is damage.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{at, open_private, put_file_aside};
use crate::journal::{Store, StoreError, Write};

/// What the file begins with: what it is, and the number of its format.
const MAGIC: &[u8; 8] = b"LLjourn1";
/// What a batch begins with, so that whole ones are found behind a wrong one.
const MARK: &[u8; 4] = b"LLJB";
/// Mark, length, checksum.
const HEAD_BYTES: usize = 12;
/// How much of a file may be of no use before it is written anew.
const SLACK_BYTES: u64 = 1 << 20;

/// Tags of writes.
const PUT: u8 = 0;
const DELETE: u8 = 1;

/// A [`Store`] in one file, with no library behind it. Every batch is appended and synced; when most of the file is of no
/// use any more, what is left is written to a new one, which takes its place.
///
/// Only its owner can read the file, on Unix: it holds the token. Two programs cannot have it open at once.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    file: File,
    /// Where the next batch goes.
    end: u64,
    /// Where the record of each key is.
    places: HashMap<Box<[u8]>, Place>,
    /// How many bytes of the file are records that count.
    live: u64,
    damaged: Option<PathBuf>,
    /// The end of the file is not known any more.
    broken: bool,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    at: u64,
    len: u32,
}

impl FileStore {
    /// Opens the file at `path`, or makes it, and its folder. If it is damaged it is renamed, and an empty one made.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be opened or read, another program has it open, or it is not such a file.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        let file = open_locked(&path)?;
        let mut store = Self {
            path,
            file,
            end: 0,
            places: HashMap::new(),
            live: 0,
            damaged: None,
            broken: false,
        };
        match store.scan() {
            Ok(Scan::Good) => Ok(store),
            Ok(Scan::Damaged) => {
                store.damaged = store.put_aside()?;
                Ok(store)
            }
            Ok(Scan::Foreign) => {
                let error = "it is not a store of this library";
                Err(at("open", &store.path, error))
            }
            Err(error) => Err(at("read", &store.path, error)),
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finds the end of what is whole, and where each record is.
    fn scan(&mut self) -> io::Result<Scan> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_to_end(&mut bytes)?;
        if bytes.len() < MAGIC.len() || bytes.iter().all(|byte| *byte == 0) {
            // Cut short while it was made, or new.
            if !MAGIC.starts_with(&bytes) && bytes.iter().any(|byte| *byte != 0) {
                return Ok(Scan::Foreign);
            }
            self.file.set_len(0)?;
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(MAGIC)?;
            self.file.sync_all()?;
            sync_folder(&self.path)?;
            self.end = MAGIC.len() as u64;
            return Ok(Scan::Good);
        }
        if !bytes.starts_with(MAGIC) {
            return Ok(Scan::Foreign);
        }
        let mut offset = MAGIC.len();
        while let Some(batch) = whole_batch(&bytes[offset..]) {
            let start = offset + HEAD_BYTES;
            offset = start + batch;
            if self.note(&bytes[start..offset], start as u64).is_none() {
                return Ok(Scan::Damaged);
            }
        }
        if has_batch(&bytes[offset..]) {
            return Ok(Scan::Damaged);
        }
        if offset < bytes.len() {
            self.file.set_len(offset as u64)?;
            self.file.sync_all()?;
        }
        self.end = offset as u64;
        Ok(Scan::Good)
    }

    /// Notes where the records of a batch are, which lies at `start` of the file. None if it makes no sense.
    fn note(&mut self, batch: &[u8], start: u64) -> Option<()> {
        let mut rest = batch;
        while !rest.is_empty() {
            let (tag, key) = (take(&mut rest, 1)?[0], take_sized(&mut rest)?);
            let place = match tag {
                PUT => {
                    let value = take_sized(&mut rest)?;
                    let at = start + (batch.len() - rest.len() - value.len()) as u64;
                    Some(Place { at, len: u32::try_from(value.len()).ok()? })
                }
                DELETE => None,
                _ => return None,
            };
            self.place(key, place);
        }
        Some(())
    }

    fn place(&mut self, key: &[u8], place: Option<Place>) {
        let bytes = |place: Place| u64::from(place.len) + key.len() as u64;
        let before = match place {
            Some(place) => {
                self.live += bytes(place);
                self.places.insert(key.into(), place)
            }
            None => self.places.remove(key),
        };
        self.live -= before.map_or(0, bytes);
    }

    fn read(&mut self, place: Place) -> io::Result<Bytes> {
        let mut value = vec![0; place.len as usize];
        self.file.seek(SeekFrom::Start(place.at))?;
        self.file.read_exact(&mut value)?;
        Ok(value.into())
    }

    /// Appends a batch and waits until it is on the disk.
    fn append(&mut self, batch: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(batch)?;
        self.file.sync_data()
    }

    /// A new file with what counts, in the place of this one.
    fn rewrite(&mut self) -> io::Result<()> {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".new");
        let draft = PathBuf::from(name);
        // A crash may have left one.
        let _ = fs::remove_file(&draft);
        let mut places: Vec<_> =
            self.places.iter().map(|(key, place)| (key.clone(), *place)).collect();
        places.sort_by_key(|(_, place)| place.at);
        let mut file = open_private(&draft)?;
        if file.try_lock().is_err() {
            return Err(io::Error::other("the new file is locked"));
        }
        file.write_all(MAGIC)?;
        for (key, place) in places {
            let value = self.read(place)?;
            file.write_all(&encode_batch(&[Write::Put { key, value }])?)?;
        }
        file.sync_all()?;
        fs::rename(&draft, &self.path)?;
        sync_folder(&self.path)?;
        self.file = file;
        self.places.clear();
        self.live = 0;
        match self.scan()? {
            Scan::Good => Ok(()),
            Scan::Damaged | Scan::Foreign => {
                Err(io::Error::other("what was written is not what is read"))
            }
        }
    }
}

enum Scan {
    Good,
    Damaged,
    /// It was never a file of ours.
    Foreign,
}

impl Store for FileStore {
    fn load(&mut self, each: &mut dyn FnMut(&[u8], Bytes)) -> Result<(), StoreError> {
        let places: Vec<_> = self.places.iter().map(|(key, place)| (key.clone(), *place)).collect();
        for (key, place) in places {
            let value = self.read(place).map_err(|error| at("read", &self.path, error))?;
            each(&key, value);
        }
        Ok(())
    }

    fn commit(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        if self.broken {
            return Err(at("write to", &self.path, "an earlier write failed half way"));
        }
        let done = encode_batch(writes).and_then(|batch| {
            self.append(&batch)?;
            Ok(batch)
        });
        match done {
            Ok(batch) => {
                // The batch is as it will be read.
                let noted = self.note(&batch[HEAD_BYTES..], self.end + HEAD_BYTES as u64);
                self.end += batch.len() as u64;
                noted.ok_or_else(|| at("write to", &self.path, "a batch makes no sense"))
            }
            Err(error) => {
                // Half a batch must not stay in front of whole ones.
                self.broken = self.file.set_len(self.end).is_err();
                Err(at("write to", &self.path, error))
            }
        }
    }

    fn compact(&mut self) -> Result<(), StoreError> {
        if self.broken || self.end < 2 * self.live + SLACK_BYTES {
            return Ok(());
        }
        self.rewrite().map_err(|error| {
            // Which of the two files is at the path is not known.
            self.broken = true;
            at("rewrite", &self.path, error)
        })
    }

    fn put_aside(&mut self) -> Result<Option<PathBuf>, StoreError> {
        let aside = put_file_aside(&self.path).map_err(|error| at("rename", &self.path, error))?;
        self.file = open_locked(&self.path)?;
        self.places.clear();
        self.live = 0;
        self.broken = false;
        self.scan().map_err(|error| at("write to", &self.path, error))?;
        Ok(Some(aside))
    }

    fn damaged(&self) -> Option<PathBuf> {
        self.damaged.clone()
    }
}

fn open_locked(path: &Path) -> Result<File, StoreError> {
    let file = open_private(path).map_err(|error| at("open", path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            Err(at("open", path, "another program, or another client of this one, has it open"))
        }
        Err(fs::TryLockError::Error(error)) => Err(at("lock", path, error)),
    }
}

/// A new name in a folder is on the disk when the folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn encode_batch(writes: &[Write]) -> io::Result<Vec<u8>> {
    let mut batch = vec![0; HEAD_BYTES];
    for write in writes {
        match write {
            Write::Put { key, value } => {
                batch.push(PUT);
                put_sized(&mut batch, key)?;
                put_sized(&mut batch, value)?;
            }
            Write::Delete { key } => {
                batch.push(DELETE);
                put_sized(&mut batch, key)?;
            }
        }
    }
    let len = size(batch.len() - HEAD_BYTES)?;
    let sum = checksum(len, &batch[HEAD_BYTES..]);
    batch[..4].copy_from_slice(MARK);
    batch[4..8].copy_from_slice(&len.to_le_bytes());
    batch[8..12].copy_from_slice(&sum.to_le_bytes());
    Ok(batch)
}

fn size(len: usize) -> io::Result<u32> {
    u32::try_from(len).map_err(|_| io::Error::other("more than four gigabytes in one batch"))
}

fn put_sized(batch: &mut Vec<u8>, bytes: &[u8]) -> io::Result<()> {
    batch.extend_from_slice(&size(bytes.len())?.to_le_bytes());
    batch.extend_from_slice(bytes);
    Ok(())
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, behind) = rest.split_at_checked(len)?;
    *rest = behind;
    Some(taken)
}

fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    take(rest, 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes)
}

fn take_sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = take_u32(rest)?;
    take(rest, len as usize)
}

fn checksum(len: u32, batch: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(&len.to_le_bytes());
    sum.update(batch);
    sum.sum()
}

/// The length of the batch that these bytes begin with, if it is there whole.
fn whole_batch(mut bytes: &[u8]) -> Option<usize> {
    if take(&mut bytes, MARK.len())? != MARK {
        return None;
    }
    let (len, sum) = (take_u32(&mut bytes)?, take_u32(&mut bytes)?);
    let batch = take(&mut bytes, len as usize)?;
    (checksum(len, batch) == sum).then_some(batch.len())
}

/// Whether a whole batch lies somewhere behind the first byte.
fn has_batch(bytes: &[u8]) -> bool {
    let marks = bytes.windows(MARK.len()).enumerate().skip(1);
    marks
        .filter(|(_, bytes)| bytes == MARK)
        .any(|(start, _)| whole_batch(&bytes[start..]).is_some())
}
