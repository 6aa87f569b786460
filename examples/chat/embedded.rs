//! The database that runs inside the example, and somebody to talk to.

use lightlike::prelude::*;
use lightlike_testkit::{Server, Tx};

use crate::{Message, SendMessage, SetName, User, send_message, set_name};

/// A database with Grace in it. Both go when this is dropped.
pub(crate) struct Embedded {
    server: Server,
    _grace: Client,
}

impl Embedded {
    pub(crate) fn uri(&self) -> String {
        self.server.uri()
    }
}

/// Starts the database, and lets Grace in.
pub(crate) async fn start(database: &str) -> anyhow::Result<Embedded> {
    let server = Server::builder()
        .database(database)
        .table::<User>()
        .table::<Message>()
        .on_connect(|tx| {
            let user = tx.find(User::IDENTITY, &tx.sender());
            let name = user.and_then(|user| user.name);
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
            tx.upsert(User { identity: tx.sender(), name: Some(name), online: true });
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
        .await;
    let grace = grace(&server, database).await?;
    Ok(Embedded { server, _grace: grace })
}

/// Somebody who answers: a client like any other.
async fn grace(server: &Server, database: &str) -> anyhow::Result<Client> {
    let db = Client::builder(server.uri(), database).connect().await?;
    db.call(set_name("Grace".into())).await?;
    db.subscribe((User::all(), Message::all())).await?.keep();
    let me = db.identity();
    db.table::<Message>().on_insert(move |event, message| {
        if Some(message.sender) == me {
            return;
        }
        let view = event.view();
        let user = view.table::<User>().find(User::IDENTITY, &message.sender);
        let name = user.and_then(|user| user.name.as_deref()).unwrap_or("stranger");
        let answer = match &*message.text {
            "goodbye" => format!("see you, {name}"),
            text => format!("hello {name}! You said {} letters.", text.chars().count()),
        };
        event.db().call(send_message(answer)).forget();
    });
    Ok(db)
}
