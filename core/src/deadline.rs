//! Arithmetic on moments: the one place that adds a [`Duration`] to an [`Instant`].
//!
//! Every time that an application may choose goes through [`after`], so none of them overflows: one that is longer than
//! anybody waits is no deadline.

use std::time::{Duration, Instant};

/// The shortest time that counts as for ever: a century. [`Duration::MAX`] is the usual way to say it.
pub const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The moment `wait` after `from`, or `None` if that never comes: `wait` is [`FOREVER`] or more.
///
/// ```
/// use std::time::Duration;
/// # #[expect(clippy::disallowed_methods, reason = "any moment will do")]
/// # let now = std::time::Instant::now();
/// use lightlike_core::deadline::after;
///
/// assert_eq!(after(now, Duration::ZERO), Some(now));
/// assert_eq!(after(now, Duration::MAX), None);
/// ```
pub fn after(from: Instant, wait: Duration) -> Option<Instant> {
    if wait >= FOREVER { None } else { from.checked_add(wait) }
}

/// Whether the moment `wait` after `from` is over at `now`.
pub fn has_passed(from: Instant, wait: Duration, now: Instant) -> bool {
    after(from, wait).is_some_and(|end| now >= end)
}

/// As [`after`] where there has to be a moment: one that is about a century away, if `wait` never ends.
pub fn at_last(from: Instant, wait: Duration) -> Instant {
    after(from, wait).or_else(|| from.checked_add(FOREVER)).unwrap_or(from)
}

/// The earlier of two moments, of which either may never come.
pub fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    [one, other].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "any moment will do")]
    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn no_duration_overflows() {
        let now = now();
        let last = (0..64)
            .rev()
            .fold(now, |at, bit| at.checked_add(Duration::from_secs(1 << bit)).unwrap_or(at));
        for from in [now, last] {
            for wait in [Duration::ZERO, Duration::from_nanos(1), FOREVER, Duration::MAX] {
                assert!(after(from, wait).is_none_or(|end| end >= from));
                assert!(at_last(from, wait) >= from);
            }
        }
        assert_eq!(after(last, Duration::from_secs(5)), None);
    }

    #[test]
    fn what_never_ends_has_not_passed() {
        let now = now();
        assert!(has_passed(now, Duration::ZERO, now));
        assert!(!has_passed(now, Duration::MAX, now + FOREVER));
    }
}
