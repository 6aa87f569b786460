//! Mutex-guarded connection, shared by handles and the driver.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::clock::now;
use super::disk::Disk;
use super::held::{Held, Machine};
use super::pace::Pace;
use crate::cache::is_mutating;
use crate::conn::{Connection, Event};
use crate::guard::{self, Collector, Panic};
use crate::journal::{LogLength, Store};

/// A machine, shared by the handles that command it and the driver that runs it.
#[derive(Debug)]
pub struct Shared {
    machine: Machine,
    /// Gate at which commands wait for each other: however many threads there are, one of them at a time stands before the gate,
    /// so that the loop and its deadlines wait for one command and not for all.
    line: Mutex<()>,
    /// A loop has the socket, and delivers the events unless somebody ticks. Changes under the lock only.
    looping: AtomicBool,
    /// Somebody applies and delivers by ticks. Changes under the lock only.
    ticked: AtomicBool,
    /// The loop reads the socket. The machine is told when that changes.
    reading: AtomicBool,
    /// A tick found that applying waits for views to be let go.
    held_up: AtomicBool,
    /// The loop has something to write, or may have. Set under the lock, with what takes that out of the machine.
    unwritten: AtomicBool,
    /// Wakes the loop.
    wake: Notify,
    /// Wakes whoever ticks.
    work: Notify,
    /// Held by a tick.
    pub(super) pace: Mutex<Pace>,
    /// State of the disk, if there is a journal. Locked after `machine`.
    disk: Mutex<DiskState>,
}

/// State of the journal's disk.
#[derive(Debug)]
pub(super) enum DiskState {
    /// Nowhere yet: what is to be written waits in the machine.
    None,
    Open(Disk),
    Closed,
}

impl DiskState {
    pub(super) fn open(&self) -> Option<&Disk> {
        match self {
            Self::Open(disk) => Some(disk),
            Self::None | Self::Closed => None,
        }
    }
}

/// Driver part that applies what came, and delivers the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppliedBy {
    /// The loop that has the socket.
    Loop,
    /// Whoever calls [`Shared::tick`].
    Ticks,
}

impl Shared {
    /// Shares a machine.
    pub fn new(connection: Connection) -> Arc<Self> {
        Arc::new(Self {
            machine: Machine::new(connection),
            line: Mutex::new(()),
            looping: AtomicBool::new(false),
            ticked: AtomicBool::new(false),
            reading: AtomicBool::new(true),
            held_up: AtomicBool::new(false),
            unwritten: AtomicBool::new(false),
            wake: Notify::new(),
            work: Notify::new(),
            pace: Mutex::new(Pace::default()),
            disk: Mutex::new(DiskState::None),
        })
    }

