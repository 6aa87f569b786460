//! Handshakes and plain requests: who gets a WebSocket, on which terms, and other answers of the server.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::client::{Client, Options, Seen};
use common::world::{Note, world};
use lightlike::types::{ConnectionId, Timestamp};
use lightlike_core::wire::{Compression, Protocol, ServerMessage};
use lightlike_testkit::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

/// The status and body of a refusal.
async fn refusal(server: &Server, options: &Options) -> (u16, String) {
    match Client::open(server, options).await {
        Err(Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            (response.status().as_u16(), String::from_utf8(body).unwrap())
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the server let the client in"),
    }
}

/// Sends a request as it stands and returns the status, the head and the body of the answer.
async fn http(server: &Server, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(server.uri().trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

async fn get(server: &Server, path: &str, headers: &str) -> (u16, String, String) {
    http(server, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n"))
        .await
}

async fn post(server: &Server, path: &str, headers: &str) -> (u16, String, String) {
    http(server, &format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n"))
        .await
}

#[tokio::test]
async fn the_servers_order_decides_the_protocol() {
    let server = world().start().await;
    for (offer, want) in [
        ("v2.bsatn.spacetimedb, v3.bsatn.spacetimedb", Protocol::V3),
        ("v1.json.spacetimedb,v2.bsatn.spacetimedb", Protocol::V2),
        ("v3.bsatn.spacetimedb", Protocol::V3),
    ] {
        let client = Client::connect_with(
            &server,
            &Options { protocols: offer.into(), ..Options::default() },
        )
        .await;
        assert_eq!(client.protocol, want, "{offer}");
        assert_eq!(server.connections().last().unwrap().protocol, want);
    }
    for offer in ["", "v1.bsatn.spacetimedb", "chat"] {
        let options = Options { protocols: offer.into(), ..Options::default() };
        assert_eq!(
            refusal(&server, &options).await,
            (400, "no valid protocol selected".into()),
            "{offer}"
        );
    }
}

#[tokio::test]
async fn new_client_learns_and_keeps_identity() {
    let server = world().start().await;
    let first = Client::connect(&server).await;
    assert!(first.identity.to_hex().starts_with("c200"));
    let header =
        |name: &str| first.response.headers().get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(header("spacetime-identity"), first.identity.to_hex());
    assert_eq!(header("spacetime-identity-token"), first.token);

    let again = Client::connect_with(&server, &Options::token(&first.token)).await;
    assert_eq!((again.identity, again.token.as_str()), (first.identity, first.token.as_str()));
    assert_ne!(again.id, first.id);
    let in_query =
        Client::connect_with(&server, &Options::query(&format!("token={}", first.token))).await;
    assert_eq!(in_query.identity, first.identity);
    assert_ne!(Client::connect(&server).await.identity, first.identity);

    let (identity, token) = server.create_identity();
    assert_eq!(Client::connect_with(&server, &Options::token(&token)).await.identity, identity);
    server.revoke(identity);
    assert_eq!(refusal(&server, &Options::token(&token)).await.0, 401);
}

#[tokio::test]
async fn unacceptable_handshakes_get_status_and_text() {
    let server = world().database("chat").start().await;
    let good = Options { database: "chat".into(), ..Options::default() };
    let query = |query: &str| Options { query: query.into(), ..good.clone() };
    #[rustfmt::skip]
    let cases = [
        (Options { token: Some("nonsense".into()), ..good.clone() }, 401, "Invalid token: InvalidToken"),
        (query("token=nonsense"), 401, "Invalid token: InvalidToken"),
        (Options { database: "nope".into(), ..good.clone() }, 404, "`nope` not found"),
        (query("compression=brotli"), 400,
            "Failed to deserialize query string: compression: unknown variant `brotli`, expected one of `None`, `Gzip`, `Brotli`"),
        (query("confirmed=yes"), 400,
            "Failed to deserialize query string: confirmed: provided string was not `true` or `false`"),
        (query("connection_id=00000000000000000000000000000000"), 400,
            "Invalid connection ID: the all-zeros ConnectionId is reserved."),
        (query("session_id=7"), 400, "Failed to deserialize query string: session_id: expected 32 hex digits"),
    ];
    for (options, status, body) in cases {
        assert_eq!(refusal(&server, &options).await, (status, body.to_owned()));
    }
    assert_eq!(refusal(&server, &query("connection_id=xyz")).await.0, 400);
    let by_identity = Options { database: server.identity().to_hex(), ..good };
    Client::connect_with(&server, &by_identity).await;
}

#[tokio::test]
async fn client_chooses_connection_id_and_settings() {
    let server = world().start().await;
    let query = "connection_id=000000000000000000000000000000ff&compression=Gzip&confirmed=false&light=true";
    let client = Client::connect_with(&server, &Options::query(query)).await;
    assert_eq!(client.id, ConnectionId::from_u128(255));
    let info = &server.connections()[0];
    assert_eq!((info.identity, info.id), (client.identity, client.id));
    assert_eq!((info.compression, info.confirmed), (Compression::Gzip, false));
    let defaults = Client::connect_with(&server, &Options::query("")).await;
    assert_ne!(defaults.id, client.id);
    let info = &server.connections()[1];
    assert_eq!((info.compression, info.confirmed), (Compression::Brotli, true));
}

#[tokio::test]
async fn large_replies_are_compressed_as_the_client_wants() {
    let notes: Vec<_> = (0..3000).map(|i| Note::new(i, "the same again")).collect();
    let server = world().rows::<Note>(notes).start().await;
    for (query, tag) in
        [("compression=None", 0), ("compression=Brotli", 1), ("", 1), ("compression=Gzip", 2)]
    {
        for protocols in ["v2.bsatn.spacetimedb", "v3.bsatn.spacetimedb"] {
            let options = Options { protocols: protocols.into(), ..Options::query(query) };
            let mut client = Client::connect_with(&server, &options).await;
            assert_eq!(client.payloads[0][0], 0, "the greeting is small");
            let first = client.subscribe(1, &["SELECT * FROM note"]).await;
            assert_eq!(first.tables[0].rows.len(), 3000);
            assert_eq!(client.payloads[1][0], tag, "{query}");
            // An update is 50 bytes and the text. One of 1024 bytes is still plain.
            for (letters, tag) in [(974, 0), (975, tag)] {
                let note = Note::new(0, &"x".repeat(letters));
                server.run(|tx| tx.insert(note.clone()));
                client.update().await;
                server.run(|tx| tx.delete(&note));
                client.update().await;
                assert_eq!(client.payloads[client.payloads.len() - 2][0], tag, "{letters}");
            }
        }
    }
}

#[tokio::test]
async fn v3_batches_messages_and_v2_does_not() {
    let server = world().start().await;
    let mut v2 = Client::connect_with(&server, &Options::v2()).await;
    let mut v3 = Client::connect(&server).await;
    for client in [&mut v2, &mut v3] {
        client.subscribe(1, &["SELECT * FROM note"]).await;
        client.payloads.clear();
    }
    let held = server.hold_replies();
    for level in 0..10 {
        server.run(|tx| tx.insert(Note::new(level, "a")));
    }
    drop(held);
    for client in [&mut v2, &mut v3] {
        for _ in 0..10 {
            client.update().await;
        }
    }
    assert_eq!((v2.payloads.len(), v3.payloads.len()), (10, 1));
}

#[tokio::test]
async fn v3_batch_is_limited_to_512_kib() {
    let server = world().start().await;
    let mut client = Client::connect(&server).await;
    client.subscribe(1, &["SELECT * FROM note"]).await;
    client.payloads.clear();
    let held = server.hold_replies();
    for (level, kib) in [(0, 200), (1, 200), (2, 200), (3, 900), (4, 1)] {
        server.run(|tx| tx.insert(Note::new(level, &"x".repeat(kib << 10))));
    }
    drop(held);
    for _ in 0..5 {
        client.update().await;
    }
    let kib: Vec<_> = client.payloads.iter().map(|payload| payload.len() >> 10).collect();
    assert_eq!(kib, [400, 200, 900, 1]);
}

#[tokio::test]
async fn undecodable_message_closes_with_1011() {
    let server = world().start().await;
    for (message, want) in [
        (Message::Binary(Bytes::from_static(&[77])), "77"),
        (Message::Binary(Bytes::new()), ""),
        (
            Message::Binary(Bytes::from_static(&[
                0, 1, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
            ])),
            "",
        ),
        (Message::text("hello"), "v3 websocket does not support text messages"),
    ] {
        let mut client = Client::connect(&server).await;
        client.send_raw(message.clone()).await;
        let Seen::Close { code, reason } = client.next().await else { panic!("{message:?}") };
        assert_eq!(code, 1011);
        assert!(!reason.is_empty() && reason.contains(want), "{reason}");
    }
    server.wait_for(|state| state.connections().is_empty()).await;
}

#[tokio::test]
async fn the_modules_connect_and_disconnect_see_every_client() {
    let server = world()
        .on_connect(|tx| {
            let text = format!("+{}", tx.connection_id().unwrap());
            tx.insert(Note::new(0, &text));
            Ok(())
        })
        .on_disconnect(|tx| {
            let text = format!("-{}", tx.connection_id().unwrap());
            tx.insert(Note::new(0, &text));
        })
        .start()
        .await;
    let mut ada = Client::connect(&server).await;
    ada.subscribe(1, &["SELECT * FROM note"]).await;
    let bob = Client::connect(&server).await;
    let bob_id = bob.id;
    assert_eq!(
        common::client::changes(&ada.update().await),
        (vec![Note::new(0, &format!("+{bob_id}"))], vec![])
    );
    drop(bob);
    assert_eq!(
        common::client::changes(&ada.update().await),
        (vec![Note::new(0, &format!("-{bob_id}"))], vec![])
    );
    ada.send_raw(Message::Close(None)).await;
    assert!(matches!(ada.next().await, Seen::Lost | Seen::Close { .. }));
    server.wait_for(|state| state.connections().is_empty()).await;
    assert_eq!(server.rows::<Note>().len(), 4);
}

#[tokio::test]
async fn refused_client_sees_socket_end() {
    let server = world()
        .on_connect(|tx| {
            tx.insert(Note::new(0, "half done"));
            Err("not you".into())
        })
        .on_disconnect(|_| panic!("it never connected"))
        .start()
        .await;
    let mut client = Client::open(&server, &Options::default()).await.unwrap();
    assert_eq!(client.next().await, Seen::Lost);
    assert!(server.rows::<Note>().is_empty());
    assert!(server.connections().is_empty());
}

#[tokio::test]
async fn second_session_socket_ends_the_first() {
    let server = world().start().await;
    let (_, token) = server.create_identity();
    let session = "session_id=000102030405060708090a0b0c0d0e0f";
    let options = Options { token: Some(token), ..Options::query(session) };
    let mut first = Client::connect_with(&server, &options).await;
    // The same number is another session for somebody else.
    let _other = Client::connect_with(&server, &Options::query(session)).await;

    let mut second = Client::open(&server, &options).await.unwrap();
    assert_eq!(second.next().await, Seen::Close { code: 4000, reason: "session busy".into() });
    assert_eq!(first.next().await, Seen::Lost);
    server.wait_for(|state| state.connections().len() == 1).await;
    Client::connect_with(&server, &options).await;
}

#[tokio::test]
async fn the_server_pings_at_once() {
    let server = world().start().await;
    let mut stream = TcpStream::connect(server.uri().trim_start_matches("http://")).await.unwrap();
    let request = "GET /v1/database/app/subscribe?compression=None HTTP/1.1\r\nhost: x\r\nconnection: keep-alive, Upgrade\r\n\
                   upgrade: WebSocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   sec-websocket-protocol: v2.bsatn.spacetimedb\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.windows(2).any(|window| window == [0x89, 0]) {
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
    }
    let head = String::from_utf8_lossy(&seen).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    assert!(head.contains("sec-websocket-protocol: v2.bsatn.spacetimedb"), "{head}");
}

#[tokio::test]
async fn messages_are_cut_into_frames_of_4096_bytes() {
    let server = world().rows::<Note>([Note::new(0, &"x".repeat(10_000))]).start().await;
    let mut stream = TcpStream::connect(server.uri().trim_start_matches("http://")).await.unwrap();
    let request = "GET /v1/database/app/subscribe?compression=None HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
                   upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   sec-websocket-protocol: v2.bsatn.spacetimedb\r\n\r\n";
    // A masked frame with a mask of zeros, with a one-off query.
    let query = b"\x02\x01\0\0\0\x12\0\0\0SELECT * FROM note";
    let mut bytes = request.as_bytes().to_vec();
    bytes.extend([0x82, 0x80 | query.len() as u8, 0, 0, 0, 0]);
    bytes.extend(query);
    stream.write_all(&bytes).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 10_000 {
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0);
    }
    let end = seen.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let mut rest = &seen[end..];
    let mut frames = Vec::new();
    while let [first, len, ..] = *rest {
        let (len, head) = if len == 126 {
            (usize::from(u16::from_be_bytes([rest[2], rest[3]])), 4)
        } else {
            (len.into(), 2)
        };
        frames.push((first, len));
        rest = rest.get(head + len..).unwrap_or_default();
    }
    frames.retain(|(first, _)| first & 0x0f < 8);
    assert_eq!(&frames[1..3], [(0x02, 4096), (0x00, 4096)], "{frames:?}");
    assert_eq!(frames[3].0, 0x80, "{frames:?}");
}

#[tokio::test]
async fn the_http_routes_answer_as_the_servers_do() {
    let server = world().start().await;
    let (status, _, body) = get(&server, "/v1/ping", "").await;
    assert_eq!((status, body.as_str()), (200, ""));
    let (status, head, body) = get(&server, "/v1/ping", "authorization: Bearer nonsense\r\n").await;
    assert_eq!((status, body.as_str()), (401, "Invalid token: InvalidToken"));
    assert!(head.contains("content-type: text/plain; charset=utf-8"));
    let (status, head, body) = get(&server, "/v1/health", "").await;
    assert_eq!(status, 200);
    assert!(
        head.contains("content-type: application/json") && body.contains("\"version\":\"2."),
        "{head}\n{body}"
    );

    let (status, _, body) = post(&server, "/v1/identity", "").await;
    assert_eq!(status, 200);
    let field = |body: &str, name: &str| {
        body.split(&format!("\"{name}\":\"")).nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let (identity, token) = (field(&body, "identity"), field(&body, "token"));
    assert_eq!(
        Client::connect_with(&server, &Options::token(&token)).await.identity.to_hex(),
        identity
    );

    let bearer = format!("authorization: Bearer {token}\r\n");
    let (status, _, body) = post(&server, "/v1/identity/websocket-token", &bearer).await;
    assert_eq!(status, 200);
    let short = field(&body, "token");
    assert_ne!(short, token);
    let options = Options::query(&format!("token={short}"));
    assert_eq!(Client::connect_with(&server, &options).await.identity.to_hex(), identity);
    let (status, _, body) = post(&server, "/v1/identity/websocket-token", "").await;
    assert_eq!((status, body.as_str()), (401, "Authorization required"));

    assert_eq!(get(&server, &format!("/v1/identity/{identity}/verify"), &bearer).await.0, 204);
    assert_eq!(
        get(&server, &format!("/v1/identity/{}/verify", server.identity()), &bearer).await.0,
        400
    );
    let (status, head, body) = get(&server, "/v1/database/app", "").await;
    assert_eq!(status, 200);
    assert!(
        head.contains("spacetime-identity: c200")
            && body.contains(&format!("0x{}", server.identity()))
    );
    let (status, _, body) = get(&server, "/v1/database/app/identity", "").await;
    assert_eq!((status, body), (200, server.identity().to_hex()));
    assert_eq!(get(&server, "/v1/database/n%6Fpe", "").await.2, "`nope` not found");
    assert_eq!(get(&server, "/v1/nope", "").await.0, 404);
    assert_eq!(get(&server, "/", "").await.0, 404);
    assert_eq!(post(&server, "/v1/health", "").await.0, 405);
    assert_eq!(get(&server, "/v1/database/app/subscribe", "").await.0, 426);
    assert_eq!(post(&server, "/v1/database/app/subscribe", "").await.0, 405);
}

#[tokio::test]
async fn a_short_token_ends_with_its_minute() {
    let server = world().time(Timestamp::UNIX_EPOCH).start().await;
    let (_, token) = server.create_identity();
    let (_, _, body) = post(
        &server,
        "/v1/identity/websocket-token",
        &format!("authorization: bearer {token}\r\n"),
    )
    .await;
    let short = body.split('"').nth(3).unwrap().to_owned();
    server.set_time(Timestamp::from_micros(59_000_000));
    Client::connect_with(&server, &Options::query(&format!("token={short}"))).await;
    server.set_time(Timestamp::from_micros(60_000_000));
    assert_eq!(refusal(&server, &Options::query(&format!("token={short}"))).await.0, 401);
    Client::connect_with(&server, &Options::token(&token)).await;
}

#[tokio::test]
async fn bad_http_is_answered_or_ended() {
    let server = world().start().await;
    for (request, want) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/2.0\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), 400),
        ("POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n".to_owned(), 400),
        ("POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n".to_owned(), 413),
        ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(), 411),
        (format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(70_000)), 431),
    ] {
        assert_eq!(http(&server, &request).await.0, want, "{:.40}", request);
    }
    // One connection takes several requests.
    let twice = "GET /v1/ping HTTP/1.1\r\n\r\nPOST /v1/identity HTTP/1.1\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    let (_, _, rest) = http(&server, twice).await;
    assert!(rest.starts_with("HTTP/1.1 200 OK") && rest.contains("\"token\""), "{rest}");
}

