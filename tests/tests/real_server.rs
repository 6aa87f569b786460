//! What the client may count on from a real server, and what the harness in `real` makes of one. Without `SPACETIMEDB_URI`
//! there is no server to ask, and these tests ask nothing.

use futures_util::{SinkExt, StreamExt};
use lightlike_tests::real::{Account, Database, Failure, Module, Real};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message, handshake::client::Response};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const PROTOCOLS: &str = "v2.bsatn.spacetimedb, v3.bsatn.spacetimedb";

/// Opens a socket to a database with an offer of protocols and more of a query.
async fn open(
    database: &Database,
    who: Option<&Account>,
    offer: &str,
    query: &str,
) -> Result<(Socket, Response), Error> {
    open_named(database.uri(), database.name(), who.map(|who| &*who.token), offer, query).await
}

async fn open_named(
    uri: &str,
    name: &str,
    token: Option<&str>,
    offer: &str,
    query: &str,
) -> Result<(Socket, Response), Error> {
    let base = uri.replacen("http", "ws", 1);
    let mut request = format!("{base}/v1/database/{name}/subscribe?compression=None{query}")
        .into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", offer.parse()?);
    if let Some(token) = token {
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
    }
    connect_async(request).await
}

/// The next message that is no ping.
async fn next(socket: &mut Socket) -> Option<Result<Message, Error>> {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), socket.next())
            .await
            .expect("the server answers in time");
        if !matches!(next, Some(Ok(Message::Ping(_)))) {
            return next;
        }
    }
}

/// Reads up to the server's close frame.
async fn close_frame(socket: &mut Socket) -> CloseFrame {
    loop {
        match next(socket).await {
            Some(Ok(Message::Close(Some(frame)))) => return frame,
            Some(Ok(_)) => {}
            end => panic!("expected a close frame, found {end:?}"),
        }
    }
}

/// The status and text of a handshake that was refused.
fn refusal(result: Result<(Socket, Response), Error>) -> (u16, String) {
    match result {
        Err(Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            (response.status().as_u16(), String::from_utf8(body).expect("text"))
        }
        other => panic!("expected a refused handshake, found {other:?}"),
    }
}

fn status(result: Result<Value, Failure>) -> (u16, String) {
    match result {
        Err(Failure::Refused { status, body, .. }) => (status.as_u16(), body),
        other => panic!("expected a refusal, found {other:?}"),
    }
}

#[tokio::test]
async fn sent_chat_message_can_be_read() {
    let Some(real) = Real::from_env() else { return };
    let chat = real.publish(Module::Chat).await.unwrap();
    let ada = real.new_identity().await.unwrap();
    chat.call(&ada, "set_name", json!(["Ada"])).await.unwrap();
    chat.call(&ada, "send_message", json!(["hello"])).await.unwrap();
    let refused = status(chat.call(&ada, "send_message", json!([""])).await);
    assert_eq!(refused, (530, "Messages must not be empty".to_owned()));
    let users = chat.sql(&ada, "SELECT * FROM user").await.unwrap();
    assert_eq!(users, [json!([[format!("0x{}", ada.identity)], [0, "Ada"], false])]);
    let messages = chat.sql(&ada, "SELECT * FROM message").await.unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0][2], "hello");
    chat.delete().await.unwrap();
    assert_eq!(status(chat.call(&ada, "set_name", json!(["Ada"])).await).0, 404);
}

#[tokio::test]
async fn the_modules_have_the_schemas_beside_them() {
    let Some(real) = Real::from_env() else { return };
    for (module, name) in [(Module::Chat, "chat"), (Module::Conformance, "conformance")] {
        let database = real.publish(module).await.unwrap();
        for version in [9, 10] {
            let file = format!("{}/modules/{name}.v{version}.json", env!("CARGO_MANIFEST_DIR"));
            let written: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            assert_eq!(
                table_names(&database.schema(version).await.unwrap()),
                table_names(&written),
                "{name} {version}"
            );
        }
        database.delete().await.unwrap();
    }
}

/// The tables of a schema, sorted: servers list them in any order.
fn table_names(schema: &Value) -> Vec<String> {
    let sections = schema["sections"].as_array();
    let found =
        sections.and_then(|sections| sections.iter().find_map(|section| section.get("Tables")));
    let tables = found.unwrap_or_else(|| &schema["tables"]).as_array().expect("tables");
    let name = |table: &Value| {
        table
            .get("source_name")
            .unwrap_or_else(|| &table["name"])
            .as_str()
            .expect("a name")
            .to_owned()
    };
    let mut names: Vec<String> = tables.iter().map(name).collect();
    names.sort();
    names
}

#[tokio::test]
async fn server_prefers_v3_and_greets_with_identity() {
    let Some(real) = Real::from_env() else { return };
    let chat = real.publish(Module::Chat).await.unwrap();
    let ada = real.new_identity().await.unwrap();
    for (offer, chosen) in
        [(PROTOCOLS, "v3.bsatn.spacetimedb"), ("v2.bsatn.spacetimedb", "v2.bsatn.spacetimedb")]
    {
        let (mut socket, response) = open(&chat, Some(&ada), offer, "").await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], chosen);
        assert_eq!(response.headers()["spacetime-identity"], ada.identity.as_str());
        assert_eq!(response.headers()["spacetime-identity-token"], ada.token.as_str());
        let greeting = next(&mut socket).await.unwrap().unwrap().into_data();
        assert_eq!(greeting[..2], [0, 0], "plain, and InitialConnection");
        assert!(greeting.ends_with(ada.token.as_bytes()));
    }
    chat.delete().await.unwrap();
}

