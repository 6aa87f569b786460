//! A hash index: row ids by the hash of something in their rows.
//!
//! It knows neither rows nor keys: hashes come in, candidates go out, and whoever asks compares them. Several rows of
//! one key may be in it at once (a dead version that views still see, the live one, a staged one).
//!
//! Ids lie in *shards*, each behind its own lock, which a reader holds for one probe. A full shard splits into two, by
//! one more bit of the hash, so that growth never moves more than a shard. The new tables are made before the lock is
//! taken: nobody waits for rows to be hashed.
//!
//! # Invariants
//!
//! - Only the table's writer changes an index; readers probe at the same time.
//! - `shards` has `2^depth` entries; the low `depth` bits of a hash's [`bits`] are the place of its shard. A shard that
//!   shares fewer bits stands at several places.
//! - A reader may have an older directory than the writer: a shard knows the shards that split off from it.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hashbrown::HashTable;

/// How many ids a shard holds before it splits: what a table of 4096 buckets has room for.
const SHARD_IDS_MAX: usize = 3584;
/// How many bits of a hash choose a shard.
const DEPTH_MAX: u32 = 20;
/// Tables below this many ids are not worth making smaller.
const SHRINK_ABOVE: usize = 64;

/// The bits of a hash that choose a shard: not those that a table within one uses (the lowest and the highest seven).
#[inline]
fn bits(hash: u64) -> usize {
    (hash >> 32) as usize & ((1 << DEPTH_MAX) - 1)
}

#[derive(Clone)]
pub(super) struct HashIndex {
    shards: Arc<Vec<Arc<Shard>>>,
    depth: u32,
}

struct Shard {
    state: RwLock<State>,
}

struct State {
    ids: HashTable<u32>,
    /// How many bits the shard's hashes had in common when it was made.
    born_depth: u32,
    /// The shards that split off, in order: the n-th took the hashes in which bit `born_depth + n` is set.
    split_off: Vec<Arc<Shard>>,
    /// Those bits.
    moved: usize,
}

impl Shard {
    fn new(depth: u32, ids: HashTable<u32>) -> Self {
        let state = State { ids, born_depth: depth, split_off: Vec::new(), moved: 0 };
        Self { state: RwLock::new(state) }
    }

    // A panic under the lock can only come from a row's own `Eq`, which leaves the table as it was.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many bits the shard's hashes have in common.
    fn depth(&self) -> u32 {
        self.born_depth + self.split_off.len() as u32
    }

    /// The shard to which hashes with these bits went first.
    fn follow(&self, bits: usize) -> Option<Arc<Shard>> {
        let first = (bits & self.moved).trailing_zeros();
        self.split_off.get(first.checked_sub(self.born_depth)? as usize).cloned()
    }
}

impl HashIndex {
    pub(super) fn new() -> Self {
        let shard = Shard::new(0, HashTable::new());
        Self { shards: Arc::new(vec![Arc::new(shard)]), depth: 0 }
    }

    #[inline]
    fn place(&self, bits: usize) -> usize {
        bits & ((1 << self.depth) - 1)
    }

    /// Shows the ids that may have this hash to `pick`, until it picks one. A shard is locked meanwhile.
    #[inline]
    pub(super) fn find<T>(&self, hash: u64, mut pick: impl FnMut(u32) -> Option<T>) -> Option<T> {
        let bits = bits(hash);
        let state = self.shards[self.place(bits)].read();
        if state.moved & bits == 0 {
            return state.ids.iter_hash(hash).find_map(|&id| pick(id));
        }
        let mut next = state.follow(bits);
        drop(state);
        while let Some(shard) = next {
            let state = shard.read();
            if state.moved & bits == 0 {
                return state.ids.iter_hash(hash).find_map(|&id| pick(id));
            }
            next = state.follow(bits);
        }
        None
    }

    /// Adds an id, unless its shard is full: then [`grow`](Self::grow) makes room.
    #[inline]
    #[must_use]
    pub(super) fn try_insert(&self, hash: u64, id: u32) -> bool {
        let mut state = self.shards[self.place(bits(hash))].write();
        if state.ids.len() == state.ids.capacity() {
            return false;
        }
        // There is room, so nothing is hashed again.
        state.ids.insert_unique(hash, id, |_| hash);
        true
    }

