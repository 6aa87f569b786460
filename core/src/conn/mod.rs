//! The connection as a state machine: no socket, no clock, no thread, no randomness.
//!
//! ```text
//!                 start            opened             greeting
//!      ┌──────┐        ┌─────────┐        ┌──────────┐         ┌────────┐
//!      │ Idle │───────▶│ Dialing │───────▶│ Greeting │────────▶│ Online │
//!      └──────┘        └─────────┘        └──────────┘         └────────┘
//!                           │ lost, late        │ lost, late      │  │ close
//!                           ▼                   ▼            lost │  ▼
//!                      ┌──────────────────────────────────────┐   │ ┌─────────┐
//!                      │                Closed                │◀──┴─│ Closing │
//!                      └──────────────────────────────────────┘     └─────────┘
//! ```
//!
//! Methods come in four kinds. *Commands* (`subscribe`, `call`, `close`) are the application's wishes; `handle_*` tell
//! what happened; [`step`](Connection::step) applies what came, a bounded piece at a time; `poll_*` take what is to be
//! done. After every command and every `handle_*`, a driver takes actions until there are none, and then alternates:
//! deliver all events, `step`, until there is nothing left to do. [`poll_timeout`](Connection::poll_timeout) says when
//! [`handle_timeout`](Connection::handle_timeout) is due; its answer may have changed after any of these.
//!
//! `step` applies nothing while events wait: so the application has seen one transaction whole, and nothing of the
//! next, when its callbacks run.

mod apply;
mod config;
mod endpoint;
mod event;
mod inbox;
mod outbox;
mod state;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::cache::{Cache, CacheConfig, CacheReader, RegisterError, SetId, TableId};
use crate::calls::{Calls, Request};
use crate::schema::Table;
use crate::subs::{Stage, Subscriptions};
use crate::wire::{ClientMessage, Protocol, QuerySetId, RequestId, Text};

use self::apply::Applying;
pub use self::config::Config;
pub use self::endpoint::{
    Endpoint, EndpointError, Server, SubscribeParameters, check_database_name,
};
pub use self::event::{
    Action, CallId, Cause, Dial, Event, Greeting, NotSent, Reply, SetEnd, TransactionEvent,
};
use self::inbox::Inbox;
use self::outbox::Outbox;
pub use self::state::{CloseReason, ConnectionState, DialError, Lost};
pub use crate::calls::Request as CallRequest;

/// One database, as one client sees it: its socket's states, its query sets, its calls, and the cache.
///
/// # Invariants
///
/// - A message is applied whole, or the socket is given up.
/// - Every call gets exactly one [`Event::Answered`], every query set that was applied or refused one
///   [`Event::Ended`] at its end.
/// - Nothing waits without a bound: see [`Limits`](crate::limits::Limits).
#[derive(Debug)]
pub struct Connection {
    config: Config,
    state: State,
    token: Option<Box<str>>,
    greeting: Option<Greeting>,
    attempt: u64,
    next_request: u32,
    subs: Subscriptions,
    calls: Calls,
    cache: Cache,
    applying: Applying,
    inbox: Inbox,
    outbox: Outbox,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
}

/// Where the socket is.
#[derive(Debug)]
enum State {
    Idle,
    Dialing {
        since: Instant,
    },
    Greeting {
        since: Instant,
        protocol: Protocol,
    },
    Online {
        protocol: Protocol,
        liveness: Liveness,
    },
    Closing {
        protocol: Protocol,
        until: Instant,
    },
    /// The socket is gone; what had come before is applied first, so that no answer is lost that was received.
    Draining {
        protocol: Protocol,
        reason: CloseReason,
    },
    Closed(CloseReason),
}

/// When the server was last heard of.
#[derive(Debug)]
struct Liveness {
    heard: Instant,
    /// When it was pinged, if nothing was heard since.
    pinged: Option<Instant>,
}

/// What [`Connection::step`] leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// Nothing is left to apply.
    Idle,
    /// There is more: step again, after delivering events.
    More,
    /// Applying waits for views to be let go: the dead rows that they hold have reached their limit. Receiving does
    /// not wait. Step again in a moment.
    Waiting,
}

