//! Answers of a server to the handshake.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::thread::JoinHandle;

use lightlike_core::conn::{
    AnswerOrigin, Dial, DialError, Endpoint, Lost, Server, SubscribeParameters,
};
use lightlike_core::driver::{DialOptions, Dialer as _, StreamDialer};
use lightlike_core::limits::Limits;
use lightlike_core::types::ConnectionId;
use lightlike_core::wire::{Compression, Protocol};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Answers one handshake with `answer`, where `{accept}` is filled in, and returns the request.
fn serve(answer: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}/base/", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        let request = String::from_utf8(request).unwrap();
        let header = |name: &str| {
            let line = request.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let accept = derive_accept_key(header("Sec-WebSocket-Key:").as_bytes());
        stream.write_all(answer.replace("{accept}", &accept).as_bytes()).unwrap();
        // A client that has heard enough may have gone.
        let _ = stream.shutdown(Shutdown::Write);
        request
    });
    (uri, server)
}

async fn dial(answer: &'static str) -> (Result<Protocol, DialError>, String) {
    let (uri, server) = serve(answer);
    let endpoint = Endpoint::new(Server::parse(&uri).unwrap(), "my/db").unwrap();
    let parameters = SubscribeParameters {
        compression: Compression::Gzip,
        confirmed: Some(false),
        connection_id: Some(ConnectionId::from_u128(0xabc)),
    };
    let options = DialOptions::new(endpoint, parameters, Limits::DEFAULT);
    let dialer = StreamDialer::new(options).unwrap();
    let outcome =
        dialer.dial(&Dial { token: Some("secret".into()), session_id: 0x12, attempt: 1 }).await;
    (outcome.map(|opened| opened.protocol), server.join().unwrap())
}

const UPGRADE: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: v3.bsatn.spacetimedb\r\n\r\n";

#[tokio::test]
async fn the_request_says_who_what_and_how() {
    let (outcome, request) = dial(UPGRADE).await;
    assert_eq!(outcome.unwrap(), Protocol::V3);
    let path = "GET /base/v1/database/my%2Fdb/subscribe?compression=Gzip&confirmed=false\
        &connection_id=00000000000000000000000000000abc&session_id=00000000000000000000000000000012 HTTP/1.1\r\n";
    assert!(request.starts_with(path), "{request}");
    for line in [
        "Authorization: Bearer secret\r\n",
        "Sec-WebSocket-Protocol: v3.bsatn.spacetimedb, v2.bsatn.spacetimedb\r\n",
        "Sec-WebSocket-Version: 13\r\n",
    ] {
        assert!(request.contains(line), "{request}");
    }
}

#[tokio::test]
async fn server_chooses_protocol_and_defaults_to_v2() {
    #[rustfmt::skip]
    let cases = [
        (UPGRADE, Protocol::V3),
        ("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: v2.bsatn.spacetimedb\r\n\r\n", Protocol::V2),
        ("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol:\r\n\r\n", Protocol::V2),
        ("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n", Protocol::V2),
    ];
    for (answer, protocol) in cases {
        assert_eq!(dial(answer).await.0.unwrap(), protocol, "{answer}");
    }
}

#[tokio::test]
async fn unoffered_protocol_is_named_beside_ours() {
    let answer = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\
        Sec-WebSocket-Protocol: v1.bsatn.spacetimedb\r\n\r\n";
    let error = dial(answer).await.0.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, DialError::Protocol(_)));
    for name in ["v1.bsatn.spacetimedb", "v2.bsatn.spacetimedb", "v3.bsatn.spacetimedb"] {
        assert!(text.contains(name), "{text}");
    }
}

