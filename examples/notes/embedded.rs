//! The database that runs inside the example.

use lightlike::prelude::*;
use lightlike_testkit::{Server, Tx};

use crate::app::{AddNote, AddNoteOnce, Note, RenameNote};

/// The calls that were run, by the names that clients gave them.
#[derive(Bsatn, Table)]
#[table(name = "processed_call")]
struct ProcessedCall {
    #[primary_key]
    id: Uuid,
}

/// Starts the database.
pub(crate) async fn start() -> Server {
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
        .reducer(|tx: &mut Tx, AddNoteOnce { call, title }| {
            // What the call does and that it was done are one transaction.
            if tx.find(ProcessedCall::ID, &call).is_some() {
                return Ok(());
            }
            tx.insert(ProcessedCall { id: call });
            add(tx, title)
        })
        .start()
        .await
}

fn add(tx: &mut Tx, title: String) -> Result<(), String> {
    if title.is_empty() {
        return Err("Notes must have a title".into());
    }
    let id = tx.next_id::<Note>();
    tx.insert(Note { id, title });
    Ok(())
}
