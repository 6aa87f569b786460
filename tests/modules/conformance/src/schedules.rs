//! Reducers and procedures that the database itself calls, at a time or again and again.

use crate::procedures::{ProcedureRow, procedure_row};
use spacetimedb::{
    ProcedureContext, ReducerContext, ScheduleAt, Table, Timestamp, procedure, reducer, table,
};
use std::time::Duration;

/// A row for each call to come. That of a call at a time goes with the call; that of a repeated one stays.
#[table(accessor = scheduled_row, public, scheduled(run_scheduled))]
pub struct ScheduledRow {
    #[primary_key]
    #[auto_inc]
    scheduled_id: u64,
    scheduled_at: ScheduleAt,
    text: String,
}

/// Writes the text to `procedure_row`.
#[reducer]
pub fn run_scheduled(ctx: &ReducerContext, row: ScheduledRow) {
    ctx.db.procedure_row().insert(ProcedureRow { id: 0, text: row.text });
}

pub fn schedule(ctx: &ReducerContext, at: ScheduleAt, text: String) {
    ctx.db.scheduled_row().insert(ScheduledRow { scheduled_id: 0, scheduled_at: at, text });
}

#[reducer]
pub fn schedule_once(ctx: &ReducerContext, millis: u64, text: String) {
    schedule(ctx, (ctx.timestamp + Duration::from_millis(millis)).into(), text);
}

#[reducer]
pub fn schedule_every(ctx: &ReducerContext, millis: u64, text: String) {
    schedule(ctx, Duration::from_millis(millis).into(), text);
}

/// Ends every schedule.
#[reducer]
pub fn unschedule(ctx: &ReducerContext) {
    for row in ctx.db.scheduled_row().iter() {
        ctx.db.scheduled_row().scheduled_id().delete(row.scheduled_id);
    }
}

/// A procedure to come. It finds the time when it was planned in its row.
#[table(accessor = scheduled_procedure_row, scheduled(run_scheduled_procedure))]
pub struct ScheduledProcedureRow {
    #[primary_key]
    #[auto_inc]
    scheduled_id: u64,
    scheduled_at: ScheduleAt,
    planned: Timestamp,
}

/// When a scheduled procedure was planned and when it ran.
#[table(accessor = procedure_run, public)]
pub struct ProcedureRun {
    planned: Timestamp,
    ran: Timestamp,
}

#[procedure]
pub fn run_scheduled_procedure(ctx: &mut ProcedureContext, row: ScheduledProcedureRow) {
    let ran = ctx.timestamp;
    ctx.with_tx(|tx| {
        tx.db.procedure_run().insert(ProcedureRun { planned: row.planned, ran });
    });
}

/// Plans a procedure for after this time.
#[reducer]
pub fn schedule_procedure(ctx: &ReducerContext, millis: u64) {
    ctx.db.scheduled_procedure_row().insert(ScheduledProcedureRow {
        scheduled_id: 0,
        scheduled_at: (ctx.timestamp + Duration::from_millis(millis)).into(),
        planned: ctx.timestamp,
    });
}
