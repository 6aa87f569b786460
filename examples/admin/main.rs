//! The HTTP API: publishes a module, calls it, asks for rows, compares a struct with the schema, and reads the log.
//!
//! ```text
//! $ tests/engine/run -- cargo run --example admin -- tests/modules/chat.wasm
//! published chat-… as c200…, which is new
//! the reducer refused: Names must not be empty
//! Ada is c200…
//! table message, column 2: server has sent: Timestamp, struct has sent: u64
//! ERROR External attempt to call nonexistent reducer "shout" failed. …
//! ```
//!
//! `$SPACETIMEDB_URI` names the server, which `tests/engine/run` starts and sets; otherwise it is that of `spacetime start`.

#![expect(clippy::print_stdout, reason = "it talks to a terminal")]

use lightlike::http::{ErrorKind, Http, LogOptions, Publish, PublishOp};
use lightlike::prelude::*;
use lightlike::schema::compare;

/// A row of the module's `user`; fields are found by their names.
#[derive(Bsatn)]
struct User {
    name: Option<String>,
    identity: Identity,
}

/// Row with another type than the module's `message`.
#[derive(Bsatn, Table)]
#[table(name = "message")]
struct Message {
    sender: Identity,
    sent: u64,
    text: String,
}

#[reducer]
fn set_name(name: String) -> Result<(), String>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Some(path) = std::env::args().nth(1) else { anyhow::bail!("usage: admin MODULE.wasm") };
    let uri = std::env::var("SPACETIMEDB_URI").unwrap_or_else(|_| "http://127.0.0.1:3000".into());
    let http = Http::new(&uri)?;
    let account = http.create_identity().await?;
    let http = http.with_token(account.token);

    let chat = format!("chat-{}", &account.identity.to_hex()[56..]);
    let published = http.publish(&chat, std::fs::read(path)?, Publish::default()).await?;
    let new = if published.op == PublishOp::Created { "new" } else { "an update" };
    println!("published {chat} as {}, which is {new}", published.identity);

    http.call_reducer(&chat, set_name("Ada".into())).await?;
    match http.call(&chat, "set_name", ("",)).await {
        Err(error) if error.kind() == ErrorKind::Rejected => {
            println!("the reducer refused: {}", error.text().unwrap_or_default());
        }
        other => anyhow::bail!("a name may be empty: {other:?}"),
    }
    let users: Vec<User> = http.sql(&chat, "SELECT * FROM user").await?.rows_by_name()?;
    for user in users.iter().filter(|user| user.name.is_some()) {
        println!("{} is {}", user.name.as_deref().unwrap_or_default(), user.identity);
    }

    for difference in compare(&http.schema(&chat).await?, &[Message::DEF], &[]) {
        println!("{difference}");
    }

    let _ = http.call(&chat, "shout", ()).await;
    let mut logs = http.logs(&chat, LogOptions::default().lines(2)).await?;
    while let Some(line) = logs.next().await.transpose()? {
        println!("{} {}", line.level, line.message);
    }
    http.delete(&chat).await?;
    Ok(())
}
