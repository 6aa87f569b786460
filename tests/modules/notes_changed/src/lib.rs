//! A later version of `notes`: its tables, and reducers that take something else or are gone. A call that was kept by a
//! client of the earlier version does not fit.

use spacetimedb::{ReducerContext, Table, Timestamp, Uuid, reducer, table};

#[table(accessor = note, public)]
pub struct Note {
    #[primary_key]
    #[auto_inc]
    id: u64,
    title: String,
}

/// As it was, so that the database can be taken over.
#[table(accessor = processed_call)]
pub struct ProcessedCall {
    #[primary_key]
    id: Uuid,
    #[index(btree)]
    at: Timestamp,
}

/// It takes how often, too.
#[reducer]
pub fn add_note(ctx: &ReducerContext, title: String, copies: u8) -> Result<(), String> {
    for _ in 0..copies {
        ctx.db.note().insert(Note { id: 0, title: title.clone() });
    }
    Ok(())
}

/// As it was.
#[reducer]
pub fn add_note_once(ctx: &ReducerContext, call: Uuid, title: String) -> Result<(), String> {
    if ctx.db.processed_call().id().find(call).is_none() {
        ctx.db.processed_call().insert(ProcessedCall { id: call, at: ctx.timestamp });
        ctx.db.note().insert(Note { id: 0, title });
    }
    Ok(())
}
