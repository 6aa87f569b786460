//! Orderly ends: closing when what was asked for is answered.

use std::time::{Duration, Instant};

use crate::conn::calls::Calls;
use crate::deadline::earlier;

/// Longest time that an end lingers: a program that ends must end.
pub const LINGER_MAX: Duration = Duration::from_secs(10);

/// End that was asked for and waits for answers.
#[derive(Debug, Default)]
pub(in crate::conn) struct Finish {
    awaited: Option<Awaited>,
    /// Time at which it waits no longer.
    until: Option<Instant>,
}

/// Calls that an end waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::conn) enum Awaited {
    /// Every one, over as many connections as it takes.
    All,
    /// Those that would be lost, or left in doubt, for as long as the connection lasts.
    Losable,
}

impl Finish {
    /// Returns `true` if an end was asked for.
    pub(in crate::conn) fn is_wanted(&self) -> bool {
        self.awaited.is_some()
    }

    /// Returns `true` if the end waits for no other connection than this one.
    pub(in crate::conn) fn ends_with_connection(&self) -> bool {
        self.awaited == Some(Awaited::Losable)
    }

    /// Time at which it waits no longer.
    pub(in crate::conn) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Waits for these from now on, for `until` at most. What was asked for before counts as well, whichever ends first.
    pub(in crate::conn) fn wait(&mut self, awaited: Awaited, until: Option<Instant>) {
        if self.awaited != Some(Awaited::Losable) {
            self.awaited = Some(awaited);
        }
        self.until = earlier(self.until, until);
    }

    /// Returns `true` if what it waits for is answered.
    pub(in crate::conn) fn is_over(&self, calls: &Calls) -> bool {
        match self.awaited {
            Some(Awaited::All) => calls.len() == 0,
            Some(Awaited::Losable) => calls.losable() == 0,
            None => false,
        }
    }
}
