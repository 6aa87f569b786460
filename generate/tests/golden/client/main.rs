//! A client of the database `chat`: it says what changes there.

mod chat;

use lightlike::prelude::*;

#[tokio::main]
async fn main() -> Result<(), lightlike::Error> {
    let db = Client::builder("http://127.0.0.1:3000", "chat")
        // Who we are is kept between runs.
        .token_store(FileTokens::new("chat"))
        .connect()
        .await?;
    println!("connected as {:?}", db.identity());

    // Before the first rows come, so that they are heard of.
    watch_message(&db);
    watch_user(&db);

    // All rows come together, and are kept in step until this is dropped.
    let queries = (chat::Message::all(), chat::User::all());
    let _subscription = db.subscribe(queries).await?;

    // A call is answered when the server has committed it, and its rows are here by then:
    // db.call(chat::send_message(text)).await?;

    // A lost connection comes back by itself: this waits until it is closed for good.
    let closed = |state: &ConnectionState| matches!(state, ConnectionState::Closed(_));
    if let Ok(state) = db.state().wait_for(closed).await {
        println!("{state:?}");
    }
    Ok(())
}

fn watch_message(db: &Client) {
    let table = db.table::<chat::Message>();
    table.on_insert(|_, row| {
        println!("message: {row:?}");
    });
    table.on_delete(|_, row| {
        println!("message: no more {row:?}");
    });
}

fn watch_user(db: &Client) {
    let table = db.table::<chat::User>();
    table.on_insert(|_, row| {
        println!("user: {row:?}");
    });
    table.on_update(|_, old, new| {
        println!("user: {old:?} is now {new:?}");
    });
    table.on_delete(|_, row| {
        println!("user: no more {row:?}");
    });
}
