//! Logs that are followed.

use futures_util::StreamExt;
use lightlike::connection::Limits;
use lightlike::http::{ErrorKind, LogLevel, LogOptions};

use crate::scripted::Scripted;

const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n";

fn follow(body: &str) -> Scripted {
    Scripted::new(vec![format!("{HEAD}{body}").into_bytes()])
}

#[tokio::test]
async fn a_log_is_a_stream_of_lines() {
    let server = follow(concat!(
        r#"{"level":"Info","ts":1,"message":"one"}"#,
        "\n\n",
        r#"{"level":"Shout","ts":2,"message":"two","new":[]}"#,
        "\r\n",
        r#"{"level":"Panic","ts":3,"message":"three"}"#,
    ));
    let logs = server.http().logs("chat", LogOptions::default().follow(true)).await.unwrap();
    let lines: Vec<_> = logs.map(|line| line.unwrap()).collect().await;
    assert_eq!(server.asked().path, "/v1/database/chat/logs?follow=true");
    let levels: Vec<_> = lines.iter().map(|line| line.level).collect();
    assert_eq!(levels, [LogLevel::Info, LogLevel::Unknown, LogLevel::Panic]);
    assert_eq!(format!("{:6}|", lines[0].level), "INFO  |");
}

#[tokio::test]
async fn invalid_log_line_ends_stream_with_error() {
    let server = follow("{\"level\":\"Info\",\"ts\":1,\"message\":\"one\"}\nhello\n{}\n");
    let mut logs = server.http().logs("chat", LogOptions::default().follow(true)).await.unwrap();
    assert_eq!(logs.next().await.unwrap().unwrap().message, "one");
    assert_eq!(logs.next().await.unwrap().unwrap_err().kind(), ErrorKind::Content);
    assert!(logs.next().await.is_none());
}

#[tokio::test]
async fn a_line_without_end_is_cut_off() {
    let server = follow(&"x".repeat(10_000));
    let mut limits = Limits::DEFAULT;
    limits.max_http_reply_bytes = 1000;
    let http = server.http().with_limits(limits);
    let mut logs = http.logs("chat", LogOptions::default().follow(true)).await.unwrap();
    let error = logs.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(logs.next().await.is_none());
}
