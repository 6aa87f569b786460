//! What the database calls by itself, where that gets in its own way: a procedure and a reducer that are due at the same time, and
//! calls whose row is moved to another time while they run.

use spacetimedb::{
    ProcedureContext, ReducerContext, ScheduleAt, Table, TxContext, procedure, reducer, table,
};
use std::time::Duration;

/// What was written, in the order of `id`.
#[table(accessor = timer_log, public)]
pub struct TimerLog {
    #[primary_key]
    #[auto_inc]
    id: u64,
    text: String,
}

fn write(tx: &TxContext, text: String) {
    tx.db.timer_log().insert(TimerLog { id: 0, text });
}

/// A reducer to come. It writes its text.
#[table(accessor = timer, public, scheduled(run_timer))]
pub struct Timer {
    #[primary_key]
    #[auto_inc]
    scheduled_id: u64,
    scheduled_at: ScheduleAt,
    text: String,
    /// While it runs, it moves its own row to so many milliseconds later, once; never if this is 0.
    moves_millis: u64,
}

/// A procedure to come. It writes that it begins, sleeps, and writes that it ends.
#[table(accessor = sleeper, public, scheduled(run_sleeper))]
pub struct Sleeper {
    #[primary_key]
    #[auto_inc]
    scheduled_id: u64,
    scheduled_at: ScheduleAt,
    text: String,
    sleeps_millis: u64,
    /// While it runs, it moves its own row to so many milliseconds later, once; never if this is 0.
    moves_millis: u64,
}

#[reducer]
pub fn run_timer(ctx: &ReducerContext, row: Timer) {
    ctx.db.timer_log().insert(TimerLog { id: 0, text: row.text.clone() });
    if row.moves_millis > 0 {
        let later = ctx.timestamp + Duration::from_millis(row.moves_millis);
        ctx.db.timer().scheduled_id().update(Timer {
            scheduled_at: later.into(),
            text: format!("{}, moved", row.text),
            moves_millis: 0,
            ..row
        });
    }
}

#[procedure]
pub fn run_sleeper(ctx: &mut ProcedureContext, row: Sleeper) {
    let later = ctx.timestamp + Duration::from_millis(row.moves_millis);
    ctx.with_tx(|tx| write(tx, format!("{} begins", row.text)));
    if row.moves_millis > 0 {
        ctx.with_tx(|tx| {
            tx.db.sleeper().scheduled_id().update(Sleeper {
                scheduled_id: row.scheduled_id,
                scheduled_at: later.into(),
                text: format!("{}, moved", row.text),
                sleeps_millis: 0,
                moves_millis: 0,
            });
        });
    }
    ctx.sleep_until(ctx.timestamp + Duration::from_millis(row.sleeps_millis));
    ctx.with_tx(|tx| write(tx, format!("{} ends", row.text)));
}

/// At once a procedure, which sleeps; then a reducer for each of `timers_millis`, called by its number.
#[reducer]
pub fn sleep_beside_timers(ctx: &ReducerContext, sleeps_millis: u64, timers_millis: Vec<u64>) {
    ctx.db.sleeper().insert(Sleeper {
        scheduled_id: 0,
        scheduled_at: ctx.timestamp.into(),
        text: "procedure".into(),
        sleeps_millis,
        moves_millis: 0,
    });
    for (at, millis) in timers_millis.into_iter().enumerate() {
        ctx.db.timer().insert(Timer {
            scheduled_id: 0,
            scheduled_at: (ctx.timestamp + Duration::from_millis(millis)).into(),
            text: format!("reducer {}", at + 1),
            moves_millis: 0,
        });
    }
}

fn once_or_again(ctx: &ReducerContext, every_millis: u64) -> ScheduleAt {
    match every_millis {
        0 => ctx.timestamp.into(),
        millis => Duration::from_millis(millis).into(),
    }
}

/// A procedure (again and again, if `every_millis` is not 0) that moves its own row before it sleeps.
#[reducer]
pub fn move_while_it_sleeps(
    ctx: &ReducerContext,
    every_millis: u64,
    moves_millis: u64,
    sleeps_millis: u64,
) {
    ctx.db.sleeper().insert(Sleeper {
        scheduled_id: 0,
        scheduled_at: once_or_again(ctx, every_millis),
        text: "procedure".into(),
        sleeps_millis,
        moves_millis,
    });
}

/// A reducer (again and again, if `every_millis` is not 0) that moves its own row.
#[reducer]
pub fn move_while_it_runs(ctx: &ReducerContext, every_millis: u64, moves_millis: u64) {
    ctx.db.timer().insert(Timer {
        scheduled_id: 0,
        scheduled_at: once_or_again(ctx, every_millis),
        text: "reducer".into(),
        moves_millis,
    });
}
