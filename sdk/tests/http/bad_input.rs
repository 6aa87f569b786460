//! Errors on our side are not sent, and errors on the server's side are reported.

use std::net::TcpListener;
use std::time::Duration;

use lightlike::connection::Limits;
use lightlike::http::reqwest::Method;
use lightlike::http::{Error, ErrorKind, Http, Publish, Request};

use crate::scripted::{Scripted, json, reply};

fn kind<T>(result: Result<T, Error>) -> ErrorKind {
    match result {
        Ok(_) => panic!("expected an error"),
        Err(error) => error.kind(),
    }
}

#[test]
fn an_address_that_is_none_is_refused() {
    for uri in
        ["", "ftp://host", "http://", "http://host:99999", "http://host?token=x", "http://u:p@host"]
    {
        assert_eq!(kind(Http::new(uri)), ErrorKind::InvalidInput, "{uri}");
    }
    assert!(Http::new("localhost:3000").is_ok(), "an address without a scheme is one of `http`");
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_sent() {
    let server = Scripted::new(vec![json("{}")]);
    let http = server.http();
    for database in ["", "two words", "..", "a//b", "chat?x", "ch\u{e4}t"] {
        assert_eq!(kind(http.database(database).await), ErrorKind::InvalidInput, "{database}");
        assert_eq!(kind(http.sql(database, "SELECT 1").await), ErrorKind::InvalidInput);
        assert_eq!(
            kind(http.publish(database, "", Publish::default()).await),
            ErrorKind::InvalidInput
        );
        assert_eq!(
            kind(http.add_name("chat", database).await),
            ErrorKind::InvalidInput,
            "{database}"
        );
    }
    for token in ["", "two words", "line\nbreak", "t\u{f6}ken"] {
        let http = http.clone().with_token(token);
        assert_eq!(kind(http.ping().await), ErrorKind::InvalidInput, "{token}");
    }
    assert_eq!(kind(http.call("chat", "", ()).await), ErrorKind::InvalidInput);
    assert_eq!(kind(http.call("chat", "set", 7u8).await), ErrorKind::InvalidInput);
    assert_eq!(kind(http.call("chat", "set", (f64::NAN,)).await), ErrorKind::InvalidInput);
    assert_eq!(kind(http.sql("chat", " ").await), ErrorKind::InvalidInput);
    assert_eq!(
        kind(http.route("chat", Request::new(Method::GET, "hello")).await),
        ErrorKind::InvalidInput
    );
    assert!(!server.was_asked_more());
}

#[tokio::test]
async fn names_are_escaped() {
    let server = Scripted::new(vec![json("3"), json("3")]);
    server.http().call("team/chat", "a b/c", ()).await.unwrap();
    assert_eq!(server.asked().path, "/v1/database/team%2Fchat/call/a%20b%2Fc");
    let http = Http::new(&format!("{}/base/", server.uri())).unwrap();
    http.call("chat", "x", ()).await.unwrap();
    assert_eq!(server.asked().path, "/base/v1/database/chat/call/x");
}

#[tokio::test]
async fn client_breaking_plan_is_named_when_publishing() {
    let server = Scripted::new(vec![
        json(r#"{"ManualMigrate":{"reason":"the column `x` has another type"}}"#),
        reply(403, &[], "no"),
    ]);
    let http = server.http();
    let plan = http.pre_publish("chat", "module").await.unwrap();
    assert!(format!("{plan:?}").contains("another type"));
    server.asked();
    let options = Publish::default().clear(true).break_clients("0xab&c");
    assert_eq!(kind(http.publish("chat", "module", options).await), ErrorKind::Auth);
    assert_eq!(
        server.asked().path,
        "/v1/database/chat?clear=true&policy=BreakClients&token=0xab%26c"
    );
}

#[tokio::test]
async fn module_route_returns_any_status() {
    let server = Scripted::new(vec![reply(418, &[("x-tea", "green")], "short and stout")]);
    let reply = server
        .http()
        .route("chat", Request::new(Method::PUT, "/tea?cups=2").json("{}"))
        .await
        .unwrap();
    assert_eq!((reply.status.as_u16(), reply.text().unwrap()), (418, "short and stout"));
    assert_eq!(reply.headers["x-tea"], "green");
    let asked = server.asked();
    assert_eq!((&*asked.method, &*asked.path), ("PUT", "/v1/database/chat/route/tea?cups=2"));
    assert_eq!(asked.headers["content-type"], "application/json");
}

#[tokio::test]
async fn unreachable_host_is_retryable() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = Http::new(&format!("http://127.0.0.1:{port}")).unwrap().ping().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Connect, true));
    assert!(error.to_string().starts_with("GET /v1/ping: the server cannot be reached"), "{error}");
}

