//! Commands at any moment: each operation is followed by a few single steps of a few rows, never by rest, and after each
//! step every row is owned by somebody.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lightlike_core::cache::Mutation;
use lightlike_core::conn::{
    Action, CallId, CallOptions, CallRequest, Config, Connection, ConnectionState, Event, Lost,
    Progress, SubscriptionId, WhileDisconnected,
};
use lightlike_core::limits::Limits;
use lightlike_core::wire::{ClientMessage, Protocol, Text, decode_client, encode_server};

use crate::Random;
use crate::item::Item;
use crate::model::mutation;
use crate::server::{Act, Deed, Items, Server};

/// A client, and a server that answers at once unless it is told to be slow.
pub(crate) struct Life {
    random: Random,
    connection: Connection,
    now: Instant,
    server: Server,
    protocol: Protocol,
    is_open: bool,
    /// What the client has sent and the server has not read.
    inbox: VecDeque<ClientMessage>,
    /// The sets that are not over.
    sets: Vec<SubscriptionId>,
    calls: Vec<CallId>,
    next: u64,
    /// The server leaves what it is asked unanswered, for now.
    is_slow: bool,
    is_ready: bool,
    /// How many kinds of operations there are.
    kinds: u64,
    /// How many steps there are at most between two of them.
    max_steps: u64,
}

const OPERATIONS: usize = 60;
/// Subscribing, unsubscribing, changes and losses; and all others.
const FEW_KINDS: u64 = 20;
const ALL_KINDS: u64 = 32;
/// More rows than a step takes.
const ROWS: u64 = 40;

