//! Pacing of steps: the number of rows to apply at once, so that a step takes a certain time whatever the rows are.

use std::time::Duration;

/// Target duration of a step. A tick exceeds its budget by about this; each step costs a few hundred nanoseconds beyond
/// its rows.
const STEP: Duration = Duration::from_micros(150);

/// One row may have to be large. The cheap parts of applying must not teach more than what the costly ones can do in a
/// few steps' time: a row takes from ten nanoseconds to a microsecond.
const ROWS: std::ops::RangeInclusive<usize> = 8..=1024;

/// Measured durations of steps, from which the size of the next one follows.
#[derive(Debug)]
pub(super) struct Pace {
    rows: usize,
    last: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { rows: 256, last: Duration::ZERO }
    }
}

impl Pace {
    /// Number of rows that the next step may apply.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Expected duration of the next step.
    pub(super) fn next_step(&self) -> Duration {
        self.last
    }

    /// A step of [`rows`](Self::rows) took this long.
    pub(super) fn note(&mut self, took: Duration) {
        // A step that the system interrupted says nothing about the next.
        self.last = took.min(STEP);
        if took > STEP {
            self.rows /= 2;
        } else if took < STEP / 2 {
            self.rows += self.rows / 2;
        }
        self.rows = self.rows.clamp(*ROWS.start(), *ROWS.end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Duration that steps converge to, at a certain time a row.
    fn settled(row: Duration) -> Duration {
        let mut pace = Pace::default();
        let mut step = Duration::ZERO;
        for _ in 0..20 {
            step = row * pace.rows() as u32;
            pace.note(step);
        }
        step
    }

    #[test]
    fn step_duration_converges_for_any_row_cost() {
        for nanos in [200, 1000, 5000] {
            let step = settled(Duration::from_nanos(nanos));
            assert!(step > STEP / 4 && step <= STEP, "{nanos} ns a row: {step:?}");
        }
    }

    #[test]
    fn cheap_rows_do_not_prolong_costly_ones() {
        let mut pace = Pace::default();
        (0..100).for_each(|_| pace.note(Duration::ZERO));
        assert_eq!(pace.rows(), *ROWS.end());
    }

    #[test]
    fn rows_that_take_very_long_still_come_in() {
        let mut pace = Pace::default();
        (0..100).for_each(|_| pace.note(Duration::from_secs(1)));
        assert_eq!(pace.rows(), *ROWS.start());
        assert_eq!(pace.next_step(), STEP);
    }
}
