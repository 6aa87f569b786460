//! A web server with a client inside: a page of live messages, and a form.
//!
//! ```text
//! $ cargo run --example board
//! the board is at http://127.0.0.1:8080
//! ```
//!
//! Every handler reads the local cache: a page costs the database nothing. Without `--uri` the database runs inside
//! this program.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use clap::Parser;
use lightlike::prelude::*;
use lightlike_testkit::{Server, Tx};

/// A row of the chat module's `message` table.
#[derive(Bsatn, Table, Clone, Debug, PartialEq)]
#[table(name = "message")]
struct Message {
    sender: Identity,
    sent: Timestamp,
    text: String,
}

/// Says something to everybody.
#[reducer]
fn send_message(text: String) -> Result<(), String>;

/// A board of messages on the web.
#[derive(Parser)]
struct Args {
    /// The server, such as http://127.0.0.1:3000; without it one runs inside this program.
    #[arg(long)]
    uri: Option<String>,
    /// The database's name.
    #[arg(long, default_value = "chat")]
    database: String,
    /// Address to listen at.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "it tells where it is")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let embedded = match args.uri {
        Some(_) => None,
        None => Some(database(&args.database).await),
    };
    let uri = args.uri.or_else(|| embedded.as_ref().map(Server::uri)).unwrap_or_default();
    let db = Client::builder(uri, &args.database).connect().await?;
    db.subscribe(Message::all()).await?.keep();

    let listener = tokio::net::TcpListener::bind(args.listen).await?;
    println!("the board is at http://{}", listener.local_addr()?);
    axum::serve(listener, app(db)).await?;
    Ok(())
}

/// The client is cheap to clone, so each handler has its own.
fn app(db: Client) -> Router {
    Router::new().route("/", get(page)).route("/messages", get(messages).post(post)).with_state(db)
}

/// The newest messages, oldest first, out of the cache.
fn newest(db: &Client) -> Vec<(String, String)> {
    let view = db.read();
    let mut rows: Vec<&Message> = view.table::<Message>().iter().collect();
    rows.sort_by_key(|message| message.sent);
    let skip = rows.len().saturating_sub(50);
    let newest = rows[skip..].iter();
    newest.map(|row| (row.sender.abbreviated().to_string(), row.text.clone())).collect()
}

async fn page(State(db): State<Client>) -> Html<String> {
    let mut list = String::new();
    for (from, text) in newest(&db) {
        let _ = write!(list, "<li><code>{from}</code> {}</li>", escape(&text));
    }
    Html(format!(
        "<!doctype html><title>Board</title><h1>Board</h1><ul>{list}</ul>\
         <form id=f><input id=t autofocus><button>Say</button></form>\
         <script>f.onsubmit = async e => {{ e.preventDefault();\
         await fetch('/messages', {{ method: 'POST', body: t.value }}); location.reload() }}</script>"
    ))
}

async fn messages(State(db): State<Client>) -> Json<Vec<BTreeMap<&'static str, String>>> {
    let object = |(from, text)| BTreeMap::from([("from", from), ("text", text)]);
    Json(newest(&db).into_iter().map(object).collect())
}

/// Passes the text on, and the module's refusal back.
async fn post(State(db): State<Client>, text: String) -> Response {
    match db.call(send_message(text)).await {
        Ok(()) => StatusCode::CREATED.into_response(),
        Err(CallError::Rejected(why)) => (StatusCode::UNPROCESSABLE_ENTITY, why).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// A database that runs inside this program.
async fn database(name: &str) -> Server {
    Server::builder()
        .database(name)
        .table::<Message>()
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
