//! How many rows to apply at once, so that a step takes a certain time whatever the rows are.

use std::time::Duration;

/// What a step should take at most. A tick exceeds its budget by about this; each step costs a few hundred nanoseconds
/// beyond its rows.
const STEP: Duration = Duration::from_micros(150);

/// One row may have to be large. The cheap parts of applying must not teach more than what the costly ones can do in a
/// few steps' time: a row takes from ten nanoseconds to a microsecond.
const ROWS: std::ops::RangeInclusive<usize> = 8..=1024;

/// What steps took, and what the next one may therefore do.
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
    /// How many rows the next step may apply.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// What the next step will probably take.
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

    /// What a step takes in the end, at so much a row.
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
    fn steps_come_to_take_the_same_whatever_a_row_costs() {
        for nanos in [200, 1000, 5000] {
            let step = settled(Duration::from_nanos(nanos));
            assert!(step > STEP / 4 && step <= STEP, "{nanos} ns a row: {step:?}");
        }
    }

    #[test]
    fn cheap_rows_do_not_let_costly_ones_take_long() {
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
