//! Random damage to files of [`FileStore`], beside a model that knows which bytes belong to which write.
//!
//! Two thousand damages by default; `LIGHTLIKE_DAMAGES` says how many, `LIGHTLIKE_SEED` repeats one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::Path;

use lightlike_core::driver::FileStore;
use lightlike_core::journal::{Store as _, Write};

use super::random::Random;
use super::{Records, contents};

/// A write of a key, and the bytes of the file that its batch takes up.
struct Written {
    value: Option<Vec<u8>>,
    bytes: Range<usize>,
}

/// A file, and what was written to it.
struct History {
    file: Vec<u8>,
    /// Every write of each key, oldest first.
    writes: BTreeMap<Vec<u8>, Vec<Written>>,
    /// The file's length after each batch, before the batch was confirmed.
    batches: usize,
}

/// What a value may be: nothing, random bytes, and bytes that look like those of a store.
fn value(random: &mut Random, file: &[u8]) -> Vec<u8> {
    match random.below(8) {
        0 => Vec::new(),
        1 => vec![0; random.below(40) as usize],
        2 => b"LLJB\x0b\0\0\0TZY=\x01\x06\0\0\x00000005".to_vec(),
        3 => file.to_vec(),
        4 => {
            let from = random.below(file.len() as u64) as usize;
            file[from..].to_vec()
        }
        5 => file[..64.min(file.len())].repeat(2),
        _ => (0..random.below(60)).map(|_| random.below(256) as u8).collect(),
    }
}

fn history(path: &Path, random: &mut Random) -> History {
    let mut store = FileStore::open(path).unwrap();
    let mut writes: BTreeMap<Vec<u8>, Vec<Written>> = BTreeMap::new();
    let batches = 1 + random.below(8) as usize;
    for _ in 0..batches {
        let file = fs::read(path).unwrap();
        let mut batch = BTreeMap::new();
        for _ in 0..=random.below(3) {
            let key = vec![b'k'; random.below(5) as usize];
            let value = (random.below(4) > 0).then(|| value(random, &file));
            batch.insert(key, value);
        }
        let made = batch.iter().map(|(key, value)| match value {
            Some(value) => Write::Put { key: (**key).into(), value: value.clone().into() },
            None => Write::Delete { key: (**key).into() },
        });
        store.commit(&made.collect::<Vec<_>>()).unwrap();
        let bytes = file.len()..fs::metadata(path).unwrap().len() as usize;
        for (key, value) in batch {
            let bytes = bytes.clone();
            writes.entry(key).or_default().push(Written { value, bytes });
        }
    }
    drop(store);
    History { file: fs::read(path).unwrap(), writes, batches }
}

/// A damaged file, and where it differs from the whole one.
struct Damage {
    file: Vec<u8>,
    bytes: Vec<Range<usize>>,
    /// Whether the end may look as if a crash had torn it.
    is_cut: bool,
}

impl Damage {
    fn new(random: &mut Random, whole: &[u8]) -> Self {
        let mut damage = Self { file: whole.to_vec(), bytes: Vec::new(), is_cut: false };
        for _ in 0..1 + random.below(3) * random.below(2) {
            damage.add(random);
        }
        damage
    }

    fn add(&mut self, random: &mut Random) {
        let len = self.file.len() as u64;
        if len == 0 {
            return;
        }
        let from = random.below(len) as usize;
        let to = (from + 1 + random.below(200) as usize).min(self.file.len());
        let before = self.file.clone();
        match random.below(6) {
            0 | 1 => self.file[from] ^= 1 << random.below(8),
            2 => {
                self.file[from..to].fill(0);
                // As sectors that were never written.
                self.is_cut |= to == self.file.len() || from / 512 != to / 512;
            }
            3 => self.file[from..to].fill_with(|| random.below(256) as u8),
            // A block that was written elsewhere.
            4 => {
                let other = random.below(len - (to - from) as u64 + 1) as usize;
                self.file.copy_within(other..other + (to - from), from);
            }
            _ => {
                self.file.truncate(from);
                self.is_cut = true;
                self.bytes.push(from..usize::MAX);
            }
        }
        let changed = (0..self.file.len()).filter(|&at| before[at] != self.file[at]);
        self.bytes.extend(changed.map(|at| at..at + 1));
    }

