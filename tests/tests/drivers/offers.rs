//! What client and server agree on, where one of them is older or is asked for something else. The client's request is
//! changed on its way, so that the server is a real one all the same.

use std::io;

use lightlike::prelude::*;
use lightlike::{ClientBuilder, ErrorKind};
use lightlike_tests::chat::{Message, User, send_message, set_name};
use lightlike_tests::conformance::Log;
use lightlike_tests::target::Target;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, copy_bidirectional, duplex};
use tokio::net::TcpStream;

const OFFER: &str = "v3.bsatn.spacetimedb, v2.bsatn.spacetimedb";
const V2: &str = "v2.bsatn.spacetimedb";
const V1: &str = "v1.bsatn.spacetimedb";

/// A client's stream to a server, in whose first request one text is another.
async fn changed(server: String, from: &'static str, to: &'static str) -> io::Result<DuplexStream> {
    let mut server = TcpStream::connect(server).await?;
    let (client, mut requests) = duplex(64 * 1024);
    tokio::task::spawn(async move {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(requests.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains(from), "{head}");
        server.write_all(head.replace(from, to).as_bytes()).await.unwrap();
        // Either side may end it.
        let _ = copy_bidirectional(&mut requests, &mut server).await;
    });
    Ok(client)
}

fn changing(target: &Target, from: &'static str, to: &'static str) -> ClientBuilder {
    let server = target.uri().trim_start_matches("http://").to_owned();
    target.builder().transport(move |_| changed(server.clone(), from, to))
}

/// Events of a client for its own calls and for another client's.
async fn hears(db: &Client, other: &Client, log: &Log) -> Vec<String> {
    let _all = db.subscribe((User::all(), Message::all())).await.unwrap();
    let said = log.clone();
    db.table::<Message>().on_insert(move |event, message| {
        let args = event.call::<lightlike_tests::chat::SendMessage>().map(|call| call.text);
        said.push(format!("{} by {args:?}, mine: {}", message.text, event.is_mine()));
    });
    let named = log.clone();
    db.table::<User>().on_update(move |event, _, new| {
        if let Some(name) = &new.name {
            named.push(format!("{name}, mine: {}", event.is_mine()));
        }
    });
    db.call(set_name("Ada".into())).await.unwrap();
    let mut messages = db.table::<Message>().inserts();
    other.call(send_message("from afar".into())).await.unwrap();
    messages.next().await.unwrap().unwrap();
    db.call(send_message("from here".into())).await.unwrap();
    log.take()
}

#[tokio::test]
async fn v2_server_is_served_in_v2() {
    let target = Target::chat().await;
    let db = changing(&target, OFFER, V2).connect().await.unwrap();
    let other = target.connect().await;
    let heard = hears(&db, &other, &Log::default()).await;
    let expected = [
        "Ada, mine: true",
        "from afar by None, mine: false",
        "from here by Some(\"from here\"), mine: true",
    ];
    assert_eq!(heard, expected);
    let many: Vec<_> = (0..50).map(|i| db.call(send_message(format!("{i}"))).send()).collect();
    for call in many {
        call.await.unwrap();
    }
    let stats = db.stats();
    assert_eq!(stats.frames_sent, stats.messages_sent, "one message a frame");
    assert_eq!(stats.frames_received, stats.messages_received, "one message a frame");
}

/// Official scenario `v1-rejects-event-table`, from this side: there is no v1 here, so that a server (or an engine, which
/// still speaks it) that chooses it is refused before anything is asked of it.
#[tokio::test]
async fn v1_server_is_refused_with_requirement() {
    let target = Target::chat().await;
    let error = changing(&target, OFFER, V1).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(!error.is_retryable(), "{error:?}");
    let told = format!("{error:?}");
    match &target {
        // It knows v2 and v3 only, and refuses the offer.
        Target::Embedded(_) => assert!(told.contains("400"), "{told}"),
        Target::Real(_) => {
            for part in [V1, V2, "v3.bsatn.spacetimedb", "every 2.x server"] {
                assert!(told.contains(part), "{told}");
            }
        }
    }
}

/// `light=true` in the address takes the caller and the arguments out of what v1 tells of transactions. v2 and v3 tell
/// nobody of them but the caller, so there is nothing to take out, and the client does not offer it.
#[tokio::test]
async fn light_mode_changes_nothing() {
    let mut heard = Vec::new();
    for light in ["subscribe?", "subscribe?light=true&"] {
        let target = Target::chat().await;
        let db = changing(&target, "subscribe?", light).connect().await.unwrap();
        let other = target.connect().await;
        heard.push(hears(&db, &other, &Log::default()).await);
    }
    assert_eq!(heard[0].len(), 3);
    assert_eq!(heard[0], heard[1]);
}
