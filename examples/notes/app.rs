//! The program, apart from who drives it.

use lightlike::ClientBuilder;
use lightlike::calls::Accepted;
use lightlike::offline::Store;
use lightlike::prelude::*;

/// A row of the module's `note` table.
#[derive(Bsatn, Table, Clone, Debug, PartialEq)]
#[table(name = "note")]
pub(crate) struct Note {
    #[primary_key]
    pub(crate) id: u64, // assigned by the server
    pub(crate) title: String,
}

/// Sent at most once: if the answer is lost, nobody knows whether the note is there.
#[reducer]
pub(crate) fn add_note(title: String) -> Result<(), String>;

/// Sent again until it is answered: twice comes to the same.
#[reducer(idempotent)]
pub(crate) fn rename_note(id: u64, title: String) -> Result<(), String>;

/// Exactly once: sent again until it is answered, and the module skips calls that it has run.
#[reducer(idempotent)]
pub(crate) fn add_note_once(call: Uuid, title: String) -> Result<(), String>;

/// A client that works without a network: what it needs is in `store`.
pub(crate) fn builder(uri: &str, database: &str, store: impl Store) -> ClientBuilder {
    Client::builder(uri, database)
        .offline(store)
        .table::<Note>()
        .reducer::<RenameNote>()
        // What calls come to is shown at once, and again after a restart, until the server answers.
        .mutator::<AddNote, _>(|tx, call| {
            let id = tx.temp_id(); // never collides, never leaves a duplicate
            tx.insert(Note { id, title: call.title.clone() });
        })
        .mutator::<AddNoteOnce, _>(|tx, call| {
            let id = tx.temp_id();
            tx.insert(Note { id, title: call.title.clone() });
        })
        .mutator::<RenameNote, _>(|tx, call| {
            tx.update(Note { id: call.id, title: call.title.clone() });
        })
}

/// Makes the call that a line asks for, and says where it is when it is safe.
pub(crate) async fn command(db: &Client, line: &str) -> Result<Accepted, lightlike::Error> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let accepted = match (word, rest.split_once(' ')) {
        ("once", _) => {
            // The module knows the call by this name, and so does the stream of outcomes.
            let id = db.new_idempotency_key();
            db.call(add_note_once(id, rest.into())).idempotency_key(id).accepted().await?
        }
        ("rename", Some((id, title))) => {
            // The last note's id is a temporary one until the server has given it another. The call waits for that.
            let last = notes(db).last().map(|note| note.id);
            let id = if id == "last" { last } else { id.parse().ok() }.unwrap_or_default();
            db.call(rename_note(id, title.into())).accepted().await?
        }
        ("probed", _) => {
            // Whether it has run is found out by asking.
            let probe = format!("SELECT * FROM note WHERE title = '{}'", rest.replace('\'', "''"));
            db.call(add_note(rest.into())).probe(probe).accepted().await?
        }
        _ => db.call(add_note(line.into())).accepted().await?,
    };
    Ok(accepted)
}

/// The notes as they are here, oldest first.
pub(crate) fn notes(db: &Client) -> Vec<Note> {
    let mut notes: Vec<Note> = db.table::<Note>().iter().collect();
    notes.sort_by_key(|note| note.id);
    notes
}
