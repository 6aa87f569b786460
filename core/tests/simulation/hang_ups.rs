//! Lives among calls at which the server hangs up: everybody else's calls are answered, and these are given up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use lightlike_core::conn::{
    Accepted, Action, CallId, CallOptions, CallRequest, Config, Connection, ConnectionState, Event,
    Lost, OfflineConfig, Progress, Reply, WhileDisconnected,
};
use lightlike_core::journal::{Delivery, MemoryStore, Saved, Store as _};
use lightlike_core::limits::Limits;
use lightlike_core::types::{ConnectionId, Identity, Timestamp};
use lightlike_core::wire::{
    ClientMessage, Protocol, QueryRows, ReducerOutcome, RequestId, RowList, ServerMessage,
    TableName, TableRows, Text, decode_client, encode_server,
};

use crate::Random;

/// How many things happen before the client is left to come to an end.
const STEPS: usize = 60;
/// How many accidents a life may have: each may count half against a call that is innocent.
const ACCIDENTS_MAX: u32 = 2;

/// What a call is, which is its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Deed {
    tag: u32,
    is_killer: bool,
}

impl Deed {
    fn bytes(self) -> Bytes {
        let [a, b, c, d] = self.tag.to_le_bytes();
        Bytes::from(vec![a, b, c, d, u8::from(self.is_killer)])
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let tag = u32::from_le_bytes(bytes[..4].try_into().unwrap());
        Self { tag, is_killer: bytes[4] == 1 }
    }
}

#[derive(Debug)]
struct Call {
    deed: Deed,
    /// Whether it was made, or accepted, when there was a connection that was ready.
    made_ready: bool,
    is_answered: bool,
}

/// What is the same in all runs of the program.
#[derive(Debug)]
struct Kind {
    repeats: bool,
    is_kept: bool,
    /// Whether something else than a call that may be sent again may have ended it as unknown.
    is_exposed: bool,
}

pub(crate) struct HangUps {
    random: Random,
    connection: Connection,
    now: Instant,
    disk: Option<MemoryStore>,
    policy: WhileDisconnected,
    /// How this life's server hangs up.
    end: Lost,
    is_open: bool,
    is_ready: bool,
    /// `true` if the last socket was ready when it ended.
    was_ready: bool,
    inbox: VecDeque<ClientMessage>,
    outbox: VecDeque<ServerMessage>,
    calls: BTreeMap<CallId, Call>,
    kinds: BTreeMap<u32, Kind>,
    /// The deeds that were done, and those that were ever sent.
    done: BTreeSet<u32>,
    sent: BTreeSet<u32>,
    next_tag: u32,
    dials: u32,
    accidents: u32,
}

impl HangUps {
    /// A whole life; panics where a promise is broken.
    pub(crate) fn live(seed: u64) {
        let mut random = Random(seed);
        let disk = random.chance(60).then(MemoryStore::new);
        #[expect(clippy::disallowed_methods, reason = "an arbitrary origin for virtual time")]
        let now = Instant::now();
        let policy = match (disk.is_some(), random.chance(50)) {
            (true, _) | (_, true) => WhileDisconnected::Wait,
            _ => WhileDisconnected::Fail,
        };
        let ends = [Lost::Closed { code: 1009, reason: "too large".into() }, Lost::HungUp];
        let end = ends[random.below(2) as usize].clone();
        let mut life = Self {
            connection: Self::connection(&mut random, now, policy, disk.as_ref()).0,
            random,
            now,
            disk,
            policy,
            end,
            is_open: false,
            is_ready: false,
            was_ready: false,
            inbox: VecDeque::new(),
            outbox: VecDeque::new(),
            calls: BTreeMap::new(),
            kinds: BTreeMap::new(),
            done: BTreeSet::new(),
            sent: BTreeSet::new(),
            next_tag: 1,
            dials: 0,
            accidents: 0,
        };
        life.connection.start(now);
        life.run();
        for _ in 0..STEPS {
            life.happen();
        }
        life.converge();
    }

    fn connection(
        random: &mut Random,
        now: Instant,
        policy: WhileDisconnected,
        disk: Option<&MemoryStore>,
    ) -> (Connection, Vec<lightlike_core::conn::Restored>) {
        let mut config = Config::default();
        config.while_disconnected = policy;
        config.reconnect.first = true;
        let mut connection = Connection::new(config, None, u128::from(random.next()));
        let mut restored = Vec::new();
        if let Some(disk) = disk {
            let opened = Saved::load(&mut disk.clone()).unwrap().open("server", "database", None);
            let wall = Timestamp::from_micros(1_700_000_000_000_000);
            let (offline, seed) = (OfflineConfig::default(), random.next());
            restored = connection.open_journal(now, wall, opened, offline, seed);
        }
        (connection, restored)
    }

