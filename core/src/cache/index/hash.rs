//! A hash index: row ids by the hash of something in their rows.
//!
//! It knows neither rows nor keys: hashes come in, candidates go out, and the caller compares them. Several rows of
//! one key may be in it at once (a dead version that views still see, the live one, a staged one).
//!
//! Readers take no lock. Ids lie in *buckets* of one cache line, in *shards* of some thousand ids that are replaced as
//! a whole when they grow, and split in two, by one more bit of the hash, when they are full: so growth never moves
//! more than a shard. A reader has the shards that its view was published with.
//!
//! # Invariants
//!
//! - Only the table's writer changes an index; readers probe at the same time.
//! - The list of shards has `2^depth` places; the low `depth` bits of a hash's [`shard_bits`] are its shard's. A shard
//!   that shares fewer bits stands at several places.
//! - A row that a view sees is in the shards that the view has: it was there when they were published, ids leave a
//!   shard only when no view sees their row, and they never move within one. Nor does it matter whether a reader sees
//!   an id or the one that replaced it: from that of a row's older version, links lead to the newer ones. So it does
//!   not matter what a reader sees of later changes, and in what order: an id that it should not have come across is of
//!   a row that is not the one asked for, or not visible. All accesses are relaxed.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::Arc;

use super::bucket::{BUCKET_IDS, Bucket, tag};

/// Number of ids in a shard before it splits.
const SHARD_IDS_MAX: usize = 4096;
/// Maximal number of hash bits that choose a shard.
const DEPTH_MAX: u32 = 20;

/// The bits of a hash that choose a shard.
#[inline]
fn shard_bits(hash: u64) -> usize {
    (hash >> 32) as usize & ((1 << DEPTH_MAX) - 1)
}

/// A handle on some buckets: clones have the same ids.
#[derive(Debug, Clone)]
struct Shard {
    buckets: Arc<[Bucket]>,
    /// Number of ids.
    len: Arc<AtomicU32>,
    /// Number of bits that its hashes have in common.
    depth: u32,
}

impl Shard {
    /// An empty shard with room for `room` ids, and a quarter more.
    fn new(depth: u32, room: usize) -> Self {
        let buckets = (room + room / 4).div_ceil(BUCKET_IDS).max(1);
        let buckets = (0..buckets).map(|_| Bucket::new()).collect();
        Self { buckets, len: Arc::default(), depth }
    }

    fn with(depth: u32, hashed: &[(u64, u32)], room: usize) -> Self {
        let shard = Self::new(depth, room.max(hashed.len()));
        for &(hash, id) in hashed {
            shard.insert(hash, id);
        }
        shard
    }

    fn len(&self) -> usize {
        self.len.load(Relaxed) as usize
    }

    /// Seven eighths of all places: beyond that, ids lie far from where they belong.
    fn is_full(&self) -> bool {
        self.len() * 8 >= self.buckets.len() * BUCKET_IDS * 7
    }

    fn is_sparse(&self) -> bool {
        self.buckets.len() > 4 && self.len() * 8 < self.buckets.len() * BUCKET_IDS
    }

