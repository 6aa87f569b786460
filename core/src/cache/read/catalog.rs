//! Catalog of tables, by type and by name.

use core::any::{Any, TypeId};
use core::hash::{BuildHasher as _, Hash, Hasher};
use std::sync::{Arc, OnceLock, Weak};

use foldhash::HashMap;
use foldhash::fast::RandomState;

/// The tables by their markers' types and by their names. Cheap to clone.
#[derive(Clone)]
pub(in crate::cache) struct Catalog {
    pub(in crate::cache) by_type: TypeMap,
    pub(in crate::cache) by_name: NameMap,
    /// Owner that is asked for a table that is not in the catalog.
    pub(in crate::cache) owner: Arc<OnceLock<Owner>>,
}

pub(in crate::cache) type Owner = Weak<dyn Any + Send + Sync>;

impl Catalog {
    pub(in crate::cache) fn new() -> Self {
        Self { by_type: TypeMap::new(), by_name: NameMap::new(), owner: Arc::default() }
    }
}

/// A hash map by name that readers share: a change copies one shard of it.
#[derive(Clone)]
pub(in crate::cache) struct NameMap {
    shards: Arc<[Shard; Self::SHARDS]>,
    /// Seeded at random, because a server chooses the names.
    hasher: RandomState,
}

type Shard = Arc<HashMap<Arc<str>, u32>>;

impl NameMap {
    const SHARDS: usize = 64;

    fn new() -> Self {
        let shards = Arc::new(core::array::from_fn(|_| Arc::default()));
        Self { shards, hasher: RandomState::default() }
    }

    pub(in crate::cache) fn get(&self, name: &str) -> Option<u32> {
        self.shards[self.shard(name)].get(name).copied()
    }

    pub(in crate::cache) fn insert(&mut self, name: Arc<str>, table: u32) {
        let shard = self.shard(&name);
        Arc::make_mut(&mut Arc::make_mut(&mut self.shards)[shard]).insert(name, table);
    }

    pub(in crate::cache) fn remove(&mut self, name: &str) {
        let shard = self.shard(name);
        Arc::make_mut(&mut Arc::make_mut(&mut self.shards)[shard]).remove(name);
    }

    /// All names, in no order.
    pub(in crate::cache) fn names(&self) -> impl Iterator<Item = &str> {
        self.shards.iter().flat_map(|shard| shard.keys()).map(|name| &**name)
    }

    fn shard(&self, name: &str) -> usize {
        self.hasher.hash_one(name) as usize % Self::SHARDS
    }
}

/// A small hash map by type: it stands in the way of every lookup, so it does as little as it can.
///
/// # Invariants
///
/// The number of slots is a power of two, and at least half of them are empty.
#[derive(Clone)]
pub(in crate::cache) struct TypeMap {
    slots: Arc<[Option<(TypeId, u32)>]>,
    len: usize,
}

impl TypeMap {
    fn new() -> Self {
        Self { slots: Arc::new([None; 8]), len: 0 }
    }

    #[inline]
    pub(in crate::cache) fn get(&self, marker: TypeId) -> Option<u32> {
        let mut at = hash(marker);
        loop {
            let (found, table) = self.slots[at & (self.slots.len() - 1)]?;
            if found == marker {
                return Some(table);
            }
            at += 1;
        }
    }

    pub(in crate::cache) fn insert(&mut self, marker: TypeId, table: u32) {
        if self.len * 2 >= self.slots.len() {
            let more = vec![None; self.slots.len() * 2].into();
            for &(marker, table) in core::mem::replace(&mut self.slots, more).iter().flatten() {
                self.put(marker, table);
            }
        }
        self.put(marker, table);
        self.len += 1;
    }

    fn put(&mut self, marker: TypeId, table: u32) {
        let slots = Arc::make_mut(&mut self.slots);
        let mut at = hash(marker);
        while slots[at & (slots.len() - 1)].is_some() {
            at += 1;
        }
        slots[at & (slots.len() - 1)] = Some((marker, table));
    }
}

/// A [`TypeId`] is a hash already.
#[inline]
fn hash(marker: TypeId) -> usize {
    let mut hasher = TypeHasher(0);
    marker.hash(&mut hasher);
    // The low bits are as good as any.
    hasher.0 as usize >> 1
}

struct TypeHasher(u64);

impl Hasher for TypeHasher {
    fn write(&mut self, bytes: &[u8]) {
        // Not what `TypeId` calls today; right all the same.
        self.0 = bytes.iter().fold(self.0, |hash, &byte| hash.rotate_left(8) ^ u64::from(byte));
    }

    #[inline]
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_among_many() {
        macro_rules! types {
            ($($ty:ty),*) => { [$(TypeId::of::<$ty>(), TypeId::of::<[$ty; 3]>(), TypeId::of::<Vec<$ty>>()),*] };
        }
        let types = types![u8, u16, u32, u64, i8, i16, i32, i64, f32, f64, bool, char, String, ()];
        let mut map = TypeMap::new();
        for (table, &marker) in (0..).zip(&types) {
            assert_eq!(map.get(marker), None);
            map.insert(marker, table);
        }
        for (table, &marker) in (0..).zip(&types) {
            assert_eq!(map.get(marker), Some(table));
        }
    }
}