    fn touches(&self, bytes: &Range<usize>) -> bool {
        self.bytes.iter().any(|damaged| damaged.start < bytes.end && bytes.start < damaged.end)
    }
}

/// Opens a damaged file and holds what is there against what was written.
fn check(path: &Path, history: &History, damage: &Damage, seed: u64) {
    fs::write(path, &damage.file).unwrap();
    let mut store = match FileStore::open(path) {
        Ok(store) => store,
        Err(error) => {
            // Nothing is left that tells it from somebody else's file, and so it stays.
            let kind = error.kind();
            assert_eq!(kind, lightlike_core::journal::StoreErrorKind::Foreign, "{seed}: {error}");
            assert!(damage.touches(&(0..8)) && damage.touches(&(32..40)), "{seed}");
            assert_eq!(fs::read(path).unwrap(), damage.file, "{seed}");
            return;
        }
    };
    let (shown, loss) = (contents(&mut store), store.loss());
    for (key, value) in &shown {
        let written = history.writes.get(key).into_iter().flatten();
        let known = written.filter_map(|written| written.value.as_ref());
        assert!(known.into_iter().any(|known| known == value), "{seed}: {key:?} was never that");
    }
    // The header is there twice.
    let is_headless = damage.touches(&(0..32)) && damage.touches(&(32..64));
    for (key, writes) in &history.writes {
        let last = writes.last().unwrap();
        let is_known = !loss.unnamed && !loss.keys.contains(&**key);
        // What is cut off is gone without a word: a crash may have prevented it.
        if (!damage.touches(&last.bytes) && !is_headless) || (is_known && !damage.is_cut) {
            assert_eq!(shown.get(key), last.value.as_ref(), "{seed}: {key:?}");
        }
    }
    if let Some(aside) = store.damaged() {
        assert_eq!(fs::read(aside).unwrap(), damage.file, "{seed}: the damaged file is kept");
    } else {
        assert!(loss.is_none(), "{seed}: {loss:?} without a word");
    }
    go_on(path, store, shown, seed);
}

/// A loss is told of until a commit, and the store works as before.
fn go_on(path: &Path, store: FileStore, mut shown: Records, seed: u64) {
    let (loss, damaged) = (store.loss(), store.damaged());
    drop(store);
    let mut store = FileStore::open(path).unwrap();
    assert_eq!(contents(&mut store), shown, "{seed}");
    assert_eq!((store.loss(), store.damaged()), (loss, damaged), "{seed}");
    store.commit(&[super::put("more", "x")]).unwrap();
    shown.insert(b"more".to_vec(), b"x".to_vec());
    drop(store);
    let mut store = FileStore::open(path).unwrap();
    assert_eq!(contents(&mut store), shown, "{seed}");
    assert!(store.loss().is_none() && store.damaged().is_none(), "{seed}");
}

#[test]
fn random_damage_serves_and_loses_nothing_whole() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let only = number("LIGHTLIKE_SEED");
    let seeds = match only {
        Some(seed) => seed..seed + 1,
        None => 0..number("LIGHTLIKE_DAMAGES").unwrap_or(2_000),
    };
    let folder = tempfile::tempdir_in(fast_folder()).unwrap();
    let mut kinds = BTreeSet::new();
    for seed in seeds {
        let mut random = Random(seed);
        let path = folder.path().join(format!("store-{seed}"));
        let history = history(&path, &mut random);
        let damage = Damage::new(&mut random, &history.file);
        kinds.insert((history.batches, damage.is_cut));
        check(&path, &history, &damage, seed);
        for file in fs::read_dir(folder.path()).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
    }
    assert!(only.is_some() || kinds.len() == 16, "{kinds:?}");
}

/// A folder in memory, where there is one: nothing here depends on what is synced.
pub(crate) fn fast_folder() -> std::path::PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.into() } else { std::env::temp_dir() }
}
