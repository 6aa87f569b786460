//! Letting calls onto the wire that may be why a connection ended.
//!
//! A call that may be sent again is sent again when the connection is back. If the server hangs up because of that very
//! call, it would hang up for ever, and take along whatever is in flight beside it. So a call that was in flight when a
//! connection ended is a *suspect*. Suspects go before all others, and nothing else is in flight with them: the first goes
//! alone, and each answer lets one more of them be in flight at once. So after an accident of the network, which it
//! nearly always was, the pace doubles with every round trip; and whatever ends the connection is in flight alone soon.
//! A call that is alone when the connection ends is [blamed](Tracking::blame) for it.
//!
//! Calls that are persisted and must not run twice go without suspects, too: they are not sent while a call is
//! unanswered that may be sent again, because if that one ends the connection, nobody knows whether they have run.

use super::tracking::{Gate, Tracking};
use super::{Calls, InFlight, Waiting};

/// Counts of calls in flight, by which it is known what else may be.
#[derive(Debug)]
pub(super) struct Trial {
    /// Most suspects in flight at once.
    window: usize,
    /// Suspects in flight.
    suspects: usize,
    /// Calls in flight that may be sent again.
    repeatable: usize,
}

impl Default for Trial {
    fn default() -> Self {
        Self { window: 1, suspects: 0, repeatable: 0 }
    }
}

impl Trial {
    /// A call is sent.
    pub(super) fn sent(&mut self, call: &InFlight) {
        let Some(tracking) = &call.tracking else { return };
        self.suspects += usize::from(tracking.is_suspect());
        self.repeatable += usize::from(tracking.may_go_again());
    }

    /// A call is answered.
    pub(super) fn answered(&mut self, call: &InFlight) {
        let Some(tracking) = &call.tracking else { return };
        if tracking.is_suspect() {
            self.suspects -= 1;
            self.window += 1;
        }
        self.repeatable -= usize::from(tracking.may_go_again());
    }

    /// The connection is gone, and nothing is in flight.
    pub(super) fn lost(&mut self) {
        *self = Self::default();
    }
}

impl Waiting {
    /// Returns `true` if the call is sent again when its answer is lost.
    pub(crate) fn may_go_again(&self) -> bool {
        self.tracking.as_deref().is_some_and(Tracking::may_go_again)
    }
}

impl Calls {
    /// Returns `true` if calls are in flight, or their probes, that may be why a connection ended: nothing else is sent then.
    pub(crate) fn has_suspects_in_flight(&self) -> bool {
        let is_probed =
            |tracking: &Tracking| tracking.is_suspect() && tracking.gate() == Gate::Probing;
        let first = self.waiting.front().and_then(|first| first.tracking.as_deref());
        self.trial.suspects > 0 || first.is_some_and(is_probed)
    }

    /// Returns `true` if the first call that waits may be in flight beside those that are.
    pub(crate) fn may_send_first(&self) -> bool {
        let Some(first) = self.waiting.front() else { return false };
        match first.tracking.as_deref() {
            Some(tracking) if tracking.is_suspect() => self.in_flight.len() < self.trial.window,
            _ if self.has_suspects_in_flight() => false,
            Some(tracking) => !tracking.goes_apart() || self.trial.repeatable == 0,
            None => true,
        }
    }

    /// The calls whose being sent is to be noted next: `max` at most, and none that would have to wait then for the
    /// answers of others.
    pub(crate) fn next_unmarked(&mut self, max: usize) -> impl Iterator<Item = &mut Tracking> {
        let mut any_repeatable = self.trial.repeatable > 0;
        let unmarked = self.tracked_mut().filter(|tracking| tracking.gate() == Gate::Unmarked);
        let together = unmarked.take_while(move |tracking| {
            any_repeatable |= tracking.may_go_again();
            tracking.names().is_empty() && !(any_repeatable && tracking.goes_apart())
        });
        together.take(max)
    }

    /// State of the only call in flight, if there is but one and it may be sent again; or of the one whose probe is.
    pub(crate) fn alone_in_flight(&mut self) -> Option<&mut Tracking> {
        if self.in_flight.len() != 1 {
            return None;
        }
        let probes = self.waiting.front().is_some_and(|first| first.gate() == Gate::Probing);
        let tracking = match probes {
            true => self.waiting.front_mut()?.tracking.as_deref_mut()?,
            false => self.in_flight.values_mut().next()?.tracking.as_deref_mut()?,
        };
        tracking.may_go_again().then_some(tracking)
    }
}
