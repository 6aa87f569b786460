//! Stores: what they keep, and what is left of it after a crash at any moment.
#![cfg(feature = "driver")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod coded;
mod damage;
mod damages;
mod files;
mod model;
mod random;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "redb")]
mod redb_damages;
mod thread;
mod v1;

use std::collections::BTreeMap;

use lightlike_core::journal::{Store, Write};

pub(crate) type Records = BTreeMap<Vec<u8>, Vec<u8>>;

/// Contents of a store.
pub(crate) fn contents(store: &mut dyn Store) -> Records {
    let mut records = BTreeMap::new();
    let mut seen = |key: &[u8], value: bytes::Bytes| {
        assert!(records.insert(key.to_vec(), value.to_vec()).is_none(), "{key:?} is shown twice");
    };
    store.load(&mut seen).unwrap();
    records
}

pub(crate) fn put(key: &str, value: &str) -> Write {
    Write::Put { key: key.as_bytes().into(), value: value.to_owned().into() }
}

pub(crate) fn delete(key: &str) -> Write {
    Write::Delete { key: key.as_bytes().into() }
}

pub(crate) fn records(of: &[(&str, &str)]) -> Records {
    of.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}
