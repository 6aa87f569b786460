//! redb over a disk that fails at its k-th write, or forgets what was not synced.

use std::io;
use std::sync::{Arc, Mutex};

use lightlike_core::driver::RedbStore;
use lightlike_core::journal::{Store as _, StoreErrorKind, Write};
use redb::{ReadableDatabase as _, StorageBackend, TableDefinition};

use super::{contents, put, records};

/// A disk in memory: what was written, and what of it would survive a loss of power.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    written: Vec<u8>,
    synced: Vec<u8>,
    /// Number of writes and syncs that still work.
    works: Option<usize>,
}

impl Disk {
    fn with(bytes: Vec<u8>, works: Option<usize>) -> Self {
        let state = State { written: bytes.clone(), synced: bytes, works };
        Self(Arc::new(Mutex::new(state)))
    }

    fn act<T>(&self, act: impl FnOnce(&mut State) -> T) -> io::Result<T> {
        let mut state = self.0.lock().unwrap();
        if let Some(left) = &mut state.works {
            *left = left.checked_sub(1).ok_or_else(|| io::Error::other("the disk failed"))?;
        }
        Ok(act(&mut state))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().written.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        let from = usize::try_from(offset).unwrap();
        let bytes = state.written.get(from..from + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.act(|state| state.written.resize(usize::try_from(len).unwrap(), 0))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.act(|state| state.synced = state.written.clone())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap();
        self.act(|state| state.written[from..from + data.len()].copy_from_slice(data))
    }
}

#[test]
fn power_loss_at_any_write_keeps_batches_atomic() {
    let fresh = Disk::default();
    drop(RedbStore::with_backend(fresh.clone()).unwrap());
    let fresh = fresh.0.lock().unwrap().synced.clone();
    let mut worked = 0;
    for works in 0.. {
        let disk = Disk::with(fresh.clone(), Some(works));
        let mut committed = 0;
        if let Ok(mut store) = RedbStore::with_backend(disk.clone()) {
            for batch in 0..4 {
                let writes = [put("a", &batch.to_string()), put(&format!("b{batch}"), "x")];
                match store.commit(&writes) {
                    Ok(()) if committed == batch => committed += 1,
                    // After a failure nothing more is taken.
                    Ok(()) => panic!("it went on after a failure"),
                    Err(_) => (),
                }
            }
        }
        let left = disk.0.lock().unwrap().synced.clone();
        let mut again = RedbStore::with_backend(Disk::with(left, None)).unwrap();
        let records = contents(&mut again);
        // One that was not confirmed may be there; none that was may be missing.
        let batches = records.len().saturating_sub(1);
        assert!(batches == committed || batches == committed + 1, "{works}: {records:?}");
        if batches > 0 {
            assert_eq!(records[&b"a"[..]], (batches - 1).to_string().as_bytes(), "{works}");
        }
        worked = committed;
        if committed == 4 {
            break;
        }
    }
    assert_eq!(worked, 4);
}

#[test]
fn a_damaged_file_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let mut store = RedbStore::open(&path).unwrap();
    store.commit(&[put("a", "1")]).unwrap();
    assert!(RedbStore::open(&path).is_err(), "it can be open once");
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    let len = bytes.len();
    bytes[64..len.min(8192)].fill(0xee);
    std::fs::write(&path, &bytes).unwrap();
    let mut store = RedbStore::open(&path).unwrap();
    let aside = store.damaged().expect("damage is seen");
    assert_eq!(std::fs::read(aside).unwrap(), bytes);
    assert!(contents(&mut store).is_empty());
    store.commit(&[put("b", "2")]).unwrap();
    let aside = store.put_aside().unwrap().unwrap();
    assert!(aside.to_string_lossy().ends_with(".damaged-2"), "{}", aside.display());
    assert!(contents(&mut store).is_empty());
}

#[test]
fn a_file_of_somebody_else_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "milk, eggs, and a text that is longer than a header is").unwrap();
    assert!(RedbStore::open(&path).is_err());
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("milk"));
}