    fn happen(&mut self) {
        match self.random.below(20) {
            0..=6 => self.make_call(),
            7..=10 => self.deliver(),
            11..=14 => self.receive(),
            15..=16 => self.store(),
            17 => self.sleep(),
            18 if self.accidents < ACCIDENTS_MAX && self.random.chance(20) => {
                self.accidents += 1;
                self.expose_all();
                self.lose(Lost::HungUp);
            }
            19 if self.random.chance(15) => self.restart(),
            _ => (),
        }
        self.run();
    }

    fn make_call(&mut self) {
        let deed = Deed { tag: self.next_tag, is_killer: self.random.chance(12) };
        self.next_tag += 1;
        let delivery = match self.random.below(5) {
            0..=1 => Delivery::AtMostOnce,
            2..=3 => Delivery::AtLeastOnce,
            _ => Delivery::Probe(Text::from(deed.tag.to_string())),
        };
        let repeats = delivery != Delivery::AtMostOnce;
        self.kinds.insert(deed.tag, Kind { repeats, is_kept: false, is_exposed: false });
        let options = CallOptions { delivery, tell_accepted: true, ..CallOptions::default() };
        let request = CallRequest::Reducer { name: Text::from_static("f"), args: deed.bytes() };
        let made_ready = self.is_ready;
        let call = self.connection.call_with(self.now, request, options);
        self.calls.insert(call, Call { deed, made_ready, is_answered: false });
    }

    /// The next thing that the server said arrives, or the socket is opened.
    fn deliver(&mut self) {
        if let Some(message) = self.outbox.pop_front() {
            let mut body = Vec::new();
            encode_server(&message, &mut body).unwrap();
            self.connection.handle_body(self.now, Bytes::from(body));
        }
    }

    /// The server reads a message.
    fn receive(&mut self) {
        let Some(message) = self.inbox.pop_front() else { return };
        match message {
            ClientMessage::CallReducer { request_id, args, .. } => {
                let deed = Deed::from_bytes(&args);
                if deed.is_killer { self.hang_up(deed) } else { self.answer(request_id, deed) }
            }
            ClientMessage::OneOffQuery { request_id, query } => {
                let has_run = self.done.contains(&query.parse::<u32>().unwrap());
                let rows = RowList::from_rows(vec![b"row"; usize::from(has_run)]);
                let tables = vec![TableRows { table: TableName::from("t"), rows }];
                let result = Ok(QueryRows { tables });
                self.outbox.push_back(ServerMessage::OneOffQueryResult { request_id, result });
            }
            other => panic!("{other:?}"),
        }
    }

    fn answer(&mut self, request_id: RequestId, deed: Deed) {
        self.done.insert(deed.tag);
        self.outbox.push_back(ServerMessage::ReducerResult {
            request_id,
            timestamp: Timestamp::from_micros(5),
            outcome: ReducerOutcome::OkEmpty,
        });
    }

    /// The server hangs up because of a call; its last answers arrive, or do not.
    fn hang_up(&mut self, killer: Deed) {
        let repeats = self.kinds[&killer.tag].repeats;
        for message in &self.inbox {
            let ClientMessage::CallReducer { args, .. } = message else { continue };
            let kind = self.kinds.get_mut(&Deed::from_bytes(args).tag).unwrap();
            assert!(
                !repeats || kind.repeats || !kind.is_kept,
                "a kept call that must not run twice is in flight behind one that is sent again"
            );
            kind.is_exposed |= !kind.is_kept || !repeats;
        }
        let arrive = self.random.chance(50);
        while arrive && !self.outbox.is_empty() {
            self.deliver();
        }
        // What was answered and is not heard of may have run.
        for tag in &self.done {
            self.kinds.get_mut(tag).unwrap().is_exposed |= !arrive;
        }
        self.kinds.get_mut(&killer.tag).unwrap().is_exposed = true;
        if self.random.chance(30) {
            self.done.insert(killer.tag);
        }
        let end = self.end.clone();
        self.lose(end);
    }

    fn expose_all(&mut self) {
        for tag in &self.sent {
            self.kinds.get_mut(tag).unwrap().is_exposed = true;
        }
    }

    fn lose(&mut self, reason: Lost) {
        if self.is_open {
            self.forget_socket();
            self.connection.handle_lost(self.now, reason);
        }
    }

