//! Through a client of the application's own, whose requests go to a proxy first.

use lightlike::http::{ErrorKind, Http, reqwest};

use crate::scripted::{Scripted, json, reply};

/// The API of a server that nobody but the proxy can find.
fn through(proxy: &Scripted, server: &str) -> Http {
    // There may be one of another test's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let proxy = reqwest::Proxy::all(proxy.uri()).unwrap().basic_auth("ada", "secret");
    let client = reqwest::Client::builder().proxy(proxy).user_agent("admin/1").build().unwrap();
    Http::new(server).unwrap().with_client(client).with_token("a.b.c")
}

#[tokio::test]
async fn requests_go_through_a_proxy_of_ones_own() {
    let proxy = Scripted::new(vec![json(r#"["chat", "lobby"]"#), json("{}")]);
    let http = through(&proxy, "http://database.example:3000");
    let names = http.names("chat").await;
    let asked = proxy.asked();
    assert_eq!(asked.path, "http://database.example:3000/v1/database/chat/names");
    assert_eq!(asked.headers["host"], "database.example:3000");
    assert_eq!(asked.headers["user-agent"], "admin/1");
    // For the proxy, and for the server behind it.
    assert_eq!(asked.headers["proxy-authorization"], "Basic YWRhOnNlY3JldA==");
    assert_eq!(asked.headers["authorization"], "Bearer a.b.c");
    // The proxy answered something else than the server does.
    assert_eq!(names.unwrap_err().kind(), ErrorKind::Content);
}

#[tokio::test]
async fn https_requests_tunnel_without_token() {
    let proxy = Scripted::new(vec![reply(403, &[], "not to this host")]);
    let error = through(&proxy, "https://database.example").ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    let asked = proxy.asked();
    assert_eq!((&*asked.method, &*asked.path), ("CONNECT", "database.example:443"));
    assert!(!asked.headers.contains_key("authorization"), "{:?}", asked.headers);
}
