//! The file of a store: who may have it open, what it may be, and where it may go.

use std::fs;
use std::path::Path;

use lightlike_core::driver::FileStore;
use lightlike_core::journal::{Store as _, StoreErrorKind, Write};

use super::damages::fast_folder;
use super::{contents, put, records};

#[test]
fn a_file_can_be_open_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut first = FileStore::open(&path).unwrap();
    let error = FileStore::open(&path).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::InUse);
    assert!(error.to_string().contains("another client has it open"), "{error}");
    first.commit(&[put("a", "1")]).unwrap();
    drop(first);
    assert_eq!(contents(&mut FileStore::open(&path).unwrap()), records(&[("a", "1")]));
}

#[test]
fn clients_racing_to_make_a_file_get_one_store() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..50 {
        let path = folder.path().join(format!("store-{round}"));
        let start = std::sync::Barrier::new(4);
        let open = || {
            start.wait();
            FileStore::open(&path)
        };
        let opened = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let refused = opened.iter().filter_map(|opened| opened.as_ref().err());
        refused.for_each(|error| assert_eq!(error.kind(), StoreErrorKind::InUse, "{error:?}"));
        let mut stores: Vec<_> = opened.into_iter().flatten().collect();
        assert!(stores.len() <= 1, "round {round}");
        if let Some(store) = stores.first_mut() {
            store.commit(&[put("a", "1")]).unwrap();
        }
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/store");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    drop(FileStore::open(&path).unwrap());
    assert_eq!(mode(), 0o600);
    // As a copy may have left it.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let _store = FileStore::open(&path).unwrap();
    assert_eq!(mode(), 0o600);
}

#[cfg(unix)]
#[test]
fn deleted_or_replaced_file_fails_the_next_commit() {
    type Act = fn(&Path);
    let acts: [Act; 3] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::rename(path, path.with_extension("moved")).unwrap(),
        |path| {
            fs::write(path.with_extension("other"), "x").unwrap();
            fs::rename(path.with_extension("other"), path).unwrap();
        },
    ];
    for (number, act) in acts.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let mut store = FileStore::open(&path).unwrap();
        store.commit(&[put("a", "1")]).unwrap();
        act(&path);
        let error = store.commit(&[put("b", "2")]).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Gone, "{number}: {error}");
        assert!(error.to_string().contains("was deleted or replaced"), "{error}");
        assert!(store.commit(&[put("c", "3")]).is_err(), "{number}");
    }
}

#[test]
fn empty_file_and_file_of_zeros_are_reported() {
    for bytes in [vec![], vec![0], vec![0; 64], vec![0; 5000]] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        fs::write(&path, &bytes).unwrap();
        let mut store = FileStore::open(&path).unwrap();
        let aside = store.damaged().expect("it is reported");
        assert_eq!(aside, path.with_file_name("store.damaged-1"));
        assert_eq!(fs::read(aside).unwrap(), bytes);
        assert!(store.loss().unnamed);
        store.commit(&[put("a", "1")]).unwrap();
        assert_eq!(contents(&mut store), records(&[("a", "1")]));
    }
}

#[test]
fn a_file_of_somebody_else_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    for foreign in ["a", "LX", "[settings]\nname = 1\n"] {
        fs::write(&path, foreign).unwrap();
        let error = FileStore::open(&path).unwrap_err();
        assert!(error.to_string().contains("config.toml"), "{error}");
        assert_eq!(error.kind(), StoreErrorKind::Foreign);
        assert_eq!(fs::read_to_string(&path).unwrap(), foreign);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn file_behind_a_link_is_rewritten_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    FileStore::open(&real).unwrap().commit(&[put("a", "1")]).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let mut bytes = fs::read(&real).unwrap();
    bytes[3] ^= 1;
    fs::write(&real, bytes).unwrap();
    let mut store = FileStore::open(&link).unwrap();
    assert!(store.damaged().is_some());
    store.commit(&[put("b", "2")]).unwrap();
    drop(store);
    assert!(link.is_symlink());
    let both = records(&[("a", "1"), ("b", "2")]);
    assert_eq!(contents(&mut FileStore::open(&real).unwrap()), both);
}

#[cfg(unix)]
#[test]
fn file_that_was_kept_before_a_crash_is_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    FileStore::open(&path).unwrap().commit(&[put("a", "1")]).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[3] ^= 1;
    fs::write(&path, bytes).unwrap();
    // As far as a run came that was killed then.
    fs::hard_link(&path, path.with_file_name("store.damaged-1")).unwrap();
    fs::write(path.with_file_name("store.new"), "half of").unwrap();
    let store = FileStore::open(&path).unwrap();
    assert_eq!(store.damaged(), Some(path.with_file_name("store.damaged-1")));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

/// Marks of frames all over a torn end: a scan that took each for a frame to read would not end.
#[test]
fn torn_end_full_of_marks_is_read_once() {
    let folder = tempfile::tempdir_in(fast_folder()).unwrap();
    let path = folder.path().join("store");
    let mut store = FileStore::open(&path).unwrap();
    let value = [0xf5, b'L', b'J', 0xa2].repeat(1 << 20).into();
    store.commit(&[Write::Put { key: Box::from(*b"marks"), value }]).unwrap();
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    // Neither the head nor the confirmation says where the value ends.
    bytes[100] ^= 1;
    bytes.truncate(bytes.len() - 10);
    fs::write(&path, &bytes).unwrap();
    let mut store = FileStore::open(&path).unwrap();
    assert!(store.damaged().is_some() && contents(&mut store).is_empty());
}
