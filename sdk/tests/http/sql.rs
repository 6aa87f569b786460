//! Several statements, and rows that do not fit.

use lightlike::http::{ErrorKind, SqlOptions};
use lightlike::prelude::*;

use crate::scripted::{Scripted, json, reply};

#[derive(Bsatn, Debug, PartialEq)]
struct Message {
    sent: Timestamp,
    text: String,
}

/// A reply to one statement, with these columns and rows.
fn statement(columns: &str, rows: &str) -> String {
    format!(
        r#"{{"schema":{{"elements":[{columns}]}},"rows":{rows},"total_duration_micros":7,"stats":{{"rows_inserted":0,"rows_deleted":0,"rows_updated":0}}}}"#
    )
}

const TEXT: &str = r#"{"name":{"some":"text"},"algebraic_type":{"String":[]}}"#;
const SENT: &str = r#"{"name":{"some":"sent"},"algebraic_type":{"Product":{"elements":[{"name":{"some":"__timestamp_micros_since_unix_epoch__"},"algebraic_type":{"I64":[]}}]}}}"#;

fn one(columns: &str, rows: &str) -> Vec<u8> {
    json(&format!("[{}]", statement(columns, rows)))
}

#[tokio::test]
async fn statements_share_one_request_where_supported() {
    let both = format!("[{},{}]", statement(TEXT, r#"[["a"]]"#), statement("", "[]"));
    let server = Scripted::new(vec![json(&both)]);
    let replies = server.http().sql("chat", ["SELECT text FROM m", "DELETE FROM m"]).await.unwrap();
    assert_eq!(server.asked().body, b"SELECT text FROM m;\nDELETE FROM m");
    let [select, delete] = replies.statements() else { panic!("two statements") };
    assert_eq!(select.rows::<(String,)>().unwrap(), [("a".into(),)]);
    assert!(delete.values().unwrap().is_empty());
    assert_eq!(replies.rows::<(String,)>().unwrap_err().kind(), ErrorKind::Content);
}

#[tokio::test]
async fn statements_are_sent_singly_where_required() {
    let refusal = reply(400, &[], "Multiple SQL statements are not supported");
    let server = Scripted::new(vec![refusal, one(TEXT, r#"[["a"]]"#), one(TEXT, r#"[["b"]]"#)]);
    let replies = server.http().sql("chat", vec!["SELECT 1", "SELECT 2"]).await.unwrap();
    let texts: Vec<_> =
        replies.statements().iter().map(|reply| reply.rows::<(String,)>().unwrap()).collect();
    assert_eq!(texts, [[("a".to_owned(),)], [("b".to_owned(),)]]);
    server.asked();
    assert_eq!(
        (server.asked().body, server.asked().body),
        (b"SELECT 1".into(), b"SELECT 2".into())
    );
}

#[tokio::test]
async fn rows_come_by_position_or_by_name() {
    let columns = format!("{TEXT},{SENT}");
    let server = Scripted::new(vec![one(&columns, r#"[["a",[1]],["b",[2]]]"#)]);
    let options = SqlOptions::default().confirmed(true);
    let reply = server.http().sql_with("chat", "SELECT text, sent FROM m", options).await.unwrap();
    assert_eq!(server.asked().path, "/v1/database/chat/sql?confirmed=true");
    let message =
        |text: &str, sent| Message { text: text.into(), sent: Timestamp::from_micros(sent) };
    assert_eq!(reply.rows_by_name::<Message>().unwrap(), [message("a", 1), message("b", 2)]);
    let values = reply.values().unwrap();
    assert_eq!(values[1], ["b".into(), Timestamp::from_micros(2).into()]);

    let problem = |error: lightlike::http::Error| {
        assert_eq!(error.kind(), ErrorKind::Content);
        error.to_string().split_once("/sql?confirmed=true: ").unwrap().1.to_owned()
    };
    let error = reply.rows::<Message>().unwrap_err();
    assert_eq!(problem(error), "column 1: server has text: String, asked for Timestamp");
    let error = reply.rows::<(String,)>().unwrap_err();
    assert_eq!(problem(error), "the rows have 2 columns, and 1 were asked for");
    let error = reply.rows::<String>().unwrap_err();
    assert_eq!(problem(error), "a row is a tuple or a struct, and not a `String`");
    let error = reply.rows_by_name::<(String,)>().unwrap_err();
    assert_eq!(problem(error), "`(String,)` has a field without a name");
    #[derive(Bsatn, Debug)]
    struct Unknown {
        nick: String,
    }
    assert_eq!(problem(reply.rows_by_name::<Unknown>().unwrap_err()), "there is no column `nick`");
}

#[tokio::test]
async fn a_reply_that_contradicts_itself_is_an_error() {
    for rows in [r#"[["a"],[1]]"#, r#"[["a",2]]"#, "[[]]", "{}", "7"] {
        let server = Scripted::new(vec![one(TEXT, rows)]);
        let reply = server.http().sql("chat", "SELECT text FROM m").await.unwrap();
        assert_eq!(reply.values().unwrap_err().kind(), ErrorKind::Content, "{rows}");
        assert!(reply.rows::<(String,)>().is_err(), "{rows}");
        assert!(reply.rows_by_name::<(String,)>().is_err(), "{rows}");
    }
}