impl Connection {
    /// A connection that is not started. `token` is presented to the server.
    pub fn new(config: Config, token: Option<Box<str>>) -> Self {
        let max_dead_rows = config.limits.max_dead_rows;
        let cache = Cache::new(CacheConfig { max_dead_rows, ..CacheConfig::default() });
        Self {
            config,
            state: State::Idle,
            token,
            greeting: None,
            attempt: 0,
            next_request: 0,
            subs: Subscriptions::default(),
            calls: Calls::default(),
            cache,
            applying: Applying::default(),
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            actions: VecDeque::new(),
            events: VecDeque::new(),
        }
    }
}

/// Commands.
impl Connection {
    /// Opens the connection. Does nothing, and says false, if it was started or closed before.
    pub fn start(&mut self, now: Instant) -> bool {
        let starts = self.is_idle();
        if starts {
            self.attempt += 1;
            self.state = State::Dialing { since: now };
            let dial = Dial { token: self.token.clone(), attempt: self.attempt };
            self.actions.push_back(Action::Dial(dial));
            self.announce(ConnectionState::Connecting);
        }
        starts
    }

    /// Closes the connection in order: what was applied stays readable, calls that are not answered by then end as
    /// [`Reply::Unknown`].
    pub fn close(&mut self, now: Instant) {
        match self.state {
            State::Closing { .. } | State::Draining { .. } | State::Closed(_) => (),
            State::Online { protocol, .. } => {
                let until = now + self.config.close_timeout;
                self.state = State::Closing { protocol, until };
                self.actions.push_back(Action::Close);
            }
            State::Idle | State::Dialing { .. } | State::Greeting { .. } => {
                self.actions.clear();
                self.actions.push_back(Action::Abandon);
                self.end(CloseReason::Requested);
            }
        }
    }

    /// Asks for a query set. It is sent when there is a connection.
    pub fn subscribe(&mut self, queries: Vec<Box<str>>) -> SetId {
        let bytes = queries.iter().map(|query| query.len()).sum();
        let set = self.subs.add(queries);
        if let Some(why) = self.too_large(bytes) {
            self.subs.remove(set);
            self.events.push_back(Event::Ended { set, reason: SetEnd::NotSent(why) });
            return set;
        }
        match self.state {
            State::Online { .. } => self.send_set(set),
            State::Closing { .. } | State::Draining { .. } | State::Closed(_) => {
                self.subs.remove(set);
                self.events.push_back(Event::Ended { set, reason: SetEnd::Closed });
            }
            State::Idle | State::Dialing { .. } | State::Greeting { .. } => (),
        }
        set
    }

    /// Ends a query set; [`Event::Ended`] says when it is over. Does nothing if it is, or will be.
    pub fn unsubscribe(&mut self, set: SetId) {
        match self.subs.stage(set) {
            Some(Stage::Waiting) => {
                self.subs.remove(set);
                self.events.push_back(Event::Ended { set, reason: SetEnd::Unsubscribed });
            }
            Some(stage @ (Stage::Sent | Stage::Applied)) => {
                let holds_rows = stage == Stage::Applied;
                self.subs.set_stage(set, Stage::Ending { holds_rows });
                self.send_unsubscribe(set);
            }
            Some(Stage::Ending { .. } | Stage::Failed) | None => (),
        }
    }

    /// Makes a call or a query. [`Event::Answered`] brings the answer, [`Reply::TimedOut`] if there is none by `deadline`.
    ///
    /// While the connection is being made it waits for it. Calls are sent in the order of their making.
    pub fn call(&mut self, request: Request, deadline: Option<Instant>) -> CallId {
        let call = self.calls.name();
        match self.refusal(&request) {
            Some(why) => self.answer(call, Reply::NotSent(why)),
            None => {
                self.calls.push(call, request, deadline);
                self.send_calls();
            }
        }
        call
    }

    /// First mention of the table `T`: from now on its rows are decoded. Rows that lay undecoded move over silently.
    ///
    /// # Errors
    ///
    /// [`RegisterError`] if the table was mentioned with another row type.
    pub fn register<T: Table>(&mut self) -> Result<TableId, RegisterError> {
        let registered = self.cache.register::<T>()?;
        for failure in registered.failed {
            self.fail_set(failure);
        }
        Ok(registered.table)
    }

    /// Sets the numbers that the next request and the next query set get on the wire, for replaying a recording.
    #[doc(hidden)]
    pub fn seed_ids(&mut self, request: RequestId, set: QuerySetId) {
        self.next_request = request.0;
        self.subs.seed(set);
    }
}

/// What happened.
impl Connection {
    /// The socket of the attempt is open and speaks `protocol`.
    pub fn handle_opened(&mut self, now: Instant, protocol: Protocol) {
        if let State::Dialing { since } = self.state {
            let _ = now;
            self.state = State::Greeting { since, protocol };
        }
    }

