//! Calls and queries that wait to be sent or to be answered. Pure bookkeeping.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use foldhash::HashSet;

use crate::conn::{CallId, CallTimes};
use crate::in_order::InOrder;
use crate::wire::{ClientMessage, RequestId, Text};

/// Something that the server answers once.
#[derive(Debug, Clone)]
pub enum Request {
    /// A call of a reducer.
    Reducer {
        /// Its name on the wire.
        name: Text,
        /// The parameters' BSATN, one after the other.
        args: Bytes,
    },
    /// A call of a procedure.
    Procedure {
        /// Its name on the wire.
        name: Text,
        /// The parameters' BSATN, one after the other.
        args: Bytes,
    },
    /// A query that is answered with rows, once.
    Query {
        /// The SQL.
        sql: Text,
    },
}

/// What kind of answer a request gets, and what is needed when it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Reducer(Text),
    Procedure,
    Query,
}

/// A request that was sent.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) call: CallId,
    kind: Kind,
    /// The parameters' BSATN; nothing for a query.
    pub(crate) args: Bytes,
    pub(crate) times: CallTimes,
    deadline: Option<Instant>,
    /// The application was told that it timed out: the answer's rows are applied, the answer is not reported.
    pub(crate) timed_out: bool,
}

#[derive(Debug)]
struct Waiting {
    call: CallId,
    request: Request,
    made: Option<Instant>,
    deadline: Option<Instant>,
}

/// All calls and queries that are not answered.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    next: u64,
    waiting: VecDeque<Waiting>,
    /// By [`widened`](Self::widened) request.
    in_flight: InOrder<InFlight>,
    /// The number of the last request that was sent.
    last: u64,
    deadlines: BTreeSet<(Instant, CallId)>,
    /// What time it was when somebody last said.
    clock: Option<Instant>,
}

impl Calls {
    /// It is `now`: what happens next happens then.
    pub(crate) fn set_clock(&mut self, now: Instant) {
        self.clock = Some(now);
    }

    /// What time it was when somebody last said.
    pub(crate) fn clock(&self) -> Option<Instant> {
        self.clock
    }

    /// A name for one more call.
    pub(crate) fn name(&mut self) -> CallId {
        let call = CallId(self.next);
        self.next += 1;
        call
    }

    /// How many calls are not answered.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.in_flight.len()
    }

    /// Whether a call is not answered; soon known of those that were made last.
    pub(crate) fn contains(&self, call: CallId) -> bool {
        self.waiting.iter().rev().any(|waiting| waiting.call == call)
            || self.in_flight.values_rev().any(|sent| sent.call == call)
    }

    /// All calls that are not answered.
    pub(crate) fn unanswered(&self) -> HashSet<CallId> {
        let waiting = self.waiting.iter().map(|waiting| waiting.call);
        waiting.chain(self.in_flight.values_rev().map(|sent| sent.call)).collect()
    }

    /// How many calls the server has not answered.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Puts a call at the end of those to be sent.
    pub(crate) fn push(&mut self, call: CallId, request: Request, deadline: Option<Instant>) {
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, call));
        }
        self.waiting.push_back(Waiting { call, request, made: self.clock, deadline });
    }

    /// Takes the next call to be sent, as a message.
    pub(crate) fn send(&mut self, request_id: RequestId) -> Option<ClientMessage> {
        let Waiting { call, request, made, deadline } = self.waiting.pop_front()?;
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
        self.last += u64::from(request_id.0.wrapping_sub(self.last as u32));
        let times = CallTimes { made, sent: self.clock, ..CallTimes::default() };
        let args = Bytes::new();
        let in_flight = InFlight { call, kind, args, times, deadline, timed_out: false };
        self.in_flight.push(self.last, in_flight);
        Some(message)
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

    /// Whether a call waits to be sent.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What kind of answer a request waits for.
    pub(crate) fn kind(&self, request_id: RequestId) -> Option<&Kind> {
        self.in_flight.get(self.widened(request_id)?).map(|call| &call.kind)
    }

    /// The server has answered.
    pub(crate) fn answer(&mut self, request_id: RequestId) -> Option<InFlight> {
        let call = self.in_flight.take(self.widened(request_id)?)?;
        if let Some(deadline) = call.deadline {
            self.deadlines.remove(&(deadline, call.call));
        }
        Some(call)
    }

    /// The next moment at which a call times out.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Takes one call whose time is up, and whether it was sent.
    pub(crate) fn time_out(&mut self, now: Instant) -> Option<(CallId, bool)> {
        let (deadline, call) = *self.deadlines.first()?;
        if now < deadline {
            return None;
        }
        self.deadlines.pop_first();
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.call != call);
        if self.waiting.len() < before {
            return Some((call, false));
        }
        if let Some(in_flight) = self.in_flight.values_mut().find(|sent| sent.call == call) {
            in_flight.timed_out = true;
        }
        Some((call, true))
    }

    /// Forgets all calls: those that were sent and those that were not, each in the order of their making. Calls that
    /// timed out are in neither: they were answered then.
    pub(crate) fn drain(&mut self) -> (Vec<CallId>, Vec<CallId>) {
        let sent = self.drain_sent();
        self.deadlines.clear();
        let waiting = self.waiting.drain(..).map(|waiting| waiting.call).collect();
        (sent, waiting)
    }

    /// Forgets the calls that were sent, as [`drain`](Self::drain) does.
    pub(crate) fn drain_sent(&mut self) -> Vec<CallId> {
        let mut sent = Vec::new();
        for call in self.in_flight.drain() {
            if let Some(deadline) = call.deadline {
                self.deadlines.remove(&(deadline, call.call));
            }
            if !call.timed_out {
                sent.push(call.call);
            }
        }
        sent
    }
}
