//! Points in the sequence of versions, as slots keep them.

use core::sync::atomic::{AtomicU32, Ordering};

/// A point in the sequence of versions: the low 31 bits of one, or one of two marks.
///
/// Points are compared modulo 2^31, which is right as long as they lie less than 2^30 versions apart. The cache sees
/// to that: rows that every view sees are stamped [`ALWAYS`](Self::ALWAYS) long before ([`FREEZE_EVERY`]), and
/// applying waits for a view that old ([`VIEW_AGE_MAX`]). So four bytes do, whatever number of transactions goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cache) struct Stamp(u32);

/// Set in marks, clear in points.
const MARK: u32 = 1 << 31;
/// Set in the difference of two points if the first lies before the second.
const BEHIND: u32 = 1 << 30;

/// Number of versions between two passes that stamp old rows [`Stamp::ALWAYS`].
pub(in crate::cache) const FREEZE_EVERY: u64 = 1 << 27;
/// Number of versions that a view may be behind the current one before applying waits for it.
pub(in crate::cache) const VIEW_AGE_MAX: u64 = 1 << 28;

impl Stamp {
    /// Before every version.
    pub(in crate::cache) const ALWAYS: Self = Self(MARK);
    /// After every version.
    pub(in crate::cache) const NEVER: Self = Self(u32::MAX);

    /// The point of a version.
    #[inline]
    pub(in crate::cache) fn of(version: u64) -> Self {
        // The low bits are what is wanted.
        Self(version as u32 & !MARK)
    }

    /// Returns `true` if a view of version `at` is at this point or past it.
    #[inline]
    pub(in crate::cache) fn reached(self, at: Self) -> bool {
        // One test for what nearly every row is; the marks fail it, one of them wrongly.
        let not_before = (self.0 & MARK) | (at.0.wrapping_sub(self.0) & BEHIND);
        not_before == 0 || self.0 == Self::ALWAYS.0
    }
}

/// A [`Stamp`] that the writer may change under the eyes of readers.
///
/// All accesses are relaxed: whatever a reader must see of a version was written before the epoch that it got the
/// version from was stored behind a lock, and what is written later changes nothing for its version.
#[derive(Debug)]
pub(in crate::cache) struct AtomicStamp(AtomicU32);

impl AtomicStamp {
    pub(in crate::cache) const fn new(stamp: Stamp) -> Self {
        Self(AtomicU32::new(stamp.0))
    }

    #[inline]
    pub(in crate::cache) fn get(&self) -> Stamp {
        Stamp(self.0.load(Ordering::Relaxed))
    }

    #[inline]
    pub(in crate::cache) fn set(&self, stamp: Stamp) {
        self.0.store(stamp.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_compare_across_the_wrap() {
        let wrap = 1_u64 << 31;
        for (point, at, reached) in [
            (5, 5, true),
            (5, 6, true),
            (6, 5, false),
            (wrap - 1, wrap + 3, true),
            (wrap + 3, wrap - 1, false),
            (wrap, wrap, true),
            (3 * wrap - 1, 3 * wrap, true),
        ] {
            assert_eq!(Stamp::of(point).reached(Stamp::of(at)), reached, "{point} at {at}");
        }
    }

    #[test]
    fn marks_lie_outside_all_versions() {
        for version in [0, 1, u64::from(u32::MAX), 1 << 31, 1 << 40] {
            assert!(Stamp::ALWAYS.reached(Stamp::of(version)));
            assert!(!Stamp::NEVER.reached(Stamp::of(version)));
        }
    }
}
