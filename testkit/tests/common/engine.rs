//! A real server, where there is one: just enough HTTP to put a module on it.

use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The server that the environment names.
pub fn from_env() -> Option<String> {
    std::env::var("SPACETIMEDB_URI").ok().filter(|uri| !uri.is_empty())
}

/// Publishes the conformance module under a name of its own, which it returns.
pub async fn publish(uri: &str) -> String {
    let identity = ask(uri, "POST", "/v1/identity", "", &[]).await;
    let token =
        identity.split("\"token\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/modules/conformance.wasm");
    let wasm = std::fs::read(module).unwrap();
    let name = format!("recorded-{}", std::process::id());
    ask(uri, "PUT", &format!("/v1/database/{name}?clear=true"), &token, &wasm).await;
    name
}

async fn ask(uri: &str, method: &str, path: &str, token: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(uri.trim_start_matches("http://")).await.unwrap();
    let authorization =
        if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{authorization}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}\n{body}");
    body.to_owned()
}
