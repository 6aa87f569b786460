//! One life: a client, a server, a socket between them, a disk, and what happens to them.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use lightlike_core::cache::RowChange;
use lightlike_core::conn::{
    Action, CallId, CallOptions, CallRequest, Config, Connection, ConnectionState, DialError,
    Event, Lost, OfflineConfig, Progress, Reply, SubscriptionId, WhileDisconnected,
};
use lightlike_core::journal::{Delivery, MemoryStore, Saved, Store as _};
use lightlike_core::limits::Limits;
use lightlike_core::types::Timestamp;
use lightlike_core::wire::{ClientMessage, Protocol, Text, decode_client, encode_server};

use crate::Random;
use crate::item::Item;
use crate::model::{Expected, Model, Requests};
use crate::runs::Runs;
use crate::server::{Act, Deed, Items, Server};

pub(crate) struct World {
    random: Random,
    connection: Connection,
    now: Instant,
    server: Server,
    socket: Socket,
    /// Messages that the client has sent and the server has not read.
    inbox: VecDeque<ClientMessage>,
    requests: Requests,
    model: Model,
    /// Rows as the events describe them.
    told: Items,
    calls: BTreeMap<CallId, Call>,
    /// By its deed: whether it must not be done twice.
    once: BTreeMap<u64, bool>,
    next_tag: u64,
    next_query: u64,
    disk: Option<MemoryStore>,
    /// Writes from now on fail.
    disk_failed: bool,
    state: Option<ConnectionState>,
    protocol: Protocol,
    runs: Runs,
}

#[derive(Debug)]
struct Call {
    deed: Deed,
    answered: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Socket {
    None,
    Dialing,
    Open,
}

/// Number of operations while things fail.
const STEPS: usize = 60;
/// Number of operations while values are moved.
const SLIDES: usize = 400;

impl World {
    /// A whole life; panics where a promise is broken.
    pub(crate) fn live(seed: u64) {
        let mut world = Self::new(seed, true);
        for _ in 0..STEPS {
            world.happen();
            if world.random.chance(50) {
                world.run();
                world.check();
            } else {
                world.run_a_little();
            }
        }
        world.run();
        world.converge();
    }

    /// A life in which two values are moved again and again, answered or not.
    pub(crate) fn slide(seed: u64) {
        let mut world = Self::new(seed, false);
        world.server.transact(Act::Put(0, 1));
        world.server.transact(Act::Put(1, 1));
        let query = 1;
        let set = world.connection.subscribe(vec![format!("SELECT * FROM t WHERE {query}").into()]);
        world.model.by_query.insert(query, set);
        world.converge();
        for _ in 0..SLIDES {
            world.slide_on();
            world.check();
        }
        world.converge();
    }

    fn slide_on(&mut self) {
        match self.random.below(20) {
            0..=11 => {
                let (id, value) = (self.random.below(2) as u32, self.random.below(50) as u32);
                self.call(Act::Slide(id, value));
            }
            12 => {
                let (id, value) = (self.random.below(2) as u32, self.random.below(50) as u32);
                self.server.transact(Act::Put(id, value));
            }
            13..=14 => self.deliver(),
            15..=17 => {
                if let Some(message) = self.inbox.pop_front() {
                    self.server.receive(message);
                }
            }
            18 if self.random.chance(10) => self.lose(Lost::HungUp),
            18 => self.cancel(),
            _ => self.sleep(),
        }
        self.run();
    }

    fn new(seed: u64, may_have_disk: bool) -> Self {
        let mut random = Random(seed);
        let disk = (may_have_disk && random.chance(60)).then(MemoryStore::new);
        #[expect(clippy::disallowed_methods, reason = "an arbitrary origin for virtual time")]
        let now = Instant::now();
        let mut world = Self {
            connection: Self::connection(&mut random, now, disk.as_ref()).0,
            random,
            now,
            server: Server::default(),
            socket: Socket::None,
            inbox: VecDeque::new(),
            requests: Requests::default(),
            model: Model::default(),
            told: Items::new(),
            calls: BTreeMap::new(),
            once: BTreeMap::new(),
            next_tag: 1,
            next_query: 1,
            disk,
            disk_failed: false,
            state: None,
            protocol: Protocol::V3,
            runs: Runs::default(),
        };
        world.connection.start(now);
        world
    }

