//! The machine, told what a recorded server said and asked for what the recorded client asked for, says the same and ends
//! up with the rows that the frames describe.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use lightlike_core::cache::View;
use lightlike_core::conn::{
    Action, CallId, CallRequest, Config, Connection, Event, Lost, Progress, Reply, SetEnd,
    SubscriptionId, TransactionEvent,
};
use lightlike_core::wire::{
    BatchSet, ClientMessage, QuerySetId, RequestId, ServerMessage, Text, encode_client,
};

use crate::frames::{body, client_messages, server_messages};
use crate::model::{Answer, Changed, Model, Tables, Told, changed};
use crate::session_files::{self, Frame, Session, Side};

/// Few enough that most messages take several steps.
const ROWS_A_STEP: usize = 2;

#[test]
fn replayed_session_matches_its_frames() {
    session_files::all().iter().for_each(replays);
}

pub(crate) fn replays(session: &Session) {
    let mut replay = Replay::start(session);
    for frame in &session.frames {
        replay.frame(frame);
        replay.compare_rows(frame.line);
    }
    replay.end();
}

/// One session under way.
pub(crate) struct Replay<'s> {
    pub(crate) session: &'s Session,
    pub(crate) connection: Connection,
    pub(crate) now: Instant,
    pub(crate) model: Model,
    /// Messages that the client sent before it was greeted: the machine waits for that.
    early: Vec<&'s Frame>,
    greeted: bool,
    /// Every table that was ever named.
    tables: BTreeSet<String>,
    pub(crate) sets: BTreeMap<SubscriptionId, QuerySetId>,
    pub(crate) calls: BTreeMap<CallId, RequestId>,
}

impl<'s> Replay<'s> {
    /// A connection that does not come back: a recording has one socket.
    fn start(session: &'s Session) -> Self {
        let mut config = Config::default();
        config.reconnect.enabled = false;
        Self::with(session, config)
    }

