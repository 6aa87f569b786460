//! The connection itself: the one place that sees more than one of its owners, and combines them.
//!
//! Each file has the methods of one concern. An owner is told what happened, gets what else it needs as arguments, and
//! returns what is to be done; it knows neither the connection nor another owner, because this folder alone can reach
//! the fields.

mod call;
mod command;
mod ending;
mod lost;
mod message;
mod offline;
mod optimistic;
mod rows;
mod sets;
mod socket;
mod step;

use std::fmt;
use std::time::Instant;

use crate::cache::{Cache, CacheConfig, CacheReader};
use crate::conn::apply::changes::ChangeQueue;
use crate::conn::apply::inbox::Inbox;
use crate::conn::apply::receiving::{Arrivals, Receiving};
use crate::conn::apply::vacuum::Vacuum;
use crate::conn::calls::Calls;
use crate::conn::calls::temp_ids::TempIds;
use crate::conn::checks::{BoundFault, OwnershipFault, exceeded, miscounted, ownership_faults};
use crate::conn::config::Config;
use crate::conn::event::{AlarmId, Event, EventQueue, Greeting, Reply};
use crate::conn::lifecycle::credentials::Credentials;
use crate::conn::lifecycle::finish::Finish;
use crate::conn::lifecycle::phase::State;
use crate::conn::lifecycle::recovery::Recovery;
use crate::conn::persistence::Journal;
use crate::conn::subscriptions::Subscriptions;
use crate::conn::subscriptions::resync::Resync;
use crate::conn::subscriptions::verify::Verifying;
use crate::conn::telemetry::slow::{SlowConsumer, SlowDetector};
use crate::conn::telemetry::stats::Stats;
use crate::conn::telemetry::timers::Timers;
use crate::conn::transmit::Transmit;
use crate::limits::Limits;

/// One database, as one client sees it: its sockets, its query sets, its calls, and the cache.
///
/// # Invariants
///
/// - A message is applied whole, or the socket is given up.
/// - Every call gets exactly one [`Event::Answered`], every query set one [`Event::Ended`] at its end.
/// - Nothing waits without a bound: see [`Limits`].
/// - Every row of the cache is held by a set that has an owner, or a drop of it is queued; see
///   [`ownership_faults`](Self::ownership_faults).
pub struct Connection {
    config: Config,
    state: State,
    credentials: Credentials,
    recovery: Recovery,
    /// The query sets were asked for again and are not all answered.
    resync: Option<Resync>,
    /// The socket is read.
    reading: bool,
    /// Greeted and in step: calls may be sent.
    ready: bool,
    /// End that was asked for and waits for answers.
    finish: Finish,
    /// Messages that are received are not applied any more.
    has_stopped: bool,
    /// Number of calls without an answer when the connection was closed.
    unanswered: usize,
    subs: Subscriptions,
    calls: Calls,
    /// State that outlives the program, if any does.
    journal: Option<Box<Journal>>,
    timers: Timers,
    vacuum: Vacuum,
    slow: SlowDetector,
    stats: Stats,
    cache: Cache,
    changes: ChangeQueue,
    arrivals: Arrivals,
    inbox: Inbox,
    transmit: Transmit,
    verifying: Verifying,
    temp_ids: TempIds,
    events: EventQueue,
}

/// State in numbers: queued frames and messages have tokens, rows and arguments in them.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("state", &self.state)
            .field("greeting", &self.credentials.greeting())
            .field("has_token", &self.credentials.has_token())
            .field("is_ready", &self.ready)
            .field("pending_calls", &self.calls.len())
            .field("received_bytes", &self.inbox.waiting_bytes())
            .field("events", &self.events.len())
            .field("actions", &self.transmit.actions())
            .finish_non_exhaustive()
    }
}

