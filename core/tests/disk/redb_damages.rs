//! Random damage to files of [`RedbStore`], beside a model.
//!
//! A thousand damages by default; `LIGHTLIKE_DAMAGES` says how many, `LIGHTLIKE_SEED` repeats one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use lightlike_core::driver::RedbStore;
use lightlike_core::journal::{Store as _, StoreErrorKind, Write};

use super::damages::fast_folder;
use super::random::Random;
use super::{Records, contents, put};

/// A file, what it has, and every value that each key ever had.
struct History {
    file: Vec<u8>,
    records: Records,
    values: BTreeMap<Vec<u8>, BTreeSet<Vec<u8>>>,
}

fn history(path: &Path, random: &mut Random) -> History {
    let mut store = RedbStore::open(path).unwrap();
    let (mut records, mut values) = (Records::new(), BTreeMap::new());
    let batches = 1 + random.below(12);
    let large = if random.below(3) == 0 { 9_000 } else { 300 };
    for _ in 0..batches {
        let mut batch = Vec::new();
        for _ in 0..=random.below(30) {
            let key = format!("k{}", random.below(60)).into_bytes();
            if random.below(4) == 0 {
                records.remove(&key);
                batch.push(Write::Delete { key: key.into() });
                continue;
            }
            let len = random.below(large) as usize;
            let value: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
            values.entry(key.clone()).or_insert_with(BTreeSet::new).insert(value.clone());
            records.insert(key.clone(), value.clone());
            batch.push(Write::Put { key: key.into(), value: value.into() });
        }
        store.commit(&batch).unwrap();
    }
    // Killed, or closed.
    let killed = (random.below(2) == 0).then(|| fs::read(path).unwrap());
    drop(store);
    let file = killed.unwrap_or_else(|| fs::read(path).unwrap());
    fs::remove_file(path).unwrap();
    History { file, records, values }
}

fn damage(random: &mut Random, whole: &[u8]) -> Vec<u8> {
    let mut file = whole.to_vec();
    for _ in 0..1 + random.below(3) * random.below(2) {
        let len = file.len() as u64;
        if len == 0 {
            break;
        }
        // A third of it where the file says what it is, and which commit is the last.
        let within = if random.below(3) == 0 { len.min(3 << 12) } else { len };
        let from = random.below(within) as usize;
        let to = (from + 1 + random.below(600) as usize).min(file.len());
        match random.below(7) {
            0..=2 => file[from] ^= 1 << random.below(8),
            3 => file[from..to].fill(0),
            4 => file[from..to].fill_with(|| random.next() as u8),
            5 => {
                // A page that was written elsewhere.
                let (from, to) = (from / 4096 * 4096, random.below(len) as usize / 4096 * 4096);
                let page = 4096.min(file.len() - from.max(to));
                file.copy_within(from..from + page, to);
            }
            _ => file.truncate(from),
        }
    }
    file
}

/// What became of a damaged file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Whole,
    Reported,
    Refused,
}

fn check(path: &Path, history: &History, file: &[u8], seed: u64) -> (Outcome, usize) {
    fs::write(path, file).unwrap();
    let mut store = match RedbStore::open(path) {
        Ok(store) => store,
        Err(error) => {
            // Nothing is left that tells it from somebody else's file, and so it stays.
            assert_eq!(error.kind(), StoreErrorKind::Foreign, "{seed}: {error:?}");
            assert_eq!(fs::read(path).unwrap(), file, "{seed}");
            return (Outcome::Refused, 0);
        }
    };
    let mut shown = contents(&mut store);
    for (key, value) in &shown {
        let known = history.values.get(key).is_some_and(|known| known.contains(value));
        assert!(known, "{seed}: {key:?} was never that");
    }
    if store.loss().is_none() {
        assert_eq!(shown, history.records, "{seed}: served without a word");
    } else {
        let aside = store.damaged().expect("a loss is reported");
        assert_eq!(fs::read(aside).unwrap(), file, "{seed}: the damaged file is kept");
        assert!(shown.keys().all(|key| store.loss().keys.contains(&**key)), "{seed}");
    }
    let (kept, damaged) = (shown.len(), store.damaged());
    let told = (store.loss(), damaged.clone());
    drop(store);
    let mut store = RedbStore::open(path).unwrap();
    assert_eq!((store.loss(), store.damaged()), told, "{seed}: told until a commit");
    store.commit(&[put("more", "x")]).unwrap();
    shown.insert(b"more".to_vec(), b"x".to_vec());
    drop(store);
    let mut store = RedbStore::open(path).unwrap();
    assert!(store.loss().is_none() && store.damaged().is_none(), "{seed}");
    assert_eq!(contents(&mut store), shown, "{seed}");
    (if damaged.is_some() { Outcome::Reported } else { Outcome::Whole }, kept)
}

#[expect(clippy::print_stdout, reason = "figures for whoever asks for them")]
#[test]
fn random_damage_is_reported_and_serves_nothing_wrong() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("LIGHTLIKE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LIGHTLIKE_DAMAGES").unwrap_or(1_000),
    };
    let folder = tempfile::tempdir_in(fast_folder()).unwrap();
    let mut histories: BTreeMap<u64, History> = BTreeMap::new();
    let mut outcomes: BTreeMap<Outcome, (u64, usize)> = BTreeMap::new();
    for seed in seeds {
        let of = seed % 50;
        let new = || history(&folder.path().join(format!("whole-{of}")), &mut Random(of));
        let history = histories.entry(of).or_insert_with(new);
        let file = damage(&mut Random(seed << 8), &history.file);
        let (outcome, kept) = check(&folder.path().join("store"), history, &file, seed);
        let (count, all) = outcomes.entry(outcome).or_default();
        (*count, *all) = (*count + 1, *all + kept);
        for file in fs::read_dir(folder.path()).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
    }
    println!("{outcomes:?}: files, and records that were kept");
}