    /// The body of a binary message came: [`open_frame`](crate::wire::open_frame)'s result.
    pub fn handle_body(&mut self, now: Instant, body: Bytes) {
        self.handle_heard(now);
        if matches!(
            self.state,
            State::Greeting { .. } | State::Online { .. } | State::Closing { .. }
        ) {
            self.inbox.push(body);
        }
    }

    /// Something else came: a ping, a pong, a piece of a message.
    pub fn handle_heard(&mut self, now: Instant) {
        if let State::Online { liveness, .. } = &mut self.state {
            *liveness = Liveness { heard: now, pinged: None };
        }
    }

    /// The socket could not be opened, failed, or ended.
    pub fn handle_lost(&mut self, reason: Lost) {
        match self.state {
            State::Idle | State::Draining { .. } | State::Closed(_) => (),
            State::Dialing { .. } => self.end(CloseReason::Lost(reason)),
            State::Closing { protocol, .. } => self.drain(protocol, CloseReason::Requested),
            State::Greeting { protocol, .. } | State::Online { protocol, .. } => {
                self.drain(protocol, CloseReason::Lost(reason));
            }
        }
    }

    /// [`poll_timeout`](Self::poll_timeout)'s moment has come. Early and repeated calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((call, sent)) = self.calls.time_out(now) {
            tracing::debug!(?call, ?sent, "a call timed out");
            self.answer(call, Reply::TimedOut { sent });
        }
        if self.socket_deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match &mut self.state {
            State::Dialing { .. } => {
                let late = DialError::TimedOut(self.config.connect_timeout);
                self.lose(Lost::Dial(late));
            }
            State::Greeting { .. } => self.lose(Lost::NotGreeted(self.config.connect_timeout)),
            State::Online { liveness, .. } => match liveness.pinged {
                None => {
                    liveness.pinged = Some(now);
                    self.actions.push_back(Action::Ping);
                }
                Some(_) => {
                    let silent = now.saturating_duration_since(liveness.heard);
                    self.lose(Lost::Silent(silent));
                }
            },
            State::Closing { .. } => {
                self.actions.push_back(Action::Abandon);
                self.end(CloseReason::Requested);
            }
            State::Idle | State::Draining { .. } | State::Closed(_) => (),
        }
    }
}

/// What is to be done.
impl Connection {
    /// The next thing for the driver to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        if !matches!(self.actions.front(), None | Some(Action::Close)) {
            return self.actions.pop_front();
        }
        // What was asked for before closing leaves before the close frame.
        if let State::Online { .. } | State::Closing { .. } = self.state
            && let Some(frame) = self.outbox.pop()
        {
            return Some(Action::Send(frame));
        }
        self.actions.pop_front()
    }

    /// The next event for the application.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether events wait to be delivered.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let calls = self.calls.next_deadline();
        self.socket_deadline().into_iter().chain(calls).min()
    }

    /// Whether the driver may read from the socket: what was received and is not applied is within
    /// `max_received_bytes`.
    pub fn can_receive(&self) -> bool {
        self.inbox.queued_bytes() < self.config.limits.max_received_bytes
    }

    /// The limits, for [`open_frame`](crate::wire::open_frame).
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The reading end of the cache.
    pub fn reader(&self) -> CacheReader {
        self.cache.reader()
    }

    /// Who the server takes us for, and our connection, once it has said so.
    pub fn greeting(&self) -> Option<&Greeting> {
        self.greeting.as_ref()
    }

    /// Whether the connection was neither started nor closed.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Whether the connection is closed for good.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed(_))
    }

    /// How many calls and queries are not answered.
    pub fn pending_calls(&self) -> usize {
        self.calls.len()
    }
}

