//! A chat: your own structs, live tables, typed calls.
//!
//! ```text
//! $ cargo run --example chat
//! connected to `chat` at http://127.0.0.1:… as c200…1b54
//! * somebody is here: Grace
//! ```
//!
//! Without `--uri` it starts a database inside the program, with somebody in it to talk to.

mod embedded;

use std::io::IsTerminal as _;

use anyhow::Context as _;
use lexopt::prelude::*;
use lightlike::prelude::*;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::mpsc;

/// A row of the module's `user` table. The derives replace generated bindings.
#[derive(Bsatn, Table, Clone, Debug, PartialEq)]
#[table(name = "user")]
struct User {
    #[primary_key]
    identity: Identity,
    name: Option<String>,
    online: bool,
}

/// A row of the module's `message` table, which has no primary key: a set of rows.
#[derive(Bsatn, Table, Clone, Debug, PartialEq)]
#[table(name = "message")]
struct Message {
    sender: Identity,
    sent: Timestamp,
    text: String,
}

/// Gives the caller a name.
#[reducer]
fn set_name(name: String) -> Result<(), String>;

/// Says something to everybody.
#[reducer]
fn send_message(text: String) -> Result<(), String>;

const USAGE: &str = "\
A chat in the terminal

usage: chat [--uri URI] [--database DATABASE] [--name NAME]
  --uri URI            the server, such as http://127.0.0.1:3000; without it one runs inside this program
  --database DATABASE  the database's name, by default chat
  --name NAME          what to be called, by default Ada";

/// Arguments of the command line.
struct Args {
    uri: Option<String>,
    database: String,
    name: String,
    help: bool,
}

impl Args {
    fn parse(mut parser: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let mut args =
            Self { uri: None, database: "chat".to_owned(), name: "Ada".to_owned(), help: false };
        while let Some(arg) = parser.next()? {
            match arg {
                Long("uri") => args.uri = Some(parser.value()?.string()?),
                Long("database") => args.database = parser.value()?.string()?,
                Long("name") => args.name = parser.value()?.string()?,
                Short('h') | Long("help") => args.help = true,
                _ => return Err(arg.unexpected()),
            }
        }
        Ok(args)
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the terminal is what this is about")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse(lexopt::Parser::from_env()).context(USAGE)?;
    if args.help {
        println!("{USAGE}");
        return Ok(());
    }
    match &args.uri {
        Some(uri) => chat(uri, &args.database, args.name, typed).await,
        None => {
            let embedded = embedded::start(&args.database).await?;
            // Where nobody types, a script does.
            let terminal = std::io::stdin().is_terminal();
            let lines = if terminal { typed } else { scripted };
            chat(&embedded.uri(), &args.database, args.name, lines).await
        }
    }
}

#[expect(clippy::print_stdout, reason = "the terminal is what this is about")]
async fn chat(
    uri: &str,
    database: &str,
    name: String,
    lines: fn(&Client) -> mpsc::Receiver<String>,
) -> anyhow::Result<()> {
    let db = Client::builder(uri, database).connect().await?;
    let me = db.identity().context("the server greets by saying who we are")?;
    println!("connected to `{database}` at {uri} as {}", me.abbreviated());

    // Both tables are there at once, when this resolves.
    let _subscription = db.subscribe((User::all(), Message::all())).await?;
    let view = db.read();
    let mut history: Vec<&Message> = view.table::<Message>().iter().collect();
    history.sort_by_key(|message| message.sent);
    for message in &history {
        println!("{}: {}", author(&db, &message.sender), message.text);
    }
    for user in view.table::<User>().iter().filter(|user| user.online && user.identity != me) {
        println!("* somebody is here: {}", shown(user));
    }
    drop(view);

    // Callbacks run in the server's order, and before the call that caused them is answered.
    db.table::<User>().on_update(move |_, old, new| {
        if old.name != new.name {
            let who = if new.identity == me { "you are" } else { "somebody is" };
            println!("* {who} {} now", shown(new));
        } else if old.online != new.online {
            println!("* {} {}", shown(new), if new.online { "came" } else { "went" });
        }
    });
    db.table::<Message>().on_insert(|event, message| {
        println!("{}: {}", author(event.db(), &message.sender), message.text);
    });
    db.call(set_name(name)).await?;

    let mut lines = lines(&db);
    while let Some(line) = lines.recv().await {
        let outcome = match line.strip_prefix("/name ") {
            Some(name) => db.call(set_name(name.to_owned())).await,
            None => db.call(send_message(line)).await,
        };
        match outcome {
            Ok(()) => (),
            Err(CallError::Rejected(why)) => println!("the server refused: {why}"),
            Err(error) => return Err(error.into()),
        }
    }
    db.disconnect().await;
    Ok(())
}

fn author(db: &Client, identity: &Identity) -> String {
    let view = db.read();
    let user = view.table::<User>().find(User::IDENTITY, identity);
    user.map_or_else(|| identity.abbreviated().to_string(), shown)
}

fn shown(user: &User) -> String {
    user.name.clone().unwrap_or_else(|| user.identity.abbreviated().to_string())
}

/// The lines that somebody types.
fn typed(_db: &Client) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if sender.send(line).await.is_err() {
                return;
            }
        }
    });
    receiver
}

/// One half of a conversation: each line comes when somebody has answered the one before.
fn scripted(db: &Client) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    let (mut messages, me) = (db.table::<Message>().inserts(), db.identity());
    tokio::spawn(async move {
        for line in ["hello, is anybody here?", "", "goodbye"] {
            if sender.send(line.to_owned()).await.is_err() || line.is_empty() {
                continue;
            }
            while let Some(Ok(message)) = messages.next().await {
                if Some(message.row.sender) != me {
                    break;
                }
            }
        }
    });
    receiver
}
