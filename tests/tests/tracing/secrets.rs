//! No error, no `Debug`, no event and no span has a token in it, whatever the server makes of the token.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use lightlike::auth::MemoryTokens;
use lightlike::auth::Refresh;
use lightlike::connection::SchemaCheck;
use lightlike::http::{Http, LogOptions, Publish};
use lightlike::prelude::*;
use lightlike_tests::target::Target;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tracing::Level;

use crate::recorder::Recorder;

/// Nothing else contains it.
const MARKER: &str = "marker0.marker1.marker2";

/// What a hostile server answers with; `{}` is the token that it was given.
const ANSWERS: [&str; 10] = [
    "HTTP/1.1 401 Unauthorized\r\ncontent-length: 40\r\n\r\nbad token: {}                            ",
    "HTTP/1.1 403 Forbidden\r\ncontent-length: 22\r\n\r\n{}",
    "HTTP/1.1 302 Found\r\nlocation: http://{}@host/login?token={}&from={}\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 500 Oh\r\ncontent-type: text/html\r\ncontent-length: 60\r\n\r\n<html><title>{}</title></html>                                   ",
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 25\r\n\r\n\"{}\"",
    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 23\r\n\r\n{}",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {}\r\nx-token: {}\r\n\r\n",
    "HTTP/1.1 101 {}\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nlink: {}\r\n\r\nHTTP/1.1 404 {}\r\ncontent-length: 23\r\n\r\n{}",
    "{}\r\n\r\n",
];

/// A server that quotes whatever token it is given, in one way after the other. Its address.
async fn quoting() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let serve = async move {
        for answer in ANSWERS.iter().cycle() {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            let len = socket.read(&mut head).await.unwrap_or(0);
            assert!(String::from_utf8_lossy(&head[..len]).contains(MARKER), "it is presented");
            let _ = socket.write_all(answer.replace("{}", MARKER).as_bytes()).await;
        }
    };
    tokio::spawn(serve);
    uri
}

/// Everything that was shown.
#[derive(Default)]
struct Shown(Vec<String>);

impl Shown {
    fn debug(&mut self, value: &impl Debug) {
        self.0.push(format!("{value:?}"));
        self.0.push(format!("{value:#?}"));
    }

