//! Pauses before the next attempt.

use std::time::Duration;

use crate::deadline::FOREVER;

/// Least limit of a pause once an attempt has failed: pauses of zero would make a loop of the attempts.
const LIMIT_MIN: Duration = Duration::from_millis(100);

/// Pauses that double up to a limit, each drawn at random between nothing and that: "full jitter", so that the clients
/// of a server that comes back do not all come at once.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    /// Number of attempts that failed since the last reset.
    attempt: u32,
    random: u64,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration, seed: u64) -> Self {
        Self { min, max, attempt: 0, random: seed }
    }

    /// Number of attempts that failed.
    pub(crate) fn attempt(&self) -> u32 {
        self.attempt
    }

    pub(crate) fn reset(&mut self) {
        self.attempt = 0;
    }

    /// The pause after one more failure.
    pub(crate) fn pause(&mut self) -> Duration {
        let limit = self.limit();
        self.spread(limit)
    }

    /// As [`pause`](Self::pause), and no shorter than half of its limit: for what takes its time for certain.
    pub(crate) fn long_pause(&mut self) -> Duration {
        let half = self.limit() / 2;
        half + self.spread(half)
    }

    /// The limit of the pause after one more failure.
    fn limit(&mut self) -> Duration {
        let doubled = self.min.saturating_mul(1 << self.attempt.min(30));
        let limit = doubled.min(self.max);
        let again = self.attempt > 0;
        self.attempt = self.attempt.saturating_add(1);
        if again { limit.max(LIMIT_MIN) } else { limit }
    }

    /// Between nothing and `limit`, unless that is [for ever](FOREVER).
    fn spread(&mut self, limit: Duration) -> Duration {
        if limit >= FOREVER {
            return limit;
        }
        // 32 random bits are a fraction fine enough for any pause.
        limit.mul_f64(f64::from(self.next() as u32) / f64::from(u32::MAX))
    }

    /// SplitMix64: small, and good enough to spread clients.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread_below_a_limit_that_doubles() {
        let (min, max) = (Duration::from_millis(250), Duration::from_secs(30));
        let mut longest = [Duration::ZERO; 12];
        for seed in 0..2_000 {
            let mut backoff = Backoff::new(min, max, seed);
            for longest in &mut longest {
                *longest = backoff.pause().max(*longest);
            }
        }
        for (attempt, longest) in longest.into_iter().enumerate() {
            let limit = (min * (1 << attempt)).min(max);
            assert!(longest <= limit && longest > limit.mul_f64(0.98), "{attempt}: {longest:?}");
        }
    }

    #[test]
    fn long_pauses_are_spread_over_the_upper_half() {
        let (min, max) = (Duration::from_millis(500), Duration::from_secs(30));
        let mut busy = Backoff::new(min, max, 7);
        for attempt in 0..12 {
            let (pause, limit) = (busy.long_pause(), (min * (1 << attempt)).min(max));
            assert!(pause >= limit / 2 && pause <= limit, "{attempt}: {pause:?}");
        }
    }

    #[test]
    fn no_setting_overflows_or_pauses_for_nothing_twice() {
        for min in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            for max in [Duration::ZERO, Duration::from_secs(1), Duration::MAX] {
                let mut backoff = Backoff::new(min, max, 3);
                let total: Duration =
                    (0..50).map(|_| backoff.pause().min(Duration::from_secs(1))).sum();
                assert!(total > Duration::from_secs(1), "{min:?} {max:?}: {total:?}");
                let _ = backoff.long_pause();
            }
        }
    }

    #[test]
    fn a_reset_starts_over() {
        let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30), 1);
        for _ in 0..100 {
            let _ = backoff.pause();
        }
        backoff.reset();
        assert_eq!(backoff.attempt(), 0);
        assert!(backoff.pause() <= Duration::from_millis(250));
    }
}