    pub(crate) fn with(session: &'s Session, config: Config) -> Self {
        #[expect(clippy::disallowed_methods, reason = "an arbitrary origin for virtual time")]
        let now = Instant::now();
        let mut connection = Connection::new(config, None, 0);
        assert!(connection.start(now));
        assert!(matches!(connection.poll_action(), Some(Action::Dial(_))));
        connection.handle_opened(session.protocol);
        Self {
            session,
            connection,
            now,
            model: Model::default(),
            early: Vec::new(),
            greeted: false,
            tables: BTreeSet::new(),
            sets: BTreeMap::new(),
            calls: BTreeMap::new(),
        }
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.session.name)
    }

    pub(crate) fn frame(&mut self, frame: &'s Frame) {
        match frame.from {
            Side::Client if self.greeted => self.client_frame(frame),
            Side::Client => self.early.push(frame),
            Side::Server => {
                self.server_frame(frame);
                if self.greeted {
                    let early = std::mem::take(&mut self.early);
                    early.into_iter().for_each(|frame| self.client_frame(frame));
                }
            }
        }
    }

    fn server_frame(&mut self, frame: &Frame) {
        let mut expected = Vec::new();
        for message in server_messages(self.session, frame) {
            self.greeted |= matches!(message, ServerMessage::InitialConnection { .. });
            expected.extend(self.model.server(&message));
        }
        self.tables.extend(self.model.tables().into_keys());
        self.connection.handle_body(self.now, body(self.session, frame));
        let told = self.told();
        assert_eq!(told, expected, "{}", self.at(frame.line));
        assert!(self.sent().is_empty(), "{}: it said something unasked", self.at(frame.line));
    }

    /// Asks the machine for what the recorded client asked for: it must say the same.
    fn client_frame(&mut self, frame: &Frame) {
        let mut expected = Vec::new();
        for message in client_messages(self.session, frame) {
            self.ask(&message);
            for message in self.as_the_machine_says_it(message) {
                self.model.client(&message);
                encode_client(&message, &mut expected).unwrap();
            }
        }
        assert_eq!(self.sent(), expected, "{}", self.at(frame.line));
        assert_eq!(self.told(), [], "{}", self.at(frame.line));
    }

    /// What is to be sent for a recorded message. The machine says three things otherwise than a client may: it never has
    /// dropped rows sent to it, it does not end a query set that is over, and it asks for the sets of a batch one by one.
    fn as_the_machine_says_it(&self, message: ClientMessage) -> Vec<ClientMessage> {
        match message {
            ClientMessage::Unsubscribe { query_set_id, .. } if !self.model.has(query_set_id) => {
                Vec::new()
            }
            ClientMessage::Unsubscribe { request_id, query_set_id, .. } => {
                let send_dropped_rows = false;
                vec![ClientMessage::Unsubscribe { request_id, query_set_id, send_dropped_rows }]
            }
            ClientMessage::SubscribeBatch { request_id, sets } => {
                let alone = |BatchSet { query_set_id, queries }| ClientMessage::Subscribe {
                    request_id,
                    query_set_id,
                    queries,
                };
                sets.into_iter().map(alone).collect()
            }
            message => vec![message],
        }
    }

    fn ask(&mut self, message: &ClientMessage) {
        let request = message.request_id();
        match message {
            ClientMessage::Subscribe { query_set_id, queries, .. } => {
                self.subscribe(request, *query_set_id, queries);
            }
            ClientMessage::SubscribeBatch { sets, .. } => {
                for set in sets {
                    self.subscribe(request, set.query_set_id, &set.queries);
                }
            }
            ClientMessage::Unsubscribe { query_set_id, .. } => {
                let set = self.sets.iter().find(|(_, wire)| *wire == query_set_id);
                if let Some((set, _)) = set {
                    self.connection.seed_ids(request, *query_set_id);
                    self.connection.unsubscribe(*set);
                }
            }
            ClientMessage::OneOffQuery { query, .. } => {
                self.call(request, CallRequest::Query { sql: query.clone() });
            }
            ClientMessage::CallReducer { reducer, args, .. } => {
                let (name, args) = (reducer.clone(), args.clone());
                self.call(request, CallRequest::Reducer { name, args });
            }
            ClientMessage::CallProcedure { procedure, args, .. } => {
                let (name, args) = (procedure.clone(), args.clone());
                self.call(request, CallRequest::Procedure { name, args });
            }
        }
    }

    fn subscribe(&mut self, request: RequestId, wire: QuerySetId, queries: &[Text]) {
        self.connection.seed_ids(request, wire);
        let set = self.connection.subscribe(queries.iter().map(|query| (**query).into()).collect());
        self.sets.insert(set, wire);
    }

    fn call(&mut self, request: RequestId, call: CallRequest) {
        self.connection.seed_ids(request, QuerySetId(0));
        let call = self.connection.call(call, None);
        self.calls.insert(call, request);
    }

    /// Everything that the machine wants to send, and it wants nothing else.
    pub(crate) fn sent(&mut self) -> Vec<u8> {
        let mut sent = Vec::new();
        while let Some(action) = self.connection.poll_action() {
            let Action::Send(frame) = action else {
                panic!("{}: {action:?} is to be done", self.session.name)
            };
            sent.extend_from_slice(&frame);
        }
        sent
    }

    /// Applies everything, and says what the application heard.
    pub(crate) fn told(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        for _ in 0..1_000_000 {
            while let Some(event) = self.connection.poll_event() {
                told.extend(self.tell(event));
            }
            if self.connection.step(self.now, ROWS_A_STEP) == Progress::Idle {
                return told;
            }
        }
        panic!("{}: the connection does not come to rest", self.session.name);
    }

    fn tell(&mut self, event: Event) -> Option<Told> {
        assert!(!self.connection.is_closed(), "{}: {event:?}", self.session.name);
        match event {
            Event::State(_) => None,
            event @ (Event::Stale { .. }
            | Event::LostForLong
            | Event::UserChanged
            | Event::Alarm(_)
            | Event::Panicked(_)
            | Event::Verified { .. }
            | Event::Accepted { .. }
            | Event::BeforeReplay(_)
            | Event::Restored(_)
            | Event::ArgumentsChanged { .. }
            | Event::SchemaWanted
            | Event::Sync(_)
            | Event::Receiving(_)
            | Event::Slow(_)) => {
                panic!("{}: {event:?}, and nothing was lost, set, kept or slow", self.session.name)
            }
            Event::Connected(_) => Some(Told::Greeted),
            Event::Transaction(event) => Some(Told::Changed(self.changed(&event))),
            Event::Applied(set) => Some(Told::Applied(self.sets[&set])),
            Event::Ended { set, reason } => {
                let set = self.sets.remove(&set).expect("a set ends once");
                Some(match reason {
                    SetEnd::Unsubscribed => Told::Unsubscribed(set),
                    SetEnd::Refused(error) => Told::Refused(set, error.into()),
                    reason => panic!("{}: {set:?} ended: {reason:?}", self.session.name),
                })
            }
            Event::Answered { call, reply, .. } => {
                let request = self.calls.remove(&call).expect("a call is answered once");
                Some(Told::Answered(request, answer(reply)))
            }
        }
    }

    /// Changes of a transaction, by the views that it holds; and it must count the same itself.
    fn changed(&self, event: &TransactionEvent) -> BTreeMap<String, Changed> {
        let transaction = &event.transaction;
        let (before, after) = (self.rows(transaction.before()), self.rows(transaction.after()));
        let mut changed = changed(&before, &after, &BTreeMap::new());
        for table in transaction.tables() {
            let of_table = changed.entry(table.name().to_owned()).or_default();
            let kept = of_table.came.len() + of_table.left.len();
            let events = table.len().checked_sub(kept);
            of_table.events = events.expect("a transaction lists every row that came or left");
        }
        assert_eq!(changed.len(), transaction.tables().len(), "{:?}", transaction.tables());
        changed
    }

    /// The rows of every table in a view.
    fn rows(&self, view: &View) -> Tables {
        let tables = self.tables.iter().filter_map(|name| {
            let table = view.untyped(name)?;
            let rows = table.rows();
            let (len, rows) = (rows.len(), BTreeSet::from_iter(rows));
            assert_eq!(len, rows.len(), "a row of {name} exists twice");
            (len > 0).then(|| (name.clone(), rows))
        });
        tables.collect()
    }

    pub(crate) fn compare_rows(&self, line: usize) {
        let view = self.connection.reader().read();
        assert_eq!(self.rows(&view), self.model.tables(), "{}", self.at(line));
    }

    /// The socket ends: what has no answer gets the last one, and rows stay readable.
    fn end(mut self) {
        let open: BTreeSet<_> = self.calls.values().copied().collect();
        assert_eq!(open, self.model.unanswered, "{}", self.session.name);
        assert_eq!(self.connection.pending_calls(), open.len());
        let sets: BTreeSet<_> = self.sets.values().copied().collect();
        assert_eq!(sets, self.model.open_sets(), "{}", self.session.name);

        self.connection.handle_lost(self.now, Lost::HungUp);
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::State(_) => (),
                Event::Answered { call, reply: Reply::Unknown, .. } => {
                    assert!(self.calls.remove(&call).is_some(), "{call:?} is answered twice");
                }
                Event::Ended { set, reason: SetEnd::Closed } => {
                    assert!(self.sets.remove(&set).is_some(), "{set:?} ends twice");
                }
                event => panic!("{}: {event:?} at the end", self.session.name),
            }
        }
        assert!(self.calls.is_empty() && self.sets.is_empty() && self.connection.is_closed());
        self.compare_rows(0);
    }
}

fn answer(reply: Reply) -> Answer {
    match reply {
        Reply::Committed { returned, .. } => Answer::Committed(returned.into()),
        Reply::Rejected { error, .. } => Answer::Rejected(error.into()),
        Reply::Returned { value, .. } => Answer::Returned(value.into()),
        Reply::Failed(error) => Answer::Failed(error.into()),
        Reply::Rows(rows) => Answer::Rows(rows),
        Reply::QueryRefused(error) => Answer::QueryRefused(error.into()),
        reply => panic!("{reply:?} is no answer of a server's"),
    }
}