#[tokio::test]
async fn refusal_has_status_and_whole_body() {
    for (answer, status, body) in [
        (
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 13\r\n\r\nInvalid token",
            401,
            "Invalid token",
        ),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", 404, ""),
        ("HTTP/1.1 400 Bad Request\r\ncontent-length: 9999\r\n\r\ncut off", 400, "cut off"),
        ("HTTP/1.1 503 Unavailable\r\n\r\n", 503, ""),
    ] {
        match dial(answer).await.0.unwrap_err() {
            DialError::Status { status: got, body: text, .. } => {
                assert_eq!((got, &*text), (status, body), "{answer}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_refusal_that_quotes_the_token_hides_it() {
    let answer = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 21\r\n\r\nbad token: secret!!!!";
    let error = dial(answer).await.0.unwrap_err();
    assert!(error.to_string().ends_with("bad token: ***!!!!"), "{error}");
    let answer = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\
        Sec-WebSocket-Protocol: secret\r\n\r\n";
    let error = dial(answer).await.0.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
}

/// A dialer at a port where nobody answers: whatever it refuses, it refuses before it writes.
fn dialer(headers: Vec<(Box<str>, Box<str>)>) -> (StreamDialer, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let endpoint = Endpoint::new(Server::parse(&uri).unwrap(), "db").unwrap();
    let parameters = SubscribeParameters {
        compression: Compression::None,
        confirmed: None,
        connection_id: None,
    };
    let mut options = DialOptions::new(endpoint, parameters, Limits::DEFAULT);
    options.headers = headers;
    (StreamDialer::new(options).unwrap(), listener)
}

#[tokio::test]
async fn token_with_a_line_break_is_not_written() {
    let dial = |token: &str| Dial { token: Some(token.into()), session_id: 1, attempt: 1 };
    for token in ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a b", ""] {
        let (dialer, _listener) = dialer(Vec::new());
        let error = dialer.dial(&dial(token)).await.map(drop).unwrap_err();
        assert!(matches!(&error, DialError::NoToken(_)), "{error:?}");
        assert!(Lost::Dial(error).needs_auth(), "another one may be given");
    }
    let (dialer, _listener) = dialer(vec![("x-a".into(), "b\r\nX-Evil: 1".into())]);
    let error = dialer.dial(&dial("a.b.c")).await.map(drop).unwrap_err();
    assert!(matches!(&error, DialError::Request(_)), "{error:?}");
    assert!(!Lost::Dial(error).is_retryable());
}

#[tokio::test]
async fn non_handshake_reply_is_reported() {
    for answer in [
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: forged\r\n\r\n",
        "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: {accept}\r\n\r\n",
    ] {
        let error = dial(answer).await.0.unwrap_err();
        assert!(matches!(error, DialError::Handshake(_)), "{answer}: {error:?}");
    }
}

#[tokio::test]
async fn hangup_before_answer_is_retryable() {
    for answer in ["", "HTTP/1.1 101", "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n"] {
        let error = dial(answer).await.0.unwrap_err();
        assert!(matches!(error, DialError::Io { .. }), "{answer}: {error:?}");
        assert!(Lost::Dial(error).is_retryable());
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let endpoint =
        Endpoint::new(Server::parse(&format!("http://{address}")).unwrap(), "db").unwrap();
    let parameters = SubscribeParameters {
        compression: Compression::None,
        confirmed: None,
        connection_id: None,
    };
    let options = DialOptions::new(endpoint, parameters, Limits::DEFAULT);
    let dialer = StreamDialer::new(options).unwrap();
    let error =
        dialer.dial(&Dial { token: None, session_id: 1, attempt: 1 }).await.map(drop).unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn interim_answers_before_the_upgrade_are_skipped() {
    let answer = concat!(
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n",
        "Sec-WebSocket-Protocol: v3.bsatn.spacetimedb\r\n\r\n",
    );
    assert_eq!(dial(answer).await.0.unwrap(), Protocol::V3);
    let answer = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 503 x\r\ncontent-length: 4\r\n\r\nbusy";
    assert_eq!(status(dial(answer).await.0.unwrap_err()).0, 503);
}

#[tokio::test]
async fn interim_answers_without_end_are_refused() {
    let answer: &'static str = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100).leak();
    let error = dial(answer).await.0.unwrap_err();
    assert!(matches!(error, DialError::Handshake(_)), "{error:?}");
    assert!(error.to_string().contains("1xx"), "{error}");
}

#[tokio::test]
async fn an_extension_that_was_not_asked_for_is_refused() {
    let answer = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n";
    let error = dial(answer).await.0.unwrap_err();
    assert!(matches!(error, DialError::Handshake(_)), "{error:?}");
    assert!(error.to_string().contains("permessage-deflate"), "{error}");
}

#[tokio::test]
async fn a_redirect_says_where_to_and_is_not_followed() {
    let answer = "HTTP/1.1 301 Moved Permanently\r\nLocation: https://elsewhere.example/v1\r\n\
        content-length: 0\r\n\r\n";
    let error = dial(answer).await.0.unwrap_err();
    assert!(error.to_string().contains("301, Location: https://elsewhere.example/v1"), "{error}");
    let DialError::Status { location, origin, .. } = error else { panic!("{error:?}") };
    assert_eq!(location.as_deref(), Some("https://elsewhere.example/v1"));
    assert_eq!(origin, AnswerOrigin::Elsewhere);
}

#[tokio::test]
async fn no_error_shows_a_token() {
    for answer in [
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 x\r\nspacetime-identity-token: hidden\r\n\r\n",
        "HTTP/1.1 101 x\r\nspacetime-identity-token: hidden\r\nUpgrade: h2c\r\n\r\n",
        "HTTP/1.1 101 x\r\nspacetime-identity-token: hidden\r\nbroken\x01header\r\n\r\n",
        "HTTP/1.1 400 x\r\ncontent-length: 0\r\n\r\nHTTP/1.1 101 x\r\ntoken: hidden\r\n\r\n",
        "HTTP/1.1 400 x\r\ncontent-length: 27\r\n\r\nyou said: Bearer secret, eh",
        "HTTP/1.1 302 x\r\nLocation: http://portal/?next=a%3Ftoken%3Dsecret\r\n\r\n",
    ] {
        let error = dial(answer).await.0.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hidden") && !text.contains("secret"), "{answer}: {text}");
    }
}

#[tokio::test]
async fn the_database_itself_says_that_it_is_gone() {
    for (answer, gone) in [
        ("HTTP/1.1 404 x\r\ncontent-length: 17\r\n\r\n`my/db` not found", true),
        (
            "HTTP/1.1 404 x\r\ntransfer-encoding: chunked\r\n\r\n11\r\n`my/db` not found\r\n0\r\n\r\n",
            true,
        ),
        ("HTTP/1.1 404 x\r\ncontent-length: 17\r\n\r\nNo such database.", true),
        ("HTTP/1.1 404 x\r\nspacetime-identity: c2\r\ncontent-length: 0\r\n\r\n", true),
        ("HTTP/1.1 404 x\r\ncontent-length: 18\r\n\r\n404 page not found", false),
        ("HTTP/1.1 404 x\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n", false),
        ("HTTP/1.1 410 x\r\ncontent-length: 17\r\n\r\nNo such database.", false),
    ] {
        let lost = Lost::Dial(dial(answer).await.0.unwrap_err());
        assert_eq!(lost.is_database_gone(), gone, "{answer}: {lost:?}");
    }
}

#[tokio::test]
async fn how_long_to_stay_away_is_read() {
    let answer = "HTTP/1.1 429 x\r\nRetry-After: 17\r\ncontent-length: 0\r\n\r\n";
    let lost = Lost::Dial(dial(answer).await.0.unwrap_err());
    assert_eq!(lost.retry_after(), Some(std::time::Duration::from_secs(17)));
}

fn status(error: DialError) -> (u16, Box<str>) {
    match error {
        DialError::Status { status, body, .. } => (status, body),
        other => panic!("{other:?}"),
    }
}