impl Life {
    /// A whole life; panics where a row is without an owner.
    pub(crate) fn live(seed: u64) {
        let mut life = Self::new(seed);
        for id in 0..ROWS {
            life.server.transact(Act::Put(id as u32, 1));
        }
        life.connection.start(life.now);
        for _ in 0..OPERATIONS {
            life.operate();
            life.check();
            life.exchange();
            for _ in 0..life.random.below(life.max_steps) {
                life.step();
            }
        }
        life.end();
    }

    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let mut config = Config::default();
        config.reconnect.first = true;
        config.while_disconnected = WhileDisconnected::Wait;
        #[expect(clippy::disallowed_methods, reason = "an arbitrary origin for virtual time")]
        let now = Instant::now();
        let mut connection = Connection::new(config, None, u128::from(random.next()));
        if random.chance(70) {
            connection.register::<Item>().unwrap();
        }
        let kinds = [FEW_KINDS, ALL_KINDS][random.below(2) as usize];
        let max_steps = [2, 8, 32, 64][random.below(4) as usize];
        let protocol = [Protocol::V2, Protocol::V3][random.below(2) as usize];
        Self {
            random,
            connection,
            now,
            server: Server::default(),
            protocol,
            is_open: false,
            inbox: VecDeque::new(),
            sets: Vec::new(),
            calls: Vec::new(),
            next: 1,
            is_slow: false,
            is_ready: false,
            kinds,
            max_steps,
        }
    }

    fn operate(&mut self) {
        match self.random.below(self.kinds) {
            0..=4 => self.subscribe(),
            5..=9 => self.unsubscribe(),
            10..=14 => self.change(),
            15..FEW_KINDS => self.lose(),
            20..=21 => self.is_slow = !self.is_slow,
            22..=23 => self.call(),
            24 => self.cancel(),
            25 => drop(self.connection.verify()),
            26 => drop(self.connection.register::<Item>()),
            27 => self.connection.reconnect_now(self.now),
            28 => self.connection.set_token(self.now, "another".into()),
            29 => self.refuse(),
            // Resyncs that are not answered, pauses, pings.
            30 => self.sleep(Duration::from_secs(60)),
            _ => self.sleep(Duration::from_secs(2)),
        }
    }

    fn subscribe(&mut self) {
        if self.sets.len() < 6 {
            // The last digit is what the rows' numbers are multiples of.
            let query = self.next * 10 + 1 + self.random.below(3);
            self.next += 1;
            let query = format!("SELECT * FROM t WHERE {query}");
            self.sets.push(self.connection.subscribe(vec![query.into()]));
        }
    }

    fn unsubscribe(&mut self) {
        if !self.sets.is_empty() {
            let at = self.random.below(self.sets.len() as u64) as usize;
            self.connection.unsubscribe(self.sets[at]);
        }
    }

    fn act(&mut self) -> Act {
        let (id, value) = (self.random.below(ROWS) as u32, self.random.below(50) as u32);
        match self.random.below(4) {
            0..=1 => Act::Put(id, value),
            2 => Act::Remove(id),
            _ => Act::Increment(id),
        }
    }

    fn change(&mut self) {
        for _ in 0..1 + self.random.below(8) {
            let act = self.act();
            self.server.transact(act);
        }
    }

    fn call(&mut self) {
        let deed = Deed { tag: self.next, act: self.act() };
        self.next += 1;
        let request = CallRequest::Reducer { name: Text::from_static("f"), args: deed.bytes() };
        let call = self.connection.call_with(self.now, request, CallOptions::default());
        self.calls.push(call);
        if self.random.chance(70) {
            let expected: Box<dyn Mutation> = mutation(deed.act);
            self.connection.optimistic(self.now, call, expected).unwrap();
        }
    }

    fn cancel(&mut self) {
        if let Some(call) = self.calls.pop() {
            self.connection.cancel(call);
        }
    }

    /// The server cannot keep a set up.
    fn refuse(&mut self) {
        self.server.refuse_one();
    }

    fn lose(&mut self) {
        if self.is_open {
            self.hang_up();
            self.connection.handle_lost(self.now, Lost::HungUp);
        }
        // There is none for a while, or the next one is open before anything else happens.
        if self.random.chance(70) {
            self.come_back();
        }
    }

    /// Until the server has what the new socket asks it, of which nothing is applied.
    fn come_back(&mut self) {
        for _ in 0..1000 {
            if self.is_open && self.inbox.is_empty() && self.server.has_sets() {
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

    fn hang_up(&mut self) {
        self.is_open = false;
        self.server.hang_up();
        self.inbox.clear();
    }

    /// Time passes, and what is due by then happens.
    fn sleep(&mut self, time: Duration) {
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

    /// Carries messages in both directions. Nothing is applied.
    fn exchange(&mut self) {
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
                Action::Ping => self.connection.handle_heard(self.now),
                Action::Close | Action::Abandon => self.hang_up(),
            }
        }
        while !self.is_slow
            && let Some(message) = self.inbox.pop_front()
        {
            self.server.receive(message);
        }
        while let Some(sent) = self.server.outbox.pop_front() {
            let mut body = Vec::new();
            encode_server(&sent.message, &mut body).unwrap();
            self.connection.handle_body(self.now, Bytes::from(body));
        }
    }

    fn step(&mut self) -> bool {
        while let Some(event) = self.connection.poll_event() {
            self.hear(event);
        }
        let rests = self.connection.step(self.now, 5) == Progress::Idle;
        self.check();
        rests && !self.connection.has_events()
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::State(ConnectionState::Closed(reason)) => panic!("closed: {reason:?}"),
            Event::State(state) => {
                if let ConnectionState::Reconnecting { reason, .. } = &state {
                    assert!(
                        !matches!(reason, Lost::OutOfSync(_) | Lost::Violation(_)),
                        "{state:?}"
                    );
                }
                self.is_ready = matches!(state, ConnectionState::Ready);
            }
            Event::Ended { set, .. } => self.sets.retain(|other| *other != set),
            Event::Answered { call, .. } => self.calls.retain(|other| *other != call),
            Event::Verified { outcome: Some(outcome), .. } => assert_eq!(outcome.drifts, []),
            _ => (),
        }
    }

    fn check(&self) {
        assert_eq!(self.connection.ownership_faults(), []);
    }

    /// Until nothing is left to do.
    fn rest(&mut self) {
        self.is_slow = false;
        for _ in 0..100_000 {
            self.exchange();
            if !self.step() {
                continue;
            }
            if self.is_ready && self.inbox.is_empty() && !self.connection.has_actions() {
                return;
            }
            self.wait();
        }
        panic!("the client does not come to rest");
    }

    /// Everything is as the server has it, and with the last set the last row goes.
    fn end(&mut self) {
        self.rest();
        self.connection.register::<Item>().unwrap();
        assert_eq!(self.seen(), self.server.subscribed());
        for set in self.sets.clone() {
            self.connection.unsubscribe(set);
        }
        self.rest();
        assert_eq!(self.sets, []);
        assert_eq!(self.seen(), Items::new());
    }

    fn seen(&self) -> Items {
        let view = self.connection.reader().read();
        view.table::<Item>().unwrap().iter().map(|row| (row.id, row.value)).collect()
    }
}
