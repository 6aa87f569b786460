//! Everything that can be wrong from outside: a typed error that names the thing, and nothing harmed beside it.
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use lightlike::prelude::*;
use lightlike::{Error, ErrorKind};
use lightlike_testkit::Fault;
use lightlike_tests::chat::{Message, User, send_message};
use lightlike_tests::target::Target;

async fn refused(uri: &str, database: &str) -> Error {
    Client::builder(uri, database).connect().await.unwrap_err()
}

#[tokio::test]
async fn an_address_that_cannot_be_one_is_named() {
    for uri in [
        "",
        "not an address",
        "ftp://host",
        "http://",
        "http://host:99999",
        "http://host:",
        "127.0.0.1:port",
    ] {
        let error = refused(uri, "chat").await;
        assert_eq!(error.kind(), ErrorKind::Configuration, "{uri}: {error}");
        assert!(error.to_string().contains(&format!("`{uri}`")), "{error}");
    }
}

#[tokio::test]
async fn an_address_with_secrets_is_named_without_them() {
    for (uri, shown) in [
        ("http://h?token=secret", "`http://h?token=***`"),
        ("http://ada:secret@h", "`http://***@h`"),
    ] {
        let error = refused(uri, "chat").await;
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        assert!(
            error.to_string().contains(shown) && !error.to_string().contains("secret"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_address_without_a_scheme_is_http() {
    let target = Target::chat().await;
    let uri = target.uri();
    let address = uri.strip_prefix("http://").unwrap();
    Client::builder(address, target.name()).connect().await.unwrap();
}

#[tokio::test]
async fn a_name_that_cannot_be_one_is_named() {
    for name in ["", "with space", "query?x", "../other", "a//b", "ümlaut"] {
        let error = refused("http://127.0.0.1:1", name).await;
        assert_eq!(error.kind(), ErrorKind::Configuration, "{name}: {error}");
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
    }
}

#[tokio::test]
async fn invalid_token_is_not_sent() {
    for token in ["", "two words", "line\r\nbreak", "schlüssel"] {
        let error = Client::builder("http://127.0.0.1:1", "chat").token(token).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{token:?}: {error}");
    }
}

#[tokio::test]
async fn unreachable_server_is_named_with_address() {
    let error = refused("http://127.0.0.1:1", "chat").await;
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Connect, true));
    assert!(error.to_string().contains("cannot reach 127.0.0.1:1: "), "{error}");
}

#[tokio::test]
async fn an_unknown_database_is_said_to_be_one() {
    let target = Target::chat().await;
    let error = refused(&target.uri(), "no-such-database").await;
    assert_eq!((error.kind(), error.http_status()), (ErrorKind::NotFound, Some(404)));
    assert!(!error.is_retryable());
    assert!(error.to_string().contains("404"), "{error}");
}

#[tokio::test]
async fn unknown_token_is_refused_with_status() {
    let target = Target::chat().await;
    let error = target.builder().token("eyJhbGciOiJub25lIn0.e30.").connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error}");
    assert!(!error.is_retryable());
}

#[test]
fn connecting_outside_a_runtime_is_an_error() {
    let client = Client::builder("http://127.0.0.1:1", "chat").build().unwrap();
    assert_eq!(client.start().unwrap_err().kind(), ErrorKind::NoRuntime);
}

#[tokio::test]
async fn mismatched_struct_ends_only_its_tables_sets() {
    /// `online` is a bool on the server, and rows are shorter than this says.
    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "user")]
    struct WrongUser {
        #[primary_key]
        identity: Identity,
        name: Option<String>,
        online: u64,
    }

    let target = Target::chat().await;
    let ada = target.connect().await;
    let messages = ada.subscribe(Message::all()).await.unwrap();
    let error = ada.subscribe((WrongUser::all(), Message::all())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    let story = error.to_string();
    assert!(story.contains("user") && story.contains("online") && story.contains("u64"), "{story}");
    assert!(ada.table::<WrongUser>().is_empty());
    assert!(messages.is_applied());
    ada.call(send_message("unharmed".into())).await.unwrap();
    assert_eq!(ada.table::<Message>().len(), 1);

    let other = target.connect().await;
    let _users = other.subscribe(User::all()).await.unwrap();
    assert_eq!(other.table::<User>().len(), 2);
}

#[tokio::test]
async fn second_row_type_is_refused_by_name() {
    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "user")]
    struct OtherUser {
        #[primary_key]
        identity: Identity,
    }

    let target = Target::chat().await;
    let ada = target.connect().await;
    let _users = ada.subscribe(User::all()).await.unwrap();
    let error = ada.subscribe(OtherUser::all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.to_string().contains("OtherUser"), "{error}");
    let table = ada.table::<OtherUser>();
    assert!(table.error().is_some() && table.is_empty());
    assert_eq!(ada.table::<User>().len(), 1);
}

#[tokio::test]
async fn truncated_frames_answer_once_and_reconnect() {
    // Only the embedded server can be made to.
    let server = lightlike_tests::chat::embedded().await;
    let mut reconnect = lightlike::connection::Reconnect::default();
    reconnect.pause_max = std::time::Duration::from_millis(10);
    let builder = Client::builder(server.uri(), server.database()).reconnect(reconnect);
    let ada = builder.connect().await.unwrap();
    let _messages = ada.subscribe(Message::all()).await.unwrap();
    for bytes in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 40, 80] {
        server.inject(Fault::TruncateFrame { bytes });
        let outcome = ada.call(send_message(bytes.to_string())).await;
        assert!(matches!(outcome, Err(CallError::Unknown)), "{bytes}: {outcome:?}");
        ada.reconnect_now();
        let ready = |state: &ConnectionState| matches!(state, ConnectionState::Ready);
        ada.state().wait_for(ready).await.unwrap();
        let held = ada.read().table::<Message>().iter().any(|row| row.text == bytes.to_string());
        assert!(held, "{bytes}: what was committed is there after the resync");
    }
}
