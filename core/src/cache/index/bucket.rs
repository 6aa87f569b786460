//! The bucket of a hash index: a cache line of ids, with a byte of each one's hash to distinguish them.
//!
//! One writer changes it while readers look; why they may see each change at any time is said in
//! [`hash`](super::hash).

use core::array;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Number of ids in a bucket.
pub(in crate::cache) const BUCKET_IDS: usize = 12;

/// Tag of an id's hash in a bucket: one byte, not [`FREE`], nor 1, which [`Bucket::places`] may take for another.
#[inline]
pub(in crate::cache) fn tag(hash: u64) -> u8 {
    ((hash >> 56) as u8).max(2)
}

/// The tag of a place without an id.
const FREE: u8 = 0;

/// Ids whose hashes fall together, and what overflows from the bucket in front.
#[derive(Debug)]
#[repr(align(64))]
pub(in crate::cache) struct Bucket {
    /// A byte an id. The first eight, then the last four.
    tags: AtomicU64,
    last_tags: AtomicU32,
    /// Number of ids that belong here or further in front, and lie further on, because this bucket was full.
    passed: AtomicU32,
    pub(in crate::cache) ids: [AtomicU32; BUCKET_IDS],
}

const _: () = assert!(size_of::<Bucket>() == 64);

impl Bucket {
    pub(in crate::cache) fn new() -> Self {
        Self {
            tags: AtomicU64::new(0),
            last_tags: AtomicU32::new(0),
            passed: AtomicU32::new(0),
            ids: array::from_fn(|_| AtomicU32::new(0)),
        }
    }

    /// The places with a tag, and sometimes, behind one of them, a place whose tag differs from it in the lowest bit
    /// alone. Of places that are not free none is taken for free, nor the other way round.
    #[inline]
    pub(in crate::cache) fn places(&self, tag: u8) -> Places {
        let pattern = LOW_BITS * u64::from(tag);
        let first = zero_bytes(self.tags.load(Relaxed) ^ pattern);
        let last = zero_bytes(u64::from(self.last_tags.load(Relaxed) ^ pattern as u32));
        // The upper half of the latter is not tags.
        Places(first >> 7 | (last & 0xffff_ffff) >> 3)
    }

    pub(in crate::cache) fn set_tag(&self, place: usize, tag: u8) {
        match place.checked_sub(8) {
            None => {
                let others = self.tags.load(Relaxed) & !(0xff << (8 * place));
                self.tags.store(others | u64::from(tag) << (8 * place), Relaxed);
            }
            Some(place) => {
                let others = self.last_tags.load(Relaxed) & !(0xff << (8 * place));
                self.last_tags.store(others | u32::from(tag) << (8 * place), Relaxed);
            }
        }
    }

    pub(in crate::cache) fn free(&self, place: usize) {
        self.set_tag(place, FREE);
    }

    pub(in crate::cache) fn free_place(&self) -> Option<usize> {
        self.places(FREE).next()
    }

    /// All ids.
    pub(in crate::cache) fn held(&self) -> impl Iterator<Item = u32> {
        let first = self.tags.load(Relaxed).to_le_bytes();
        let last = self.last_tags.load(Relaxed).to_le_bytes();
        let places = first.into_iter().chain(last).zip(&self.ids);
        places.filter(|&(tag, _)| tag != FREE).map(|(_, id)| id.load(Relaxed))
    }

    #[inline]
    pub(in crate::cache) fn has_passed(&self) -> bool {
        self.passed.load(Relaxed) > 0
    }

    pub(in crate::cache) fn count_passed(&self, by: i32) {
        let passed = self.passed.load(Relaxed).saturating_add_signed(by);
        self.passed.store(passed, Relaxed);
    }
}

/// One in each byte.
const LOW_BITS: u64 = u64::MAX / 0xff;

/// The highest bit of each byte that is 0, and sometimes of one that is 1, above it.
#[inline]
fn zero_bytes(bytes: u64) -> u64 {
    bytes.wrapping_sub(LOW_BITS) & !bytes & LOW_BITS << 7
}

/// Places of a bucket, a bit each: one of the first eight at eight times its number, one of the last four at eight times
/// what is more than eight, and four.
#[derive(Debug, Clone, Copy)]
pub(in crate::cache) struct Places(u64);

impl Iterator for Places {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some((bit >> 3) + ((bit & 4) << 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_by_their_tags() {
        let bucket = Bucket::new();
        assert_eq!(bucket.places(FREE).count(), BUCKET_IDS);
        while let Some(place) = bucket.free_place() {
            bucket.ids[place].store(place as u32, Relaxed);
            bucket.set_tag(place, [2, 0x80, 0xff][place % 3]);
        }
        for (tag, first) in [(2, 0), (0x80, 1), (0xff, 2)] {
            let mut places: Vec<_> = bucket.places(tag).collect();
            places.sort_unstable();
            assert_eq!(places, (first..BUCKET_IDS).step_by(3).collect::<Vec<_>>());
        }
        bucket.free(9);
        assert_eq!(bucket.places(FREE).collect::<Vec<_>>(), [9]);
        assert_eq!(bucket.places(5).count(), 0);
        assert!(bucket.held().eq((0..12).filter(|&id| id != 9)));
    }

    #[test]
    fn every_slot_is_found_exactly_once() {
        for tags in [[7, 6], [2, 3], [0xff, 0xfe], [0x80, 0x81]] {
            for mix in 0..1 << BUCKET_IDS {
                let bucket = Bucket::new();
                let of = |place: usize| tags[mix >> place & 1];
                (0..BUCKET_IDS).for_each(|place| bucket.set_tag(place, of(place)));
                for tag in tags {
                    let found: Vec<_> = bucket.places(tag).collect();
                    let mut right = (0..BUCKET_IDS).filter(|&place| of(place) == tag);
                    assert!(right.all(|place| found.contains(&place)), "{tag} in {mix:b}");
                }
                assert_eq!(bucket.free_place(), None);
                bucket.free(mix % BUCKET_IDS);
                assert_eq!(bucket.free_place(), Some(mix % BUCKET_IDS));
                for tag in tags {
                    assert!(bucket.places(tag).all(|place| place != mix % BUCKET_IDS));
                }
            }
        }
    }
}
