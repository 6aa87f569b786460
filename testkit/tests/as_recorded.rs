//! The test kit says what a real server says.
//!
//! `recorded/conformance.txt` is what two clients heard from SpacetimeDB 2.14.0 in a conversation; the test kit is held
//! against it. With `SPACETIMEDB_URI` set, so is that server; with `LIGHTLIKE_RECORD` also set, the file is written anew.
//! Rows are sorted within their list, and lists within an
//! update, because no order is promised.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::fmt::Write as _;
use std::path::Path;

use common::client::{Client, Options, Seen};
use common::conformance::{self as m, conformance};
use common::engine;
use common::queries::{QUERIES, SUBSCRIBED_OR_NOT};
use lightlike::bsatn::to_vec;
use lightlike::schema::{Procedure, Reducer};
use lightlike::types::{ConnectionId, I256, ScheduleAt, TimeDuration, Timestamp, U256};
use lightlike_core::wire::{
    ProcedureStatus, QueryRows, ReducerOutcome, RowList, ServerMessage, TransactionUpdate,
    UpdateRows,
};

/// Two clients of one database, and what they heard.
struct Conversation {
    ada: Client,
    bob: Client,
    heard: String,
}

impl Conversation {
    async fn start(uri: &str, database: &str, protocols: &str) -> Self {
        let options = Options {
            database: database.into(),
            protocols: protocols.into(),
            ..Options::default()
        };
        let ada = Client::connect_at(uri, &options).await;
        let bob = Client::connect_at(uri, &options).await;
        Self { ada, bob, heard: String::new() }
    }

    /// Writes down what is asked, and then all that both hear until each has an answer to a last question.
    async fn note(&mut self, asked: &str) {
        let asked = self.anonymous(asked);
        writeln!(self.heard, "\n> {asked}").unwrap();
        let heard = drain(&mut self.ada).await;
        self.write("ada", &heard);
        let heard = drain(&mut self.bob).await;
        self.write("bob", &heard);
    }

    fn write(&mut self, who: &str, heard: &[ServerMessage]) {
        for message in heard {
            let text = self.anonymous(&describe(message));
            writeln!(self.heard, "{who}: {text}").unwrap();
        }
    }

    /// Names instead of what is different each time.
    fn anonymous(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, client) in [("ada", &self.ada), ("bob", &self.bob)] {
            text = text.replace(&hex(&client.identity.to_le_bytes()), &format!("<{name}>"));
            text = text.replace(&client.identity.to_hex(), &format!("<{name}>"));
            text = text.replace(&client.id.to_hex(), &format!("<{name}'s connection>"));
        }
        text
    }

    async fn subscribe(&mut self, set: u32, queries: &[&str]) {
        self.ada.send_subscribe(set, queries).await;
        self.note(&format!("ada subscribes to {queries:?} as {set}")).await;
    }

    async fn unsubscribe(&mut self, set: u32, send_dropped_rows: bool) {
        self.ada.send_unsubscribe(set, send_dropped_rows).await;
        self.note(&format!("ada unsubscribes from {set}, rows: {send_dropped_rows}")).await;
    }

    async fn query(&mut self, query: &str) {
        self.ada.send_query(query).await;
        self.note(&format!("ada asks once for {query}")).await;
    }

    async fn call<R: Reducer>(&mut self, call: R) {
        self.ada.send_call(&call).await;
        let args = hex(&to_vec(&call).unwrap());
        self.note(&format!("ada calls {}({args})", R::DEF.name)).await;
    }

    async fn procedure<P: Procedure>(&mut self, call: P) {
        self.ada.send_procedure(&call).await;
        let args = hex(&to_vec(&call).unwrap());
        self.note(&format!("ada calls the procedure {}({args})", P::DEF.name)).await;
    }
}

