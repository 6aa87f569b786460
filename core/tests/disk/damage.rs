//! Files that a crash cut short, and files that are damaged.

use std::fs;
use std::path::Path;

use lightlike_core::driver::FileStore;
use lightlike_core::journal::{Saved, Store as _};

use super::{contents, delete, put, records};

/// The file after each of some batches.
fn history(path: &Path) -> Vec<(Vec<u8>, std::collections::BTreeMap<Vec<u8>, Vec<u8>>)> {
    let mut store = FileStore::open(path).unwrap();
    let batches = [
        vec![put("a", "1")],
        vec![put("b", "22"), put("c", "")],
        vec![delete("a"), put("b", "3")],
        vec![put("d", "four"), delete("c")],
    ];
    let mut history = vec![(fs::read(path).unwrap(), contents(&mut store))];
    for batch in batches {
        store.commit(&batch).unwrap();
        history.push((fs::read(path).unwrap(), contents(&mut store)));
    }
    history
}

#[test]
fn a_file_cut_short_at_any_byte_is_as_after_the_last_whole_batch() {
    let folder = tempfile::tempdir().unwrap();
    let history = history(&folder.path().join("store"));
    let (whole, _) = history.last().unwrap();
    for len in 0..=whole.len() {
        let path = folder.path().join(format!("cut-{len}"));
        fs::write(&path, &whole[..len]).unwrap();
        let mut store = FileStore::open(&path).unwrap();
        assert_eq!(store.damaged(), None, "cut at {len}");
        let then = history.iter().rev().find(|(bytes, _)| bytes.len() <= len);
        let then = then.map(|(_, records)| records.clone()).unwrap_or_default();
        assert_eq!(contents(&mut store), then, "cut at {len}");
        // And it goes on from there.
        store.commit(&[put("more", "x")]).unwrap();
        drop(store);
        let mut store = FileStore::open(&path).unwrap();
        assert_eq!(contents(&mut store).len(), then.len() + 1, "cut at {len}");
    }
}

#[test]
fn a_file_whose_end_was_never_written_is_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let history = history(&path);
    for zeros in [1, 12, 100, 5000] {
        let mut bytes = history[2].0.clone();
        bytes.resize(bytes.len() + zeros, 0);
        fs::write(&path, &bytes).unwrap();
        let mut store = FileStore::open(&path).unwrap();
        assert_eq!((store.damaged(), contents(&mut store)), (None, history[2].1.clone()));
    }
}

#[test]
fn any_flipped_bit_is_seen_and_the_file_put_aside_unless_it_is_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let history = history(&folder.path().join("store"));
    let (whole, _) = history.last().unwrap();
    let (before_last, then) = &history[history.len() - 2];
    for at in 8..whole.len() {
        let path = folder.path().join("flipped");
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, &bytes).unwrap();
        let mut store = FileStore::open(&path).unwrap();
        if at < before_last.len() {
            let aside = store.damaged().expect("damage in the middle is seen");
            assert_eq!(fs::read(&aside).unwrap(), bytes, "nothing of it is lost");
            assert!(contents(&mut store).is_empty());
            fs::remove_file(aside).unwrap();
        } else {
            // As a crash leaves it: the last batch was not written whole.
            assert_eq!((store.damaged(), &contents(&mut store)), (None, then), "{at}");
        }
    }
}

#[test]
fn a_file_of_somebody_else_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    for foreign in ["a", "[settings]\nname = 1\n"] {
        fs::write(&path, foreign).unwrap();
        let error = FileStore::open(&path).unwrap_err();
        assert!(error.to_string().contains("config.toml"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), foreign);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_can_be_open_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut first = FileStore::open(&path).unwrap();
    assert!(FileStore::open(&path).is_err());
    first.commit(&[put("a", "1")]).unwrap();
    drop(first);
    assert_eq!(contents(&mut FileStore::open(&path).unwrap()), records(&[("a", "1")]));
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/store");
    let _store = FileStore::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn records_that_make_no_sense_are_put_aside_with_all_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut store = FileStore::open(&path).unwrap();
    store.commit(&[put("nonsense", "x")]).unwrap();
    let opened = Saved::load(&mut store).unwrap().open("server", "database", None);
    assert_eq!(opened.token(), None);
    assert!(contents(&mut store).is_empty());
    assert!(path.with_file_name("store.damaged-1").exists());
    assert!(format!("{opened:?}").contains("damaged-1"));
}

#[test]
fn a_store_of_a_later_version_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = FileStore::open(folder.path().join("store")).unwrap();
    store.commit(&[put("f", "\u{2}\0\0\0")]).unwrap();
    let error = Saved::load(&mut store).unwrap_err();
    assert!(error.to_string().contains("format 2"), "{error}");
    assert_eq!(contents(&mut store).len(), 1);
}