    /// The bucket where ids of this hash belong.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        // The low half of the hash as a fraction of one, times the number of buckets.
        (((hash & 0xffff_ffff) * self.buckets.len() as u64) >> 32) as usize
    }

    /// The buckets from a hash's home on, once around.
    #[inline]
    fn probe(&self, hash: u64) -> impl Iterator<Item = &Bucket> {
        let (front, back) = self.buckets.split_at(self.home(hash));
        back.iter().chain(front)
    }

    /// Looks through the buckets behind `home`. Apart, so that the way of nearly all ids stays short.
    #[cold]
    fn find_behind<T>(
        &self,
        home: usize,
        tag: u8,
        mut pick: impl FnMut(u32) -> Option<T>,
    ) -> Option<T> {
        let (front, back) = self.buckets.split_at(home);
        for bucket in back.iter().skip(1).chain(front) {
            for place in bucket.places(tag) {
                let picked = pick(bucket.ids[place].load(Relaxed));
                if picked.is_some() {
                    return picked;
                }
            }
            if !bucket.has_passed() {
                break;
            }
        }
        None
    }

    /// The shard must not be full.
    fn insert(&self, hash: u64, id: u32) {
        for bucket in self.probe(hash) {
            if let Some(place) = bucket.free_place() {
                bucket.ids[place].store(id, Relaxed);
                bucket.set_tag(place, tag(hash));
                self.len.store(self.len.load(Relaxed) + 1, Relaxed);
                return;
            }
            bucket.count_passed(1);
        }
        debug_assert!(false, "a shard that is not full has a free place");
    }

    fn remove(&self, hash: u64, id: u32) -> bool {
        let Some(Found { bucket, place, passed }) = self.find(hash, id) else { return false };
        bucket.free(place);
        self.probe(hash).take(passed).for_each(|bucket| bucket.count_passed(-1));
        self.len.store(self.len.load(Relaxed) - 1, Relaxed);
        true
    }

    /// Finds the place of an id.
    fn find(&self, hash: u64, id: u32) -> Option<Found<'_>> {
        for (passed, bucket) in self.probe(hash).enumerate() {
            for place in bucket.places(tag(hash)) {
                if bucket.ids[place].load(Relaxed) == id {
                    return Some(Found { bucket, place, passed });
                }
            }
            if !bucket.has_passed() {
                return None;
            }
        }
        None
    }

    /// All ids, with hashes.
    fn hashed(&self, rehash: impl Fn(u32) -> u64) -> Vec<(u64, u32)> {
        self.ids().map(|id| (rehash(id), id)).collect()
    }

    fn ids(&self) -> impl Iterator<Item = u32> {
        self.buckets.iter().flat_map(Bucket::held)
    }
}

/// Place of an id: in a bucket, so many buckets behind the one where it belongs.
struct Found<'a> {
    bucket: &'a Bucket,
    place: usize,
    passed: usize,
}

#[derive(Clone)]
pub(in crate::cache) struct HashIndex {
    shards: Arc<[Shard]>,
}

/// Result of removing an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cache) struct Removed {
    /// `true` if the id was there.
    pub(in crate::cache) found: bool,
    /// `true` if its shard has become much too large: then [`HashIndex::shrink`] gives the memory back.
    pub(in crate::cache) sparse: bool,
}

impl HashIndex {
    pub(in crate::cache) fn new() -> Self {
        Self { shards: Arc::new([Shard::new(0, 0)]) }
    }

    /// Index of a hash's shard.
    #[inline]
    fn place(&self, hash: u64) -> usize {
        // There are 2^depth places, which are not more than there are shard bits.
        (hash >> 32) as usize & (self.shards.len() - 1)
    }

    #[inline]
    fn shard(&self, hash: u64) -> &Shard {
        &self.shards[self.place(hash)]
    }

    /// Shows the ids that may have this hash to `pick`, until it picks one.
    #[inline(always)]
    pub(in crate::cache) fn find<T>(
        &self,
        hash: u64,
        mut pick: impl FnMut(u32) -> Option<T>,
    ) -> Option<T> {
        let shard = self.shard(hash);
        let home = shard.home(hash);
        let bucket = &shard.buckets[home];
        for place in bucket.places(tag(hash)) {
            let picked = pick(bucket.ids[place].load(Relaxed));
            if picked.is_some() {
                return picked;
            }
        }
        if bucket.has_passed() { shard.find_behind(home, tag(hash), pick) } else { None }
    }

    /// The first id that may have this hash, if it is where it belongs.
    #[inline]
    pub(in crate::cache) fn first(&self, hash: u64) -> Option<u32> {
        let shard = self.shard(hash);
        let bucket = &shard.buckets[shard.home(hash)];
        let place = bucket.places(tag(hash)).next()?;
        Some(bucket.ids[place].load(Relaxed))
    }

    /// Adds an id, unless its shard is full: then [`grow`](Self::grow) makes room.
    #[inline]
    #[must_use]
    pub(in crate::cache) fn try_insert(&self, hash: u64, id: u32) -> bool {
        let shard = self.shard(hash);
        if shard.is_full() {
            return false;
        }
        shard.insert(hash, id);
        true
    }

    /// Adds an id, and makes room for it if need be: `true` if that replaced shards. `rehash` gives the hash of an id that
    /// is in the index.
    pub(super) fn insert(&mut self, hash: u64, id: u32, rehash: impl Fn(u32) -> u64) -> bool {
        let mut grew = false;
        while !self.try_insert(hash, id) {
            self.grow(hash, &rehash);
            grew = true;
        }
        grew
    }