/// Sending.
impl Connection {
    fn request_id(&mut self) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request = self.next_request.wrapping_add(1);
        id
    }

    fn send_set(&mut self, set: SetId) {
        let request_id = self.request_id();
        if let Some((query_set_id, queries)) = self.subs.send(set) {
            let queries = queries.iter().map(|query| Text::from(&**query)).collect();
            self.send(&ClientMessage::Subscribe { request_id, query_set_id, queries });
        }
    }

    fn send_unsubscribe(&mut self, set: SetId) {
        let Some(query_set_id) = self.subs.get(set).and_then(|set| set.wire) else { return };
        let request_id = self.request_id();
        // The cache knows which rows the set holds: they need not be sent.
        let send_dropped_rows = false;
        self.send(&ClientMessage::Unsubscribe { request_id, query_set_id, send_dropped_rows });
    }

    /// Sends the calls that wait, as many as may be unanswered at once.
    fn send_calls(&mut self) {
        let State::Online { .. } = self.state else { return };
        while self.calls.has_waiting()
            && self.calls.in_flight() < self.config.limits.max_calls_in_flight
        {
            let request_id = self.request_id();
            if let Some(message) = self.calls.send(request_id) {
                self.send(&message);
            }
        }
    }

    fn send(&mut self, message: &ClientMessage) {
        if let State::Online { protocol, .. } = self.state {
            let sent = self.outbox.push(message, protocol);
            sent.expect(
                "what is sent is within `max_outgoing_bytes`, which is less than BSATN can count",
            );
        }
    }

    /// Why a call cannot be taken, if so.
    fn refusal(&self, request: &Request) -> Option<NotSent> {
        let limits = &self.config.limits;
        let bytes = match request {
            Request::Reducer { name, args } | Request::Procedure { name, args } => {
                name.len() + args.len()
            }
            Request::Query { sql } => sql.len(),
        };
        match &self.state {
            State::Draining { reason: CloseReason::Lost(reason), .. }
            | State::Closed(CloseReason::Lost(reason)) => Some(NotSent::Lost(reason.clone())),
            State::Closing { .. } | State::Draining { .. } | State::Closed(_) => {
                Some(NotSent::Closed)
            }
            _ if self.calls.len() >= limits.max_calls => {
                Some(NotSent::TooMany { waiting: self.calls.len(), limit: limits.max_calls })
            }
            _ => self.too_large(bytes),
        }
    }

    fn too_large(&self, bytes: usize) -> Option<NotSent> {
        let limit = self.config.limits.max_outgoing_bytes;
        (bytes > limit).then_some(NotSent::TooLarge { bytes, limit })
    }

    fn answer(&mut self, call: CallId, reply: Reply) {
        self.events.push_back(Event::Answered { call, reply });
    }

    fn announce(&mut self, state: ConnectionState) {
        self.events.push_back(Event::State(state));
    }
}

/// Ending.
impl Connection {
    fn socket_deadline(&self) -> Option<Instant> {
        let config = &self.config;
        let after = |since: Instant, wait: Duration| Some(since + wait);
        match &self.state {
            State::Dialing { since } | State::Greeting { since, .. } => {
                after(*since, config.connect_timeout)
            }
            State::Online { liveness, .. } => match liveness.pinged {
                None => after(liveness.heard, config.ping_after),
                Some(pinged) => after(pinged, config.pong_timeout),
            },
            State::Closing { until, .. } => Some(*until),
            State::Idle | State::Draining { .. } | State::Closed(_) => None,
        }
    }

    /// The socket has ended: applies what came before, then settles the rest.
    fn drain(&mut self, protocol: Protocol, reason: CloseReason) {
        if self.inbox.is_empty() && !self.cache.is_applying() {
            self.end(reason);
        } else {
            self.state = State::Draining { protocol, reason };
        }
    }

    /// Gives the socket up.
    fn lose(&mut self, reason: Lost) {
        self.actions.clear();
        self.actions.push_back(Action::Abandon);
        match self.state {
            State::Closing { .. } => self.end(CloseReason::Requested),
            _ => self.end(CloseReason::Lost(reason)),
        }
    }

    /// Settles everything that the server can no longer settle. Rows stay readable.
    fn end(&mut self, reason: CloseReason) {
        tracing::debug!(?reason, "the connection is closed");
        self.cache.abort();
        self.applying = Applying::default();
        self.inbox.clear();
        self.outbox.clear();
        let (sent, waiting) = self.calls.drain();
        for call in sent {
            self.answer(call, Reply::Unknown);
        }
        let not_sent = match &reason {
            CloseReason::Requested => NotSent::Closed,
            CloseReason::Lost(lost) => NotSent::Lost(lost.clone()),
        };
        for call in waiting {
            self.answer(call, Reply::NotSent(not_sent.clone()));
        }
        for set in self.subs.drain() {
            self.events.push_back(Event::Ended { set, reason: SetEnd::Closed });
        }
        self.state = State::Closed(reason.clone());
        self.announce(ConnectionState::Closed(reason));
    }
}
