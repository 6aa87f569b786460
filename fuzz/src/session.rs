//! A connection that is told anything, and asked for things in between.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use lightlike::{Bsatn, Table};
use lightlike_core::conn::{
    Action, CallId, CallRequest, Config, Connection, Event, Lost, Progress, SubscriptionId,
    TransactionEvent,
};
use lightlike_core::wire::{Protocol, QuerySetId, RequestId, Text};

/// One thing that happens to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// The server says something: the body of a frame.
    Body(Vec<u8>),
    /// The application subscribes.
    Subscribe,
    /// The application ends its query set with this position.
    Unsubscribe(u8),
    /// The application calls a reducer.
    Reducer,
    /// The application calls a procedure.
    Procedure,
    /// The application queries once.
    Query,
    /// The application mentions tables, whose rows are decoded from then on.
    Register,
    /// This many steps of this many rows are made, without waiting for the rest.
    Step(u8, u8),
    /// The application closes the connection.
    Close,
    /// The socket is gone.
    Lost,
    /// The next deadline is reached. One that is lost dials again then, and its socket opens.
    Timeout,
}

/// Settings of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// `true` for v3, `false` for v2.
    pub v3: bool,
    /// `true` if it reconnects when it is lost.
    pub reconnects: bool,
    /// The number of its first request.
    pub request: u8,
    /// The number of its first query set.
    pub set: u8,
}

/// The input of the target `session` in which these things happen.
pub fn session_input(start: Start, happenings: &[Happening]) -> Vec<u8> {
    let flags = u8::from(start.v3) | u8::from(start.reconnects) << 1;
    let mut input = vec![flags, start.request, start.set];
    for happening in happenings {
        match happening {
            Happening::Body(body) => {
                input.push(0);
                input.extend_from_slice(&(body.len() as u32).to_le_bytes());
                input.extend_from_slice(body);
            }
            Happening::Subscribe => input.push(1),
            Happening::Unsubscribe(set) => input.extend([2, *set]),
            Happening::Reducer => input.push(3),
            Happening::Procedure => input.push(4),
            Happening::Query => input.push(5),
            Happening::Register => input.push(6),
            Happening::Step(times, rows) => input.extend([7, *times, *rows]),
            Happening::Close => input.push(8),
            Happening::Lost => input.push(9),
            Happening::Timeout => input.push(10),
        }
    }
    input
}

/// Input, of which every byte means something.
struct Input<'i>(&'i [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next body: what it says of its length, or what is left.
    fn body(&mut self) -> Vec<u8> {
        let len = self.0.split_first_chunk().map_or(0, |(len, rest)| {
            self.0 = rest;
            u32::from_le_bytes(*len) as usize
        });
        let (body, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        body.to_vec()
    }

    fn next(&mut self) -> Option<Happening> {
        Some(match self.byte()? {
            0 => Happening::Body(self.body()),
            1 => Happening::Subscribe,
            2 => Happening::Unsubscribe(self.byte()?),
            3 => Happening::Reducer,
            4 => Happening::Procedure,
            5 => Happening::Query,
            6 => Happening::Register,
            7 => Happening::Step(self.byte()?, self.byte()?),
            8 => Happening::Close,
            9 => Happening::Lost,
            10 => Happening::Timeout,
            _ => Happening::Body(self.body()),
        })
    }
}

/// A table with a key, as the modules of the recordings have it.
#[derive(Bsatn, Table)]
#[table(name = "pk_u_32")]
struct Keyed {
    #[primary_key]
    key: u32,
    data: i32,
}

/// A table with text, which some bytes are not.
#[derive(Bsatn, Table)]
#[table(name = "bulk")]
struct Bulk {
    #[primary_key]
    id: u64,
    #[index(btree)]
    bucket: u32,
    text: String,
}

/// A table without a key.
#[derive(Bsatn, Table)]
#[table(name = "one_u_8")]
struct Keyless {
    value: u8,
}

/// An event table.
#[derive(Bsatn, Table)]
#[table(name = "test_event", event)]
struct TestEvent {
    name: String,
    value: u64,
}

/// Stage of a query set, as the application was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Applied,
    Ended,
}

struct Rig {
    connection: Connection,
    protocol: Protocol,
    now: Instant,
    sets: BTreeMap<SubscriptionId, Told>,
    /// Every call, and whether it was answered.
    calls: BTreeMap<CallId, bool>,
    registered: bool,
}

/// Whatever a server says, a connection goes on or gives up in order: each call is answered once, each query set ends
/// once, and it comes to rest.
pub(crate) fn target(bytes: &[u8]) {
    let mut input = Input(bytes);
    let (Some(flags), Some(request), Some(set)) = (input.byte(), input.byte(), input.byte()) else {
        return;
    };
    let protocol = if flags & 1 == 0 { Protocol::V2 } else { Protocol::V3 };
    let mut rig = Rig::start(protocol, flags & 2 != 0);
    rig.connection.seed_ids(RequestId(request.into()), QuerySetId(set.into()));
    while let Some(happening) = input.next() {
        rig.happen(happening);
        rig.act();
    }
    rig.rest(bytes.len());
    rig.connection.close(rig.now);
    rig.connection.handle_lost(rig.now, Lost::HungUp);
    rig.rest(bytes.len());
    rig.check_end();
}

