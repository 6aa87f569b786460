//! State of a call that is more than sent once or never: that waits on disk, may be sent again, or expires.

use std::time::Instant;

use super::request::{Request, WhileDisconnected};
use crate::journal::Delivery;
use crate::named_ids::NamedId;

/// State that sets a call apart from a plain one.
#[derive(Debug)]
pub(crate) struct Tracking {
    delivery: Delivery,
    /// Policy without a connection, if not that of all calls.
    policy: Option<WhileDisconnected>,
    /// Its number in the journal, if it is in there.
    seq: Option<u64>,
    gate: Gate,
    expires: Option<Instant>,
    /// Number of times that it was sent in vain.
    attempts: u32,
    /// State of suspicion: a connection ended while it was in flight. See [`trial`](super::trial).
    is_suspect: bool,
    /// Ends of connections while it alone was in flight, in [halves](crate::conn::Lost::blame).
    blame: u32,
    /// Places in its arguments with temporary ids of calls that are not answered.
    names: Vec<NamedId>,
    /// State of being aside because of those.
    waits_aside: bool,
    /// Request that was sent, to be sent again.
    request: Option<Request>,
}

/// Condition that a call waits for beside a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Nothing.
    Open,
    /// Its being sent is to be noted on disk first.
    Unmarked,
    /// That is being written: the batch of this number has it.
    Marking(u64),
    /// It may have run: its probe is to be asked first.
    Unprobed,
    /// Its probe is asked.
    Probing,
}

impl Tracking {
    pub(crate) fn new(delivery: Delivery, policy: Option<WhileDisconnected>) -> Self {
        Self {
            delivery,
            policy,
            seq: None,
            gate: Gate::Open,
            expires: None,
            attempts: 0,
            is_suspect: false,
            blame: 0,
            names: Vec::new(),
            waits_aside: false,
            request: None,
        }
    }

    pub(crate) fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    pub(crate) fn policy(&self) -> Option<WhileDisconnected> {
        self.policy
    }

    /// Its number in the journal, if it is in there.
    pub(crate) fn seq(&self) -> Option<u64> {
        self.seq
    }

    pub(crate) fn gate(&self) -> Gate {
        self.gate
    }

    /// Number of times that it was sent in vain.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(crate) fn is_suspect(&self) -> bool {
        self.is_suspect
    }

    /// Ends of connections while it alone was in flight, in [halves](crate::conn::Lost::blame).
    pub(crate) fn blame(&self) -> u32 {
        self.blame
    }

    /// Returns `true` if the call is sent again when its answer is lost.
    pub(crate) fn may_go_again(&self) -> bool {
        self.delivery != Delivery::AtMostOnce
    }

    /// Returns `true` if the call must not be in flight with calls that are sent again.
    pub(super) fn goes_apart(&self) -> bool {
        self.seq.is_some() && !self.may_go_again()
    }
}

/// The journal.
impl Tracking {
    /// The journal has it under a number; it waits at a gate.
    pub(crate) fn persist(&mut self, seq: u64, gate: Gate) {
        (self.seq, self.gate) = (Some(seq), gate);
    }

    /// It goes on where an earlier run of the program left it.
    pub(crate) fn restore(&mut self, seq: u64, attempts: u32, blame: u32, was_sent: bool) {
        let gate = match &self.delivery {
            Delivery::AtLeastOnce if was_sent => Gate::Open,
            Delivery::Probe(_) if was_sent => Gate::Unprobed,
            _ => Gate::Unmarked,
        };
        self.persist(seq, gate);
        self.attempts = attempts.max(u32::from(was_sent));
        self.is_suspect = attempts > 0 && self.may_go_again();
        self.blame = blame;
    }

    /// That it is sent is being written, by the batch of a number.
    pub(crate) fn mark(&mut self, ticket: u64) {
        self.gate = Gate::Marking(ticket);
    }

    /// Waits for nothing more than a connection.
    pub(crate) fn open(&mut self) {
        self.gate = Gate::Open;
    }

    /// The journal does not have it.
    pub(crate) fn forget_seq(&mut self) {
        (self.seq, self.gate) = (None, Gate::Open);
    }

    /// It was not sent after all, or its probe will not be answered. Returns `true` if the journal has it as sent.
    pub(crate) fn unmark(&mut self) -> bool {
        let was_marking = matches!(self.gate, Gate::Marking(_));
        self.gate = match self.gate {
            Gate::Probing => Gate::Unprobed,
            Gate::Marking(_) => Gate::Unmarked,
            gate @ (Gate::Open | Gate::Unmarked | Gate::Unprobed) => gate,
        };
        was_marking
    }
}

/// The connection.
impl Tracking {
    /// Its probe is asked.
    pub(super) fn probe(&mut self) {
        self.gate = Gate::Probing;
    }

    /// The connection ended before its answer.
    pub(crate) fn sent_in_vain(&mut self) {
        self.is_suspect = true;
        self.attempts = self.attempts.saturating_add(1);
        self.gate = match self.delivery {
            Delivery::Probe(_) => Gate::Unprobed,
            Delivery::AtMostOnce | Delivery::AtLeastOnce => Gate::Open,
        };
    }

    /// It may be why the connection ended.
    pub(crate) fn suspect(&mut self, halves: u32) {
        self.is_suspect = true;
        self.blame = self.blame.saturating_add(halves);
    }

    /// The request to be sent again.
    pub(super) fn keep_request(&mut self, request: Request) {
        self.request = Some(request);
    }

    pub(super) fn take_request(&mut self) -> Option<Request> {
        self.request.take()
    }
}

/// Time and temporary ids.
impl Tracking {
    pub(crate) fn expires(&self) -> Option<Instant> {
        self.expires
    }

    pub(crate) fn set_expires(&mut self, expires: Option<Instant>) {
        self.expires = expires;
    }

    /// Places in its arguments with temporary ids of calls that are not answered.
    pub(crate) fn names(&self) -> &[NamedId] {
        &self.names
    }

    pub(crate) fn set_names(&mut self, names: Vec<NamedId>) {
        self.names = names;
    }

    /// Returns `true` if it is aside because of temporary ids.
    pub(super) fn waits_aside(&self) -> bool {
        self.waits_aside
    }

    pub(super) fn set_aside(&mut self, waits_aside: bool) {
        self.waits_aside = waits_aside;
    }
}
