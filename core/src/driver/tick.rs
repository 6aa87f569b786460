//! Applying and delivering on a thread of the application's, a bounded piece at a time.

use std::sync::TryLockError;
use std::time::{Duration, Instant};

use super::clock::now;
use super::pace::Pace;
use super::run::deliver_guarded;
use super::shared::{MACHINE, Shared};
use super::span;
use crate::conn::{Connection, Event, Progress};
use crate::deadline::{after, at_last};
use crate::guard::{self, Panic};

/// Bounds of one tick. All that are given apply; what is not given does not bound.
///
/// ```
/// # mod lightlike { pub mod connection { pub use lightlike_core::driver::Budget; } }
/// use std::time::Duration;
///
/// use lightlike::connection::Budget;
///
/// let frame = Budget::time(Duration::from_millis(2));
/// let step = Budget::messages(1).and_rows(10_000);
/// # let _ = (frame, step);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[must_use]
pub struct Budget {
    time: Option<Duration>,
    rows: Option<usize>,
    messages: Option<u64>,
}

impl Budget {
    /// As long as there is anything to do.
    pub const fn unlimited() -> Self {
        Self { time: None, rows: None, messages: None }
    }

    /// This much time, callbacks included. What was begun is finished: a callback, or a step of a fraction of a
    /// millisecond. However little it is, something is done.
    pub const fn time(time: Duration) -> Self {
        Self { time: Some(time), ..Self::unlimited() }
    }

    /// About this many rows, each of which counts up to three times: when it is decoded, compared and made visible.
    /// The same messages take the same number of ticks on every machine.
    pub const fn rows(rows: usize) -> Self {
        Self { rows: Some(rows), ..Self::unlimited() }
    }

    /// This many of the server's messages, each of which is at most one transaction.
    pub const fn messages(messages: u64) -> Self {
        Self { messages: Some(messages), ..Self::unlimited() }
    }

    /// And this much time at most: see [`time`](Self::time).
    pub const fn and_time(self, time: Duration) -> Self {
        Self { time: Some(time), ..self }
    }

    /// And this many rows at most: see [`rows`](Self::rows).
    pub const fn and_rows(self, rows: usize) -> Self {
        Self { rows: Some(rows), ..self }
    }

    /// And this many messages at most: see [`messages`](Self::messages).
    pub const fn and_messages(self, messages: u64) -> Self {
        Self { messages: Some(messages), ..self }
    }
}

/// Result of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Ticked {
    /// Something that came is not applied or delivered yet.
    pub work_left: bool,
    /// Number of the server's messages that it began with.
    pub messages: u64,
    /// A tick that followed at once would find something to do, if only memory to be given back.
    pub more: bool,
    /// The connection is closed for good, and everything is delivered.
    pub closed: bool,
}

/// A tick is under way already: on another thread, or around the callback that this was called in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tick is under way already: on another thread, or around the callback that called this")]
pub struct Busy;

/// Rest of a budget.
struct Left {
    until: Option<Instant>,
    rows: Option<usize>,
    /// Number of messages that the machine may have begun with.
    messages: Option<u64>,
    spent: bool,
}

/// Result of a step.
struct Stepped {
    progress: Progress,
    took: Duration,
    messages: u64,
    is_applying: bool,
    has_actions: bool,
}

impl Shared {
    /// Applies what came and hands every event to `deliver`, until the budget is used up or nothing is left.
    ///
    /// Never waits for the network, and for the machine only while another thread has it for a step. Never panics: where code of
    /// the application does that the client cannot go on without, the connection is closed and says why.
    ///
    /// # Errors
    ///
    /// [`Busy`]
    pub fn tick(&self, budget: Budget, mut deliver: impl FnMut(Event)) -> Result<Ticked, Busy> {
        let mut pace = match self.pace.try_lock() {
            Ok(pace) => pace,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(Busy),
        };
        let before = self.read(Connection::messages);
        let ticked = guard::catch(|| self.tick_by(&mut pace, budget, before, &mut deliver));
        Ok(ticked.unwrap_or_else(|message| {
            self.break_off(Panic::new(MACHINE, message));
            self.wake_loop();
            // Those who wait are answered at the next tick, or here.
            let (work_left, messages) = (true, 0);
            Ticked { work_left, messages, more: true, closed: false }
        }))
    }

    fn tick_by(
        &self,
        pace: &mut Pace,
        budget: Budget,
        before: u64,
        deliver: &mut impl FnMut(Event),
    ) -> Ticked {
        let mut left = Left::new(budget, before);
        let mut acted = false;
        let progress = 'tick: loop {
            while let Some(event) = self.with(Connection::poll_event) {
                acted = true;
                deliver_guarded(self, deliver, event);
                if left.is_late(now()) {
                    break 'tick Progress::More;
                }
            }
            if left.spent || left.is_late(at_last(now(), pace.next_step())) && acted {
                break Progress::More;
            }
            let rows = left.rows.unwrap_or(usize::MAX).min(pace.rows());
            let stepped = self.step(rows);
            // What costs next to nothing says nothing about rows.
            if stepped.is_applying {
                pace.note(stepped.took);
            }
            match stepped.progress {
                Progress::Idle => break Progress::Idle,
                Progress::Waiting => {
                    self.hold_up();
                    self.wake_loop();
                    break Progress::Waiting;
                }
                Progress::More => acted = true,
            }
            if stepped.has_actions {
                self.wake_loop();
            }
            left.spend(rows, &stepped);
        };
        if acted {
            // It may read on, has other deadlines to keep, and can let go of what was applied.
            self.wake_loop();
        }
        let (messages, work_left) = self.read(|machine| (machine.messages(), machine.has_work()));
        let closed = !work_left && self.retire_ticks();
        if closed {
            self.wake_loop();
        }
        let more = progress == Progress::More;
        Ticked { work_left, messages: messages - before, more, closed }
    }

    fn step(&self, rows: usize) -> Stepped {
        self.with(|connection| {
            // Under the lock: waiting for it is no part of the step.
            let start = now();
            let progress = span::applying(connection, |machine| machine.step(start, rows));
            Stepped {
                progress,
                took: now().saturating_duration_since(start),
                messages: connection.messages(),
                is_applying: connection.is_applying(),
                has_actions: connection.has_actions(),
            }
        })
    }
}

impl Left {
    fn new(budget: Budget, messages: u64) -> Self {
        Self {
            until: budget.time.and_then(|time| after(now(), time)),
            rows: budget.rows.map(|rows| rows.max(1)),
            messages: budget.messages.map(|more| messages.saturating_add(more.max(1))),
            spent: false,
        }
    }

    /// A step of at most `rows` was made.
    fn spend(&mut self, rows: usize, stepped: &Stepped) {
        if let Some(left) = &mut self.rows {
            *left = left.saturating_sub(rows);
        }
        let began_all = self.messages.is_some_and(|last| stepped.messages >= last);
        self.spent = self.rows == Some(0) || (began_all && !stepped.is_applying);
    }

    fn is_late(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now >= until)
    }
}
