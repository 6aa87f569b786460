//! Files that a crash cut short, and files that are damaged.

use std::fs;
use std::path::Path;

use lightlike_core::driver::FileStore;
use lightlike_core::journal::{Saved, Store as _};

use super::damages::fast_folder;
use super::{Records, contents, delete, put};

/// The file after each of some batches, and what is in it.
fn history(path: &Path) -> Vec<(Vec<u8>, Records)> {
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

/// Length of a file that has nothing but its header.
const HEADER: usize = 64;

#[test]
fn truncation_at_any_byte_keeps_whole_batches() {
    let folder = tempfile::tempdir_in(fast_folder()).unwrap();
    let history = history(&folder.path().join("store"));
    let (whole, _) = history.last().unwrap();
    for len in 0..=whole.len() {
        let path = folder.path().join(format!("cut-{len}"));
        fs::write(&path, &whole[..len]).unwrap();
        let mut store = FileStore::open(&path).unwrap();
        // A file is never that short, whenever a crash comes.
        assert_eq!(store.damaged().is_some(), len < HEADER, "cut at {len}");
        let shown = contents(&mut store);
        let then = history.iter().filter(|(bytes, _)| bytes.len() <= len).count();
        let (before, after) = (then.saturating_sub(1), then.min(history.len() - 1));
        // The confirmation of a batch may be cut off.
        let is_whole = shown == history[before].1 || shown == history[after].1;
        assert!(is_whole, "cut at {len}: {shown:?}");
        // And it goes on from there.
        store.commit(&[put("more", "x")]).unwrap();
        drop(store);
        let mut store = FileStore::open(&path).unwrap();
        assert_eq!(contents(&mut store).len(), shown.len() + 1, "cut at {len}");
    }
}

#[test]
fn unwritten_tail_is_ignored() {
    let folder = tempfile::tempdir_in(fast_folder()).unwrap();
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
fn any_flipped_bit_costs_one_record_at_most() {
    let folder = tempfile::tempdir_in(fast_folder()).unwrap();
    let history = history(&folder.path().join("store"));
    let (whole, last) = history.last().unwrap();
    let mut unseen = 0;
    for (at, bit) in (0..whole.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let path = folder.path().join("flipped");
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();
        let mut store = FileStore::open(&path).unwrap();
        let (shown, loss) = (contents(&mut store), store.loss());
        let differs = |key: &&Vec<u8>| shown.get(*key) != last.get(*key);
        let lost: Vec<_> = last.keys().chain(shown.keys()).filter(differs).collect();
        assert!(lost.iter().all(|key| loss.keys.contains(&***key)), "{at}: {lost:?}, {loss:?}");
        assert!(loss.keys.len() <= 1 && !loss.unnamed, "{at}: {loss:?}");
        match store.damaged() {
            Some(aside) => {
                assert_eq!(fs::read(&aside).unwrap(), bytes, "nothing of it is lost");
                fs::remove_file(aside).unwrap();
            }
            None => unseen += 1,
        }
        assert!(store.damaged().is_some() || loss.is_none(), "{at}");
    }
    // The last confirmation may be torn by a crash, and nothing is lost by that.
    assert!(unseen <= 8 * (64 + 30), "{unseen} flips are not told of");
}

#[test]
fn a_file_of_somebody_else_is_not_touched() {
    let folder = tempfile::tempdir_in(fast_folder()).unwrap();
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
fn meaningless_records_are_put_aside() {
    let folder = tempfile::tempdir_in(fast_folder()).unwrap();
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
fn later_store_version_is_untouched() {
    let folder = tempfile::tempdir_in(fast_folder()).unwrap();
    let mut store = FileStore::open(folder.path().join("store")).unwrap();
    store.commit(&[put("f", "\u{2}\0\0\0")]).unwrap();
    let error = Saved::load(&mut store).unwrap_err();
    assert!(error.to_string().contains("format 2"), "{error}");
    assert_eq!(contents(&mut store).len(), 1);
}