/// Progress of [`Connection::step`].
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
    /// A connection that is not started. `token` is presented to the server; `seed` is random, and names the client
    /// over its reconnects.
    ///
    /// [Limits that are none](crate::limits::Limits::check) are taken for the nearest that will do.
    pub fn new(mut config: Config, token: Option<Box<str>>, seed: u128) -> Self {
        config.limits = config.limits.clamped();
        let Limits { max_dead_rows, max_dead_bytes, max_table_bytes, .. } = config.limits;
        let cache = Cache::new(CacheConfig {
            max_dead_rows,
            max_dead_bytes,
            max_table_bytes,
            ..CacheConfig::default()
        });
        Self {
            state: State::Idle,
            credentials: Credentials::new(token, seed),
            recovery: Recovery::new(config.reconnect.clone(), (seed >> 64) as u64),
            resync: None,
            reading: true,
            ready: false,
            finish: Finish::default(),
            has_stopped: false,
            unanswered: 0,
            subs: Subscriptions::default(),
            calls: Calls::default(),
            journal: None,
            timers: Timers::default(),
            vacuum: Vacuum::default(),
            slow: SlowDetector::new(config.slow_after),
            stats: Stats::default(),
            cache,
            changes: ChangeQueue::default(),
            arrivals: Arrivals::default(),
            inbox: Inbox::default(),
            transmit: Transmit::default(),
            verifying: Verifying::default(),
            temp_ids: TempIds::new((seed >> 32) as u64),
            events: EventQueue::default(),
            config,
        }
    }

    /// The reading end of the cache.
    pub fn reader(&self) -> CacheReader {
        self.cache.reader()
    }

    /// The numbers that it runs by.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Identity and connection id that the server gave us, once it has.
    pub fn greeting(&self) -> Option<&Greeting> {
        self.credentials.greeting()
    }

    /// The token that is presented next, once the server has greeted.
    pub fn token(&self) -> Option<Box<str>> {
        self.credentials.token()
    }

    /// Returns `true` if the connection was neither started nor closed.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Returns `true` if every row is in step with the server, as far as was received.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Returns `true` if the connection is closed for good.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed(_))
    }

    /// Number of calls and queries that are not answered.
    pub fn pending_calls(&self) -> usize {
        self.calls.len()
    }

    /// Number of calls that wait to be sent.
    pub fn unsent_calls(&self) -> usize {
        self.calls.unsent()
    }

    /// Returns `true` if events wait to be delivered.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty() || self.arrivals.is_news() || self.changed_sync().is_some()
    }

    /// Returns `true` if actions wait to be carried out.
    pub fn has_actions(&self) -> bool {
        !self.transmit.is_empty()
    }

    /// Returns `true` if something that came is not applied or not delivered.
    pub fn has_work(&self) -> bool {
        if self.is_closed() {
            return self.has_events();
        }
        let draining = matches!(self.state, State::Draining { .. });
        self.has_events() || self.is_applying() || !self.inbox.is_empty() || draining
    }

    /// Bytes that have arrived, and progress of the message that is arriving.
    pub fn receiving(&self) -> Receiving {
        self.arrivals.now()
    }

    /// Counters of the connection. Takes about a microsecond.
    pub fn stats(&self) -> Stats {
        let in_flight = self.calls.in_flight();
        Stats {
            socket_bytes_received: self.arrivals.bytes(),
            bytes_waiting: self.inbox.waiting_bytes(),
            changes_waiting: self.changes.len(),
            events_waiting: self.events.len(),
            calls_waiting: self.calls.len() - in_flight,
            calls_in_flight: in_flight,
            ..self.stats.clone()
        }
    }

    /// Number of the server's messages that were begun with.
    pub fn messages(&self) -> u64 {
        self.stats.messages_received
    }

    /// It is `now`: what is commanded next is commanded then. Everything that takes a time says so too.
    pub fn set_clock(&mut self, now: Instant) {
        self.calls.set_clock(now);
    }

    /// Asks for [`Event::Alarm`] at a moment; at the next [`handle_timeout`](Self::handle_timeout) if it is over. A
    /// closed connection has no timers.
    pub fn set_alarm(&mut self, at: Instant) -> AlarmId {
        let timer = self.timers.name();
        if !self.is_closed() {
            self.timers.start(at, timer);
        }
        timer
    }

    /// Forgets a timer that was set for a moment.
    pub fn clear_alarm(&mut self, at: Instant, timer: AlarmId) {
        self.timers.stop(at, timer);
    }

    /// The next event for the application.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop().or_else(|| self.arrivals.news().map(Event::Receiving)).or_else(|| {
            let state = self.changed_sync()?;
            self.journal.as_mut()?.reported(state.clone());
            Some(Event::Sync(state))
        })
    }

    fn say(&mut self, event: Event) {
        let Event::Answered { call, reply, .. } = &event else {
            return self.events.push(event);
        };
        let call = *call;
        let is_over = match reply {
            Reply::Kept => false,
            // Its answer may come, and with it the server's ids.
            Reply::TimedOut { sent: true } => !self.calls.is_in_flight(call),
            _ => true,
        };
        if let Some(journal) = &mut self.journal {
            journal.complete(call, reply);
        }
        self.events.push(event);
        if is_over {
            self.ids_are_over(call);
        }
    }

    /// Reports an application that does not keep up, if it is to be told.
    fn report_slow(&mut self, slow: Option<SlowConsumer>) {
        if let Some(slow) = slow {
            self.stats.slow_notices += 1;
            self.events.push(Event::Slow(slow));
        }
    }
}