    /// Commands the machine, and wakes its driver. The lock is held for one command or one step, never longer, and
    /// never while application code runs, but for [mutations](crate::cache::Mutation) and the code of row types, which
    /// are kept from using it.
    ///
    /// Afterwards deliver what [`undriven_event`](Self::undriven_event) gives: before there is a driver and after it
    /// has ended, whoever commands is the one to do it.
    ///
    /// # Panics
    ///
    /// If the command does; the connection is [broken off](Connection::break_off) then.
    pub fn command<T>(&self, command: impl FnOnce(&mut Connection, Instant) -> T) -> T {
        let (result, has_work) = {
            let mut connection = self.lock_in_line();
            let now = now();
            connection.set_clock(now);
            // A machine that a panic left half-way is not used again, but to say so.
            let collector = Collector::start();
            let result = catch_unwind(AssertUnwindSafe(|| command(&mut connection, now)));
            note_all(&mut connection, collector);
            if let Err(panic) = &result {
                break_off(&mut connection, Panic::new(MACHINE, guard::panic_text(&**panic)));
            }
            self.write(&mut connection);
            (result, connection.has_work())
        };
        self.wake_loop();
        if has_work {
            self.tell_ticks();
        }
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Something panicked that drives the machine, perhaps half-way through changing it: closes the connection, and says why.
    pub(super) fn break_off(&self, panic: Panic) {
        let mut connection = self.lock();
        break_off(&mut connection, panic);
        self.write(&mut connection);
    }

    /// Ends the connection here and now, without its driver, whose part in it is over: from now on, whoever commands
    /// delivers the events.
    ///
    /// For a driver that does not come back: code of the application blocks it. Should it come back, it ends.
    pub fn cut_off(&self) {
        {
            let (now, mut connection) = (now(), self.lock());
            connection.close_at_once(now);
            self.write(&mut connection);
            self.looping.store(false, Ordering::Relaxed);
            self.ticked.store(false, Ordering::Relaxed);
        }
        self.wake_loop();
        self.more_work();
    }

    /// Writes the machine's journal to `store`, whose logs have that length, from now on, on a thread of its own. `told` is called, on that thread, after
    /// the machine was told something: as after a [`command`](Self::command), there may be events to deliver.
    ///
    /// # Errors
    ///
    /// The system's, if there can be no more threads.
    pub fn start_disk(
        self: &Arc<Self>,
        store: Box<dyn Store>,
        log: LogLength,
        told: impl Fn() + Send + 'static,
    ) -> io::Result<()> {
        let disk = Disk::start(store, log, Arc::downgrade(self), told)?;
        *self.disk() = DiskState::Open(disk);
        self.write(&mut self.lock());
        Ok(())
    }

    /// Waits until everything is written and the store is closed. Nothing is written later.
    pub async fn close_disk(&self) {
        let disk = {
            let mut connection = self.lock();
            self.write(&mut connection);
            std::mem::replace(&mut *self.disk(), DiskState::Closed)
        };
        if let DiskState::Open(disk) = disk {
            disk.close().await;
        }
    }

    /// Hands to the disk what the machine wants written: under its lock, so that it is in order.
    fn write(&self, connection: &mut Connection) {
        if !connection.has_commits() || matches!(*self.disk(), DiskState::None) {
            return;
        }
        while let Some(batch) = connection.poll_commit() {
            let ticket = batch.ticket;
            let written = self.disk().open().is_some_and(|disk| disk.write(batch));
            if !written {
                connection.handle_stored(ticket, Err("the store is closed".into()));
            }
        }
    }

    pub(super) fn disk(&self) -> MutexGuard<'_, DiskState> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next event, if no driver delivers it.
    pub fn undriven_event(&self) -> Option<Event> {
        // A driver that is there now delivers what was commanded before this: it looks again before it lets go.
        if self.is_driven() {
            return None;
        }
        let mut connection = self.lock();
        if self.is_driven() { None } else { connection.poll_event() }
    }

    /// Reads from the machine.
    pub fn read<T>(&self, read: impl FnOnce(&Connection) -> T) -> T {
        read(&self.lock_in_line())
    }

    /// Whoever ticked does not any more: the loop applies and delivers what is left. Where it has ended, whoever
    /// commands next does.
    pub fn stop_ticking(&self) {
        let connection = self.lock();
        self.ticked.store(false, Ordering::Relaxed);
        drop(connection);
        self.wake_loop();
    }

    /// Waits until there may be something for a tick to do. What came since the last tick counts.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn work(&self) {
        self.work.notified().await;
    }

    /// There is something to do: [`work`](Self::work) does not wait.
    pub fn more_work(&self) {
        // Whoever waits may be polled by an executor of the application's.
        guard::quietly("waker", || self.work.notify_one());
    }