#[tokio::test]
async fn the_server_stops_with_its_last_handle() {
    let server = world().start().await;
    let mut client = Client::connect(&server).await;
    let clone = server.clone();
    drop(server);
    assert!(client.hears_nothing().await);
    drop(clone);
    assert_eq!(client.next().await, Seen::Lost);
}

#[tokio::test]
async fn restarted_server_keeps_everything() {
    let server = world().on_disconnect(|tx| tx.insert(Note::new(9, "gone"))).start().await;
    let uri = server.uri();
    let mut client = Client::connect(&server).await;
    client.send_call(&common::world::add_note(1, "kept".into())).await;
    assert!(matches!(client.message().await, ServerMessage::ReducerResult { .. }));
    server.stop().await;
    assert_eq!(client.next().await, Seen::Lost);
    assert_eq!(server.rows::<Note>(), [Note::new(1, "kept"), Note::new(9, "gone")]);
    assert!(server.connections().is_empty());
    assert!(matches!(Client::open(&server, &Options::default()).await, Err(Error::Io(_))));
    server.restart().await;
    assert_eq!(server.uri(), uri);
    let mut again = Client::connect_with(&server, &Options::token(&client.token)).await;
    assert_eq!(again.identity, client.identity);
    let first = again.subscribe(1, &["SELECT * FROM note"]).await;
    assert_eq!(common::client::all_rows::<Note>(&first), server.rows::<Note>());
    server.restart().await;
    assert_eq!(again.next().await, Seen::Lost);
}
