//! Calls and queries that wait to be sent or to be answered. Pure bookkeeping.

mod request;
pub(super) mod temp_ids;
mod tracking;
mod trial;
mod waiting;

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use foldhash::HashSet;

use crate::in_order::InOrder;
use crate::wire::{ClientMessage, RequestId};

pub(crate) use self::request::Kind;
pub use self::request::{CallId, Request, WhileDisconnected};
pub(crate) use self::tracking::{Gate, Tracking};
use self::trial::Trial;

/// A request that was sent.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) call: CallId,
    kind: Kind,
    /// The parameters' BSATN; nothing for a query.
    pub(crate) args: Bytes,
    pub(crate) made: Option<Instant>,
    pub(crate) sent: Option<Instant>,
    deadline: Option<Instant>,
    /// The application was told that it timed out: the answer's rows are applied, the answer is not reported.
    pub(crate) timed_out: bool,
    /// Bytes that it counts as until it is answered.
    bytes: usize,
    tracking: Option<Box<Tracking>>,
}

/// A request that was not sent.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) call: CallId,
    pub(crate) request: Request,
    /// Time at which the application made it; known once it [waits](Calls::push).
    made: Option<Instant>,
    pub(crate) deadline: Option<Instant>,
    /// Options that set it apart from a call that is sent once or never, if any.
    pub(crate) tracking: Option<Box<Tracking>>,
}

/// A request that was sent, and whose answer will not come.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) call: CallId,
    /// The request, if it is more than a plain call.
    pub(crate) waiting: Option<Waiting>,
}

/// All calls and queries that are not answered.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    next: u64,
    waiting: VecDeque<Waiting>,
    /// Calls that wait for something else than a connection, in no order.
    aside: Vec<Waiting>,
    /// By [`widened`](Self::widened) request.
    in_flight: InOrder<InFlight>,
    /// Number of those that are probes.
    probes: usize,
    /// Bytes that all of them take.
    bytes: usize,
    /// The number of the last request that was sent.
    last: u64,
    trial: Trial,
    deadlines: BTreeSet<(Instant, CallId)>,
    /// Times at which calls are given up that were never sent.
    expiries: BTreeSet<(Instant, CallId)>,
    /// Latest time that the machine was told.
    clock: Option<Instant>,
}

impl Calls {
    /// It is `now`: what happens next happens then.
    pub(crate) fn set_clock(&mut self, now: Instant) {
        self.clock = Some(now);
    }

    /// Latest time that the machine was told.
    pub(crate) fn clock(&self) -> Option<Instant> {
        self.clock
    }

    /// A name for one more call.
    pub(crate) fn name(&mut self) -> CallId {
        let call = CallId(self.next);
        self.next += 1;
        call
    }

    /// Number of calls that are not sent.
    pub(crate) fn unsent(&self) -> usize {
        self.waiting.len() + self.aside.len()
    }