/// Messages that a client gets before the answer to one more question.
async fn drain(client: &mut Client) -> Vec<ServerMessage> {
    let asked = client.send_query("SELECT * FROM that_is_all").await;
    let mut heard = Vec::new();
    loop {
        match client.next().await {
            Seen::Message(message) if message.request_id() == Some(asked) => return heard,
            Seen::Message(message) => heard.push(message),
            other => panic!("{other:?} after {heard:?}"),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A message, without its time.
fn describe(message: &ServerMessage) -> String {
    match message {
        ServerMessage::InitialConnection { .. } => "connected".into(),
        ServerMessage::SubscribeApplied { request_id, query_set_id, rows } => {
            format!("{}: applied {}{}", request_id.0, query_set_id.0, query_rows(rows))
        }
        ServerMessage::UnsubscribeApplied { request_id, query_set_id, rows } => {
            let rows = rows
                .as_ref()
                .map_or_else(|| " without rows".into(), |rows| sorted(&query_rows(rows)));
            format!("{}: ended {}{rows}", request_id.0, query_set_id.0)
        }
        ServerMessage::SubscriptionError { request_id, query_set_id, error } => {
            format!(
                "{:?}: failed {}: {}",
                request_id.map(|id| id.0),
                query_set_id.0,
                error.as_str()
            )
        }
        ServerMessage::TransactionUpdate(update) => format!("update{}", transaction(update)),
        ServerMessage::OneOffQueryResult { request_id, result } => match result {
            Ok(rows) => format!("{}: found{}", request_id.0, query_rows(rows)),
            Err(error) => format!("{}: {}", request_id.0, error.as_str()),
        },
        ServerMessage::ReducerResult { request_id, outcome, .. } => {
            let outcome = match outcome {
                ReducerOutcome::Ok { ret_value, update } => {
                    format!("committed {}{}", hex(ret_value), transaction(update))
                }
                ReducerOutcome::OkEmpty => "committed, empty".into(),
                ReducerOutcome::Err(error) => format!("rejected {}", hex(error)),
                ReducerOutcome::InternalError(error) => format!("failed: {}", error.as_str()),
            };
            format!("{}: {outcome}", request_id.0)
        }
        ServerMessage::ProcedureResult { status, request_id, .. } => {
            let status = match status {
                ProcedureStatus::Returned(value) => format!("returned {}", hex(value)),
                // What follows is the module's own stack.
                ProcedureStatus::InternalError(error) => {
                    format!("failed: {}", error.split(": ").next().unwrap())
                }
            };
            format!("{}: {status}", request_id.0)
        }
        ServerMessage::SubscribeBatchApplied { request_id, results } => {
            let results: String = results
                .iter()
                .map(|result| match &result.outcome {
                    Ok(rows) => {
                        format!("\n  {} applied{}", result.query_set_id.0, query_rows(rows))
                    }
                    Err(error) => {
                        format!("\n  {} failed: {}", result.query_set_id.0, error.as_str())
                    }
                })
                .collect();
            format!("{}: batch{results}", request_id.0)
        }
    }
}

fn query_rows(rows: &QueryRows) -> String {
    let tables = rows.tables.iter();
    tables.map(|table| format!("\n    {} {}", table.table.as_str(), list(&table.rows))).collect()
}

fn transaction(update: &TransactionUpdate) -> String {
    let mut text = String::new();
    for set in &update.query_sets {
        for table in &set.tables {
            for rows in &table.rows {
                let rows = match rows {
                    UpdateRows::Persistent { inserts, deletes } => {
                        format!("+{} -{}", list(inserts), list(deletes))
                    }
                    UpdateRows::Event { events } => format!("!{}", list(events)),
                };
                write!(text, "\n    {} {} {rows}", set.query_set_id.0, table.table.as_str())
                    .unwrap();
            }
        }
    }
    sorted(&text)
}

/// The lines in order: which query of a set comes first is not promised where it ends or changes.
fn sorted(lines: &str) -> String {
    let mut lines: Vec<_> = lines.split('\n').collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// The rows and how they are packed.
fn list(rows: &RowList) -> String {
    let packed =
        rows.row_bytes().map_or_else(|| "offsets".to_owned(), |bytes| format!("{bytes} bytes"));
    let mut encoded: Vec<_> = rows.iter().map(hex).collect();
    encoded.sort();
    format!("[{packed}: {}]", encoded.join(" "))
}

/// One row in each of the one-column tables.
async fn fill_columns(talk: &mut Conversation) {
    talk.call(m::InsertOneU8 { value: 7 }).await;
    talk.call(m::InsertOneU64 { value: u64::MAX }).await;
    talk.call(m::InsertOneU128 { value: 1 << 100 }).await;
    talk.call(m::InsertOneU256 { value: U256::MAX }).await;
    talk.call(m::InsertOneI8 { value: -7 }).await;
    talk.call(m::InsertOneI64 { value: -1 }).await;
    talk.call(m::InsertOneI256 { value: I256::MIN }).await;
    talk.call(m::InsertOneBool { value: true }).await;
    talk.call(m::InsertOneF32 { value: 0.1 }).await;
    talk.call(m::InsertOneF64 { value: -0.0 }).await;
    talk.call(m::InsertOneF64 { value: f64::NAN }).await;
    talk.call(m::InsertOneString { value: "it's".into() }).await;
    let who = talk.ada.identity;
    talk.call(m::InsertOneIdentity { value: who }).await;
    talk.call(m::InsertOneConnectionId { value: ConnectionId::from_u128(0xfe) }).await;
    let at = Timestamp::from_micros(1_739_198_730_500_000);
    talk.call(m::InsertOneTimestamp { value: at }).await;
    let span = TimeDuration::from_micros(1);
    talk.call(m::InsertOneTimeDuration { value: span }).await;
    talk.call(m::InsertOneScheduleAt { value: ScheduleAt::Interval(span) }).await;
    let uuid = "018f4e2a-1111-7000-8000-0123456789ab".parse().unwrap();
    talk.call(m::InsertOneUuid { value: uuid }).await;
    talk.call(m::InsertOneSimpleEnum { value: m::SimpleEnum::One }).await;
    talk.call(m::InsertVecU8 { value: vec![0, 0xff] }).await;
    talk.call(m::InsertVecI32 { value: vec![1] }).await;
    talk.call(m::InsertOptionI32 { value: Some(3) }).await;
    talk.call(m::InsertResultI32String { value: Ok(3) }).await;
}

async fn converse(talk: &mut Conversation) {
    talk.bob
        .send_subscribe(
            1,
            &["SELECT * FROM one_u_8", "SELECT * FROM test_event", "SELECT * FROM s"],
        )
        .await;
    talk.note("bob subscribes").await;
    fill_columns(talk).await;
    for query in QUERIES {
        talk.query(query).await;
    }

    // Query sets.
    talk.unsubscribe(9, false).await;
    talk.subscribe(1, &["SELECT * FROM pk_u_32", "SELECT * FROM s", "SELECT * FROM one_u_8"]).await;
    talk.subscribe(1, &["SELECT * FROM s"]).await;
    talk.subscribe(2, &["SELECT * FROM s", "SELECT * FROM nope"]).await;
    talk.subscribe(2, &[" SELECT * FROM nope ; "]).await;
    talk.subscribe(2, &[""]).await;
    talk.subscribe(2, &[]).await;
    talk.unsubscribe(2, true).await;
    talk.unsubscribe(2, false).await;
    for query in SUBSCRIBED_OR_NOT {
        talk.subscribe(2, &[query]).await;
        talk.unsubscribe(2, true).await;
    }
    talk.call(m::insert_pk_u32(1, 10)).await;
    talk.call(m::insert_pk_u32(1, 11)).await;
    talk.call(m::update_pk_u32(1, 12)).await;
    talk.call(m::update_pk_u32(1, 12)).await;
    talk.call(m::update_pk_u32(2, 12)).await;
    let twice = [
        "SELECT * FROM pk_u_32",
        "SELECT * FROM pk_u_32 ",
        "select * from pk_u_32",
        "SELECT * FROM pk_u_32 WHERE data > 12",
    ];
    talk.subscribe(3, &twice).await;
    talk.call(m::update_pk_u32(1, 13)).await;
    talk.unsubscribe(3, true).await;
    talk.ada
        .send_batch(&[
            (4, &["SELECT * FROM pk_u_32"]),
            (5, &["SELECT * FROM nope"]),
            (4, &["SELECT * FROM s"]),
            (6, &[]),
        ])
        .await;
    talk.note("ada subscribes to a batch").await;
    talk.unsubscribe(4, true).await;
    talk.call(m::insert_no_columns()).await;
    talk.subscribe(7, &["SELECT * FROM no_columns"]).await;
    talk.unsubscribe(7, false).await;
    talk.unsubscribe(1, true).await;

    // Joins, and rows that match more than once.
    talk.subscribe(1, &["SELECT r.* FROM r JOIN s ON r.s_id = s.id WHERE s.visible = TRUE"]).await;
    talk.call(m::put_r(1, 1, "one".into())).await;
    talk.call(m::put_s(1, true)).await;
    talk.call(m::put_r(2, 1, "two".into())).await;
    talk.call(m::put_s(1, false)).await;
    talk.call(m::put_s(1, true)).await;
    talk.call(m::delete_r(1)).await;
    talk.call(m::delete_s(1)).await;
    talk.unsubscribe(1, true).await;
    let entry = |n, data| m::Entry { n, data };
    talk.subscribe(
        1,
        &["SELECT pk_u_32.* FROM pk_u_32 JOIN btree_u_32 ON pk_u_32.key = btree_u_32.n"],
    )
    .await;
    talk.call(m::insert_into_pk_btree_u32(vec![entry(8, 0)], vec![entry(8, 1), entry(8, 2)])).await;
    talk.call(m::delete_from_btree_u32(vec![entry(8, 1)])).await;
    talk.call(m::insert_into_pk_btree_u32(vec![], vec![entry(8, 3), entry(8, 4)])).await;
    talk.call(m::update_pk_u32(8, 5)).await;
    talk.call(m::delete_from_btree_u32(vec![entry(8, 2), entry(8, 3), entry(8, 4)])).await;
    talk.unsubscribe(1, false).await;

    // Events.
    talk.subscribe(
        1,
        &[
            "SELECT * FROM test_event",
            "SELECT * FROM test_event WHERE value > 1",
            "SELECT * FROM one_u_64",
        ],
    )
    .await;
    talk.call(m::emit_multiple_test_events()).await;
    talk.call(m::emit_same_event("x".into(), 3)).await;
    talk.call(m::emit_event_with_row("y".into(), 5)).await;
    talk.call(m::emit_event_and_fail("z".into())).await;
    talk.unsubscribe(1, true).await;

    // Calls that fail.
    talk.call(m::no_op()).await;
    talk.call(m::fail_with_string("no".into())).await;
    talk.call(m::fail_with_string(String::new())).await;
    talk.call(m::fail_with_panic("a secret".into())).await;
    talk.call(m::fail_after_insert(200)).await;
    talk.call(m::panic_after_insert(201)).await;
    talk.ada.send_call_bytes("nope", vec![]).await;
    talk.note("ada calls nope").await;

    // Views, and rows that only their owner sees.
    let (ada, bob) = (talk.ada.identity, talk.bob.identity);
    talk.subscribe(
        1,
        &[
            "SELECT * FROM my_player",
            "SELECT * FROM players_at_level_0",
            "SELECT * FROM player WHERE identity = :sender",
        ],
    )
    .await;
    talk.call(m::insert_player(ada, 0)).await;
    talk.call(m::insert_player(bob, 0)).await;
    talk.call(m::insert_player(ada, 1)).await;
    talk.query("SELECT * FROM my_player").await;
    talk.call(m::delete_player(ada)).await;
    talk.call(m::delete_player(bob)).await;
    talk.unsubscribe(1, true).await;
    talk.subscribe(1, &["SELECT * FROM note"]).await;
    talk.bob.send_subscribe(2, &["SELECT * FROM note"]).await;
    talk.note("bob subscribes to note").await;
    talk.call(m::insert_note("mine".into())).await;
    talk.call(m::give_note(1, bob)).await;
    talk.call(m::give_note(2, bob)).await;
    talk.unsubscribe(1, true).await;

    // Procedures.
    talk.subscribe(1, &["SELECT * FROM procedure_row"]).await;
    talk.procedure(m::return_primitive(1, 2)).await;
    talk.procedure(m::return_result(4)).await;
    talk.procedure(m::return_result(5)).await;
    talk.procedure(m::insert_with_two_txs()).await;
    talk.procedure(m::insert_with_tx_rollback()).await;
    talk.procedure(m::insert_then_panic()).await;
    talk.ada.send_procedure_bytes("nope", vec![]).await;
    talk.note("ada calls the procedure nope").await;
}

async fn heard_from(uri: &str, database: &str, protocols: &str) -> String {
    let mut talk = Conversation::start(uri, database, protocols).await;
    converse(&mut talk).await;
    talk.heard
}

/// Compares line by line, so that a difference is found in its place.
fn compare(heard: &str, recorded: &str, who: &str) {
    let mut asked = "";
    let mut differences = String::new();
    for block in similar(heard, recorded) {
        if let (Some(heard), Some(recorded)) = block {
            asked = heard.lines().next().unwrap_or_default();
            if heard != recorded {
                write!(differences, "\n{who} says:\n{heard}\nrecorded is:\n{recorded}\n").unwrap();
            }
        } else {
            panic!("{who} says more or less than is recorded, after {asked}: {block:?}");
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

/// The parts of both, each a question and its answers, side by side.
fn similar<'a>(heard: &'a str, recorded: &'a str) -> Vec<(Option<&'a str>, Option<&'a str>)> {
    let (mut heard, mut recorded) = (heard.split("\n> "), recorded.split("\n> "));
    std::iter::from_fn(|| match (heard.next(), recorded.next()) {
        (None, None) => None,
        pair => Some(pair),
    })
    .collect()
}

#[tokio::test]
async fn test_kit_matches_recorded_server() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/conformance.txt");
    if let Some(uri) = engine::from_env() {
        let database = engine::publish(&uri).await;
        let heard = heard_from(&uri, &database, "v3.bsatn.spacetimedb").await;
        if std::env::var_os("LIGHTLIKE_RECORD").is_some() {
            std::fs::write(&path, &heard).unwrap();
        }
        compare(&heard, &std::fs::read_to_string(&path).unwrap(), "the real server");
    }
    let recorded = std::fs::read_to_string(&path).unwrap();
    for protocols in ["v3.bsatn.spacetimedb", "v2.bsatn.spacetimedb"] {
        let server = conformance().start().await;
        compare(&heard_from(&server.uri(), "app", protocols).await, &recorded, "the test kit");
    }
}