    /// Makes room for at least one more id of this hash. `rehash` gives the hash of an id that is in the index.
    pub(super) fn grow(&mut self, hash: u64, rehash: impl Fn(u32) -> u64) {
        let place = self.place(bits(hash));
        let shard = Arc::clone(&self.shards[place]);
        let (hashed, depth) = shard.hashed(rehash);
        if hashed.len() >= SHARD_IDS_MAX && depth < DEPTH_MAX && splits_well(&hashed, depth) {
            self.split(place, &shard, hashed, depth);
        } else {
            let room = hashed.len() + hashed.len() / 4 + 3;
            shard.rebuild(&hashed, room);
        }
    }

    /// Whether to make room for `rows` more ids at once: if they are many more than the index holds so far. Else it
    /// grows as they come; they may be rows that it has.
    pub(super) fn wants_reserve(&self, rows: usize) -> bool {
        rows > SHARD_IDS_MAX && self.held() <= rows / 8
    }

    fn held(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().ids.len()).sum()
    }

    /// Makes room for `rows` more ids at once.
    pub(super) fn reserve(&mut self, rows: usize, rehash: impl Fn(u32) -> u64) {
        let held = self.held();
        // A few per cent of slack, because shards do not fill evenly.
        let rows = held + rows;
        let shards = (rows + rows / 16).div_ceil(SHARD_IDS_MAX).next_power_of_two();
        for target in 1..=shards.ilog2().min(DEPTH_MAX) {
            // A shard that is split moves only to places further on.
            for place in 0..1 << (target - 1) {
                let shard = Arc::clone(&self.shards[place]);
                let (hashed, depth) = shard.hashed(&rehash);
                if depth < target {
                    self.split(place, &shard, hashed, depth);
                }
            }
        }
        let each = rows / self.shards.len();
        for shard in self.shards.iter() {
            let (hashed, _) = shard.hashed(&rehash);
            shard.rebuild(&hashed, (each + each / 16).max(hashed.len()));
        }
    }

    /// Splits the shard at `place` by bit `depth`.
    fn split(&mut self, place: usize, shard: &Arc<Shard>, hashed: Vec<(u64, u32)>, depth: u32) {
        let bit = 1 << depth;
        let (moved, kept): (Vec<_>, Vec<_>) =
            hashed.into_iter().partition(|&(hash, _)| bits(hash) & bit != 0);
        let sibling = Arc::new(Shard::new(depth + 1, table(&moved, moved.len() * 5 / 4)));
        let kept = table(&kept, kept.len() * 5 / 4);
        let shards = Arc::make_mut(&mut self.shards);
        if depth == self.depth {
            shards.extend_from_within(..);
            self.depth += 1;
        }
        // All places of the shard share its low bits; those with the next bit set are the sibling's.
        let first = (place & (bit - 1)) | bit;
        for place in (first..shards.len()).step_by(bit << 1) {
            shards[place] = Arc::clone(&sibling);
        }
        let old = {
            let mut state = shard.write();
            state.split_off.push(sibling);
            state.moved |= bit;
            core::mem::replace(&mut state.ids, kept)
        };
        drop(old);
    }

    /// Removes an id; `false` if it is not there under this hash.
    pub(super) fn remove(&self, hash: u64, id: u32, rehash: impl Fn(u32) -> u64) -> bool {
        let shard = &self.shards[self.place(bits(hash))];
        let (removed, sparse) = {
            let mut state = shard.write();
            let removed = match state.ids.find_entry(hash, |&other| other == id) {
                Ok(entry) => {
                    entry.remove();
                    true
                }
                Err(_) => false,
            };
            let (len, buckets) = (state.ids.len(), state.ids.num_buckets());
            (removed, buckets > SHRINK_ABOVE && len < buckets / 8)
        };
        if sparse {
            let (hashed, _) = shard.hashed(rehash);
            shard.rebuild(&hashed, hashed.len() * 2);
        }
        removed
    }

    /// All ids, in no order.
    #[cfg(test)]
    pub(super) fn ids(&self) -> Vec<u32> {
        let mut seen = Vec::new();
        let mut ids = Vec::new();
        for shard in self.shards.iter() {
            if !seen.iter().any(|other| Arc::ptr_eq(other, shard)) {
                ids.extend(shard.read().ids.iter());
                seen.push(Arc::clone(shard));
            }
        }
        ids
    }
}