#[tokio::test]
async fn something_else_that_listens_is_no_server() {
    let server = Scripted::new(vec![b"220 mail.example ESMTP\r\n".to_vec()]);
    assert_eq!(kind(server.http().health().await), ErrorKind::Interrupted);
    let page = reply(200, &[("content-type", "text/html")], "<html><h1>It works!</h1></html>");
    let server = Scripted::new(vec![page.clone(), page.clone(), page.clone(), page]);
    let http = server.http();
    let error = http.health().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Content);
    assert!(
        error
            .to_string()
            .contains("the reply (text/html) is not what a SpacetimeDB server says here")
    );
    assert_eq!(kind(http.schema("chat").await), ErrorKind::Content);
    assert_eq!(kind(http.public_key().await), ErrorKind::Content);
    assert_eq!(kind(http.database_identity("chat").await), ErrorKind::Content);
}

#[tokio::test]
async fn garbage_is_an_error_of_its_content() {
    let garbage = [
        "",
        "null",
        "[]",
        "{",
        r#"{"identity":7,"token":""}"#,
        r#"{"identity":"0xzz","token":""}"#,
    ];
    for body in garbage {
        let server = Scripted::new(vec![json(body), json(body), json(body), json(body)]);
        let http = server.http();
        assert_eq!(kind(http.create_identity().await), ErrorKind::Content, "{body}");
        assert_eq!(kind(http.database("chat").await), ErrorKind::Content, "{body}");
        assert_eq!(kind(http.timestamp("chat").await), ErrorKind::Content, "{body}");
        assert_eq!(kind(http.publish("chat", "x", Publish::default()).await), ErrorKind::Content);
    }
    let not_text = [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n".as_slice(),
        &[0xff, 0xfe],
    ]
    .concat();
    let server = Scripted::new(vec![not_text]);
    assert_eq!(kind(server.http().public_key().await), ErrorKind::Content);
}

#[tokio::test]
async fn a_body_that_is_cut_off_interrupts() {
    let cut =
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{\"names\":".to_vec();
    let server = Scripted::new(vec![cut]);
    let error = server.http().names("chat").await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Interrupted, true));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_read() {
    let mut limits = Limits::DEFAULT;
    limits.max_http_reply_bytes = 1000;
    let honest = json(&"x".repeat(1001));
    let endless =
        [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec(), vec![b' '; 100_000]].concat();
    let fits = json(&format!("{{\"names\":[]}}{}", " ".repeat(1000 - 12)));
    let server = Scripted::new(vec![honest, endless, fits]);
    let http = server.http().with_limits(limits);
    let error = http.names("chat").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("`max_http_reply_bytes`"));
    assert_eq!(kind(http.names("chat").await), ErrorKind::TooLarge);
    assert!(http.names("chat").await.unwrap().is_empty());
}

#[tokio::test]
async fn an_error_without_end_is_shown_in_part() {
    let server = Scripted::new(vec![reply(500, &[], &"why ".repeat(100_000))]);
    let error = server.http().ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert!((1000..=65536).contains(&error.text().unwrap().len()));
}

#[tokio::test]
async fn a_server_that_is_silent_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let http = Http::new(&uri).unwrap().with_timeout(Duration::from_millis(50));
    let error = http.ping().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Timeout, true));
    assert_eq!(error.to_string(), "GET /v1/ping: no reply in time");
    let follow = lightlike::http::LogOptions::default().follow(true);
    assert_eq!(kind(http.logs("chat", follow).await), ErrorKind::Timeout);
}

#[tokio::test]
async fn busy_server_is_retryable_and_refusal_is_not() {
    for (status, retryable) in [(503, true), (429, true), (500, false), (400, false), (402, false)]
    {
        let server = Scripted::new(vec![reply(status, &[], "")]);
        let error = server.http().ping().await.unwrap_err();
        assert_eq!(error.is_retryable(), retryable, "{error}");
    }
    let server = Scripted::new(vec![reply(530, &[], "origin is unreachable")]);
    assert_eq!(kind(server.http().ping().await), ErrorKind::Server);
}

#[test]
fn no_secret_is_shown() {
    let http = Http::new("http://127.0.0.1:1").unwrap().with_token("secret-token");
    assert!(!format!("{http:?}").contains("secret"));
}