#[test]
fn large_records_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = RedbStore::open(folder.path().join("store.redb")).unwrap();
    let large = "x".repeat(3 << 20);
    store.commit(&[put("large", &large)]).unwrap();
    let writes: Vec<Write> = vec![put("small", "y")];
    store.commit(&writes).unwrap();
    assert_eq!(contents(&mut store), records(&[("large", &large), ("small", "y")]));
}

const RECORDS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("records");

/// What lies behind the store's own page.
#[derive(Debug)]
struct Inner(Disk);

const PAGE: u64 = 4096;

impl StorageBackend for Inner {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len()? - PAGE)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset + PAGE, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len + PAGE)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset + PAGE, data)
    }
}

#[test]
fn record_that_is_not_what_was_written_is_not_served() {
    type Tamper = fn(&mut redb::Table<'_, &[u8], &[u8]>);
    let tamper: [Tamper; 3] = [
        // Another value, another key, and the value of another key: each a sound database.
        |table| drop(table.insert(&b"a"[..], &b"\0\0\0\0one"[..]).unwrap()),
        |table| {
            let value = table.remove(&b"a"[..]).unwrap().unwrap().value().to_vec();
            table.insert(&b"c"[..], &value[..]).unwrap();
        },
        |table| {
            let value = table.remove(&b"a"[..]).unwrap().unwrap().value().to_vec();
            table.insert(&b"b"[..], &value[..]).unwrap();
        },
    ];
    for tamper in tamper {
        let disk = Disk::default();
        let mut store = RedbStore::with_backend(disk.clone()).unwrap();
        store.commit(&[put("a", "1"), put("b", "2")]).unwrap();
        drop(store);
        let database = redb::Builder::new().create_with_backend(Inner(disk.clone())).unwrap();
        let write = database.begin_write().unwrap();
        tamper(&mut write.open_table(RECORDS).unwrap());
        write.commit().unwrap();
        drop(database);
        let error = RedbStore::with_backend(disk).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Damaged, "{error}");
    }
}

#[test]
fn commit_that_redb_rolls_back_is_missed() {
    let disk = Disk::default();
    let mut store = RedbStore::with_backend(disk.clone()).unwrap();
    store.commit(&[put("a", "1")]).unwrap();
    let before = disk.0.lock().unwrap().written.clone();
    store.commit(&[put("a", "2")]).unwrap();
    drop(store);
    // The database is as before its last commit, and nothing in it says that there was one.
    disk.0.lock().unwrap().written[PAGE as usize..before.len()]
        .copy_from_slice(&before[PAGE as usize..]);
    let error = RedbStore::with_backend(disk).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Damaged, "{error}");
}

#[test]
fn database_without_checksums_goes_on_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let database = redb::Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(RECORDS).unwrap().insert(&b"a"[..], &b"1"[..]).unwrap();
    write.commit().unwrap();
    assert!(database.begin_read().is_ok());
    drop(database);
    let mut store = RedbStore::open(&path).unwrap();
    assert_eq!((contents(&mut store), store.damaged()), (records(&[("a", "1")]), None));
    store.commit(&[put("b", "2")]).unwrap();
    drop(store);
    let mut store = RedbStore::open(&path).unwrap();
    assert_eq!(contents(&mut store), records(&[("a", "1"), ("b", "2")]));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn file_of_zeros_is_reported() {
    for bytes in [vec![], vec![0; 100], vec![0; 100_000]] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        std::fs::write(&path, &bytes).unwrap();
        let mut store = RedbStore::open(&path).unwrap();
        let aside = store.damaged().expect("it is reported");
        assert_eq!(std::fs::read(aside).unwrap(), bytes);
        assert!(store.loss().unnamed && contents(&mut store).is_empty());
    }
}

#[cfg(unix)]
#[test]
fn deleted_file_fails_the_next_commit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let mut store = RedbStore::open(&path).unwrap();
    let error = RedbStore::open(&path).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::InUse);
    std::fs::remove_file(&path).unwrap();
    let error = store.commit(&[put("a", "1")]).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Gone, "{error}");
    assert!(store.commit(&[put("b", "2")]).is_err());
}