impl Shard {
    /// What is in the shard, with hashes, and its depth. Readers are not in the way of this, nor it in theirs.
    fn hashed(&self, rehash: impl Fn(u32) -> u64) -> (Vec<(u64, u32)>, u32) {
        let state = self.read();
        (state.ids.iter().map(|&id| (rehash(id), id)).collect(), state.depth())
    }

    /// Moves the ids to a table with room for `room`.
    fn rebuild(&self, hashed: &[(u64, u32)], room: usize) {
        let ids = table(hashed, room);
        let old = core::mem::replace(&mut self.write().ids, ids);
        drop(old);
    }
}

fn table(hashed: &[(u64, u32)], room: usize) -> HashTable<u32> {
    let mut ids = HashTable::with_capacity(room.max(hashed.len()));
    for &(hash, id) in hashed {
        ids.insert_unique(hash, id, |_| hash);
    }
    ids
}

/// Whether a split by bit `depth` makes two shards out of one: versions of one key stay together for ever.
fn splits_well(hashed: &[(u64, u32)], depth: u32) -> bool {
    let set = hashed.iter().filter(|&&(hash, _)| bits(hash) & (1 << depth) != 0).count();
    let least = hashed.len() / 8;
    set >= least && hashed.len() - set >= least
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As good as any: rows are their own ids here.
    fn hash(id: u32) -> u64 {
        let mixed = u64::from(id).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    fn insert(index: &mut HashIndex, id: u32) {
        while !index.try_insert(hash(id), id) {
            index.grow(hash(id), hash);
        }
    }

    fn has(index: &HashIndex, id: u32) -> bool {
        index.find(hash(id), |other| (other == id).then_some(())).is_some()
    }

    #[test]
    fn ids_are_found_while_the_index_grows_shard_by_shard() {
        let mut index = HashIndex::new();
        for id in 0..50_000 {
            insert(&mut index, id);
        }
        assert!(index.shards.len() >= 16, "{} shards", index.shards.len());
        assert!((0..50_000).all(|id| has(&index, id)));
        assert!(!has(&index, 50_000));
        assert_eq!(index.ids().len(), 50_000);
    }

    #[test]
    fn an_older_directory_still_finds_everything() {
        let mut index = HashIndex::new();
        let oldest = index.clone();
        for id in 0..30_000 {
            insert(&mut index, id);
        }
        let older = index.clone();
        for id in 30_000..200_000 {
            insert(&mut index, id);
        }
        assert!((0..200_000).all(|id| has(&older, id) && has(&oldest, id)));
    }

    #[test]
    fn a_reservation_makes_room_for_all() {
        let mut index = HashIndex::new();
        for id in 0..100 {
            insert(&mut index, id);
        }
        index.reserve(100_000, hash);
        let shards = index.shards.len();
        for id in 100..100_000 {
            assert!(index.try_insert(hash(id), id), "no room for {id}");
        }
        assert_eq!(index.shards.len(), shards);
        assert!((0..100_000).all(|id| has(&index, id)));
    }

    #[test]
    fn removed_ids_give_their_memory_back() {
        let mut index = HashIndex::new();
        for id in 0..20_000 {
            insert(&mut index, id);
        }
        for id in 0..20_000 {
            assert!(index.remove(hash(id), id, hash));
            assert!(!index.remove(hash(id), id, hash));
        }
        let bytes: usize = index.shards.iter().map(|s| s.read().ids.allocation_size()).sum();
        assert!(bytes < index.shards.len() * 1024, "{bytes} bytes");
    }

    #[test]
    fn many_rows_of_one_key_do_not_split_for_ever() {
        let mut index = HashIndex::new();
        for id in 0..20_000 {
            while !index.try_insert(7, id) {
                index.grow(7, |_| 7);
            }
        }
        assert_eq!(index.shards.len(), 1);
        let mut count = 0;
        index.find(7, |_| {
            count += 1;
            None::<()>
        });
        assert_eq!(count, 20_000);
    }
}
