//! The chat module: its tables and reducers as structs, and the same module on the embedded server.

use lightlike::prelude::*;
use lightlike_testkit::{Server, Tx};

/// A row of `user`.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(name = "user")]
pub struct User {
    /// Identity of the person.
    #[primary_key]
    pub identity: Identity,
    /// Name that the person wants.
    pub name: Option<String>,
    /// `true` if the person has a connection.
    pub online: bool,
}

/// A row of `message`.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(name = "message")]
pub struct Message {
    /// Identity of the sender.
    pub sender: Identity,
    /// Time of sending.
    pub sent: Timestamp,
    /// Text of the message.
    pub text: String,
}

/// Gives the caller a name, which must not be empty.
#[reducer]
pub fn set_name(name: String) -> Result<(), String>;

/// Says something to everybody, which must not be empty.
#[reducer]
pub fn send_message(text: String) -> Result<(), String>;

/// The module on the embedded server. Its words are those of `tests/modules/chat`.
pub async fn embedded() -> Server {
    Server::builder()
        .database("chat")
        .table::<User>()
        .table::<Message>()
        .on_connect(|tx| {
            let name = tx.find(User::IDENTITY, &tx.sender()).and_then(|user| user.name);
            tx.upsert(User { identity: tx.sender(), name, online: true });
            Ok(())
        })
        .on_disconnect(|tx| {
            if let Some(user) = tx.find(User::IDENTITY, &tx.sender()) {
                tx.update(User { online: false, ..user });
            }
        })
        .reducer(|tx: &mut Tx, SetName { name }| {
            if name.is_empty() {
                return Err("Names must not be empty".into());
            }
            let user =
                tx.find(User::IDENTITY, &tx.sender()).ok_or("Cannot name an unknown user")?;
            tx.update(User { name: Some(name), ..user });
            Ok(())
        })
        .reducer(|tx: &mut Tx, SendMessage { text }| {
            if text.is_empty() {
                return Err("Messages must not be empty".into());
            }
            tx.insert(Message { sender: tx.sender(), sent: tx.timestamp(), text });
            Ok(())
        })
        .start()
        .await
}
