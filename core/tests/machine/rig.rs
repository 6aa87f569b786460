//! A connection on a clock that only moves when it is told to, and the server's half in a few words.

use std::time::{Duration, Instant};

use bytes::Bytes;
use lightlike_core::conn::{
    Action, BoundFault, CallId, CallRequest, Config, Connection, Event, Lost, Progress, Reply,
    SetEnd, SubscriptionId,
};
use lightlike_core::limits::Limits;
use lightlike_core::types::{ConnectionId, Identity, Timestamp};
use lightlike_core::wire::{
    ClientMessage, Protocol, QueryRows, QuerySetId, QuerySetUpdate, ReducerOutcome, RequestId,
    RowList, ServerMessage, TableName, TableRows, TableUpdate, Text, TransactionUpdate, UpdateRows,
    decode_client, encode_server,
};

/// Arbitrary: the jitter comes from it.
const SEED: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;

pub(crate) struct Rig {
    pub(crate) connection: Connection,
    pub(crate) now: Instant,
    protocol: Protocol,
}

impl Rig {
    /// A connection that does not come back.
    pub(crate) fn new() -> Self {
        let mut config = Config::default();
        config.reconnect.enabled = false;
        Self::with(config)
    }

    pub(crate) fn with(config: Config) -> Self {
        #[expect(clippy::disallowed_methods, reason = "an arbitrary origin for virtual time")]
        let now = Instant::now();
        Self { connection: Connection::new(config, None, SEED), now, protocol: Protocol::V3 }
    }

    /// Small limits, so that they can be reached.
    pub(crate) fn limited(change: impl FnOnce(&mut Limits)) -> Self {
        let mut config = Config::default();
        config.reconnect.enabled = false;
        change(&mut config.limits);
        Self::with(config)
    }

    /// Greeted, on v3.
    pub(crate) fn online() -> Self {
        Self::new().greeted(Protocol::V3)
    }

    pub(crate) fn greeted(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        assert!(self.connection.start(self.now));
        assert!(matches!(self.actions()[..], [Action::Dial(_)]));
        self.connection.handle_opened(protocol);
        self.server(greeting());
        let events = self.events();
        assert!(
            matches!(events[..], [Event::State(_), Event::Connected(_), Event::State(_)]),
            "{events:?}"
        );
        self
    }

    /// The server says something.
    pub(crate) fn server(&mut self, message: ServerMessage) {
        let mut body = Vec::new();
        encode_server(&message, &mut body).unwrap();
        self.body(body);
    }

    pub(crate) fn body(&mut self, body: Vec<u8>) {
        self.connection.handle_body(self.now, Bytes::from(body));
    }

    /// Applies everything, and says what happened.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        self.events_with(Self::check_rows)
    }

    /// As [`events`](Self::events), whoever owns the rows.
    #[allow(dead_code, reason = "not every test that shares this uses it")]
    pub(crate) fn events_unchecked(&mut self) -> Vec<Event> {
        self.events_with(|_| ())
    }

    fn events_with(&mut self, check: impl Fn(&Self)) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..100_000 {
            while let Some(event) = self.connection.poll_event() {
                events.push(event);
            }
            let progress = self.connection.step(self.now, 7);
            check(self);
            if progress == Progress::Idle {
                return events;
            }
        }
        panic!("the connection does not come to rest");
    }

    /// Every row of the cache is owned by somebody, and what is held is within its bounds, but for frames: nobody asks here
    /// whether one may be received.
    pub(crate) fn check_rows(&self) {
        assert_eq!(self.connection.ownership_faults(), []);
        let mut faults = self.connection.bound_faults();
        faults.retain(|fault| {
            !matches!(fault, BoundFault::Exceeded { limit: "max_received_bytes", .. })
        });
        assert_eq!(faults, []);
    }

    pub(crate) fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.connection.poll_action()).collect()
    }

    /// Messages that the client sent; checks that nothing else is to be done.
    pub(crate) fn sent(&mut self) -> Vec<ClientMessage> {
        let mut messages = Vec::new();
        for action in self.actions() {
            let Action::Send(frame) = action else { panic!("{action:?} is to be done") };
            let decoded = decode_client(&frame, self.protocol, &Limits::DEFAULT);
            messages.extend(decoded.map(|message| message.unwrap()));
        }
        messages
    }

    /// Jumps to the next deadline, and says how far that was.
    pub(crate) fn sleep(&mut self) -> Duration {
        let deadline = self.connection.poll_timeout().expect("a deadline is set");
        let slept = deadline - self.now;
        self.now = deadline;
        self.connection.handle_timeout(deadline);
        slept
    }

    pub(crate) fn call(&mut self, name: &'static str) -> CallId {
        self.connection.call(reducer(name), None)
    }

    /// An applied set of the table `t` with these rows.
    pub(crate) fn applied(&mut self, rows: &[&[u8]]) -> SubscriptionId {
        let set = self.connection.subscribe(vec!["SELECT * FROM t".into()]);
        let sent = self.sent();
        let [ClientMessage::Subscribe { request_id, query_set_id, .. }] = sent[..] else {
            panic!("{sent:?}")
        };
        self.server(applied(request_id, query_set_id, rows));
        let events = self.events();
        assert!(matches!(events.last(), Some(Event::Applied(applied)) if *applied == set));
        set
    }

    /// The rows of the table `t`, sorted.
    pub(crate) fn rows(&self) -> Vec<Vec<u8>> {
        let view = self.connection.reader().read();
        let mut rows = view.untyped("t").map(|table| table.rows()).unwrap_or_default();
        rows.sort();
        rows
    }

    pub(crate) fn lose(&mut self) {
        self.connection.handle_lost(self.now, Lost::HungUp);
    }
}