#[tokio::test]
async fn handshake_refusal_has_status_and_reason() {
    let Some(real) = Real::from_env() else { return };
    let chat = real.publish(Module::Chat).await.unwrap();
    let refused = refusal(open(&chat, None, "v9.bsatn.spacetimedb", "").await);
    assert_eq!(refused, (400, "no valid protocol selected".to_owned()));
    let refused =
        refusal(open_named(chat.uri(), chat.name(), Some("nonsense"), PROTOCOLS, "").await);
    assert_eq!(refused, (401, "Invalid token: InvalidToken".to_owned()));
    let refused = refusal(open_named(chat.uri(), "no-such-database", None, PROTOCOLS, "").await);
    assert_eq!(refused, (404, "`no-such-database` not found".to_owned()));
    let zeroes = format!("&connection_id={:032x}", 0);
    assert_eq!(refusal(open(&chat, None, PROTOCOLS, &zeroes).await).0, 400);
    chat.delete().await.unwrap();
}

#[tokio::test]
async fn a_deleted_database_closes_its_sockets_with_1001() {
    let Some(real) = Real::from_env() else { return };
    let chat = real.publish(Module::Chat).await.unwrap();
    let (mut socket, _) = open(&chat, None, PROTOCOLS, "").await.unwrap();
    next(&mut socket).await.unwrap().unwrap();
    chat.delete().await.unwrap();
    assert_eq!(u16::from(close_frame(&mut socket).await.code), 1001);
}

#[tokio::test]
async fn undecodable_message_closes_with_1011_and_reason() {
    let Some(real) = Real::from_env() else { return };
    let chat = real.publish(Module::Chat).await.unwrap();
    for bad in [Message::binary(vec![99]), Message::text("{}"), Message::binary(Vec::new())] {
        let (mut socket, _) = open(&chat, None, PROTOCOLS, "").await.unwrap();
        socket.send(bad.clone()).await.unwrap();
        let frame = close_frame(&mut socket).await;
        assert_eq!(u16::from(frame.code), 1011, "{bad:?}");
        assert!(!frame.reason.is_empty(), "{bad:?}");
    }
    chat.delete().await.unwrap();
}

#[tokio::test]
async fn new_socket_of_session_ends_previous() {
    let Some(real) = Real::from_env() else { return };
    let chat = real.publish(Module::Chat).await.unwrap();
    let ada = real.new_identity().await.unwrap();
    let session = format!("&session_id={:032x}", 7);
    let (mut first, _) = open(&chat, Some(&ada), PROTOCOLS, &session).await.unwrap();
    next(&mut first).await.unwrap().unwrap();
    let (mut second, _) = open(&chat, Some(&ada), PROTOCOLS, &session).await.unwrap();
    assert_eq!(u16::from(close_frame(&mut second).await.code), 4000);
    let ended = next(&mut first).await;
    assert!(matches!(ended, None | Some(Err(_))), "found {ended:?}");
    // The session is free once `client_disconnected` has run; until then the answer is the same.
    loop {
        let (mut third, _) = open(&chat, Some(&ada), PROTOCOLS, &session).await.unwrap();
        match next(&mut third).await.unwrap().unwrap() {
            Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), 4000),
            greeting => break assert_eq!(greeting.into_data()[..2], [0, 0]),
        }
    }
    chat.delete().await.unwrap();
}

#[tokio::test]
async fn module_refusal_ends_the_socket() {
    let Some(real) = Real::from_env() else { return };
    let conformance = real.publish(Module::Conformance).await.unwrap();
    let mallory = real.new_identity().await.unwrap();
    let banned = json!([{ "__identity__": format!("0x{}", mallory.identity) }]);
    conformance.call(conformance.owner(), "ban", banned).await.unwrap();
    let (mut socket, _) = open(&conformance, Some(&mallory), PROTOCOLS, "").await.unwrap();
    let ended = next(&mut socket).await;
    assert!(matches!(ended, None | Some(Err(_))), "found {ended:?}");
    conformance.delete().await.unwrap();
}

#[tokio::test]
async fn private_tables_and_filtered_rows_are_hidden() {
    let Some(real) = Real::from_env() else { return };
    let conformance = real.publish(Module::Conformance).await.unwrap();
    let (ada, bob) = (real.new_identity().await.unwrap(), real.new_identity().await.unwrap());
    for (who, text) in [(&ada, "of ada"), (&bob, "of bob")] {
        conformance.call(who, "insert_note", json!([text])).await.unwrap();
    }
    let notes = conformance.sql(&ada, "SELECT text FROM note").await.unwrap();
    assert_eq!(notes, [json!(["of ada"])]);
    conformance.call(&ada, "insert_secret", json!([1, "hidden"])).await.unwrap();
    assert!(matches!(
        conformance.sql(&ada, "SELECT * FROM secret").await,
        Err(Failure::Refused { .. })
    ));
    assert_eq!(
        conformance.sql(conformance.owner(), "SELECT * FROM secret").await.unwrap(),
        [json!([1, "hidden"])]
    );
    conformance.delete().await.unwrap();
}
