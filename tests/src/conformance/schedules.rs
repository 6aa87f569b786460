//! Reducers and procedures that the database itself calls: on a real server only.

use lightlike::prelude::*;

/// A row for each call to come.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct ScheduledRow {
    #[primary_key]
    #[auto_inc]
    pub scheduled_id: u64,
    pub scheduled_at: ScheduleAt,
    pub text: String,
}

/// Times at which a scheduled procedure was planned and ran.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct ProcedureRun {
    pub planned: Timestamp,
    pub ran: Timestamp,
}

#[reducer]
pub fn schedule_once(millis: u64, text: String);

#[reducer]
pub fn schedule_every(millis: u64, text: String);

/// Ends every schedule.
#[reducer]
pub fn unschedule();

/// Plans a procedure for after this time.
#[reducer]
pub fn schedule_procedure(millis: u64);