    /// Removes an id, and gives memory back if its shard has become much too large: `true` if that replaced shards.
    pub(super) fn remove_and_shrink(
        &mut self,
        hash: u64,
        id: u32,
        rehash: impl Fn(u32) -> u64,
    ) -> bool {
        let sparse = self.remove(hash, id).sparse;
        if sparse {
            self.shrink(hash, rehash);
        }
        sparse
    }

    /// Makes room for more ids of this hash. `rehash` gives the hash of an id that is in the index.
    ///
    /// Readers see the result when it is published.
    pub(in crate::cache) fn grow(&mut self, hash: u64, rehash: impl Fn(u32) -> u64) {
        let shard = self.shard(hash);
        let (depth, hashed) = (shard.depth, shard.hashed(rehash));
        if hashed.len() < SHARD_IDS_MAX || depth == DEPTH_MAX || !splits_well(&hashed, depth) {
            // Half as much again, in steps of a shard for one that cannot split.
            let room = hashed.len() + hashed.len() / 2;
            self.replace(hash, Shard::with(depth, &hashed, room.max(BUCKET_IDS)));
        } else {
            self.split(hash, hashed, depth);
        }
    }

    /// Returns `true` if room for `rows` more ids should be made at once: they are many more than the index holds. Else
    /// it grows as they come; they may be rows that it has.
    pub(in crate::cache) fn wants_reserve(&self, rows: usize) -> bool {
        rows > SHARD_IDS_MAX && self.len() <= rows / 8
    }

    fn len(&self) -> usize {
        let first_places = self.shards.iter().enumerate();
        let shards = first_places.filter(|(place, shard)| place >> shard.depth == 0);
        shards.map(|(_, shard)| shard.len()).sum()
    }

    /// Makes room for `rows` more ids at once.
    pub(in crate::cache) fn reserve(&mut self, rows: usize, rehash: impl Fn(u32) -> u64) {
        // A few per cent of slack, because shards do not fill evenly.
        let rows = self.len() + rows;
        let shards = rows.div_ceil(SHARD_IDS_MAX).next_power_of_two().min(1 << DEPTH_MAX);
        let shards = shards.max(self.shards.len());
        let mut held = vec![Vec::new(); shards];
        for shard in self.shards.iter().enumerate().filter(|(place, s)| place >> s.depth == 0) {
            for (hash, id) in shard.1.hashed(&rehash) {
                held[shard_bits(hash) & (shards - 1)].push((hash, id));
            }
        }
        let room = rows / shards + rows / shards / 16;
        let depth = shards.ilog2();
        self.shards = held.iter().map(|hashed| Shard::with(depth, hashed, room)).collect();
    }

    /// Puts a shard to all places of the one that has this hash.
    fn replace(&mut self, hash: u64, shard: Shard) {
        let step = 1 << shard.depth;
        let first = shard_bits(hash) & (step - 1);
        for place in Arc::make_mut(&mut self.shards).iter_mut().skip(first).step_by(step) {
            *place = shard.clone();
        }
    }

    /// Puts two shards, by bit `depth` of the hashes, to the places of one.
    fn split(&mut self, hash: u64, hashed: Vec<(u64, u32)>, depth: u32) {
        let bit = 1 << depth;
        if bit == self.shards.len() {
            self.shards = self.shards.iter().chain(&*self.shards).cloned().collect();
        }
        // Which of the two this hash belongs to does not matter: with the bit flipped, it finds the other.
        let flipped = hash ^ (bit as u64) << 32;
        let (with, without): (Vec<_>, Vec<_>) = hashed
            .into_iter()
            .partition(|&(other, _)| (shard_bits(other) ^ shard_bits(hash)) & bit == 0);
        for (hash, hashed) in [(hash, with), (flipped, without)] {
            let room = hashed.len() + hashed.len() / 4;
            self.replace(hash, Shard::with(depth + 1, &hashed, room));
        }
    }

    /// Removes an id.
    pub(in crate::cache) fn remove(&self, hash: u64, id: u32) -> Removed {
        let shard = self.shard(hash);
        Removed { found: shard.remove(hash, id), sparse: shard.is_sparse() }
    }

    /// Puts an id in the place of another of the same hash; whether that was there.
    pub(in crate::cache) fn replace_id(&self, hash: u64, id: u32, by: u32) -> bool {
        let found = self.shard(hash).find(hash, id);
        found.inspect(|found| found.bucket.ids[found.place].store(by, Relaxed)).is_some()
    }