impl Rig {
    fn start(protocol: Protocol, reconnects: bool) -> Self {
        #[expect(clippy::disallowed_methods, reason = "an arbitrary origin for virtual time")]
        let now = Instant::now();
        let mut config = Config::default();
        config.reconnect.enabled = reconnects;
        let mut connection = Connection::new(config, None, 0);
        connection.start(now);
        let (sets, calls) = (BTreeMap::new(), BTreeMap::new());
        let mut rig = Self { connection, protocol, now, sets, calls, registered: false };
        rig.act();
        rig
    }

    /// Every socket opens at once, and takes what is sent.
    fn act(&mut self) {
        while let Some(action) = self.connection.poll_action() {
            if let Action::Dial(_) = action {
                self.connection.handle_opened(self.protocol);
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Body(body) => self.connection.handle_body(self.now, body.into()),
            Happening::Subscribe => {
                let set = self.connection.subscribe(vec!["SELECT * FROM t".into()]);
                self.sets.insert(set, Told::Nothing);
            }
            Happening::Unsubscribe(position) => {
                let set = self.sets.keys().nth(position.into()).copied();
                if let Some(set) = set {
                    self.connection.unsubscribe(set);
                }
            }
            Happening::Reducer => {
                let (name, args) = (Text::from_static("reducer"), Bytes::new());
                self.call(CallRequest::Reducer { name, args });
            }
            Happening::Procedure => {
                let (name, args) = (Text::from_static("procedure"), Bytes::new());
                self.call(CallRequest::Procedure { name, args });
            }
            Happening::Query => self.call(CallRequest::Query { sql: Text::from_static("query") }),
            Happening::Register => self.register(),
            Happening::Step(times, rows) => {
                for _ in 0..times {
                    let _ = self.step(rows.into());
                }
            }
            Happening::Close => self.connection.close(self.now),
            Happening::Lost => self.connection.handle_lost(self.now, Lost::HungUp),
            Happening::Timeout => {
                if let Some(deadline) = self.connection.poll_timeout() {
                    self.now = self.now.max(deadline);
                    self.connection.handle_timeout(self.now);
                }
            }
        }
    }

    fn call(&mut self, request: CallRequest) {
        let call = self.connection.call(request, None);
        assert_eq!(self.calls.insert(call, false), None, "{call:?} is the name of two calls");
    }

    fn register(&mut self) {
        // An application is told of a message before it does anything else.
        self.tell();
        if !std::mem::replace(&mut self.registered, true) {
            self.connection.register::<Keyed>().expect("one row type");
            self.connection.register::<Bulk>().expect("one row type");
            self.connection.register::<Keyless>().expect("one row type");
            self.connection.register::<TestEvent>().expect("one row type");
        }
    }

    fn step(&mut self, max_rows: usize) -> Progress {
        self.tell();
        self.act();
        self.connection.step(self.now, max_rows)
    }

    /// Applies everything, in a number of steps that is in proportion to the input.
    fn rest(&mut self, input_bytes: usize) {
        for _ in 0..16 * input_bytes + 1024 {
            if self.step(64) == Progress::Idle && !self.connection.has_events() {
                return;
            }
        }
        panic!("the connection does not come to rest");
    }

    fn tell(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::State(_) | Event::Connected(_) | Event::LostForLong | Event::Slow(_) => (),
                Event::Transaction(event) => check_transaction(&event),
                // Once, and once more after each resync.
                Event::Applied(set) => {
                    let told = self.sets.insert(set, Told::Applied);
                    assert!(told.is_some_and(|told| told != Told::Ended), "{set:?} is applied");
                }
                Event::Stale { set, .. } => {
                    assert_eq!(self.sets.get(&set), Some(&Told::Applied), "{set:?} is stale");
                }
                Event::Ended { set, reason } => {
                    let told = self.sets.insert(set, Told::Ended);
                    let open = matches!(told, Some(Told::Nothing | Told::Applied));
                    assert!(open, "{set:?} ends ({reason:?}) after {told:?}");
                }
                event @ (Event::Alarm(_)
                | Event::Panicked(_)
                | Event::Accepted { .. }
                | Event::Verified { .. }
                | Event::BeforeReplay(_)
                | Event::Restored(_)
                | Event::ArgumentsChanged { .. }
                | Event::SchemaWanted
                | Event::UserChanged
                | Event::Receiving(_)
                | Event::Sync(_)) => panic!("{event:?} was not asked for"),
                Event::Answered { call, reply, .. } => {
                    let answered = self.calls.insert(call, true);
                    assert_eq!(answered, Some(false), "{call:?} is answered with {reply:?}");
                }
            }
        }
    }

    fn check_end(&self) {
        let closed = self.connection.is_closed();
        assert!(closed, "the connection is open without a socket");
        assert_eq!(self.connection.pending_calls(), 0, "calls are not answered");
        for (call, answered) in &self.calls {
            assert!(answered, "{call:?} was not answered");
        }
        for (set, told) in &self.sets {
            assert_eq!(*told, Told::Ended, "{set:?} has not ended");
        }
    }
}

/// Checks that a transaction lists what changed between its views.
fn check_transaction(event: &TransactionEvent) {
    let transaction = &event.transaction;
    for table in transaction.tables() {
        assert!(!table.is_empty(), "a table without a change is listed");
        let len = |view: &lightlike_core::cache::View| {
            view.untyped(table.name()).map_or(0, |table| table.len())
        };
        let (before, after) = (len(transaction.before()), len(transaction.after()));
        assert!(before.abs_diff(after) <= table.len(), "rows came or left unsaid");
    }
}
