//! Vacuum of an idle connection: rows that left are freed when the views are dropped that see them.
//!
//! Nobody says when a view is dropped. While something happens, each step frees what it can. When nothing does, the
//! machine is to look again by itself: soon at first, and less and less often while the views stay.

use std::time::{Duration, Instant};

use crate::deadline::at_last;

/// Less garbage than this can wait until something happens.
const LEAST_BYTES: usize = 256 << 10;

/// First and longest pause between two looks.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Schedule of looks whether garbage can be freed.
#[derive(Debug, Default)]
pub(in crate::conn) struct Vacuum {
    /// Bytes of garbage at the last look, and the pause that followed it.
    seen: Option<(usize, Duration)>,
    due: Option<Instant>,
}

impl Vacuum {
    /// All is done that can be done, and so many bytes of garbage are left.
    pub(in crate::conn) fn rest(&mut self, now: Instant, garbage: usize) {
        if garbage < LEAST_BYTES {
            *self = Self::default();
            return;
        }
        let pause = match self.seen {
            Some((seen, _)) if seen != garbage => PAUSE_MIN,
            // Something else happened before it was due.
            Some(_) if self.due.is_some_and(|due| now < due) => return,
            Some((_, pause)) => (pause * 2).min(PAUSE_MAX),
            None => PAUSE_MIN,
        };
        self.seen = Some((garbage, pause));
        self.due = Some(at_last(now, pause));
    }

    /// Time of the next look, if there is garbage to look for.
    pub(in crate::conn) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// It is `now`: the next step looks.
    pub(in crate::conn) fn handle_timeout(&mut self, now: Instant) {
        if self.due.is_some_and(|due| now >= due) {
            self.due = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_garbage_stays() {
        #[expect(clippy::disallowed_methods, reason = "an arbitrary origin for virtual time")]
        let mut now = Instant::now();
        let mut vacuum = Vacuum::default();
        let mut pause = |vacuum: &mut Vacuum, garbage| {
            vacuum.rest(now, garbage);
            // Steps in between change nothing.
            vacuum.rest(now, garbage);
            let due = vacuum.due()?;
            let pause = due - now;
            now = due;
            vacuum.handle_timeout(now);
            assert_eq!(vacuum.due(), None, "a step has to look first");
            Some(pause.as_millis())
        };
        assert_eq!(pause(&mut vacuum, LEAST_BYTES - 1), None);
        let kept: Vec<_> = (0..9).map(|_| pause(&mut vacuum, 1 << 20)).collect();
        assert_eq!(kept, [10, 20, 40, 80, 160, 320, 640, 1000, 1000].map(Some));
        assert_eq!(pause(&mut vacuum, 2 << 20), Some(10), "something changed");
        assert_eq!(pause(&mut vacuum, 0), None);
        assert_eq!(pause(&mut vacuum, 1 << 20), Some(10));
    }
}