    /// Makes the shard of this hash as large as it needs to be.
    ///
    /// Readers see the result when it is published.
    pub(in crate::cache) fn shrink(&mut self, hash: u64, rehash: impl Fn(u32) -> u64) {
        let shard = self.shard(hash);
        let (depth, hashed) = (shard.depth, shard.hashed(rehash));
        self.replace(hash, Shard::with(depth, &hashed, hashed.len() * 2));
    }

    /// All ids, in no order.
    #[cfg(test)]
    pub(in crate::cache) fn ids(&self) -> Vec<u32> {
        let shards = self.shards.iter().enumerate().filter(|(at, shard)| at >> shard.depth == 0);
        shards.flat_map(|(_, shard)| shard.ids()).collect()
    }
}

/// Returns `true` if a split by bit `depth` makes two shards out of one: versions of one key stay together for ever.
fn splits_well(hashed: &[(u64, u32)], depth: u32) -> bool {
    let set = hashed.iter().filter(|&&(hash, _)| shard_bits(hash) & (1 << depth) != 0).count();
    let least = hashed.len() / 8;
    set >= least && hashed.len() - set >= least
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As good as any: rows are their own ids here.
    fn hash(id: u32) -> u64 {
        let mixed = u64::from(id).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 29)
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
    fn ids_stay_findable_while_shards_split() {
        let mut index = HashIndex::new();
        for id in 0..50_000 {
            insert(&mut index, id);
            assert!(has(&index, id));
        }
        assert!(index.shards.len() >= 16, "{} shards", index.shards.len());
        assert!((0..50_000).all(|id| has(&index, id)));
        assert!(!has(&index, 50_000));
        assert_eq!((index.ids().len(), index.len()), (50_000, 50_000));
    }

    #[test]
    fn an_older_index_still_finds_what_it_had() {
        let mut index = HashIndex::new();
        for id in 0..30_000 {
            insert(&mut index, id);
        }
        let older = index.clone();
        for id in 30_000..200_000 {
            insert(&mut index, id);
        }
        assert!((0..30_000).all(|id| has(&older, id)));
        assert!((0..200_000).all(|id| has(&index, id)));
    }

    #[test]
    fn a_reservation_makes_room_for_all() {
        let mut index = HashIndex::new();
        for id in 0..100 {
            insert(&mut index, id);
        }
        assert!(index.wants_reserve(100_000));
        index.reserve(100_000, hash);
        for id in 100..100_000 {
            assert!(index.try_insert(hash(id), id), "no room for {id}");
        }
        assert!((0..100_000).all(|id| has(&index, id)));
        assert!(!index.wants_reserve(100_000));
    }

    #[test]
    fn removed_ids_give_their_memory_back() {
        let mut index = HashIndex::new();
        for id in 0..20_000 {
            insert(&mut index, id);
        }
        for id in 0..20_000 {
            let removed = index.remove(hash(id), id);
            assert!(removed.found && !has(&index, id));
            assert!(!index.remove(hash(id), id).found);
            if removed.sparse {
                index.shrink(hash(id), hash);
            }
            let next = id + 1..20_000.min(id + 50);
            assert!(next.into_iter().all(|id| has(&index, id)));
        }
        let buckets: usize = index.shards.iter().map(|shard| shard.buckets.len()).sum();
        assert!(buckets <= 4 * index.shards.len(), "{buckets} buckets");
    }

    #[test]
    fn ids_that_overflow_their_bucket_come_and_go() {
        let mut index = HashIndex::new();
        // All belong into the first bucket, and have tags of all kinds.
        let hash = |id: u32| u64::from(id % 200) << 56;
        for id in 0..1000 {
            while !index.try_insert(hash(id), id) {
                index.grow(hash(id), hash);
            }
        }
        let count = |id: u32| {
            let mut count = 0;
            index.find(hash(id), |other| {
                count += usize::from(hash(other) == hash(id));
                None::<()>
            });
            count
        };
        assert!((2..200).all(|id| count(id) == 5));
        for id in 0..1000 {
            assert!(index.remove(hash(id), id).found);
        }
        let shard = &index.shards[0];
        assert!(shard.buckets.iter().all(|bucket| !bucket.has_passed()));
        assert_eq!((shard.len(), shard.ids().count()), (0, 0));
    }

    #[test]
    fn rows_of_one_key_stop_splitting() {
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
