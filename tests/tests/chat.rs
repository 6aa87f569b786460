//! The chat, on both servers: the whole path from the builder to the rows.
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::sync::{Arc, Mutex};

use lightlike::events::CallbackId;
use lightlike::prelude::*;
use lightlike::{CallErrorKind, ErrorKind};
use lightlike_tests::chat::{Message, User, send_message, set_name};
use lightlike_tests::target::Target;

/// Log of callbacks, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn push(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[tokio::test]
async fn subscription_resolves_with_rows_of_both_tables() {
    let target = Target::chat().await;
    let ada = target.connect().await;
    ada.call(send_message("hello".into())).await.unwrap();
    let _all = ada.subscribe((User::all(), Message::all())).await.unwrap();
    let view = ada.read();
    let me = view.table::<User>().find(User::IDENTITY, &ada.identity().unwrap()).unwrap();
    assert!(me.online && me.name.is_none());
    let texts: Vec<&str> = view.table::<Message>().iter().map(|m| &*m.text).collect();
    assert_eq!(texts, ["hello"]);
}

#[tokio::test]
async fn call_resolves_after_rows_and_callbacks() {
    let target = Target::chat().await;
    let ada = target.connect().await;
    let _all = ada.subscribe((User::all(), Message::all())).await.unwrap();
    let log = Log::default();
    let (updates, inserts, whole) = (log.clone(), log.clone(), log.clone());
    ada.table::<User>().on_update(move |event, old, new| {
        updates.push(format!("{:?} -> {:?}, mine: {}", old.name, new.name, event.is_mine()));
    });
    ada.table::<Message>().on_insert(move |event, message| {
        assert!(event.view().table::<Message>().iter().any(|held| held == message));
        assert!(!event.before().table::<Message>().iter().any(|held| held == message));
        inserts.push(format!("{}, mine: {}", message.text, event.is_mine()));
    });
    ada.on_transaction(move |_, changes| {
        whole.push(format!("{:?}", changes.table_names().collect::<Vec<_>>()));
    });

    ada.call(set_name("Ada".into())).await.unwrap();
    assert_eq!(log.take(), ["None -> Some(\"Ada\"), mine: true", "[\"user\"]"]);
    ada.call(send_message("hi".into())).await.unwrap();
    assert_eq!(log.take(), ["hi, mine: true", "[\"message\"]"]);
    assert_eq!(
        ada.table::<User>().get(&ada.identity().unwrap()).unwrap().name.as_deref(),
        Some("Ada")
    );
}

#[tokio::test]
async fn rejection_carries_typed_error_and_changes_nothing() {
    let target = Target::chat().await;
    let ada = target.connect().await;
    let _all = ada.subscribe(Message::all()).await.unwrap();
    match ada.call(send_message(String::new())).await {
        Err(CallError::Rejected(why)) => assert_eq!(why, "Messages must not be empty"),
        other => panic!("{other:?}"),
    }
    assert!(ada.table::<Message>().is_empty());
    let error = lightlike::Error::from(ada.call(set_name(String::new())).await.unwrap_err());
    assert_eq!((error.kind(), error.call()), (ErrorKind::Call, Some(CallErrorKind::Rejected)));
}

#[tokio::test]
async fn events_distinguish_own_and_other_calls() {
    let target = Target::chat().await;
    let (ada, grace) = (target.connect().await, target.connect().await);
    let _all = grace.subscribe((User::all(), Message::all())).await.unwrap();
    let mut messages = grace.table::<Message>().inserts();
    for text in ["one", "two", "three"] {
        ada.call(send_message(text.into())).await.unwrap();
    }
    for text in ["one", "two", "three"] {
        let Inserted { row, cause, .. } = messages.next().await.unwrap().unwrap();
        assert_eq!((&*row.text, row.sender, cause), (text, ada.identity().unwrap(), Cause::Other));
    }
}

