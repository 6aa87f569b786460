//! Calls and rows that outlive a run of the program.

mod calls;
mod crashes;
mod damage;
mod hang_ups;
mod letters;
mod naming;
mod rows;
mod schema;
mod users;

use std::time::Duration;

use lightlike_core::conn::{
    Action, CallId, CallOptions, Config, Connection, OfflineConfig, Restored, WhileDisconnected,
};
use lightlike_core::journal::{Delivery, MemoryStore, Saved, Store, Write};
use lightlike_core::limits::Limits;
use lightlike_core::types::Timestamp;
use lightlike_core::wire::{ClientMessage, Protocol};

use crate::rig::{Rig, greeting, reducer, told};

/// A rig with a disk that writes when it is told to.
pub(crate) struct Offline {
    pub(crate) rig: Rig,
    pub(crate) disk: MemoryStore,
    pub(crate) restored: Vec<Restored>,
    /// Time for which the program has been stopped, all in all.
    asleep: Duration,
    config: OfflineConfig,
}

/// Noon, some day.
const NOON: i64 = 1_700_000_000_000_000;

impl Offline {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut OfflineConfig)) -> Self {
        let mut config = OfflineConfig::default();
        change(&mut config);
        Self::open(MemoryStore::new(), config, Duration::ZERO, None)
    }

    /// The program is killed, and started again with what a damaged disk has left of its records.
    pub(crate) fn restart_with(self, store: &mut dyn Store) -> Self {
        let disk = MemoryStore::new();
        let mut left = Vec::new();
        store.load(&mut |key, value| left.push(Write::Put { key: key.into(), value })).unwrap();
        disk.clone().commit(&left).unwrap();
        let asleep = self.asleep + Duration::from_secs(60);
        Self::open_with(store, disk, self.config, asleep, None, Limits::DEFAULT)
    }

    /// As [`restart`](Self::restart), with other limits.
    pub(crate) fn restart_limited(self, change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::DEFAULT;
        change(&mut limits);
        let asleep = self.asleep + Duration::from_secs(60);
        Self::open_with(&mut self.disk.clone(), self.disk, self.config, asleep, None, limits)
    }

    fn open(
        disk: MemoryStore,
        offline: OfflineConfig,
        asleep: Duration,
        token: Option<&str>,
    ) -> Self {
        Self::open_with(&mut disk.clone(), disk, offline, asleep, token, Limits::DEFAULT)
    }

    fn open_with(
        store: &mut dyn Store,
        disk: MemoryStore,
        offline: OfflineConfig,
        asleep: Duration,
        token: Option<&str>,
        limits: Limits,
    ) -> Self {
        let mut config = Config::default();
        config.limits = limits;
        config.while_disconnected = WhileDisconnected::Wait;
        config.reconnect.first = true;
        let mut rig = Rig::with(config);
        let opened = Saved::load(store).unwrap().open("server", "database", token);
        let micros = NOON + i64::try_from(asleep.as_micros()).unwrap();
        let wall = Timestamp::from_micros(micros);
        let restored =
            rig.connection.open_journal(rig.now, wall, opened, offline.clone(), micros as u64);
        Self { rig, disk, restored, asleep, config: offline }
    }

    /// The program is killed, and started again a minute later with what is on the disk.
    pub(crate) fn restart(self) -> Self {
        self.restart_after(Duration::from_secs(60))
    }

    pub(crate) fn restart_after(self, pause: Duration) -> Self {
        Self::open(self.disk, self.config, self.asleep + pause, None)
    }

    /// As [`restart`](Self::restart), with a token that the journal has not seen.
    pub(crate) fn restart_as(self, token: &str) -> Self {
        Self::open(self.disk, self.config, self.asleep + Duration::from_secs(60), Some(token))
    }

    /// The disk writes what it was asked to, and says so.
    pub(crate) fn store(&mut self) {
        while let Some(batch) = self.rig.connection.poll_commit() {
            self.disk.commit(&batch.writes()).unwrap();
            self.rig.connection.handle_stored(batch.ticket, Ok(()));
        }
    }

    /// The connection is made, and the server greets.
    pub(crate) fn connect(&mut self) -> Vec<String> {
        self.rig.connection.start(self.rig.now);
        self.come_back()
    }

    pub(crate) fn come_back(&mut self) -> Vec<String> {
        while !self.rig.actions().iter().any(|action| matches!(action, Action::Dial(_))) {
            self.rig.sleep();
        }
        let _ = self.rig.events();
        self.rig.connection.handle_opened(Protocol::V3);
        self.rig.server(greeting());
        let mut events = self.told();
        self.store();
        events.extend(self.told());
        events
    }

    pub(crate) fn lose(&mut self) {
        self.rig.lose();
    }

    /// Events, without the journal's progress.
    pub(crate) fn told(&mut self) -> Vec<String> {
        let mut told = told(&self.rig.events());
        told.retain(|line| !line.contains("pending"));
        told
    }

    /// The names of the reducers that are called on the wire, in order.
    pub(crate) fn called(&mut self) -> Vec<String> {
        let names = self.rig.sent().into_iter().filter_map(|message| match message {
            ClientMessage::CallReducer { reducer, .. } => Some(reducer.to_string()),
            ClientMessage::OneOffQuery { query, .. } => Some(format!("probe: {query}")),
            _ => None,
        });
        names.collect()
    }

    pub(crate) fn call(&mut self, name: &'static str, delivery: Delivery) -> CallId {
        self.call_with(name, |options| options.delivery = delivery)
    }

    pub(crate) fn call_with(
        &mut self,
        name: &'static str,
        change: impl FnOnce(&mut CallOptions),
    ) -> CallId {
        let mut options = CallOptions { tell_accepted: true, ..CallOptions::default() };
        change(&mut options);
        self.rig.connection.call_with(self.rig.now, reducer(name), options)
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.rig.connection
    }
}
