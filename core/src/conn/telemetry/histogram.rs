//! Distribution of durations, in a fixed amount of memory.

use std::fmt;
use std::time::Duration;

/// A bucket is a sixteenth of a power of two of microseconds: what is told of a duration is at most 6.25 % too much.
const STEPS: usize = 16;
/// Durations of 2^36 µs (19 hours) and more share the last bucket.
const POWERS: usize = 36 - 4;
const BUCKETS: usize = STEPS + POWERS * STEPS;

/// Histogram of durations. It takes 2 KiB whatever happens.
#[derive(Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Box<[u32; BUCKETS]>,
    count: u64,
    sum: Duration,
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        let counts = Box::new([0; BUCKETS]);
        Self { counts, count: 0, sum: Duration::ZERO, max: Duration::ZERO }
    }
}

impl Histogram {
    /// Adds a duration.
    pub fn record(&mut self, duration: Duration) {
        let count = &mut self.counts[bucket(micros(duration))];
        *count = count.saturating_add(1);
        self.count += 1;
        self.sum = self.sum.saturating_add(duration);
        self.max = self.max.max(duration);
    }

    /// Number of durations.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest, exactly; zero if there was none.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// Their mean, exactly; `None` if there was none.
    pub fn mean(&self) -> Option<Duration> {
        let count = u32::try_from(self.count).unwrap_or(u32::MAX);
        self.sum.checked_div(count)
    }

    /// The duration that this many percent did not exceed (50 is the median), at most 6.25 % too much; `None` if there
    /// was none.
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        if self.count == 0 {
            return None;
        }
        let share = (percent / 100.0).clamp(0.0, 1.0);
        let wanted = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            // The last bucket has no end but the longest.
            if seen >= wanted && bucket < BUCKETS - 1 {
                return Some(Duration::from_micros(upper(bucket)).min(self.max));
            }
        }
        Some(self.max)
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count)
            .field("p50", &self.percentile(50.0))
            .field("p99", &self.percentile(99.0))
            .field("max", &self.max)
            .finish()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Bucket of a number of microseconds.
fn bucket(micros: u64) -> usize {
    if micros < STEPS as u64 {
        return micros as usize;
    }
    let power = micros.ilog2() as usize;
    let step = (micros >> (power - 4)) as usize % STEPS;
    (STEPS + (power - 4) * STEPS + step).min(BUCKETS - 1)
}

/// The largest number of microseconds that is counted there.
fn upper(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let (power, step) = (bucket / STEPS - 1, bucket % STEPS);
    (((STEPS + step + 1) as u64) << power) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_within_its_bucket() {
        for power in 0..36 {
            for micros in [1_u64 << power, (1 << power) + 1, (2 << power) - 1] {
                let at = bucket(micros);
                assert!(micros <= upper(at), "{micros}");
                assert!(at == 0 || micros > upper(at - 1), "{micros}");
                assert!(upper(at) as f64 <= micros as f64 * 1.0625, "{micros}");
            }
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_close_and_below_maximum() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.percentile(50.0), histogram.mean()), (None, None));
        for millis in 1..=1000 {
            histogram.record(Duration::from_millis(millis));
        }
        assert_eq!(histogram.count(), 1000);
        assert_eq!(histogram.mean(), Some(Duration::from_micros(500_500)));
        for (percent, exact) in [(0.0, 1), (50.0, 500), (90.0, 900), (99.0, 990), (100.0, 1000)] {
            let told = histogram.percentile(percent).unwrap().as_secs_f64() * 1000.0;
            let exact = f64::from(exact);
            assert!(exact <= told && told <= exact * 1.0625, "p{percent}: {told} ms");
        }
        histogram.record(Duration::MAX);
        assert_eq!(histogram.percentile(100.0), Some(Duration::MAX));
    }
}
