//! Commands at any moment: each operation is followed by a few single steps of a few rows, never by rest, and after each
//! step every row is owned by somebody.

use core::marker::PhantomData;
use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use lightlike_core::conn::{
    Action, CallId, CallOptions, CallRequest, Config, Connection, ConnectionState, Event, Lost,
    OfflineConfig, Progress, SetEnd, SubscriptionId, WhileDisconnected,
};
use lightlike_core::journal::{MemoryStore, Saved, Store as _};
use lightlike_core::limits::Limits;
use lightlike_core::types::Timestamp;
use lightlike_core::wire::{ClientMessage, Protocol, Text, decode_client, encode_server};

use crate::Random;
use crate::item::Item;
use crate::rows::{Rows, Told};
use crate::server::{Act, Deed, Items, Server};

/// A client, and a server that answers at once unless it is slow.
pub(crate) struct Life<T = Item> {
    pub(super) random: Random,
    pub(super) connection: Connection,
    pub(super) now: Instant,
    server: Server,
    protocol: Protocol,
    pub(super) is_open: bool,
    /// What the client has sent and the server has not read.
    inbox: VecDeque<ClientMessage>,
    /// The sets that are not over, with their queries.
    pub(super) sets: Vec<(SubscriptionId, String)>,
    /// Those that the server did not answer after a lost socket, and that keep their rows.
    stale: BTreeSet<SubscriptionId>,
    calls: Vec<CallId>,
    unanswered: BTreeSet<CallId>,
    answered: BTreeSet<CallId>,
    told: Told,
    /// How many keys rows can have.
    keys: u64,
    disk: Option<MemoryStore>,
    next: u64,
    /// How many messages the server still reads, if it is slow.
    pub(super) reads: Option<usize>,
    is_ready: bool,
    is_closing: bool,
    rows: PhantomData<T>,
}

const OPERATIONS: usize = 60;
/// Subscribing, unsubscribing, changes and losses; and all others.
const FEW_KINDS: u64 = 20;
const ALL_KINDS: u64 = 36;
/// More rows than a step takes.
const KEYS: u64 = 40;

impl<T: Rows> Life<T> {
    /// A whole life; panics where a row is without an owner.
    pub(crate) fn live(seed: u64) {
        T::calm();
        let mut random = Random(seed);
        let protocol = [Protocol::V2, Protocol::V3][random.below(2) as usize];
        let kinds = [FEW_KINDS, ALL_KINDS][random.below(2) as usize];
        let max_steps = [2, 8, 32, 64][random.below(4) as usize];
        let disk = (kinds == ALL_KINDS).then(MemoryStore::new);
        let mut life = Self::new(random, protocol, KEYS, disk);
        if life.random.chance(70) {
            life.register();
        }
        life.connection.start(life.now);
        for _ in 0..OPERATIONS {
            T::may_fail(&mut life.random);
            life.operate(kinds);
            life.check();
            life.exchange();
            for _ in 0..life.random.below(max_steps) {
                life.step();
            }
        }
        life.end();
    }

    /// A client that is not started, and a server with rows of this many keys.
    pub(super) fn new(
        random: Random,
        protocol: Protocol,
        keys: u64,
        disk: Option<MemoryStore>,
    ) -> Self {
        #[expect(clippy::disallowed_methods, reason = "an arbitrary origin for virtual time")]
        let now = Instant::now();
        let mut life = Self {
            random,
            connection: connection(now, disk.as_ref()),
            now,
            server: Server::default(),
            protocol,
            is_open: false,
            inbox: VecDeque::new(),
            sets: Vec::new(),
            stale: BTreeSet::new(),
            keys,
            calls: Vec::new(),
            unanswered: BTreeSet::new(),
            answered: BTreeSet::new(),
            told: Told::default(),
            disk,
            next: 1,
            reads: None,
            is_ready: false,
            is_closing: false,
            rows: PhantomData,
        };
        for id in 0..keys {
            life.server.transact(Act::Put(id as u32, 1));
        }
        life
    }

