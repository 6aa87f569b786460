//! Rows that a client may not see: of a private table, and of others.

use lightlike::prelude::*;
use lightlike_testkit::{Builder, Tx};

use super::keys::insert;

/// Private.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct Secret {
    #[primary_key]
    pub id: u32,
    pub text: String,
}

#[reducer]
pub fn insert_secret(id: u32, text: String) -> Result<(), String>;

/// Each client sees its own notes; on the embedded server everybody sees all.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct Note {
    #[primary_key]
    #[auto_inc]
    pub id: u64,
    #[index(btree)]
    pub owner: Identity,
    pub text: String,
}

#[reducer]
pub fn insert_note(text: String);

/// Gives a note to another identity: one client's row goes, another's comes.
#[reducer]
pub fn give_note(id: u64, owner: Identity) -> Result<(), String>;

pub(super) fn install(builder: Builder) -> Builder {
    builder
        .private_table::<Secret>()
        .reducer(|tx: &mut Tx, InsertSecret { id, text }| insert(tx, Secret { id, text }))
        .table::<Note>()
        .reducer(|tx: &mut Tx, InsertNote { text }| {
            let id = tx.next_id::<Note>();
            tx.insert(Note { id, owner: tx.sender(), text });
            Ok(())
        })
        .reducer(|tx: &mut Tx, GiveNote { id, owner }| {
            let note = tx.find(Note::ID, &id).ok_or("no note has this id")?;
            if note.owner != tx.sender() {
                return Err("this note is somebody else's".into());
            }
            tx.update(Note { owner, ..note });
            Ok(())
        })
}