#[tokio::test]
async fn others_are_seen_to_come_and_go() {
    let target = Target::chat().await;
    let grace = target.connect().await;
    let _users = grace.subscribe("SELECT * FROM user").await.unwrap();
    let mut changes = grace.table::<User>().changes();
    let ada = target.connect().await;
    let id = ada.identity().unwrap();
    match changes.next().await.unwrap().unwrap() {
        Change::Inserted(Inserted { row, .. }) => {
            assert_eq!((row.identity, row.online), (id, true));
        }
        other => panic!("{other:?}"),
    }
    ada.disconnect().await;
    match changes.next().await.unwrap().unwrap() {
        Change::Updated(Updated { old, new, .. }) => {
            assert_eq!((old.identity, old.online, new.online), (id, true, false));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_token_brings_the_same_user_back() {
    let target = Target::chat().await;
    let folder = tempfile::tempdir().unwrap();
    let tokens = FileTokens::at(folder.path().join("token"));
    let first = target.builder().token_store(tokens.clone()).connect().await.unwrap();
    first.call(set_name("Ada".into())).await.unwrap();
    let (identity, connection) = (first.identity(), first.connection_id());
    first.disconnect().await;
    let second = target.builder().token_store(tokens).connect().await.unwrap();
    assert_eq!(second.identity(), identity);
    assert_ne!(second.connection_id(), connection);
    let users = second.query(User::all()).await.unwrap();
    assert_eq!(users.len(), 1);
    assert_eq!(users[0].name.as_deref(), Some("Ada"));
}

#[tokio::test]
async fn without_a_token_everybody_is_somebody_new() {
    let target = Target::chat().await;
    assert_ne!(target.connect().await.identity(), target.connect().await.identity());
}

#[tokio::test]
async fn unsubscribing_removes_rows_no_other_set_holds() {
    let target = Target::chat().await;
    let ada = target.connect().await;
    ada.call(send_message("hello".into())).await.unwrap();
    let all = ada.subscribe((User::all(), Message::all())).await.unwrap();
    let users = ada.subscribe(User::all()).await.unwrap();
    let log = Log::default();
    let (deleted, messages) = (log.clone(), log.clone());
    ada.table::<User>().on_delete(move |_, _| deleted.push("user"));
    ada.table::<Message>().on_delete(move |_, _| messages.push("message"));
    all.unsubscribe().await.unwrap();
    assert_eq!(log.take(), ["message"]);
    assert_eq!((ada.table::<User>().len(), ada.table::<Message>().len()), (1, 0));
    drop(users);
    ada.call(send_message("later".into())).await.unwrap();
    assert_eq!(log.take(), ["user"]);
    assert!(ada.table::<User>().is_empty() && ada.table::<Message>().is_empty());
}

#[tokio::test]
async fn bad_sql_is_refused_in_servers_words() {
    let target = Target::chat().await;
    let ada = target.connect().await;
    let _users = ada.subscribe(User::all()).await.unwrap();
    for sql in
        ["SELEKT * FROM user", "SELECT * FROM nobody", "SELECT * FROM user WHERE nothing = 1"]
    {
        let error = ada.subscribe(sql).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Subscription, "{sql}: {error}");
        assert!(error.to_string().contains(sql), "{error}");
        let error = ada.query_sql::<(Identity,)>(sql).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Query, "{sql}: {error}");
    }
    ada.call(set_name("Ada".into())).await.unwrap();
    assert_eq!(ada.table::<User>().iter().next().unwrap().name.as_deref(), Some("Ada"));
}

#[tokio::test]
async fn an_unknown_reducer_is_a_typed_failure() {
    #[reducer]
    fn no_such_reducer() -> Result<(), String>;

    let target = Target::chat().await;
    let ada = target.connect().await;
    let error = ada.call(no_such_reducer()).await.unwrap_err();
    assert!(matches!(error, CallError::Failed(_)), "{error:?}");
    ada.call(send_message("still here".into())).await.unwrap();
}

#[tokio::test]
async fn every_compression_and_confirmation_shows_the_same_rows() {
    let target = Target::chat().await;
    let ada = target.connect().await;
    let text = "row ".repeat(2_000);
    ada.call(send_message(text.clone())).await.unwrap();
    for compression in [
        lightlike::connection::Compression::None,
        lightlike::connection::Compression::Gzip,
        lightlike::connection::Compression::Brotli,
    ] {
        for confirmed in [false, true] {
            let builder = target.builder().compression(compression).confirmed_reads(confirmed);
            let db = builder.connect().await.unwrap();
            let _messages = db.subscribe(Message::all()).await.unwrap();
            let rows: Vec<_> = db.table::<Message>().iter().map(|message| message.text).collect();
            assert_eq!(rows, [text.as_str()], "{compression:?}, confirmed: {confirmed}");
        }
    }
}

#[tokio::test]
async fn concurrent_calls_are_answered_in_order() {
    let target = Target::chat().await;
    let ada = target.connect().await;
    let _messages = ada.subscribe(Message::all()).await.unwrap();
    let mut stream = ada.table::<Message>().inserts();
    let calls: Vec<_> = (0..500).map(|n| ada.call(send_message(n.to_string())).send()).collect();
    for call in calls {
        call.await.unwrap();
    }
    for n in 0..500 {
        assert_eq!(stream.next().await.unwrap().unwrap().row.text, n.to_string());
    }
    assert_eq!(ada.table::<Message>().len(), 500);
    assert_eq!(ada.pending_calls(), 0);
}

#[tokio::test]
async fn disconnected_client_keeps_rows_and_refuses_calls() {
    let target = Target::chat().await;
    let ada = target.connect().await;
    let users = ada.subscribe(User::all()).await.unwrap();
    let mut inserts = ada.table::<User>().inserts();
    ada.disconnect().await;
    ada.disconnect().await;
    assert!(matches!(ada.state().get(), ConnectionState::Closed(_)));
    assert_eq!(ada.table::<User>().len(), 1);
    assert!(users.is_ended());
    assert!(inserts.next().await.is_none());
    let outcome = ada.call(set_name("Ada".into())).await;
    assert!(matches!(outcome, Err(CallError::NotSent(_))), "{outcome:?}");
    let error = ada.subscribe(User::all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
}

#[tokio::test]
async fn dropping_the_last_handle_closes_the_connection() {
    let target = Target::chat().await;
    let grace = target.connect().await;
    let _users = grace.subscribe(User::all()).await.unwrap();
    let mut updates = grace.table::<User>().updates();
    let ada = target.connect().await;
    let weak = ada.downgrade();
    let mut stream = ada.table::<User>().inserts();
    let second = ada.clone();
    drop(ada);
    assert!(weak.upgrade().is_some());
    drop(second);
    assert!(weak.upgrade().is_none());
    assert!(stream.next().await.is_none());
    assert!(!updates.next().await.unwrap().unwrap().new.online);
}

#[tokio::test]
async fn callbacks_may_do_anything() {
    let target = Target::chat().await;
    let ada = target.connect().await;
    let _messages = ada.subscribe(Message::all()).await.unwrap();
    let log = Log::default();
    let seen = log.clone();
    let table = ada.table::<Message>();
    let id = Arc::new(Mutex::new(None::<CallbackId>));
    let own = Arc::clone(&id);
    *id.lock().unwrap() = Some(table.on_insert(move |event, message| {
        seen.push(format!("first: {}", message.text));
        let db = event.db();
        own.lock().unwrap().take().unwrap().remove();
        let later = seen.clone();
        db.table::<Message>().on_insert(move |_, message| {
            later.push(format!("second: {}", message.text));
        });
        db.subscribe(User::all()).keep();
        db.call(send_message("from inside".into())).forget();
        panic!("a callback that panics, on purpose");
    }));
    let mut stream = table.inserts();
    ada.call(send_message("one".into())).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().row.text, "one");
    assert_eq!(stream.next().await.unwrap().unwrap().row.text, "from inside");
    ada.call(send_message("three".into())).await.unwrap();
    assert_eq!(log.take(), ["first: one", "second: from inside", "second: three"]);
    assert_eq!(ada.table::<User>().len(), 1, "the set asked for inside is applied");
}

#[tokio::test]
async fn view_does_not_change_while_held() {
    let target = Target::chat().await;
    let ada = target.connect().await;
    let _all = ada.subscribe((User::all(), Message::all())).await.unwrap();
    let before = ada.read();
    ada.call(set_name("Ada".into())).await.unwrap();
    ada.call(send_message("hello".into())).await.unwrap();
    let id = ada.identity().unwrap();
    assert_eq!(before.table::<User>().get(&id).unwrap().name, None);
    assert!(before.table::<Message>().is_empty());
    let after = ada.read();
    assert_eq!(after.table::<User>().get(&id).unwrap().name.as_deref(), Some("Ada"));
    assert_eq!(after.table::<Message>().len(), 1);
}

#[tokio::test]
async fn rows_before_first_mention_are_there_afterwards() {
    let target = Target::chat().await;
    let ada = target.connect().await;
    ada.call(send_message("hello".into())).await.unwrap();
    let _messages = ada.subscribe("SELECT * FROM message").await.unwrap();
    assert_eq!(ada.read().table::<Message>().iter().next().unwrap().text, "hello");
    ada.call(send_message("again".into())).await.unwrap();
    assert_eq!(ada.table::<Message>().len(), 2);
}