    fn connection(
        random: &mut Random,
        now: Instant,
        disk: Option<&MemoryStore>,
    ) -> (Connection, Vec<lightlike_core::conn::Restored>) {
        let mut config = Config::default();
        config.reconnect.first = true;
        let policies = [WhileDisconnected::Fail, WhileDisconnected::Wait];
        config.while_disconnected = policies[random.below(2) as usize];
        if disk.is_some() {
            config.while_disconnected = WhileDisconnected::Wait;
        }
        let mut connection = Connection::new(config, None, u128::from(random.next()));
        connection.register::<Item>().unwrap();
        let mut restored = Vec::new();
        if let Some(disk) = disk {
            let opened = Saved::load(&mut disk.clone()).unwrap().open("server", "database", None);
            let mut offline = OfflineConfig::default();
            // What the disk has of rows is compared elsewhere.
            offline.keeps_rows = false;
            let wall = Timestamp::from_micros(1_700_000_000_000_000);
            let seed = random.next();
            restored = connection.open_journal(now, wall, opened, offline, seed);
        }
        (connection, restored)
    }

    fn happen(&mut self) {
        let what = self.random.below(26);
        if matches!(what, 9..=13 | 18..=23) {
            // The model hears of messages and losses when they come, so what came before is applied first. Commands come
            // at any moment.
            self.run();
        }
        match what {
            0..=4 => self.make_call(),
            5 => self.subscribe(),
            6 if self.random.chance(40) => self.unsubscribe(),
            6..=8 => {
                let act = self.act();
                self.server.transact(act);
            }
            9..=13 => self.deliver(),
            14..=17 => {
                if let Some(message) = self.inbox.pop_front() {
                    self.server.receive(message);
                }
            }
            18..=19 => self.sleep(),
            20 => self.lose(Lost::HungUp),
            21 if self.random.chance(30) => {
                self.lose(Lost::Closed { code: 4000, reason: "busy".into() });
            }
            22 if self.random.chance(40) => self.fail_dial(),
            23 if self.random.chance(30) => self.restart(),
            24 if self.random.chance(10) => self.disk_failed = true,
            25 if self.random.chance(50) => drop(self.connection.verify()),
            25 => self.cancel(),
            _ => self.store(),
        }
    }

    fn act(&mut self) -> Act {
        let (id, value) = (self.random.below(8) as u32, self.random.below(50) as u32);
        match self.random.below(6) {
            0..=1 => Act::Put(id, value),
            2 => Act::Remove(id),
            3..=4 => Act::Increment(id),
            _ => Act::Add(value),
        }
    }

    fn make_call(&mut self) {
        let act = if self.random.chance(15) { Act::Refuse } else { self.act() };
        self.call(act);
    }

    fn call(&mut self, act: Act) {
        let deed = Deed { tag: self.next_tag, act };
        self.next_tag += 1;
        let again = self.random.chance(40);
        self.once.insert(deed.tag, !again);
        let delivery = if again { Delivery::AtLeastOnce } else { Delivery::AtMostOnce };
        let tell_accepted = self.random.chance(50);
        let mut options = CallOptions { delivery, tell_accepted, ..CallOptions::default() };
        if self.random.chance(15) {
            options.deadline = Some(self.now + Duration::from_millis(self.random.below(2000)));
        }
        if self.random.chance(15) {
            options.ttl = Some(Duration::from_millis(self.random.below(2000)));
        }
        if self.random.chance(15) {
            let policies = [WhileDisconnected::Fail, WhileDisconnected::Wait];
            options.while_disconnected = Some(policies[self.random.below(2) as usize]);
        }
        let request = CallRequest::Reducer { name: Text::from_static("f"), args: deed.bytes() };
        let call = self.connection.call_with(self.now, request, options);
        self.calls.insert(call, Call { deed, answered: false });
        if self.random.chance(70) {
            self.expect(call, act);
        }
    }

