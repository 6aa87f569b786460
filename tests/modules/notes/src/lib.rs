//! Notes, for clients that work offline. Each reducer shows a way to deliver a call whose answer was lost.

use spacetimedb::{ReducerContext, Table, TimeDuration, Timestamp, Uuid, reducer, table};

#[table(accessor = note, public)]
pub struct Note {
    #[primary_key]
    #[auto_inc]
    id: u64,
    title: String,
}

/// The calls that were run, by the names that clients gave them.
#[table(accessor = processed_call)]
pub struct ProcessedCall {
    #[primary_key]
    id: Uuid,
    #[index(btree)]
    at: Timestamp,
}

/// How long a call is remembered, in microseconds: longer than a client keeps one. 30 days.
const REMEMBERED: i64 = 30 * 24 * 60 * 60 * 1_000_000;

/// At most once: a second run would be a second note.
#[reducer]
pub fn add_note(ctx: &ReducerContext, title: String) -> Result<(), String> {
    if title.is_empty() {
        return Err("Notes must have a title".into());
    }
    ctx.db.note().insert(Note { id: 0, title });
    Ok(())
}

/// At least once: a second run comes to the same.
#[reducer]
pub fn rename_note(ctx: &ReducerContext, id: u64, title: String) -> Result<(), String> {
    ctx.db.note().id().find(id).ok_or("There is no such note")?;
    ctx.db.note().id().update(Note { id, title });
    Ok(())
}

/// At least once: a second run finds nothing to delete.
#[reducer]
pub fn delete_note(ctx: &ReducerContext, id: u64) {
    ctx.db.note().id().delete(id);
}

/// Exactly once: sent at least once, and run once, because a call that was run is known by its name. What the call does
/// and that it was done are one transaction.
#[reducer]
pub fn add_note_once(ctx: &ReducerContext, call: Uuid, title: String) -> Result<(), String> {
    if is_new(ctx, call) { add_note(ctx, title) } else { Ok(()) }
}

/// Whether a call of this name was not run before; from now on it was.
fn is_new(ctx: &ReducerContext, id: Uuid) -> bool {
    let calls = ctx.db.processed_call();
    if calls.id().find(id).is_some() {
        return false;
    }
    calls.insert(ProcessedCall { id, at: ctx.timestamp });
    let forgotten = ctx.timestamp - TimeDuration::from_micros(REMEMBERED);
    calls.at().delete(..forgotten);
    true
}
