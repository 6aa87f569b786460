//! Connections that are cut, on both servers: what comes back, and what is told of it.
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::sync::{Arc, Mutex};

use lightlike::calls::WhileDisconnected;
use lightlike::connection::Reconnect;
use lightlike::events::{Changes, EventStream};
use lightlike::prelude::*;
use lightlike_tests::chat::{Message, User, send_message, set_name};
use lightlike_tests::proxy::Proxy;
use lightlike_tests::target::Target;

/// A client behind a proxy, and somebody else who is not.
struct Rig {
    proxy: Proxy,
    ada: Client,
    grace: Client,
    _target: Target,
}

impl Rig {
    async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(
        change: impl FnOnce(lightlike::ClientBuilder) -> lightlike::ClientBuilder,
    ) -> Self {
        let target = Target::chat().await;
        let proxy = Proxy::start(&target.uri()).await;
        let builder = change(Client::builder(proxy.uri(), target.name()).reconnect(quick()));
        let ada = builder.connect().await.unwrap();
        let grace = target.connect().await;
        Self { proxy, ada, grace, _target: target }
    }

    async fn until(&self, wanted: impl Fn(&ConnectionState) -> bool) {
        self.ada.state().wait_for(wanted).await.unwrap();
    }

    /// Cuts the connection and waits until the client knows.
    async fn cut(&self) {
        self.proxy.close(true);
        self.proxy.cut();
        self.until(|state| matches!(state, ConnectionState::Reconnecting { .. })).await;
    }

    /// Lets the client come back, and waits until it is in step.
    async fn come_back(&self) {
        self.proxy.close(false);
        self.ada.reconnect_now();
        self.until(|state| matches!(state, ConnectionState::Ready)).await;
    }
}

/// Pauses that a test can wait for.
fn quick() -> Reconnect {
    let mut reconnect = Reconnect::default();
    reconnect.pause_max = std::time::Duration::from_millis(100);
    reconnect
}

/// The texts of the messages that a transaction brought.
fn texts(changes: &Changes) -> Vec<String> {
    let rows = changes.of::<Message>().map(|change| match change {
        RowChange::Insert(row) => format!("+{}", row.text),
        RowChange::Delete(row) => format!("-{}", row.text),
        RowChange::Update { .. } | RowChange::Event(_) => panic!("messages have no key"),
    });
    rows.collect()
}

async fn next(stream: &mut EventStream<Changes>) -> Changes {
    stream.next().await.unwrap().unwrap()
}

#[tokio::test]
async fn rows_stay_while_disconnected_and_resync_silently() {
    let rig = Rig::new().await;
    rig.grace.call(send_message("hello".into())).await.unwrap();
    let messages = rig.ada.subscribe(Message::all()).await.unwrap();
    let mut transactions = rig.ada.transactions();
    assert!(!rig.ada.read().is_stale());
    rig.cut().await;
    assert_eq!(rig.ada.table::<Message>().len(), 1);
    assert!(rig.ada.read().is_stale());
    rig.come_back().await;
    assert!(messages.is_applied());
    assert!(!rig.ada.read().is_stale());
    rig.ada.call(send_message("again".into())).await.unwrap();
    let first = next(&mut transactions).await;
    assert_eq!((texts(&first), first.cause() == &Cause::Resync), (vec!["+again".into()], false));
}

#[tokio::test]
async fn what_changed_meanwhile_comes_as_one_transaction() {
    let rig = Rig::new().await;
    rig.grace.call(set_name("Grace".into())).await.unwrap();
    let _all = rig.ada.subscribe((User::all(), Message::all())).await.unwrap();
    let _users = rig.ada.subscribe(User::all()).await.unwrap();
    let renamed = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&renamed);
    rig.ada.table::<User>().on_update(move |event, old, new| {
        if old.name != new.name {
            seen.lock().unwrap().push((event.cause().clone(), old.name.clone(), new.name.clone()));
        }
    });
    let mut transactions = rig.ada.transactions();
    rig.cut().await;
    for text in ["one", "two", "three"] {
        rig.grace.call(send_message(text.into())).await.unwrap();
    }
    rig.grace.call(set_name("Hopper".into())).await.unwrap();
    assert!(rig.ada.table::<Message>().is_empty());
    rig.come_back().await;
    let changes = next(&mut transactions).await;
    let mut messages = texts(&changes);
    messages.sort();
    assert_eq!(messages, ["+one", "+three", "+two"]);
    assert_eq!(changes.cause(), &Cause::Resync);
    let renamed = std::mem::take(&mut *renamed.lock().unwrap());
    assert_eq!(renamed, [(Cause::Resync, Some("Grace".into()), Some("Hopper".into()))]);
    // And it goes on.
    rig.grace.call(send_message("four".into())).await.unwrap();
    loop {
        let changes = next(&mut transactions).await;
        if !texts(&changes).is_empty() {
            assert_eq!(texts(&changes), ["+four"]);
            return;
        }
    }
}