    /// Shows what a call is expected to do.
    fn expect(&mut self, call: CallId, act: Act) {
        let mutation = self.runs.counted(act);
        self.connection.optimistic(self.now, call, mutation).unwrap();
        let number = self.connection.temp_number(call).unwrap_or_default();
        self.model.expected.push(Expected { call, act, number, is_orphan: false });
    }

    fn subscribe(&mut self) {
        // The last digit is what the rows' numbers are multiples of.
        let query = self.next_query * 10 + 1 + self.random.below(3);
        self.next_query += 1;
        let set = self.connection.subscribe(vec![format!("SELECT * FROM t WHERE {query}").into()]);
        self.model.by_query.insert(query, set);
    }

    fn sets(&self) -> Vec<SubscriptionId> {
        self.model.by_query.values().copied().collect()
    }

    fn unsubscribe(&mut self) {
        let sets = self.sets();
        if !sets.is_empty() {
            self.connection.unsubscribe(sets[self.random.below(sets.len() as u64) as usize]);
        }
    }

    fn cancel(&mut self) {
        let open: Vec<_> =
            self.calls.iter().filter(|(_, call)| !call.answered).map(|(id, _)| *id).collect();
        if !open.is_empty() {
            self.connection.cancel(open[self.random.below(open.len() as u64) as usize]);
        }
    }

    /// The next thing that the server said arrives.
    fn deliver(&mut self) {
        match self.socket {
            Socket::None => (),
            Socket::Dialing => {
                self.socket = Socket::Open;
                self.server.greet();
                let protocols = [Protocol::V2, Protocol::V3];
                let protocol = protocols[self.random.below(2) as usize];
                self.protocol = protocol;
                self.connection.handle_opened(protocol);
            }
            Socket::Open => {
                let Some(sent) = self.server.outbox.pop_front() else { return };
                self.runs.changed();
                let mut body = Vec::new();
                encode_server(&sent.message, &mut body).unwrap();
                self.connection.handle_body(self.now, Bytes::from(body));
                if let Some(deed) = sent.answers.and_then(|request| self.requests.take(request)) {
                    self.answer_comes(deed);
                }
                self.model.hear(&sent);
            }
        }
    }

    /// The answer to a call that was told to have timed out ends what was expected of it.
    fn answer_comes(&mut self, deed: Deed) {
        let of_deed = self.calls.iter().find(|(_, call)| call.deed == deed && call.answered);
        if let Some((&call, _)) = of_deed {
            self.model.answered(call);
        }
    }

    fn sleep(&mut self) {
        if let Some(deadline) = self.connection.poll_timeout() {
            self.now = self.now.max(deadline);
            self.connection.handle_timeout(self.now);
        }
    }

    fn lose(&mut self, reason: Lost) {
        if self.socket == Socket::None {
            return;
        }
        // What is on its way is lost, or arrives without anybody to tell.
        while self.random.chance(50)
            && let Some(message) = self.inbox.pop_front()
        {
            self.server.receive(message);
        }
        self.forget_socket();
        self.connection.handle_lost(self.now, reason);
        self.lost();
    }

    /// Nothing more comes of the socket.
    fn lost(&mut self) {
        self.model.lost();
        let timed_out = self.calls.iter().filter(|(_, call)| call.answered).map(|(id, _)| *id);
        timed_out.collect::<Vec<_>>().into_iter().for_each(|call| self.model.is_unknown(call));
    }

    fn forget_socket(&mut self) {
        self.socket = Socket::None;
        self.server.hang_up();
        self.inbox.clear();
        self.requests.clear();
    }

    fn fail_dial(&mut self) {
        if self.socket == Socket::Dialing {
            let status = [503, 401][self.random.below(2) as usize];
            self.lose(Lost::Dial(DialError::status(status, "no")));
        }
    }

