//! The bucket of a hash index: a cache line of ids, with a byte of each one's hash to tell them apart by.
//!
//! One writer changes it while readers look; why they may see each change at any time is said in
//! [`hash`](super::hash).

use core::array;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// How many ids a bucket holds.
pub(super) const BUCKET_IDS: usize = 12;
/// What a bucket says of an id's hash: one byte, never 0.
#[inline]
pub(super) fn tag(hash: u64) -> u8 {
    ((hash >> 56) as u8).max(1)
}

/// Ids whose hashes fall together, and what overflows from the bucket in front.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Bucket {
    /// A byte an id; 0 for a free place. The first eight, then the last four.
    tags: AtomicU64,
    last_tags: AtomicU32,
    /// How many ids belong here, or further in front, and lie further on, because this bucket was full.
    passed: AtomicU32,
    pub(super) ids: [AtomicU32; BUCKET_IDS],
}

const _: () = assert!(size_of::<Bucket>() == 64);

impl Bucket {
    pub(super) fn new() -> Self {
        Self {
            tags: AtomicU64::new(0),
            last_tags: AtomicU32::new(0),
            passed: AtomicU32::new(0),
            ids: array::from_fn(|_| AtomicU32::new(0)),
        }
    }

    /// The places with a tag.
    #[inline]
    pub(super) fn places(&self, tag: u8) -> Places {
        let pattern = LOW_BITS * u64::from(tag);
        let first = zero_bytes(self.tags.load(Relaxed) ^ pattern);
        let last = zero_bytes(u64::from(self.last_tags.load(Relaxed) ^ pattern as u32));
        // The upper half of the latter is not tags.
        Places(first >> 7 | (last & 0xffff_ffff) >> 3)
    }

    pub(super) fn set_tag(&self, place: usize, tag: u8) {
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

    pub(super) fn free_place(&self) -> Option<usize> {
        self.places(0).next()
    }

    pub(super) fn has_passed(&self) -> bool {
        self.passed.load(Relaxed) > 0
    }

    pub(super) fn count_passed(&self, by: i32) {
        let passed = self.passed.load(Relaxed).saturating_add_signed(by);
        self.passed.store(passed, Relaxed);
    }
}

/// One in each byte.
const LOW_BITS: u64 = u64::MAX / 0xff;

/// The highest bit of each byte that is 0; no other bit.
#[inline]
fn zero_bytes(bytes: u64) -> u64 {
    const LOW_SEVEN: u64 = LOW_BITS * 0x7f;
    !(((bytes & LOW_SEVEN) + LOW_SEVEN) | bytes | LOW_SEVEN)
}

/// Places of a bucket, a bit each: one of the first eight at eight times its number, one of the last four at eight times
/// what is more than eight, and four.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places(u64);

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
        assert_eq!(bucket.places(0).count(), BUCKET_IDS);
        while let Some(place) = bucket.free_place() {
            // Neighbours of 0 are where careless arithmetic finds a 0.
            bucket.set_tag(place, [1, 0x80, 0xff][place % 3]);
        }
        for (tag, first) in [(1, 0), (0x80, 1), (0xff, 2)] {
            let mut places: Vec<_> = bucket.places(tag).collect();
            places.sort_unstable();
            assert_eq!(places, (first..BUCKET_IDS).step_by(3).collect::<Vec<_>>());
        }
        bucket.set_tag(9, 0);
        assert_eq!(bucket.places(0).collect::<Vec<_>>(), [9]);
        assert_eq!(bucket.places(2).count(), 0);
    }
}
