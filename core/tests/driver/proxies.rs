//! Sockets through a proxy: the tunnel, who is let in, and what is said when it does not open.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use lightlike_core::conn::{Dial, DialError, Endpoint, Lost, Server, SubscribeParameters};
use lightlike_core::driver::{DialOptions, Dialer as _, Proxy, StreamDialer, Tls};
use lightlike_core::limits::Limits;
use lightlike_core::wire::{Compression, Protocol};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Reads a head, a byte at a time.
fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap() == 0 {
            break;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// A proxy that answers one `CONNECT`, and is the server behind it too. Returns the heads of both requests.
fn serve(answer: &'static str) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let proxy = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut heads = vec![read_head(&mut stream)];
        stream.write_all(answer.as_bytes()).unwrap();
        if answer.starts_with("HTTP/1.1 200") {
            let head = read_head(&mut stream);
            let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
            let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
            let upgrade = format!(
                "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            // A client that has gone needs no answer.
            let _ = stream.write_all(upgrade.as_bytes());
            heads.push(head);
        }
        heads
    });
    (authority, proxy)
}

async fn dial(uri: &str, proxy: &Proxy) -> Result<Protocol, DialError> {
    let endpoint = Endpoint::new(Server::parse(uri).unwrap(), "db").unwrap();
    let compression = Compression::None;
    let parameters = SubscribeParameters { compression, confirmed: None, connection_id: None };
    let options = DialOptions::new(endpoint, parameters, Limits::DEFAULT);
    let dialer = StreamDialer::through(options, &Tls::new(), proxy).unwrap();
    let dial = Dial { token: Some("secret".into()), session_id: 1, attempt: 1 };
    dialer.dial(&dial).await.map(|opened| opened.protocol)
}

#[tokio::test]
async fn a_socket_goes_through_the_tunnel() {
    let (authority, heads) = serve("HTTP/1.1 200 Connection established\r\n\r\n");
    let proxy = Proxy::url(&format!("http://ada:p%20w@{authority}")).unwrap();
    let protocol = dial("http://db.example:3000", &proxy).await.unwrap();
    assert_eq!(protocol, Protocol::V2);
    let heads = heads.join().unwrap();
    let [connect, upgrade] = &heads[..] else { panic!("{heads:?}") };
    assert!(connect.starts_with("CONNECT db.example:3000 HTTP/1.1\r\n"), "{connect}");
    assert!(connect.contains("Proxy-Authorization: Basic YWRhOnAgdw==\r\n"), "{connect}");
    assert!(!connect.contains("secret"), "the token is for the server: {connect}");
    assert!(upgrade.contains("Host: db.example:3000\r\n"), "{upgrade}");
    assert!(upgrade.contains("Authorization: Bearer secret\r\n"), "{upgrade}");
    assert!(!upgrade.contains("Proxy-Authorization"), "{upgrade}");
}

#[tokio::test]
async fn interim_answers_of_a_proxy_are_skipped() {
    let (authority, heads) = serve("HTTP/1.1 200 ok\r\nvia: x\r\n\r\n");
    let proxy = Proxy::url(&authority).unwrap();
    dial("http://[fd00::1]:3000", &proxy).await.unwrap();
    assert!(heads.join().unwrap()[0].starts_with("CONNECT [fd00::1]:3000 HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_with_what_it_says() {
    let refused = "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\
        content-length: 9\r\n\r\nwho are u";
    let (authority, heads) = serve(refused);
    let proxy = Proxy::url(&format!("http://ada:hidden@{authority}")).unwrap();
    let error = dial("https://db.example", &proxy).await.unwrap_err();
    heads.join().unwrap();
    let text = error.to_string();
    assert!(
        text.contains(&authority) && text.contains("407") && text.contains("who are u"),
        "{text}"
    );
    assert!(!text.contains("hidden"), "{text}");
    let lost = Lost::Dial(error);
    assert!(!lost.needs_auth() && !lost.is_retryable() && !lost.is_final());
}

#[tokio::test]
async fn a_proxy_without_the_server_behind_it_is_tried_again() {
    let (authority, heads) = serve("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
    let error = dial("http://db.example", &Proxy::url(&authority).unwrap()).await.unwrap_err();
    heads.join().unwrap();
    assert!(Lost::Dial(error).is_retryable());
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = dial("http://db.example", &Proxy::url(&authority).unwrap()).await.unwrap_err();
    assert!(matches!(error, DialError::Proxy { .. }), "{error:?}");
    assert!(error.to_string().contains(&authority), "{error}");
    assert!(Lost::Dial(error).is_retryable());
}

#[tokio::test]
async fn a_tunnel_that_speaks_first_is_refused() {
    let (authority, heads) = serve("HTTP/1.1 200 ok\r\n\r\nHTTP/1.1 101 x\r\n\r\n");
    let error = dial("http://db.example", &Proxy::url(&authority).unwrap()).await.unwrap_err();
    heads.join().unwrap();
    assert!(matches!(error, DialError::Proxy { .. }), "{error:?}");
}

#[tokio::test]
async fn this_machine_is_reached_directly_whatever_the_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let head = read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n").unwrap();
        head
    });
    let proxy = Proxy::url("http://127.0.0.1:1").unwrap();
    let error = dial(&uri, &proxy).await.unwrap_err();
    assert!(matches!(error, DialError::Status { status: 503, .. }), "{error:?}");
    assert!(server.join().unwrap().starts_with("GET /v1/database/db/subscribe"));
}
