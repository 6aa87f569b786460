//! Procedures: what they return, how they fail, their transactions, and how they interleave with reducers.

use spacetimedb::{
    ProcedureContext, ReducerContext, SpacetimeType, Table, Timestamp, TxContext, procedure,
    reducer, table,
};
use std::time::Duration;

#[derive(SpacetimeType)]
pub struct ReturnStruct {
    a: u32,
    b: String,
}

#[derive(SpacetimeType)]
pub enum ReturnEnum {
    A(u32),
    B(String),
    C,
}

/// What was written, in the order of `id`.
#[table(accessor = procedure_row, public)]
pub struct ProcedureRow {
    #[primary_key]
    #[auto_inc]
    pub id: u64,
    pub text: String,
}

#[procedure]
pub fn return_primitive(_ctx: &mut ProcedureContext, lhs: u32, rhs: u32) -> u32 {
    lhs.wrapping_add(rhs)
}

#[procedure]
pub fn return_struct(_ctx: &mut ProcedureContext, a: u32, b: String) -> ReturnStruct {
    ReturnStruct { a, b }
}

#[procedure]
pub fn return_enum_a(_ctx: &mut ProcedureContext, a: u32) -> ReturnEnum {
    ReturnEnum::A(a)
}

#[procedure]
pub fn return_enum_b(_ctx: &mut ProcedureContext, b: String) -> ReturnEnum {
    ReturnEnum::B(b)
}

#[procedure]
pub fn return_enum_c(_ctx: &mut ProcedureContext) -> ReturnEnum {
    ReturnEnum::C
}

/// Returns nothing.
#[procedure]
pub fn return_unit(_ctx: &mut ProcedureContext) {}

#[procedure]
pub fn return_option(_ctx: &mut ProcedureContext, value: Option<u32>) -> Option<u32> {
    value
}

/// A value or a text that says why not: a result that the caller sees, not a failure of the procedure.
#[procedure]
pub fn return_result(_ctx: &mut ProcedureContext, even: u32) -> Result<u32, String> {
    match even % 2 {
        0 => Ok(even / 2),
        _ => Err(format!("{even} is odd")),
    }
}

/// `n` bytes.
#[procedure]
pub fn return_bytes(_ctx: &mut ProcedureContext, n: u32) -> Vec<u8> {
    (0..n).map(|i| i as u8).collect()
}

#[procedure]
pub fn will_panic(_ctx: &mut ProcedureContext) {
    panic!("this procedure always panics");
}

fn write(tx: &TxContext, text: &str) {
    tx.db.procedure_row().insert(ProcedureRow { id: 0, text: text.into() });
}

#[procedure]
pub fn insert_with_tx_commit(ctx: &mut ProcedureContext) {
    ctx.with_tx(|tx| write(tx, "committed"));
}

/// Writes a row and takes it back.
#[procedure]
pub fn insert_with_tx_rollback(ctx: &mut ProcedureContext) {
    let _: Result<(), ()> = ctx.try_with_tx(|tx| {
        write(tx, "rolled back");
        Err(())
    });
}

/// Two transactions: two updates for the client, in this order, before the result.
#[procedure]
pub fn insert_with_two_txs(ctx: &mut ProcedureContext) {
    ctx.with_tx(|tx| write(tx, "first"));
    ctx.with_tx(|tx| write(tx, "second"));
}

/// A committed transaction, then a panic: the row stays.
#[procedure]
pub fn insert_then_panic(ctx: &mut ProcedureContext) {
    ctx.with_tx(|tx| write(tx, "before the panic"));
    panic!("panicked after the commit");
}

/// Returns after this time; the result says when.
#[procedure]
pub fn sleep(ctx: &mut ProcedureContext, millis: u64) -> Timestamp {
    ctx.sleep_until(ctx.timestamp + Duration::from_millis(millis));
    ctx.timestamp
}

/// Writes, sleeps, writes again: what others do in between is seen in between.
#[procedure]
pub fn insert_around_sleep(ctx: &mut ProcedureContext, millis: u64) {
    ctx.with_tx(|tx| write(tx, "procedure, before its sleep"));
    sleep(ctx, millis);
    ctx.with_tx(|tx| write(tx, "procedure, after its sleep"));
}

#[reducer]
pub fn insert_procedure_row(ctx: &ReducerContext, text: String) {
    ctx.db.procedure_row().insert(ProcedureRow { id: 0, text });
}

/// Starts the scheduled reducer, then sleeps past it and writes.
#[procedure]
pub fn schedule_and_sleep(ctx: &mut ProcedureContext, schedule_millis: u64, sleep_millis: u64) {
    let at = ctx.timestamp + Duration::from_millis(schedule_millis);
    ctx.with_tx(|tx| {
        write(tx, "procedure, before its sleep");
        crate::schedules::schedule(tx, at.into(), "scheduled reducer".into());
    });
    sleep(ctx, sleep_millis);
    ctx.with_tx(|tx| write(tx, "procedure, after its sleep"));
}

/// Fetches a page and returns its body, or the error as text.
#[procedure]
pub fn fetch(ctx: &mut ProcedureContext, url: String) -> Result<String, String> {
    let reply = ctx.http.get(url.as_str()).map_err(|e| e.to_string())?;
    Ok(reply.into_body().into_string_lossy())
}

/// A request that cannot be sent.
#[procedure]
pub fn fetch_invalid(ctx: &mut ProcedureContext) -> String {
    match ctx.http.get("http://nowhere.invalid/") {
        Ok(_) => "a name that cannot exist has answered".into(),
        Err(error) => error.to_string(),
    }
}

/// A thousand rows of `pk_uuid` whose keys ascend, from a procedure.
#[procedure]
pub fn insert_sorted_uuids_with_tx(ctx: &mut ProcedureContext) -> Result<(), String> {
    ctx.try_with_tx(|tx| crate::keys::insert_sorted_uuids(tx))
}