    /// The disk writes what it was asked to, unless it is broken.
    fn store(&mut self) {
        let Some(disk) = &self.disk else { return };
        while let Some(batch) = self.connection.poll_commit() {
            let written = if self.disk_failed {
                Err("the disk is full".into())
            } else {
                disk.clone().commit(&batch.writes()).unwrap();
                Ok(())
            };
            self.connection.handle_stored(batch.ticket, written);
        }
    }

    /// The program is killed, and started again with what is on the disk.
    fn restart(&mut self) {
        // A disk that failed has told of calls that are not on it: the next run would not know them.
        if self.disk_failed {
            return;
        }
        self.forget_socket();
        let (connection, restored) =
            Self::connection(&mut self.random, self.now, self.disk.as_ref());
        self.connection = connection;
        (self.model, self.told, self.state) = (Model::default(), Items::new(), None);
        self.calls.clear();
        for call in &restored {
            let deed = Deed::from_bytes(&call.args);
            self.calls.insert(call.call, Call { deed, answered: false });
        }
        // Of some it is known at once that nothing will be known.
        self.run();
        for call in restored {
            if !self.calls[&call.call].answered {
                self.expect(call.call, Deed::from_bytes(&call.args).act);
            }
        }
        self.connection.start(self.now);
    }

    /// Lets the client do all that it can, and looks at what it says.
    fn run(&mut self) {
        let rests = (0..10_000).any(|_| self.run_once());
        assert!(rests, "the client does not come to rest");
    }

    /// Lets the client do a few rows of what it can.
    fn run_a_little(&mut self) {
        for _ in 0..self.random.below(6) {
            self.run_once();
        }
    }

    /// Does what is to be done, hears what happened, and applies a few rows; whether that was all.
    fn run_once(&mut self) -> bool {
        while let Some(action) = self.connection.poll_action() {
            self.act_on(action);
        }
        while let Some(event) = self.connection.poll_event() {
            self.hear(event);
        }
        let rows = 1 + self.random.below(5) as usize;
        let rests = self.connection.step(self.now, rows) == Progress::Idle;
        assert_eq!(self.connection.ownership_faults(), []);
        rests && !self.connection.has_events()
    }

    fn act_on(&mut self, action: Action) {
        match action {
            Action::Dial(_) => self.socket = Socket::Dialing,
            Action::Send(frame) => {
                let messages = decode_client(&frame, self.protocol, &Limits::DEFAULT);
                for message in messages.map(|message| message.unwrap()) {
                    if let ClientMessage::CallReducer { request_id, args, .. } = &message {
                        self.requests.note(*request_id, Deed::from_bytes(args));
                    }
                    self.inbox.push_back(message);
                }
            }
            Action::Ping => self.connection.handle_activity(self.now),
            Action::Close | Action::Abandon => {
                self.forget_socket();
                self.lost();
            }
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::State(state) => {
                match &state {
                    ConnectionState::Ready => self.model.ready(),
                    ConnectionState::Closed(reason) => panic!("closed: {reason:?}"),
                    ConnectionState::NeedsAuth(_) => {
                        self.connection.set_token(self.now, "another".into());
                    }
                    _ => (),
                }
                self.state = Some(state);
            }
            Event::Transaction(event) => {
                for table in event.transaction.tables() {
                    for change in table.changes::<Item>(&event.transaction).unwrap() {
                        self.follow(change);
                    }
                }
            }
            Event::Applied(set) => self.model.applied(set),
            Event::Ended { set, .. } => self.model.ended(set),
            Event::Answered { call, reply, .. } => self.answered(call, &reply),
            Event::Verified { outcome, .. } => {
                assert!(outcome.is_none_or(|verification| verification.drifts.is_empty()));
            }
            Event::Connected(_)
            | Event::LostForLong
            | Event::Stale { .. }
            | Event::Accepted { .. }
            | Event::Sync(_)
            | Event::Slow(_) => (),
            other => panic!("{other:?}"),
        }
    }

