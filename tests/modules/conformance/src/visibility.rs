//! What a client may not see: a private table, and rows of others.

use spacetimedb::{
    Filter, Identity, ReducerContext, Table, client_visibility_filter, reducer, table,
};

/// Only the owner may query it.
#[table(accessor = secret, private)]
pub struct Secret {
    #[primary_key]
    id: u32,
    text: String,
}

#[reducer]
pub fn insert_secret(ctx: &ReducerContext, id: u32, text: String) -> Result<(), String> {
    let inserted = ctx.db.secret().try_insert(Secret { id, text });
    inserted.map(|_| ()).map_err(|e| e.to_string())
}

/// Each client sees its own notes.
#[table(accessor = note, public)]
pub struct Note {
    #[primary_key]
    #[auto_inc]
    id: u64,
    #[index(btree)]
    owner: Identity,
    text: String,
}

#[client_visibility_filter]
const OWN_NOTES: Filter = Filter::Sql("SELECT * FROM note WHERE note.owner = :sender");

#[reducer]
pub fn insert_note(ctx: &ReducerContext, text: String) {
    ctx.db.note().insert(Note { id: 0, owner: ctx.sender(), text });
}

/// Gives a note to another identity: one client's row goes, another's comes.
#[reducer]
pub fn give_note(ctx: &ReducerContext, id: u64, owner: Identity) -> Result<(), String> {
    let notes = ctx.db.note().id();
    let note = notes.find(id).ok_or("no note has this id")?;
    if note.owner != ctx.sender() {
        return Err("this note is somebody else's".into());
    }
    notes.update(Note { owner, ..note });
    Ok(())
}
