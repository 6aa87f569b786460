//! The module `notes` (see `tests/modules`): its tables and reducers as Rust, and the same module on the embedded server.

use lightlike::prelude::*;
use lightlike_testkit::{Server, Tx};

/// A row of `note`.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(name = "note")]
pub struct Note {
    /// Assigned by the server.
    #[primary_key]
    pub id: u64,
    /// Title of the note.
    pub title: String,
}

/// A row of `processed_call`.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(name = "processed_call")]
struct ProcessedCall {
    #[primary_key]
    id: Uuid,
    at: Timestamp,
}

/// Adds a note, whose title must not be empty. Sent at most once.
#[reducer]
pub fn add_note(title: String) -> Result<(), String>;

/// Gives a note another title. Sent until it is answered: twice comes to the same.
#[reducer(idempotent)]
pub fn rename_note(id: u64, title: String) -> Result<(), String>;

/// Deletes a note, if it is there. Sent until it is answered: twice comes to the same.
#[reducer(idempotent)]
pub fn delete_note(id: u64);

/// Adds a note, once however often it is sent: the module knows the calls that it has run.
#[reducer(idempotent)]
pub fn add_note_once(call: Uuid, title: String) -> Result<(), String>;

/// The module on the embedded server. Its words are those of `tests/modules/notes`.
pub async fn embedded() -> Server {
    Server::builder()
        .database("notes")
        .table::<Note>()
        .private_table::<ProcessedCall>()
        .reducer(|tx: &mut Tx, AddNote { title }| add(tx, title))
        .reducer(|tx: &mut Tx, RenameNote { id, title }| {
            tx.find(Note::ID, &id).ok_or("There is no such note")?;
            tx.update(Note { id, title });
            Ok(())
        })
        .reducer(|tx: &mut Tx, DeleteNote { id }| {
            tx.delete_by(Note::ID, &id);
            Ok(())
        })
        .reducer(add_once)
        .start()
        .await
}

/// Reducers of the later version of the module, `tests/modules/notes_changed`.
pub mod changed {
    use lightlike::prelude::*;

    /// Adds a note as often as that.
    #[reducer]
    pub fn add_note(title: String, copies: u8) -> Result<(), String>;
}

/// The later version of the module on the embedded server.
pub async fn embedded_changed() -> Server {
    Server::builder()
        .database("notes")
        .table::<Note>()
        .private_table::<ProcessedCall>()
        .reducer(|tx: &mut Tx, changed::AddNote { title, copies }| {
            (0..copies).try_for_each(|_| add(tx, title.clone()))
        })
        .reducer(add_once)
        .start()
        .await
}

fn add_once(tx: &mut Tx, AddNoteOnce { call, title }: AddNoteOnce) -> Result<(), String> {
    if tx.find(ProcessedCall::ID, &call).is_some() {
        return Ok(());
    }
    tx.insert(ProcessedCall { id: call, at: tx.timestamp() });
    add(tx, title)
}

fn add(tx: &mut Tx, title: String) -> Result<(), String> {
    if title.is_empty() {
        return Err("Notes must have a title".into());
    }
    let id = tx.next_id::<Note>();
    tx.insert(Note { id, title });
    Ok(())
}