    fn operate(&mut self, kinds: u64) {
        match self.random.below(kinds) {
            0..=4 => self.subscribe(),
            5..=9 => self.unsubscribe_one(),
            10..=14 => self.change(),
            15 => self.switch_user(),
            16..FEW_KINDS => {
                self.lose();
                // There is no socket for a while, or one before anything else happens.
                if self.random.chance(70) {
                    self.come_back();
                }
            }
            20..=21 => {
                self.reads = if self.reads.is_some() { None } else { Some(0) };
            }
            22 => self.reads = self.reads.map(|reads| reads + 1),
            23..=24 => self.call(),
            25 => self.cancel(),
            26 => {
                let _ = self.connection.verify();
            }
            27 => self.register(),
            28 => self.index(),
            29 => self.connection.reconnect_now(self.now),
            30 => self.connection.set_token(self.now, "another".into()),
            31 => self.refuse(),
            32 => self.store(),
            33 => self.restart(),
            // Resyncs that are not answered, rows that nobody asks for again, pauses, pings.
            34 => self.sleep(Duration::from_secs(60)),
            _ => self.sleep(Duration::from_secs(2)),
        }
    }

    pub(super) fn subscribe(&mut self) {
        if self.sets.len() < 6 {
            // The last digit is what the rows' numbers are multiples of.
            let query = self.next * 10 + 1 + self.random.below(3);
            self.next += 1;
            self.ask(format!("SELECT * FROM t WHERE {query}"));
        }
    }

    fn ask(&mut self, query: String) {
        let set = self.connection.subscribe(vec![query.clone().into()]);
        self.sets.push((set, query));
    }

    fn unsubscribe_one(&mut self) {
        if !self.sets.is_empty() {
            let at = self.random.below(self.sets.len() as u64) as usize;
            match self.random.chance(30) {
                true => self.connection.unsubscribe_now(self.sets[at].0),
                false => self.unsubscribe(at),
            }
        }
    }

    fn switch_user(&mut self) {
        // A store is one user's.
        if self.connection.switch_user(self.now, None).is_ok() {
            self.stale.clear();
        }
    }

    pub(super) fn unsubscribe(&mut self, at: usize) {
        self.connection.unsubscribe(self.sets[at].0);
    }

    fn act(&mut self) -> Act {
        let (id, value) = (self.random.below(self.keys) as u32, self.random.below(50) as u32);
        match self.random.below(4) {
            0..=1 => Act::Put(id, value),
            2 => Act::Remove(id),
            _ => Act::Increment(id),
        }
    }

    pub(super) fn change(&mut self) {
        for _ in 0..1 + self.random.below(8) {
            let act = self.act();
            self.server.transact(act);
        }
    }

    pub(super) fn call(&mut self) {
        let deed = Deed { tag: self.next, act: self.act() };
        self.next += 1;
        let request = CallRequest::Reducer { name: Text::from_static("f"), args: deed.bytes() };
        let call = self.connection.call_with(self.now, request, CallOptions::default());
        self.calls.push(call);
        self.unanswered.insert(call);
        if self.random.chance(70) {
            self.told.may_miss_mention();
            // That it cannot be is not what is looked for here.
            let _ = self.connection.optimistic(self.now, call, T::mutation(deed.act));
        }
    }

    pub(super) fn cancel(&mut self) {
        if let Some(call) = self.calls.pop() {
            self.connection.cancel(call);
        }
    }

    pub(super) fn index(&mut self) {
        self.register();
        T::index(&mut self.connection);
    }

    /// The first mention of the table, perhaps.
    pub(super) fn register(&mut self) {
        let registered = self.connection.register::<T>();
        assert!(registered.is_ok() || T::FAILS, "{registered:?}");
        if registered.is_ok() {
            let seen = self.seen();
            self.told.mentioned(seen);
        }
    }