#[tokio::test]
async fn lost_answer_is_unknown_and_rows_resync() {
    let rig = Rig::new().await;
    let _messages = rig.ada.subscribe(Message::all()).await.unwrap();
    let _seen = rig.grace.subscribe(Message::all()).await.unwrap();
    let mut heard = rig.grace.table::<Message>().inserts();
    rig.proxy.hold_replies(true);
    let call = rig.ada.call(send_message("did it arrive?".into())).send();
    assert_eq!(heard.next().await.unwrap().unwrap().row.text, "did it arrive?");
    rig.cut().await;
    assert!(matches!(call.await, Err(CallError::Unknown)));
    rig.proxy.hold_replies(false);
    rig.come_back().await;
    let texts: Vec<_> = rig.ada.table::<Message>().iter().map(|row| row.text).collect();
    assert_eq!(texts, ["did it arrive?"], "once");
}

#[tokio::test]
async fn disconnected_calls_fail_or_wait_as_configured() {
    let rig = Rig::new().await;
    rig.cut().await;
    let outcome = rig.ada.call(send_message("lost".into())).await;
    assert!(matches!(outcome, Err(CallError::NotSent(_))), "{outcome:?}");

    let rig = Rig::with(|builder| builder.while_disconnected(WhileDisconnected::Wait)).await;
    let _messages = rig.ada.subscribe(Message::all()).await.unwrap();
    rig.cut().await;
    let calls: Vec<_> =
        ["one", "two"].map(|text| rig.ada.call(send_message(text.into())).send()).into();
    assert_eq!(rig.ada.pending_calls(), 2);
    rig.come_back().await;
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(rig.ada.table::<Message>().len(), 2);
}

#[tokio::test]
async fn offline_subscription_changes_apply_on_reconnect() {
    let rig = Rig::new().await;
    rig.grace.call(send_message("hello".into())).await.unwrap();
    let messages = rig.ada.subscribe(Message::all()).await.unwrap();
    rig.cut().await;
    let users = rig.ada.subscribe(User::all());
    messages.unsubscribe().await.unwrap();
    assert!(rig.ada.table::<Message>().is_empty());
    rig.come_back().await;
    users.applied().await.unwrap();
    assert_eq!(rig.ada.table::<User>().len(), 2);
    assert!(rig.ada.table::<Message>().is_empty());
}

#[tokio::test]
async fn the_same_user_comes_back_on_another_connection() {
    let rig = Rig::new().await;
    let _users = rig.ada.subscribe(User::all()).await.unwrap();
    let (identity, connection) = (rig.ada.identity(), rig.ada.connection_id());
    rig.cut().await;
    rig.come_back().await;
    assert_eq!(rig.ada.identity(), identity);
    assert_ne!(rig.ada.connection_id(), connection);
    assert_eq!(rig.ada.table::<User>().len(), 2);
}

#[tokio::test]
async fn many_cuts_in_a_row_leave_nothing_behind() {
    let rig = Rig::new().await;
    let _all = rig.ada.subscribe((User::all(), Message::all())).await.unwrap();
    let _users = rig.ada.subscribe(User::all()).await.unwrap();
    for round in 0..10 {
        rig.cut().await;
        rig.grace.call(send_message(round.to_string())).await.unwrap();
        rig.come_back().await;
    }
    let mut texts: Vec<_> = rig.ada.table::<Message>().iter().map(|row| row.text).collect();
    texts.sort();
    assert_eq!(texts, (0..10).map(|round| round.to_string()).collect::<Vec<_>>());
    assert_eq!(rig.ada.pending_calls(), 0);
}

#[tokio::test]
async fn closing_ends_the_attempts() {
    let rig = Rig::new().await;
    let users = rig.ada.subscribe(User::all()).await.unwrap();
    rig.cut().await;
    rig.ada.disconnect().await;
    assert!(matches!(rig.ada.state().get(), ConnectionState::Closed(_)));
    assert!(users.is_ended());
}

#[tokio::test]
async fn a_built_client_connects_when_the_server_comes() {
    let target = Target::chat().await;
    let proxy = Proxy::start(&target.uri()).await;
    proxy.close(true);
    let db = Client::builder(proxy.uri(), target.name()).reconnect(quick()).build().unwrap();
    let users = db.subscribe(User::all());
    db.start().unwrap();
    let mut state = db.state();
    state.wait_for(|state| matches!(state, ConnectionState::Reconnecting { .. })).await.unwrap();
    proxy.close(false);
    users.applied().await.unwrap();
    assert_eq!(db.table::<User>().len(), 1);
}
