//! Calls that wait to be sent, in order, or aside for something else than a connection.

use std::time::Instant;

use bytes::Bytes;

use super::request::{CallId, Kind, Request};
use super::tracking::{Gate, Tracking};
use super::{Calls, InFlight, Waiting};
use crate::journal::Delivery;
use crate::wire::{ClientMessage, RequestId};

impl Waiting {
    pub(crate) fn new(
        call: CallId,
        request: Request,
        deadline: Option<Instant>,
        tracking: Option<Box<Tracking>>,
    ) -> Self {
        Self { call, request, made: None, deadline, tracking }
    }

    pub(crate) fn gate(&self) -> Gate {
        self.tracking.as_ref().map_or(Gate::Open, |tracking| tracking.gate())
    }

    pub(crate) fn seq(&self) -> Option<u64> {
        self.tracking.as_ref().and_then(|tracking| tracking.seq())
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.tracking.as_ref().map_or(0, |tracking| tracking.attempts())
    }
}

impl Calls {
    /// The call that waits last.
    pub(crate) fn last_waiting(&self) -> Option<CallId> {
        self.waiting.back().map(|waiting| waiting.call)
    }

    /// Returns `true` if such a call waits, for the connection or aside.
    pub(crate) fn any_waiting(&self, is: impl Fn(&Waiting) -> bool) -> bool {
        self.waiting.iter().chain(&self.aside).any(is)
    }

    /// The calls that wait, in their order.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter()
    }

    /// Options of waiting calls that are not plain ones, in their order.
    pub(crate) fn tracked_mut(&mut self) -> impl Iterator<Item = &mut Tracking> {
        self.waiting.iter_mut().filter_map(|waiting| waiting.tracking.as_deref_mut())
    }

    pub(crate) fn first(&self) -> Option<&Waiting> {
        self.waiting.front()
    }

    pub(crate) fn first_tracked(&mut self) -> Option<&mut Tracking> {
        self.waiting.front_mut()?.tracking.as_deref_mut()
    }

    /// Puts calls in front of all others, in their order; but not of one whose probe is asked.
    pub(crate) fn put_back(&mut self, calls: Vec<Waiting>) {
        let probes = self.waiting.front().is_some_and(|first| first.gate() == Gate::Probing);
        let probing = if probes { self.waiting.pop_front() } else { None };
        for waiting in calls.into_iter().rev() {
            self.note(&waiting);
            self.waiting.push_front(waiting);
        }
        if let Some(probing) = probing {
            self.waiting.push_front(probing);
        }
    }

    /// Takes a call out that waits.
    pub(crate) fn take_waiting(&mut self, call: CallId) -> Option<Waiting> {
        let taken = match self.waiting.iter().position(|waiting| waiting.call == call) {
            Some(at) => self.waiting.remove(at)?,
            None => {
                let at = self.aside.iter().position(|waiting| waiting.call == call)?;
                self.aside.swap_remove(at)
            }
        };
        self.forget(&taken);
        Some(taken)
    }

    /// Takes those calls out that wait for the connection and are not to.
    pub(crate) fn take_all_waiting(&mut self, is_out: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let (out, stay): (Vec<_>, Vec<_>) = waiting.partition(is_out);
        self.waiting = stay.into();
        for waiting in &out {
            self.forget(waiting);
        }
        out
    }

    /// Puts a call aside that waits for something else than a connection.
    pub(crate) fn put_aside(&mut self, waiting: Waiting) {
        self.note(&waiting);
        self.aside.push(waiting);
    }

    /// A call that waits, for the connection or aside.
    pub(crate) fn get_waiting(&self, call: CallId) -> Option<&Waiting> {
        self.waiting.iter().chain(&self.aside).find(|waiting| waiting.call == call)
    }

    /// As [`get_waiting`](Self::get_waiting).
    pub(crate) fn get_waiting_mut(&mut self, call: CallId) -> Option<&mut Waiting> {
        self.waiting.iter_mut().chain(&mut self.aside).find(|waiting| waiting.call == call)
    }

    /// Returns `true` if a call waits for something else than a connection.
    pub(crate) fn is_aside(&self, call: CallId) -> bool {
        self.aside.iter().any(|waiting| waiting.call == call)
    }

    /// The calls that wait and name temporary ids.
    pub(crate) fn naming(&self) -> impl Iterator<Item = CallId> {
        let names = |waiting: &&Waiting| {
            waiting.tracking.as_ref().is_some_and(|tracking| !tracking.names().is_empty())
        };
        self.waiting.iter().chain(&self.aside).filter(names).map(|waiting| waiting.call)
    }

    /// Puts the first call aside, until the temporary ids are known that it names.
    pub(crate) fn put_first_aside(&mut self) {
        let Some(first) = self.waiting.front() else { return };
        let Some(mut waiting) = self.take_waiting(first.call) else { return };
        if let Some(tracking) = &mut waiting.tracking {
            tracking.set_aside(true);
        }
        self.put_aside(waiting);
    }

    /// Puts a call that is aside because of temporary ids in front of those that wait, but for those that were before it.
    pub(crate) fn bring_back(&mut self, call: CallId) {
        let waits_aside = Tracking::waits_aside;
        let is_aside = self.get_waiting(call).and_then(|waiting| waiting.tracking.as_deref());
        if !is_aside.is_some_and(waits_aside) {
            return;
        }
        let Some(mut waiting) = self.take_waiting(call) else { return };
        if let Some(tracking) = &mut waiting.tracking {
            tracking.set_aside(false);
        }
        self.note(&waiting);
        let is_before = |other: &&Waiting| other.call < call || other.gate() == Gate::Probing;
        let at = self.waiting.iter().take_while(is_before).count();
        self.waiting.insert(at, waiting);
    }

    /// Takes one call whose time to be sent is over.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<CallId> {
        let (expires, call) = *self.expiries.first()?;
        if now < expires {
            return None;
        }
        self.expiries.pop_first();
        let _ = self.take_waiting(call);
        Some(call)
    }

    /// The probe of the first call is sent.
    pub(crate) fn probe(&mut self, request_id: RequestId) -> Option<ClientMessage> {
        let first = self.waiting.front_mut()?;
        let tracking = first.tracking.as_deref_mut()?;
        let Delivery::Probe(query) = tracking.delivery() else { return None };
        let message = ClientMessage::OneOffQuery { request_id, query: query.clone() };
        tracking.probe();
        let call = first.call;
        let in_flight = InFlight {
            call,
            bytes: 0,
            kind: Kind::Probe,
            args: Bytes::new(),
            made: None,
            sent: None,
            deadline: None,
            timed_out: false,
            tracking: None,
        };
        self.sent(request_id, in_flight);
        self.probes += 1;
        Some(message)
    }
}