    /// Number of calls that are not answered.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.aside.len() + self.in_flight.len() - self.probes
    }

    /// Number of calls that the end of the connection leaves lost or in doubt: those that were sent, and those that wait and
    /// that the journal does not have.
    pub(crate) fn losable(&self) -> usize {
        let waiting = self.waiting.iter().chain(&self.aside);
        let unsaved = waiting
            .filter(|call| call.tracking.as_ref().is_none_or(|tracking| tracking.seq().is_none()));
        self.in_flight.len() - self.probes + unsaved.count()
    }

    /// Returns `true` if a call is not answered; fast for those that were made last.
    pub(crate) fn contains(&self, call: CallId) -> bool {
        self.waiting.iter().rev().chain(&self.aside).any(|waiting| waiting.call == call)
            || self.in_flight.values_rev().any(|sent| sent.call == call)
    }

    /// Returns `true` if a call was sent and is not answered.
    pub(crate) fn is_in_flight(&self, call: CallId) -> bool {
        self.in_flight.values_rev().any(|sent| sent.call == call)
    }

    /// All calls that are not answered.
    pub(crate) fn unanswered(&self) -> HashSet<CallId> {
        let waiting = self.waiting.iter().chain(&self.aside).map(|waiting| waiting.call);
        waiting.chain(self.in_flight.values_rev().map(|sent| sent.call)).collect()
    }

    /// Memory of the calls that are not answered.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// As [`bytes`](Self::bytes), counted anew.
    pub(crate) fn recounted_bytes(&self) -> usize {
        let waiting = self.waiting.iter().chain(&self.aside).map(|waiting| waiting.request.bytes());
        let sent = self.in_flight.values_rev().map(|sent| sent.bytes);
        waiting.chain(sent).sum()
    }

    /// Number of calls that the server has not answered.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Puts a call at the end of those to be sent.
    pub(crate) fn push(&mut self, mut waiting: Waiting) {
        waiting.made = waiting.made.or(self.clock);
        self.note(&waiting);
        self.waiting.push_back(waiting);
    }

    /// Accounts for a call that comes to those that wait.
    fn note(&mut self, waiting: &Waiting) {
        self.bytes += waiting.request.bytes();
        if let Some(deadline) = waiting.deadline {
            self.deadlines.insert((deadline, waiting.call));
        }
        if let Some(expires) = waiting.tracking.as_ref().and_then(|tracking| tracking.expires()) {
            self.expiries.insert((expires, waiting.call));
        }
    }

    /// Accounts for a call that was taken from those that wait, and is not sent.
    fn forget(&mut self, waiting: &Waiting) {
        self.bytes -= waiting.request.bytes();
        self.forget_times(waiting.call, waiting.deadline, waiting.tracking.as_deref());
    }

    fn forget_times(
        &mut self,
        call: CallId,
        deadline: Option<Instant>,
        tracking: Option<&Tracking>,
    ) {
        if let Some(deadline) = deadline {
            self.deadlines.remove(&(deadline, call));
        }
        if let Some(expires) = tracking.and_then(|tracking| tracking.expires()) {
            self.expiries.remove(&(expires, call));
        }
    }

    /// Takes the next call to be sent, as a message.
    pub(crate) fn send(&mut self, request_id: RequestId) -> Option<ClientMessage> {
        let Waiting { call, request, made, deadline, mut tracking } = self.waiting.pop_front()?;
        let bytes = request.bytes();
        if let Some(tracking) = &mut tracking {
            // What was sent may have run: it does not expire any more.
            if let Some(expires) = tracking.expires() {
                self.expiries.remove(&(expires, call));
                tracking.set_expires(None);
            }
            tracking.keep_request(request.clone());
        }
        let (kind, message) = match request {
            Request::Reducer { name, args } => {
                let reducer = name.clone();
                (Kind::Reducer(name), ClientMessage::CallReducer { request_id, reducer, args })
            }
            Request::Procedure { name: procedure, args } => {
                (Kind::Procedure, ClientMessage::CallProcedure { request_id, procedure, args })
            }
            Request::Query { sql: query } => {
                (Kind::Query, ClientMessage::OneOffQuery { request_id, query })
            }
        };
        let (sent, args, timed_out) = (self.clock, Bytes::new(), false);
        let in_flight =
            InFlight { call, kind, args, made, sent, deadline, timed_out, bytes, tracking };
        self.sent(request_id, in_flight);
        Some(message)
    }

    fn sent(&mut self, request_id: RequestId, in_flight: InFlight) {
        self.trial.sent(&in_flight);
        self.last += u64::from(request_id.0.wrapping_sub(self.last as u32));
        self.in_flight.push(self.last, in_flight);
    }

    /// The message of the call that was sent last is encoded: its arguments are kept until its answer.
    pub(crate) fn keep_args(&mut self, message: ClientMessage) {
        if let ClientMessage::CallReducer { args, .. } = message
            && let Some(sent) = self.in_flight.last_mut()
        {
            sent.args = args;
        }
    }

    /// The number of a request that was sent, which does not wrap as the wire's does.
    fn widened(&self, request_id: RequestId) -> Option<u64> {
        self.last.checked_sub(u64::from((self.last as u32).wrapping_sub(request_id.0)))
    }

    /// Returns `true` if a call waits to be sent.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Kind of answer that a request waits for.
    pub(crate) fn kind(&self, request_id: RequestId) -> Option<&Kind> {
        self.in_flight.get(self.widened(request_id)?).map(|call| &call.kind)
    }

    /// The server has answered.
    pub(crate) fn answer(&mut self, request_id: RequestId) -> Option<InFlight> {
        let call = self.in_flight.take(self.widened(request_id)?)?;
        self.bytes -= call.bytes;
        self.trial.answered(&call);
        if call.kind == Kind::Probe {
            self.probes -= 1;
        }
        if let Some(deadline) = call.deadline {
            self.deadlines.remove(&(deadline, call.call));
        }
        Some(call)
    }

    /// The next moment at which a call times out or expires.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let first = |times: &BTreeSet<(Instant, CallId)>| times.first().map(|(at, _)| *at);
        first(&self.deadlines).into_iter().chain(first(&self.expiries)).min()
    }

    /// Takes one call whose time is up, and whether it was sent.
    pub(crate) fn time_out(&mut self, now: Instant) -> Option<(CallId, bool)> {
        let (deadline, call) = *self.deadlines.first()?;
        if now < deadline {
            return None;
        }
        self.deadlines.pop_first();
        if let Some(waiting) = self.take_waiting(call) {
            let sent = waiting.tracking.is_some_and(|tracking| tracking.attempts() > 0);
            return Some((call, sent));
        }
        if let Some(in_flight) = self.in_flight.values_mut().find(|sent| sent.call == call) {
            in_flight.timed_out = true;
        }
        Some((call, true))
    }

    /// Forgets all calls: those that were sent and those that were not, each in the order of their making. Calls that
    /// timed out are in neither: they were answered then.
    pub(crate) fn drain(&mut self) -> (Vec<Sent>, Vec<Waiting>) {
        let sent = self.drain_sent();
        self.deadlines.clear();
        self.expiries.clear();
        let mut waiting: Vec<_> = self.waiting.drain(..).chain(self.aside.drain(..)).collect();
        waiting.sort_by_key(|waiting| waiting.call);
        self.bytes = 0;
        (sent, waiting)
    }

    /// Forgets the calls that were sent, as [`drain`](Self::drain) does.
    pub(crate) fn drain_sent(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        self.probes = 0;
        self.trial.lost();
        for sent_call in self.in_flight.drain() {
            let InFlight { call, kind, deadline, timed_out, bytes, mut tracking, made, .. } =
                sent_call;
            self.bytes -= bytes;
            if let Some(deadline) = deadline {
                self.deadlines.remove(&(deadline, call));
            }
            if timed_out || kind == Kind::Probe {
                continue;
            }
            let request = tracking.as_mut().and_then(|tracking| tracking.take_request());
            let waiting =
                request.map(|request| Waiting { call, request, made, deadline, tracking });
            sent.push(Sent { call, waiting });
        }
        sent
    }
}
