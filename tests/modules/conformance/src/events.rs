//! Event tables: rows that are delivered once and never stored.

use spacetimedb::{ReducerContext, Table, reducer, table};

#[table(accessor = test_event, public, event)]
pub struct TestEvent {
    name: String,
    value: u64,
}

/// An event of constant size.
#[table(accessor = tick_event, public, event)]
pub struct TickEvent {
    number: u32,
}

#[reducer]
pub fn emit_test_event(ctx: &ReducerContext, name: String, value: u64) {
    ctx.db.test_event().insert(TestEvent { name, value });
}

/// Three events, in this order, in one transaction.
#[reducer]
pub fn emit_multiple_test_events(ctx: &ReducerContext) {
    for (name, value) in [("a", 1), ("b", 2), ("c", 3)] {
        emit_test_event(ctx, name.into(), value);
    }
}

/// The same event `n` times in one transaction.
#[reducer]
pub fn emit_same_event(ctx: &ReducerContext, name: String, n: u32) {
    for _ in 0..n {
        emit_test_event(ctx, name.clone(), 0);
    }
}

/// Events 0 to `n` - 1 in one transaction.
#[reducer]
pub fn emit_events(ctx: &ReducerContext, n: u32) {
    for number in 0..n {
        ctx.db.tick_event().insert(TickEvent { number });
    }
}

/// An event and a stored row in one transaction.
#[reducer]
pub fn emit_event_with_row(ctx: &ReducerContext, name: String, value: u64) {
    crate::columns::insert_one_u64(ctx, value);
    emit_test_event(ctx, name, value);
}

/// An event that is never delivered: the transaction fails after it.
#[reducer]
pub fn emit_event_and_fail(ctx: &ReducerContext, name: String) -> Result<(), String> {
    emit_test_event(ctx, name, 0);
    Err("failed after the event".into())
}