pub(crate) fn greeting() -> ServerMessage {
    ServerMessage::InitialConnection {
        identity: Identity::from_le_bytes([7; 32]),
        connection_id: ConnectionId::from_u128(9),
        token: Text::from("token"),
    }
}

pub(crate) fn reducer(name: &'static str) -> CallRequest {
    CallRequest::Reducer { name: Text::from_static(name), args: Bytes::from_static(b"args") }
}

pub(crate) fn applied(
    request_id: RequestId,
    query_set_id: QuerySetId,
    rows: &[&[u8]],
) -> ServerMessage {
    let table = TableRows { table: TableName::from("t"), rows: RowList::from_rows(rows) };
    ServerMessage::SubscribeApplied {
        request_id,
        query_set_id,
        rows: QueryRows { tables: vec![table] },
    }
}

/// A transaction's rows of the table `t`.
pub(crate) fn update(set: QuerySetId, inserts: &[&[u8]], deletes: &[&[u8]]) -> TransactionUpdate {
    let rows = vec![UpdateRows::Persistent {
        inserts: RowList::from_rows(inserts),
        deletes: RowList::from_rows(deletes),
    }];
    let tables = vec![TableUpdate { table: TableName::from("t"), rows }];
    TransactionUpdate { query_sets: vec![QuerySetUpdate { query_set_id: set, tables }] }
}

pub(crate) fn committed(request_id: RequestId, update: TransactionUpdate) -> ServerMessage {
    ServerMessage::ReducerResult {
        request_id,
        timestamp: Timestamp::from_micros(5),
        outcome: ReducerOutcome::Ok { ret_value: Bytes::new(), update },
    }
}

/// A short name for what happened, to compare stories by.
pub(crate) fn told(events: &[Event]) -> Vec<String> {
    events.iter().map(tell).collect()
}

fn tell(event: &Event) -> String {
    match event {
        Event::State(state) => {
            let text = format!("{state:?}");
            text.split(['(', ' ']).next().unwrap_or_default().to_owned()
        }
        Event::Connected(_) => "Connected".into(),
        Event::Transaction(event) => {
            let cause = format!("{:?}", event.cause);
            format!("transaction: {}", cause.split([' ', '(']).next().unwrap_or_default())
        }
        Event::Stale { set, reason } => format!("set {} stale: {reason}", set.0),
        Event::Alarm(alarm) => format!("alarm {}", alarm.0),
        Event::Verified { outcome, .. } => format!("verified: {outcome:?}"),
        Event::Receiving(receiving) => format!("receiving: {:?}", receiving.message),
        Event::Slow(slow) => format!("slow: {:?}, {:?} behind", slow.reason, slow.behind),
        Event::Panicked(panic) => panic.to_string(),
        Event::LostForLong => "lost for long".into(),
        Event::UserChanged => "another user".into(),
        Event::Applied(set) => format!("set {} applied", set.0),
        Event::Ended { set, reason } => format!("set {} ended: {}", set.0, end(reason)),
        Event::Answered { call, reply, .. } => format!("call {}: {}", call.0, answer(reply)),
        Event::Accepted { call, accepted } => format!("call {} accepted: {accepted:?}", call.0),
        Event::BeforeReplay(calls) => {
            let names: Vec<_> = calls.iter().map(|call| call.reducer.as_str()).collect();
            format!("before replay: {}", names.join(" "))
        }
        Event::Restored(call) => {
            format!("call {} restored: {}", call.call.0, call.reducer.as_str())
        }
        Event::ArgumentsChanged { call, .. } => format!("call {} has other arguments", call.0),
        Event::SchemaWanted => "schema wanted".into(),
        Event::Sync(state) => format!("{} pending, {} failed", state.pending, state.failed),
    }
}

fn end(reason: &SetEnd) -> String {
    match reason {
        SetEnd::Refused(why) => format!("refused, {why}"),
        other => format!("{other:?}").split([' ', '(']).next().unwrap_or_default().to_owned(),
    }
}

fn answer(reply: &Reply) -> String {
    match reply {
        Reply::TimedOut { sent } => format!("timed out, sent: {sent}"),
        Reply::Failed(why) => format!("failed, {why}"),
        other => format!("{other:?}").split([' ', '(']).next().unwrap_or_default().to_owned(),
    }
}
