//! Streams of the application's own, headers, and certificates.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lightlike::ErrorKind;
use lightlike::prelude::*;
use lightlike::tls::Tls;
use lightlike_tests::chat::{Message, User, send_message};
use lightlike_tests::proxy::Proxy;
use lightlike_tests::target::Target;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{chat, tick_until, wait};

/// A client and a server with no network between them, through an outage.
#[test]
fn in_memory_stream_works_like_a_socket() {
    let target = chat();
    let Target::Embedded(server) = &target else { return };
    let streams = server.clone();
    let opened = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&opened);
    let builder = Client::builder("http://nowhere.invalid", target.name()).transport(move |_| {
        let (server, counter) = (streams.clone(), Arc::clone(&counter));
        async move {
            counter.fetch_add(1, Ordering::Relaxed);
            server.connect().await
        }
    });
    let db = builder.build_manual().unwrap();
    let _all = tick_until(&db, db.subscribe((User::all(), Message::all())).into_future()).unwrap();
    tick_until(&db, db.call(send_message("hello".into())).into_future()).unwrap();
    server.disconnect_all();
    let mut state = db.state();
    let lost = |state: &ConnectionState| matches!(state, ConnectionState::Reconnecting { .. });
    tick_until(&db, state.wait_for(lost)).unwrap();
    db.reconnect_now();
    let back = |state: &ConnectionState| matches!(state, ConnectionState::Ready);
    tick_until(&db, state.wait_for(back)).unwrap();
    tick_until(&db, db.call(send_message("again".into())).into_future()).unwrap();
    assert_eq!(db.table::<Message>().len(), 2);
    assert_eq!(opened.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn transport_knows_address_and_may_fail() {
    let target = Target::chat().await;
    let db = target
        .builder()
        .transport(|server| TcpStream::connect((server.host().to_owned(), server.port())))
        .connect()
        .await
        .unwrap();
    db.call(send_message("through a tunnel".into())).await.unwrap();

    let refuse = |_: &lightlike::connection::Server| async {
        Err::<TcpStream, _>(io::Error::other("the tunnel is closed"))
    };
    let error = target.builder().transport(refuse).connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(format!("{error:?}").contains("the tunnel is closed"), "{error:?}");
}

#[tokio::test]
async fn connect_timeout_is_kept() {
    let target = Target::chat().await;
    let proxy = Proxy::start(&target.uri()).await;
    proxy.hold_replies(true);
    let builder = Client::builder(proxy.uri(), target.name());
    let error = builder.connect_timeout(Duration::from_millis(50)).connect().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Connect, true));
    assert!(format!("{error:?}").contains("`connect_timeout`"), "{error:?}");

    let db = Client::builder(proxy.uri(), target.name()).connect_timeout(Duration::from_secs(30));
    let (connected, ()) = tokio::join!(db.connect(), async { proxy.hold_replies(false) });
    connected.unwrap().call(send_message("at last".into())).await.unwrap();
}

/// Reads a request's head, and refuses it.
async fn head_of_the_next_request(listener: TcpListener) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn custom_headers_go_with_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let builder =
        Client::builder(uri, "db").header("x-tenant", "blue").header("cookie", "a=b").token("t");
    let (refused, head) = tokio::join!(builder.connect(), head_of_the_next_request(listener));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
    for line in ["x-tenant: blue\r\n", "cookie: a=b\r\n", "Authorization: Bearer t\r\n"] {
        assert!(head.contains(line), "{head}");
    }
}

#[test]
fn invalid_headers_are_refused_before_sending() {
    let with = |name: &str, value: &str| {
        Client::builder("http://nowhere.invalid", "db").header(name, value).build().unwrap_err()
    };
    for (name, value) in
        [("", "x"), ("x", "a\r\nb: c"), ("Authorization", "Basic x"), ("host", "y")]
    {
        let error = with(name, value);
        assert_eq!(error.kind(), ErrorKind::Configuration, "{name}: {value}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn unusable_certificates_are_refused_before_sending() {
    assert!(Tls::new().root_certificates("not PEM").is_err());
    let hollow = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let tls = Tls::new().root_certificates(hollow).unwrap();
    let error = Client::builder("https://nowhere.invalid", "db").tls(tls).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("root certificates"), "{error}");
}

/// The whole way: a server with a certificate of its own making, which asks for the client's.
#[test]
fn own_certificates_encrypt_end_to_end() {
    let target = chat();
    let authority = crate::tls_front::Authority::new();
    let front = crate::tls_front::Front::start(&target.uri(), &authority);
    let uri = front.uri();
    let trusting = Tls::new().without_web_roots().root_certificates(authority.pem()).unwrap();
    let (chain, key) = authority.client("ada");
    let ada = trusting.clone().client_certificate(chain, key).unwrap();

    let db = Client::builder(&uri, target.name()).tls(ada).connect_blocking().unwrap();
    let messages = wait(db.subscribe(Message::all()).into_future()).unwrap();
    wait(db.call(send_message("in private".into())).into_future()).unwrap();
    assert_eq!(db.table::<Message>().len(), 1);
    drop(messages);
    let nobody = Client::builder(&uri, target.name()).tls(trusting).connect_blocking();
    assert_eq!(nobody.unwrap_err().kind(), ErrorKind::Connect, "it shows no certificate");
    let distrusting = Client::builder(&uri, target.name()).connect_blocking();
    assert_eq!(distrusting.unwrap_err().kind(), ErrorKind::Connect, "it trusts the web only");
}