    fn forget_socket(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.was_ready = std::mem::take(&mut self.is_ready);
        }
        self.inbox.clear();
        self.outbox.clear();
    }

    fn sleep(&mut self) {
        if let Some(deadline) = self.connection.poll_timeout() {
            self.now = self.now.max(deadline);
            self.connection.handle_timeout(self.now);
        }
    }

    fn store(&mut self) {
        let Some(disk) = &self.disk else { return };
        while let Some(batch) = self.connection.poll_commit() {
            disk.clone().commit(&batch.writes()).unwrap();
            self.connection.handle_stored(batch.ticket, Ok(()));
        }
    }

    /// The program is killed, and started again with what is on the disk.
    fn restart(&mut self) {
        if self.disk.is_none() {
            return;
        }
        self.forget_socket();
        self.expose_all();
        // Calls wait in the order of their tags. One that must not run twice is not marked as sent behind one that is
        // not answered and may be sent again.
        let waiting = self.calls.values().filter(|call| !call.is_answered);
        let mut tags: Vec<u32> = waiting.map(|call| call.deed.tag).collect();
        tags.sort_unstable();
        let mut any_repeats = false;
        for tag in tags {
            let kind = self.kinds.get_mut(&tag).unwrap();
            any_repeats |= kind.repeats;
            kind.is_exposed |= !any_repeats;
        }
        let disk = self.disk.as_ref();
        let (connection, restored) =
            Self::connection(&mut self.random, self.now, self.policy, disk);
        self.connection = connection;
        self.calls.clear();
        for restored in restored {
            let deed = Deed::from_bytes(&restored.args);
            self.kinds.get_mut(&deed.tag).unwrap().is_kept = true;
            self.calls.insert(restored.call, Call { deed, made_ready: true, is_answered: false });
        }
        self.run();
        self.connection.start(self.now);
    }

    /// Lets the client do all that it can, and looks at what it says.
    fn run(&mut self) {
        for _ in 0..10_000 {
            while let Some(action) = self.connection.poll_action() {
                self.act_on(action);
            }
            while let Some(event) = self.connection.poll_event() {
                self.hear(event);
            }
            if self.connection.step(self.now, 3) == Progress::Idle && !self.connection.has_events()
            {
                return;
            }
        }
        panic!("the client does not come to rest");
    }

    fn act_on(&mut self, action: Action) {
        match action {
            Action::Dial(_) => {
                self.dials += 1;
                self.is_open = true;
                self.connection.handle_opened(Protocol::V3);
                self.outbox.push_back(ServerMessage::InitialConnection {
                    identity: Identity::from_le_bytes([7; 32]),
                    connection_id: ConnectionId::from_u128(1),
                    token: Text::from_static("token"),
                });
            }
            Action::Send(frame) => {
                for message in decode_client(&frame, Protocol::V3, &Limits::DEFAULT) {
                    let message = message.unwrap();
                    if let ClientMessage::CallReducer { args, .. } = &message {
                        self.sent.insert(Deed::from_bytes(args).tag);
                    }
                    self.inbox.push_back(message);
                }
            }
            Action::Ping => self.connection.handle_activity(self.now),
            Action::Close | Action::Abandon => self.forget_socket(),
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::State(ConnectionState::Ready) => self.is_ready = true,
            Event::State(ConnectionState::Closed(reason)) => panic!("closed: {reason:?}"),
            Event::Accepted { call, accepted: Accepted::Queued } => {
                let call = &self.calls[&call];
                self.kinds.get_mut(&call.deed.tag).unwrap().is_kept = true;
            }
            Event::Answered { call, reply, .. } => self.answered(call, &reply),
            _ => (),
        }
    }

    fn answered(&mut self, id: CallId, reply: &Reply) {
        let call = self.calls.get_mut(&id).expect("a call that was made");
        assert!(!call.is_answered, "{id:?} is answered twice, now with {reply:?}");
        call.is_answered = true;
        let (deed, kind) = (call.deed, &self.kinds[&call.deed.tag]);
        match reply {
            Reply::Committed { .. } => assert!(self.done.contains(&deed.tag)),
            Reply::Abandoned { .. } => {
                assert!(deed.is_killer && kind.repeats, "{deed:?} is given up for another");
            }
            Reply::Unknown => {
                assert!(!kind.repeats, "{deed:?} may be sent again");
                assert!(kind.is_exposed, "{deed:?} paid for another call");
            }
            // Where no server was there last, it waited for that, and not for a suspect.
            Reply::NotSent(why) => assert!(
                !call.made_ready || !self.was_ready,
                "{deed:?} was held back, and paid: {why:?}"
            ),
            other => panic!("{other:?}"),
        }
    }

    /// When nothing else happens, every call is answered soon.
    fn converge(mut self) {
        let open = self.calls.values().filter(|call| !call.is_answered);
        let killers = open.filter(|call| call.deed.is_killer).count() as u32;
        let before = self.dials;
        while self.connection.pending_calls() > 0 {
            self.store();
            self.deliver();
            self.receive();
            self.run();
            let is_stuck = self.inbox.is_empty() && self.outbox.is_empty();
            if is_stuck && !self.connection.has_commits() && self.connection.pending_calls() > 0 {
                self.sleep();
                self.run();
            }
            // Each takes at most six ends of its own, and some to be found among the others.
            let dials = self.dials - before;
            assert!(dials <= 10 + 14 * killers, "{dials} connections for {killers} calls");
        }
        assert!(self.calls.values().all(|call| call.is_answered));
    }
}