    /// Starts the machine for a driver; false if it was started or closed before.
    pub(super) fn start(&self, applied_by: AppliedBy) -> bool {
        let mut connection = self.lock();
        let starts = connection.start(now());
        if starts {
            self.ticked.store(applied_by == AppliedBy::Ticks, Ordering::Relaxed);
            self.looping.store(true, Ordering::Relaxed);
        }
        starts
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Connection) -> T) -> T {
        let mut connection = self.lock();
        let collector = Collector::start();
        let result = act(&mut connection);
        note_all(&mut connection, collector);
        self.write(&mut connection);
        result
    }

    /// Lets go of the machine, if the connection is closed and everything is delivered or is another's to deliver.
    pub(super) fn retire_loop(&self) -> bool {
        let connection = self.lock();
        if !connection.is_closed() || (connection.has_events() && !self.is_ticked()) {
            return false;
        }
        self.looping.store(false, Ordering::Relaxed);
        true
    }

    /// Lets go of the machine, if somebody ticks and so does the rest.
    pub(super) fn leave_to_ticks(&self) -> bool {
        let _connection = self.lock();
        if self.is_ticked() {
            self.looping.store(false, Ordering::Relaxed);
        }
        self.is_ticked()
    }

    /// As [`retire_loop`](Self::retire_loop), for whoever ticks.
    pub(super) fn retire_ticks(&self) -> bool {
        let connection = self.lock();
        if !connection.is_closed() || connection.has_events() {
            return false;
        }
        self.ticked.store(false, Ordering::Relaxed);
        true
    }

    /// Returns `true` if somebody applies and delivers by ticks: a loop has the socket, elsewhere.
    pub fn is_ticked(&self) -> bool {
        self.ticked.load(Ordering::Relaxed)
    }

    /// Returns `true` if a loop runs, or somebody ticks.
    pub fn is_driven(&self) -> bool {
        self.looping.load(Ordering::Relaxed) || self.is_ticked()
    }

    /// Returns `true` if no loop has anything to write, nor will have of what was asked for.
    pub(super) fn is_written(&self) -> bool {
        // Under the lock, as both change under it.
        self.read(|connection| {
            let writes = connection.has_actions() || self.unwritten.load(Ordering::Relaxed);
            !writes || !self.looping.load(Ordering::Relaxed)
        })
    }

    pub(super) fn set_unwritten(&self, unwritten: bool) {
        self.unwritten.store(unwritten, Ordering::Relaxed);
    }

    pub(super) fn wake_loop(&self) {
        guard::quietly("waker", || self.wake.notify_one());
    }

    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(super) fn tell_ticks(&self) {
        if self.is_ticked() {
            self.more_work();
        }
    }

    /// Says whether the socket is read.
    pub(super) fn set_reading(&self, reading: bool) {
        if self.reading.swap(reading, Ordering::Relaxed) != reading {
            self.lock().set_reading(reading);
        }
    }

    /// Has the loop look again in a moment whether views were let go.
    pub(super) fn hold_up(&self) {
        self.held_up.store(true, Ordering::Relaxed);
    }

    pub(super) fn take_held_up(&self) -> bool {
        self.held_up.swap(false, Ordering::Relaxed)
    }

    /// As [`lock`](Self::lock), for whoever is not the driver.
    fn lock_in_line(&self) -> Held<'_> {
        let _line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        self.lock()
    }

    fn lock(&self) -> Held<'_> {
        // It would wait for itself. The mutation's runner catches this.
        assert!(!is_mutating(), "a mutator must not use the client, only its `LocalTx`");
        self.machine.hold()
    }
}

/// Has the application told of panics that changed nothing.
fn note_all(connection: &mut Connection, collector: Collector) {
    collector.finish().into_iter().for_each(|noted| connection.note_panic(noted.into()));
}

/// The name of panics that belong to no code of the application that is known.
pub(super) const MACHINE: &str = "client";

/// Closes the connection, which must be possible whatever state it is in.
fn break_off(connection: &mut Connection, panic: Panic) {
    let closed = guard::catch(|| connection.break_off(now(), panic.clone()));
    if closed.is_err() {
        connection.break_off_bare(panic);
    }
}
