//! Records behind a codec.

use lightlike_core::driver::{Coded, FileStore, RecordCodec};
use lightlike_core::journal::{MemoryStore, Store as _};

use super::{contents, put, records};

/// Adds a number to each byte: no secret is safe with it, and no text is readable.
struct Shift(u8);

type Failed = Box<dyn std::error::Error + Send + Sync>;

impl RecordCodec for Shift {
    fn encode(&self, _: &[u8], record: &[u8]) -> Result<Vec<u8>, Failed> {
        if record == b"no" {
            return Err("not that".into());
        }
        Ok([self.0].into_iter().chain(record.iter().map(|b| b.wrapping_add(self.0))).collect())
    }

    fn decode(&self, _: &[u8], kept: &[u8]) -> Result<Vec<u8>, Failed> {
        match kept.split_first() {
            Some((key, rest)) if *key == self.0 => {
                Ok(rest.iter().map(|b| b.wrapping_sub(self.0)).collect())
            }
            _ => Err("another secret".into()),
        }
    }
}

#[test]
fn records_lie_coded_and_come_back() {
    let disk = MemoryStore::new();
    let mut store = Coded::new(disk.clone(), Shift(3));
    store.commit(&[put("k", "abc")]).unwrap();
    assert_eq!(contents(&mut store), records(&[("k", "abc")]));
    let mut disk = disk;
    assert_eq!(contents(&mut disk), records(&[("k", "\u{3}def")]));
}

#[test]
fn wrong_secret_is_refused_and_store_stays() {
    let disk = MemoryStore::new();
    Coded::new(disk.clone(), Shift(3)).commit(&[put("k", "abc")]).unwrap();
    let mut wrong = Coded::new(disk.clone(), Shift(4));
    let error = wrong.load(&mut |_, _| panic!("nothing is shown")).unwrap_err();
    assert_eq!(error.to_string(), "cannot decode a record of the store: another secret");
    assert_eq!(disk.len(), 1);
}

#[test]
fn record_that_is_not_encoded_leaves_the_store_as_it_was() {
    let disk = MemoryStore::new();
    let mut store = Coded::new(disk, Shift(3));
    store.commit(&[put("k", "abc")]).unwrap();
    let error = store.commit(&[put("k", "def"), put("l", "no")]).unwrap_err();
    assert_eq!(error.to_string(), "cannot encode a record: not that");
    assert_eq!(contents(&mut store), records(&[("k", "abc")]));
}

/// What a damaged file has lost is still told when it is opened with the right secret.
#[test]
fn wrong_secret_takes_nothing_from_a_damaged_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let open = |secret| Coded::new(FileStore::open(&path).unwrap(), Shift(secret));
    open(3).commit(&[put("k", "abc")]).unwrap();
    open(3).commit(&[put("l", "def")]).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(3).position(|bytes| bytes == b"def").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(open(4).load(&mut |_, _| panic!("nothing is shown")).is_err());
    let mut store = open(3);
    assert_eq!(contents(&mut store), records(&[("l", "def")]));
    assert!(store.damaged().is_some() && store.loss().keys.contains(&b"k"[..]));
}
