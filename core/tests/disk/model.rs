//! Every store keeps what a map would, over any history and any reopening.

use std::collections::BTreeMap;

use lightlike_core::driver::FileStore;
use lightlike_core::journal::{MemoryStore, Store, Write};
use proptest::prelude::*;

use super::contents;

#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    Compact,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop::option::of(prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (0_usize..200_000, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]),
    ]);
    // A few keys, of which one is empty and some begin with others.
    let key = prop::collection::vec(prop_oneof![Just(0), Just(0xf5), Just(b'k')], 0..3);
    prop_oneof![
        6 => prop::collection::vec((key, value), 0..6).prop_map(Step::Commit),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

fn keeps_what_a_map_would(steps: Vec<Step>, mut open: impl FnMut() -> Box<dyn Store>) {
    let mut store = Some(open());
    let mut model = BTreeMap::new();
    for step in steps {
        match step {
            Step::Commit(changes) => {
                let writes = changes.into_iter().map(|(key, value)| {
                    let key: Box<[u8]> = key.into();
                    match value {
                        Some(value) => {
                            model.insert(key.to_vec(), value.clone());
                            Write::Put { key, value: value.into() }
                        }
                        None => {
                            model.remove(&*key);
                            Write::Delete { key }
                        }
                    }
                });
                let writes: Vec<_> = writes.collect();
                store.as_mut().unwrap().commit(&writes).unwrap();
            }
            Step::Compact => store.as_mut().unwrap().compact().unwrap(),
            Step::Reopen => {
                // Only one may have it open.
                drop(store.take());
                store = Some(open());
            }
        }
    }
    assert_eq!(contents(&mut **store.as_mut().unwrap()), model);
    drop(store.take());
    assert_eq!(contents(&mut *open()), model);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn in_memory(steps in prop::collection::vec(step(), 0..40)) {
        let store = MemoryStore::new();
        keeps_what_a_map_would(steps, || Box::new(store.clone()));
    }

    #[test]
    fn in_a_file(steps in prop::collection::vec(step(), 0..40)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        keeps_what_a_map_would(steps, || Box::new(FileStore::open(&path).unwrap()));
    }
}

#[cfg(feature = "redb")]
proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn in_redb(steps in prop::collection::vec(step(), 0..20)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let open = || -> Box<dyn Store> {
            Box::new(lightlike_core::driver::RedbStore::open(&path).unwrap())
        };
        keeps_what_a_map_would(steps, open);
    }
}

#[test]
fn mostly_garbage_file_is_compacted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut store = FileStore::open(&path).unwrap();
    let large = vec![7; 64 << 10];
    for round in 0..100_u8 {
        let writes = [
            Write::Put { key: Box::from(*b"large"), value: large.clone().into() },
            Write::Put { key: Box::from([b's', round]), value: vec![round].into() },
        ];
        store.commit(&writes).unwrap();
        store.compact().unwrap();
    }
    let bytes = std::fs::metadata(&path).unwrap().len();
    assert!(bytes < 2 << 20, "{bytes} bytes for 64 KiB");
    let before = contents(&mut store);
    assert_eq!(before.len(), 101);
    store.commit(&[Write::Delete { key: Box::from(*b"large") }]).unwrap();
    drop(store);
    let mut again = FileStore::open(&path).unwrap();
    assert_eq!(contents(&mut again).len(), 100);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
}