/// Checks, for tests.
impl Connection {
    /// Bounds that do not hold. None, at any moment, where the driver reads only what
    /// [it may](Connection::can_receive), and no journal had more calls than may be made.
    #[doc(hidden)]
    pub fn bound_faults(&self) -> Vec<BoundFault> {
        let limits = &self.config.limits;
        let resync = self.resync.as_ref().map_or(0, Resync::bytes);
        let held = [
            // One frame may exceed it: the last, or the one under way.
            ("max_received_bytes", self.inbox.bytes_before_last(), limits.max_received_bytes),
            ("max_resync_bytes", resync, limits.max_resync_bytes),
            ("max_call_bytes", self.calls.bytes(), limits.max_call_bytes),
            ("max_query_set_bytes", self.subs.bytes(), limits.max_query_set_bytes),
            ("max_query_set_bytes", self.verifying.bytes(), limits.max_query_set_bytes),
        ];
        let counts = [
            ("max_call_bytes", self.calls.bytes(), self.calls.recounted_bytes()),
            ("max_query_set_bytes", self.subs.bytes(), self.subs.recounted_bytes()),
        ];
        exceeded(&held).chain(miscounted(&counts)).collect()
    }

    /// Violations of the ownership of rows. None, at any moment.
    ///
    /// Takes time in proportion to the number of sets and of queued changes.
    #[doc(hidden)]
    pub fn ownership_faults(&self) -> Vec<OwnershipFault> {
        let journal = self.journal.as_deref();
        ownership_faults(&self.cache, &self.subs, journal, self.changes_to_make())
    }
}

#[cfg(test)]
#[allow(dead_code, reason = "the machine's tests use all of it")]
#[path = "../../../tests/machine/item.rs"]
mod item;
#[cfg(test)]
#[allow(dead_code, reason = "the machine's tests use all of it")]
#[path = "../../../tests/machine/rig.rs"]
mod rig;

#[cfg(test)]
mod tests {
    use super::item::{Item, item};
    use super::rig::{Rig, applied, greeting, told};
    use super::*;
    use crate::cache::{Change, Part, SetId, Step};
    use crate::conn::Config;
    use crate::wire::{ClientMessage, Protocol, RowList};

    /// A connection with a row without an owner, as no history ought to leave one.
    fn with_orphan() -> Rig {
        let mut rig = Rig::with(Config::default());
        rig.connection.register::<Item>().unwrap();
        let mut rig = rig.greeted(Protocol::V3);
        let rows = RowList::from_rows([item(1, 0).bytes(), item(2, 0).bytes()]);
        let (set, table) = (SetId(1000), "t".into());
        rig.connection.cache.begin(Change::of(vec![Part::Inserts { set, table, rows }]));
        assert!(matches!(rig.connection.cache.step(100), Step::Committed(_)));
        rig
    }

    /// Answers the one set that was asked for with another version of the row.
    fn answer(rig: &mut Rig) -> Vec<String> {
        let sent = rig.sent();
        let [ClientMessage::Subscribe { request_id, query_set_id, .. }] = sent[..] else {
            panic!("{sent:?}")
        };
        rig.server(applied(request_id, query_set_id, &[&item(1, 7).bytes()]));
        told(&rig.events_unchecked())
    }

    fn come_back(rig: &mut Rig) -> Vec<String> {
        let _ = rig.sleep();
        let _ = rig.actions();
        rig.connection.handle_opened(Protocol::V3);
        rig.server(greeting());
        told(&rig.events_unchecked())
    }

    #[test]
    fn orphaned_rows_are_found() {
        let rig = with_orphan();
        let faults = rig.connection.ownership_faults();
        let [OwnershipFault::Orphaned(held)] = &faults[..] else { panic!("{faults:?}") };
        assert_eq!((held.set, &*held.table, held.rows), (SetId(1000), "t", 2));
    }

    #[test]
    fn orphaned_rows_go_when_everything_reloads() {
        let mut rig = with_orphan();
        let _ = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
        assert_eq!(answer(&mut rig), ["Reconnecting"]);
        assert_eq!(come_back(&mut rig), ["Connected", "Ready"]);
        assert_eq!(answer(&mut rig), ["Reconnecting"], "it does not fit what is here");
        let reloaded = ["Connected", "Resyncing", "transaction: Resync", "Ready"];
        assert_eq!(come_back(&mut rig), reloaded);
        assert_eq!(answer(&mut rig), ["transaction: Applied", "set 0 applied"]);
        assert_eq!(rig.connection.ownership_faults(), []);
        assert_eq!(rig.connection.stats().reloads, 1);
        let view = rig.connection.reader().read();
        let items: Vec<Item> = view.table::<Item>().unwrap().iter().copied().collect();
        assert_eq!(items, [item(1, 7)]);
    }
}