    fn follow(&mut self, change: RowChange<'_, Item>) {
        match change {
            RowChange::Insert(row) => assert_eq!(self.told.insert(row.id, row.value), None),
            RowChange::Update { old, new } => {
                assert_ne!(old, new, "nothing changed");
                assert_eq!(self.told.insert(new.id, new.value), Some(old.value));
            }
            RowChange::Delete(row) => assert_eq!(self.told.remove(&row.id), Some(row.value)),
            RowChange::Event(row) => panic!("{row:?}"),
        }
    }

    fn answered(&mut self, id: CallId, reply: &Reply) {
        let call = self.calls.get_mut(&id).expect("a call that was made");
        assert!(!call.answered, "{id:?} is answered twice, now with {reply:?}");
        call.answered = true;
        self.runs.changed();
        let done = self.server.done.get(&call.deed.tag).copied().unwrap_or(0);
        match reply {
            Reply::Committed { .. } | Reply::Rejected { .. } => assert!(done > 0, "{reply:?}"),
            Reply::NotSent(_) | Reply::Dropped | Reply::Expired | Reply::Cancelled => {
                assert_eq!(done, 0, "{reply:?}");
            }
            Reply::TimedOut { sent: false } => assert_eq!(done, 0, "{reply:?}"),
            _ => (),
        }
        match reply {
            Reply::Unknown | Reply::Abandoned { .. } => self.model.is_unknown(id),
            // Its answer may come, if it is on this socket.
            Reply::TimedOut { sent: true } if self.requests.has(call.deed) => (),
            // Sent on an earlier one: the rows have been resynced since, or will be.
            Reply::TimedOut { sent: true } if self.is_ready() => self.model.answered(id),
            Reply::TimedOut { sent: true } => self.model.is_unknown(id),
            _ => self.model.answered(id),
        }
    }

    /// Checks that the cache is the model's and that events add up to it, and that nothing was done twice that must not
    /// be.
    fn check(&self) {
        let view = self.connection.reader().read();
        let table = view.table::<Item>().unwrap();
        let seen: Items = table.iter().map(|row| (row.id, row.value)).collect();
        assert_eq!(table.len(), seen.len());
        assert_eq!(self.told, seen, "the events tell something else");
        assert_eq!(seen, self.model.seen(), "the model says otherwise: {:?}", self.model);
        assert_eq!(self.connection.bound_faults(), []);
        for (tag, times) in &self.server.done {
            assert!(*times <= 1 || !self.once[tag], "{tag} was done {times} times");
        }
        self.runs.check();
    }

    /// Lets everything complete once nothing fails any more.
    fn converge(&mut self) {
        for _ in 0..2000 {
            self.run();
            self.check();
            self.store();
            self.deliver();
            while let Some(message) = self.inbox.pop_front() {
                self.server.receive(message);
            }
            let waits = !self.is_ready();
            if waits && self.socket == Socket::None {
                self.sleep();
            }
            if !waits && self.is_quiet() && self.connection.pending_calls() == 0 {
                break;
            }
        }
        self.run();
        self.check();
        assert!(self.is_ready(), "{:?}", self.state);
        if self.disk_failed {
            // Calls that the disk has as not sent are the next run's.
            return;
        }
        assert_eq!(self.connection.pending_calls(), 0, "calls are not answered");
        let open: Vec<_> = self.calls.iter().filter(|(_, call)| !call.answered).collect();
        assert!(open.is_empty(), "{open:?}");
        let mut wanted = Items::new();
        for query in self.model.by_query.keys() {
            let modulus = (*query % 10) as u32;
            let items = self.server.items.iter().filter(|(id, _)| *id % modulus == 0);
            wanted.extend(items.map(|(id, value)| (*id, *value)));
        }
        assert_eq!(self.told, wanted, "what is seen is not what the server has");
    }

    fn is_ready(&self) -> bool {
        matches!(self.state, Some(ConnectionState::Ready))
    }

    fn is_quiet(&self) -> bool {
        self.server.outbox.is_empty() && self.inbox.is_empty() && !self.connection.has_commits()
    }
}