    /// The server cannot keep a set up.
    pub(super) fn refuse(&mut self) {
        self.server.refuse_one();
    }

    pub(super) fn close(&mut self) {
        self.is_closing = true;
        self.connection.close(self.now);
    }

    pub(super) fn lose(&mut self) {
        if self.is_open {
            self.hang_up();
            self.connection.handle_lost(self.now, Lost::HungUp);
        }
    }

    fn hang_up(&mut self) {
        self.is_open = false;
        self.server.hang_up();
        self.inbox.clear();
    }

    /// Until the next socket is open and what the client asked is with the server; nothing of what it says then is applied.
    pub(super) fn come_back(&mut self) {
        for _ in 0..1000 {
            let has_read = self.inbox.is_empty() && self.server.has_sets();
            if self.is_open && (has_read || self.reads.is_some() && !self.inbox.is_empty()) {
                return;
            }
            if self.step() {
                self.wait();
            }
            self.exchange();
        }
    }

    /// Nothing happens before something is due.
    fn wait(&mut self) {
        if let Some(due) = self.connection.poll_timeout() {
            self.now = self.now.max(due);
            self.connection.handle_timeout(self.now);
        }
    }

    /// Time passes, and what is due by then happens.
    pub(super) fn sleep(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.connection.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.connection.handle_timeout(self.now);
            self.exchange();
        }
        self.now = until;
        self.connection.handle_timeout(until);
        self.check();
    }

    /// The disk writes what it was asked to.
    fn store(&mut self) {
        let Some(disk) = &self.disk else { return };
        while let Some(batch) = self.connection.poll_commit() {
            disk.clone().commit(&batch.writes()).unwrap();
            self.connection.handle_stored(batch.ticket, Ok(()));
        }
    }

    /// The program is killed, started again with what is on the disk, and asks for half of what it had asked for.
    fn restart(&mut self) {
        self.hang_up();
        self.connection = connection(self.now, self.disk.as_ref());
        self.calls.clear();
        self.unanswered.clear();
        self.answered.clear();
        self.told = Told::default();
        self.stale.clear();
        for (_, query) in std::mem::take(&mut self.sets) {
            if self.random.chance(50) {
                self.ask(query);
            }
        }
        self.connection.start(self.now);
    }

    /// Carries messages in both directions. Nothing is applied.
    pub(super) fn exchange(&mut self) {
        while let Some(action) = self.connection.poll_action() {
            match action {
                Action::Dial(_) => {
                    self.server.greet();
                    self.is_open = true;
                    self.connection.handle_opened(self.protocol);
                }
                Action::Send(frame) => {
                    let messages = decode_client(&frame, self.protocol, &Limits::DEFAULT);
                    self.inbox.extend(messages.map(|message| message.unwrap()));
                }
                Action::Ping => self.connection.handle_activity(self.now),
                Action::Close => self.lose(),
                Action::Abandon => self.hang_up(),
            }
        }
        while self.reads != Some(0)
            && let Some(message) = self.inbox.pop_front()
        {
            self.reads = self.reads.map(|reads| reads - 1);
            self.server.receive(message);
        }
        while let Some(sent) = self.server.outbox.pop_front() {
            let mut body = Vec::new();
            encode_server(&sent.message, &mut body).unwrap();
            self.connection.handle_body(self.now, Bytes::from(body));
        }
    }

    /// One step of a few rows; whether nothing is left to apply.
    pub(super) fn step(&mut self) -> bool {
        while let Some(event) = self.connection.poll_event() {
            self.hear(event);
        }
        if self.told.is_kept_up() {
            assert_eq!(*self.told.rows(), self.seen(), "the events tell something else");
        }
        let rests = self.connection.step(self.now, 5) == Progress::Idle;
        self.check();
        rests && !self.connection.has_events()
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::State(ConnectionState::Closed(reason)) if !self.is_closing => {
                panic!("closed: {reason:?}");
            }
            Event::State(state) => {
                if let ConnectionState::Reconnecting { reason, .. } = &state {
                    assert!(
                        !matches!(reason, Lost::OutOfSync(_) | Lost::Violation(_)),
                        "{state:?}"
                    );
                }
                self.is_ready = matches!(state, ConnectionState::Ready);
            }
            Event::Applied(set) => {
                self.stale.remove(&set);
            }
            Event::Stale { set, .. } => {
                self.stale.insert(set);
            }
            Event::Transaction(event) if self.told.is_kept_up() => {
                for table in event.transaction.tables() {
                    // None of what happened before the table's first mention.
                    let changes = table.changes::<T>(&event.transaction);
                    changes.into_iter().flatten().for_each(|change| self.told.follow(change));
                }
            }
            Event::Panicked(panic) => assert!(T::FAILS, "{panic}"),
            Event::Ended { set, reason } => {
                assert!(T::FAILS || !matches!(reason, SetEnd::Panicked(_)), "{reason:?}");
                self.stale.remove(&set);
                self.sets.retain(|(other, _)| *other != set);
            }
            Event::Answered { call, .. } => {
                self.calls.retain(|other| *other != call);
                self.unanswered.remove(&call);
                assert!(self.answered.insert(call), "{call:?} is answered twice");
            }
            Event::Verified { outcome: Some(outcome), .. } => assert_eq!(outcome.drifts, []),
            _ => (),
        }
    }

    pub(super) fn check(&self) {
        assert_eq!(self.connection.ownership_faults(), []);
        assert_eq!(self.connection.bound_faults(), []);
    }

    /// Until nothing is left to do.
    pub(super) fn rest(&mut self) {
        self.reads = None;
        for _ in 0..100_000 {
            self.exchange();
            self.store();
            if !self.step() {
                continue;
            }
            if self.connection.is_closed() {
                return;
            }
            if self.is_ready && self.inbox.is_empty() && !self.connection.has_actions() {
                return;
            }
            self.wait();
        }
        panic!("the client does not come to rest");
    }

    /// Everything is as the server has it, and with the last set the last row goes.
    pub(super) fn end(&mut self) {
        T::calm();
        self.rest();
        if self.connection.is_closed() {
            return;
        }
        self.register();
        self.ask("SELECT * FROM t WHERE 1".into());
        self.rest();
        // Rows of the last run that nobody asked for again go.
        self.sleep(OfflineConfig::default().unclaimed_after);
        self.rest();
        let stale = std::mem::take(&mut self.stale);
        stale.into_iter().for_each(|set| self.connection.unsubscribe(set));
        self.rest();
        assert_eq!(self.seen(), self.server.subscribed());
        assert_eq!(self.unanswered, BTreeSet::new());
        for at in 0..self.sets.len() {
            self.unsubscribe(at);
        }
        self.rest();
        assert_eq!(self.sets, []);
        assert_eq!(self.seen(), Items::new());
    }

    fn seen(&self) -> Items {
        let view = self.connection.reader().read();
        view.table::<T>().unwrap().iter().map(Rows::pair).collect()
    }
}

fn connection(now: Instant, disk: Option<&MemoryStore>) -> Connection {
    let mut config = Config::default();
    config.reconnect.first = true;
    config.while_disconnected = WhileDisconnected::Wait;
    // A few messages: where the server is slow, resyncs go on without the sets that it has not answered.
    config.limits.max_resync_bytes = 1500;
    let mut connection = Connection::new(config, None, 7);
    if let Some(disk) = disk {
        let opened = Saved::load(&mut disk.clone()).unwrap().open("server", "database", None);
        let wall = Timestamp::from_micros(1_700_000_000_000_000);
        let _ = connection.open_journal(now, wall, opened, OfflineConfig::default(), 7);
    }
    connection
}
