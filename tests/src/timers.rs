//! The module `timers` (see `tests/modules`): its tables and reducers as Rust. On a real server only: the embedded one has no
//! schedules.

use lightlike::prelude::*;

/// Row that was written, in the order of `id`.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(name = "timer_log")]
pub struct TimerLog {
    /// Assigned by the server.
    #[primary_key]
    pub id: u64,
    /// Writer of the row.
    pub text: String,
}

/// A reducer to come.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(name = "timer")]
pub struct Timer {
    /// Assigned by the server.
    #[primary_key]
    pub scheduled_id: u64,
    /// Time at which it runs.
    pub scheduled_at: ScheduleAt,
    /// Text that it writes.
    pub text: String,
    /// By how much it moves its own row.
    pub moves_millis: u64,
}

/// A procedure to come.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(name = "sleeper")]
pub struct Sleeper {
    /// Assigned by the server.
    #[primary_key]
    pub scheduled_id: u64,
    /// Time at which it runs.
    pub scheduled_at: ScheduleAt,
    /// Text that it writes.
    pub text: String,
    /// Time that it sleeps between its two lines.
    pub sleeps_millis: u64,
    /// By how much it moves its own row.
    pub moves_millis: u64,
}

/// At once a procedure, which sleeps; then a reducer for each of these times.
#[reducer]
pub fn sleep_beside_timers(sleeps_millis: u64, timers_millis: Vec<u64>);

/// A procedure, which moves its own row before it sleeps.
#[reducer]
pub fn move_while_it_sleeps(every_millis: u64, moves_millis: u64, sleeps_millis: u64);

/// A reducer, which moves its own row.
#[reducer]
pub fn move_while_it_runs(every_millis: u64, moves_millis: u64);
