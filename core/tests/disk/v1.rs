//! Files of the format before this one: they go on, and what is damaged of them is kept aside.

use std::fs;

use lightlike_core::driver::FileStore;
use lightlike_core::journal::{Store as _, Write};

use super::damages::fast_folder;
use super::{Records, contents, delete, put, records};

/// A batch, as it was written then.
fn batch(writes: &[Write]) -> Vec<u8> {
    let sized = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(bytes);
    };
    let mut body = Vec::new();
    for write in writes {
        body.push(u8::from(matches!(write, Write::Delete { .. })));
        sized(&mut body, write.key());
        if let Write::Put { value, .. } = write {
            sized(&mut body, value);
        }
    }
    let len = (body.len() as u32).to_le_bytes();
    let mut sum = flate2::Crc::new();
    sum.update(&len);
    sum.update(&body);
    [&b"LLJB"[..], &len, &sum.sum().to_le_bytes(), &body].concat()
}

/// A file after each of some batches, and what is in it.
fn history() -> Vec<(Vec<u8>, Records)> {
    let (mut file, mut all) = (b"LLjourn1".to_vec(), Records::new());
    let mut history = vec![(file.clone(), all.clone())];
    for writes in [
        vec![put("a", "1"), put("looks", "LLJB\x0b\0\0\0TZY=\x01\x06\0\0\x00000005")],
        vec![put("b", "22"), put("c", "")],
        vec![delete("a"), put("b", "3")],
    ] {
        file.extend(batch(&writes));
        for write in writes {
            match write {
                Write::Put { key, value } => drop(all.insert(key.into(), value.into())),
                Write::Delete { key } => drop(all.remove(&*key)),
            }
        }
        history.push((file.clone(), all.clone()));
    }
    history
}

#[test]
fn old_file_cut_at_any_byte_goes_on_in_the_new_format() {
    let folder = tempfile::tempdir_in(fast_folder()).unwrap();
    let history = history();
    for len in 8..=history[3].0.len() {
        let path = folder.path().join(format!("cut-{len}"));
        fs::write(&path, &history[3].0[..len]).unwrap();
        let mut store = FileStore::open(&path).unwrap();
        let then = history.iter().rfind(|(file, _)| file.len() <= len).unwrap();
        assert_eq!((contents(&mut store), store.damaged()), (then.1.clone(), None), "{len}");
        store.commit(&[put("more", "x")]).unwrap();
        drop(store);
        assert!(fs::read(&path).unwrap().starts_with(b"LLjourn2"), "{len}");
        assert_eq!(contents(&mut FileStore::open(&path).unwrap()).len(), then.1.len() + 1);
    }
}

#[test]
fn old_file_with_a_flipped_bit_serves_nothing_that_was_not_written() {
    let folder = tempfile::tempdir_in(fast_folder()).unwrap();
    let history = history();
    let (whole, all) = &history[3];
    for at in 0..whole.len() {
        let path = folder.path().join(format!("flipped-{at}"));
        let mut file = whole.clone();
        file[at] ^= 1 << (at % 8);
        fs::write(&path, &file).unwrap();
        let mut store = FileStore::open(&path).unwrap();
        let shown = contents(&mut store);
        for (key, value) in &shown {
            let was = history.iter().any(|(_, records)| records.get(key) == Some(value));
            assert!(was, "{at}: {key:?}");
        }
        match store.damaged() {
            Some(aside) => {
                assert_eq!(fs::read(aside).unwrap(), file, "{at}");
                assert!(store.loss().unnamed, "{at}");
            }
            // A length that exceeds the file is what a crash leaves.
            None => assert!(history.iter().any(|(_, records)| *records == shown), "{at}"),
        }
        if (8..history[1].0.len()).contains(&at) && store.damaged().is_some() {
            // What is behind a damaged batch counts where its length is right.
            assert!(shown.is_empty() || shown == records(&[("b", "3"), ("c", "")]), "{at}");
        }
        assert!(at >= 8 || shown == *all, "{at}: the batches are whole");
    }
}