    /// An error in all the ways in which one is shown, with what is behind it.
    fn error(&mut self, error: &(impl StdError + 'static)) {
        let mut next: Option<&dyn StdError> = Some(error);
        while let Some(error) = next {
            self.0.push(format!("{error}"));
            self.0.push(format!("{error:?}"));
            next = error.source();
        }
    }
}

#[tokio::test]
async fn no_error_debug_or_log_shows_the_token() {
    let (recorder, _listening) = Recorder::listen(Level::TRACE);
    let mut shown = Shown::default();
    let uri = quoting().await;
    for _ in ANSWERS {
        let builder = Client::builder(&uri, "chat").token(MARKER);
        shown.debug(&builder);
        shown.error(&builder.connect().await.unwrap_err());
        let kept = Arc::new(MemoryTokens::new());
        lightlike::auth::TokenStore::save(&kept, MARKER).unwrap();
        shown.debug(&kept);
        let builder = Client::builder(&uri, "chat").token_store(kept);
        shown.error(&builder.connect().await.unwrap_err());
        let refresh = Refresh::new(|wanted| {
            std::future::ready(Ok::<_, std::io::Error>(
                wanted.token.unwrap_or_else(|| MARKER.into()),
            ))
        });
        shown.debug(&refresh);
        let builder = Client::builder(&uri, "chat").refresh_token(refresh).token_in_query(true);
        shown.error(&builder.connect().await.unwrap_err());
        let db = Client::builder(&uri, "chat").token(MARKER).build().unwrap();
        db.start().unwrap();
        let mut state = db.state();
        let left = |state: &ConnectionState| {
            !matches!(state, ConnectionState::Idle | ConnectionState::Connecting)
        };
        shown.debug(&state.wait_for(left).await.unwrap());
        shown.debug(&db);
        db.disconnect().await;
    }
    let http = Http::new(&uri).unwrap().with_token(MARKER);
    shown.debug(&http);
    for _ in ANSWERS {
        for outcome in [
            http.ping().await,
            http.create_identity().await.map(drop),
            http.verify_identity(Identity::ZERO).await.map(drop),
            http.websocket_token().await.map(drop),
            http.public_key().await.map(drop),
            http.health().await.map(drop),
            http.database("chat").await.map(drop),
            http.database_identity("chat").await.map(drop),
            http.names("chat").await.map(drop),
            http.set_names("chat", &["lobby"]).await,
            http.delete("chat").await,
            http.publish("chat", "module", Publish::default().break_clients(MARKER))
                .await
                .map(drop),
            http.schema("chat").await.map(drop),
            http.timestamp("chat").await.map(drop),
            http.sql("chat", "SELECT 1").await.map(drop),
            http.logs("chat", LogOptions::default()).await.map(drop),
        ] {
            // A text may be what a route answers with: then it is what was asked for.
            if let Err(error) = outcome {
                shown.error(&error);
            }
        }
    }
    for shown in shown.0.iter().chain(&recorder.values()) {
        for part in MARKER.split('.') {
            assert!(!shown.contains(part), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_live_client_shows_its_token_nowhere() {
    let target = Target::chat().await;
    let (recorder, _listening) = Recorder::listen(Level::TRACE);
    let mut shown = Shown::default();
    let db = target.builder().schema_check(SchemaCheck::Warn).connect().await.unwrap();
    let token = db.token().unwrap();
    shown.debug(&db);
    shown.debug(&db.downgrade());
    shown.debug(&db.read());
    shown.debug(&db.stats());
    db.check_schema().await.unwrap();
    db.disconnect().await;
    shown.debug(&db);
    for shown in shown.0.iter().chain(&recorder.values()) {
        assert!(!shown.contains(&token), "{shown}");
    }
}

#[test]
fn addresses_are_shown_without_user_and_password() {
    for uri in [
        "http://ada:marker@host",
        "http://marker@host:3000/x",
        "ftp://ada:marker@host",
        "ada:marker@host",
        "http://host/?token=marker",
        "http://host?x=1&access_token=marker#y",
        "http://ada:mar/ker@host",
        "http://ada:mar?marker@host",
    ] {
        let mut shown = Shown::default();
        let builder = Client::builder(uri, "chat");
        shown.debug(&builder);
        shown.error(&builder.build().unwrap_err());
        shown.error(&Http::new(uri).unwrap_err());
        for shown in shown.0 {
            assert!(!shown.contains("marker") && !shown.contains("ker@"), "{shown}");
        }
    }
    let error = Client::builder("http://ada:pw@host", "chat").build().unwrap_err();
    assert!(error.to_string().contains("`http://***@host` has a user"), "{error}");
}

/// The warnings about tokens that travel in the open.
fn plain_text(recorder: &Recorder) -> Vec<String> {
    let events = recorder.events().into_iter();
    let warned = events.filter(|event| event.name == "lightlike.token.plain_text");
    warned.map(|event| event.fields["address"].clone()).collect()
}

#[tokio::test]
async fn plain_text_token_warns_once_per_client() {
    let target = Target::chat().await;
    let Target::Embedded(server) = &target else { return };
    let address = server.uri().replace("http://", "");
    let (recorder, _listening) = Recorder::listen(Level::WARN);
    // A name that leads here, as a tunnel's would.
    let elsewhere = |uri: &str| {
        let address = address.clone();
        Client::builder(uri, server.database())
            .schema_check(SchemaCheck::Off)
            .transport(move |_| TcpStream::connect(address.clone()))
    };
    let db = elsewhere("http://database.example").connect().await.unwrap();
    assert_eq!(plain_text(&recorder), [""; 0], "nothing was sent yet");
    let token = db.token().unwrap();
    for _ in 0..2 {
        let lost = Arc::new(Mutex::new(db.state()));
        server.disconnect_all();
        let mut state = lost.lock().unwrap().clone();
        let gone = |state: &ConnectionState| matches!(state, ConnectionState::Reconnecting { .. });
        state.wait_for(gone).await.unwrap();
        db.reconnect_now();
        state.wait_for(|state| matches!(state, ConnectionState::Ready)).await.unwrap();
    }
    assert_eq!(plain_text(&recorder).len(), 1, "{:?}", plain_text(&recorder));
    for uri in ["http://localhost", "http://127.9.9.9", "http://[::1]", "ws://db.localhost:3000"] {
        elsewhere(uri).token(&token).connect().await.unwrap();
    }
    assert_eq!(plain_text(&recorder).len(), 1, "this machine: {:?}", plain_text(&recorder));
    elsewhere("ws://database.example:3000/base").token(&token).connect().await.unwrap_err();
    let warned = plain_text(&recorder);
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(warned[1].contains("http://database.example:3000/base"), "{warned:?}");
    let http = Http::new("http://192.0.2.1:1").unwrap().with_token(&token);
    let http = http.with_timeout(std::time::Duration::from_millis(1));
    let _ = (http.ping().await.is_err(), http.clone().ping().await.is_err());
    assert_eq!(plain_text(&recorder).len(), 3);
}
