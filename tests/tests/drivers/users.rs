//! One client that becomes another user, and the token that must not make it one.

use std::sync::{Arc, Mutex};

use lightlike::ErrorKind;
use lightlike::auth::{MemoryTokens, TokenStore as _};
use lightlike::connection::{CloseReason, Lost};
use lightlike::offline::MemoryStore;
use lightlike::prelude::*;
use lightlike_tests::chat::{Message, User, send_message};
use lightlike_tests::target::Target;

use crate::support::{chat, tick_until};

/// Another user's token.
async fn token_of_other(target: &Target) -> (Identity, String) {
    let other = target.connect().await;
    let account = (other.identity().unwrap(), other.token().unwrap());
    other.disconnect().await;
    account
}

/// The causes of the transactions, from now on.
fn causes(db: &Client) -> Arc<Mutex<Vec<String>>> {
    let causes = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&causes);
    db.on_transaction(move |event, _| {
        let cause = format!("{:?}", event.cause());
        log.lock().unwrap().push(cause.split(['(', ' ']).next().unwrap().to_owned());
    });
    causes
}

#[tokio::test]
async fn other_user_has_the_sets_and_no_rows_of_before() {
    let target = Target::chat().await;
    let (identity, token) = token_of_other(&target).await;
    let tokens = Arc::new(MemoryTokens::new());
    let db = target.builder().token_store(Arc::clone(&tokens)).connect().await.unwrap();
    let before = db.identity().unwrap();
    let set = db.subscribe((User::all(), Message::all())).await.unwrap();
    db.call(send_message("mine".into())).await.unwrap();
    let causes = causes(&db);

    db.switch_user(Some(&token)).unwrap();
    assert_eq!((db.identity(), db.token()), (None, None));
    assert!(db.table::<User>().is_empty() && db.table::<Message>().is_empty(), "at once");
    assert!(!set.is_applied());
    set.applied().await.unwrap();
    assert_eq!((db.identity(), db.token()), (Some(identity), Some(token.clone())));
    assert_eq!(tokens.load().unwrap(), Some(token));
    let log = causes.lock().unwrap().clone();
    let at = log.iter().position(|cause| cause == "UserChanged").unwrap();
    assert_eq!(log[at + 1], "Applied");
    assert_eq!(db.table::<Message>().len(), 1);

    db.call(send_message("the other's".into())).await.unwrap();
    let view = db.read();
    let mut senders: Vec<_> = view.table::<Message>().iter().map(|row| row.sender).collect();
    senders.sort_by_key(|sender| *sender == identity);
    assert_eq!(senders, [before, identity]);

    // And one whom the server makes.
    db.switch_user(None).unwrap();
    set.applied().await.unwrap();
    let third = db.identity().unwrap();
    assert!(third != before && third != identity);
    assert_eq!(tokens.load().unwrap(), db.token());
    set.unsubscribe().await.unwrap();
}

#[tokio::test]
async fn calls_of_the_user_before_end() {
    let target = Target::chat().await;
    let Target::Embedded(server) = &target else { return };
    let db = target.connect().await;
    let held = server.hold_replies();
    let sent = db.call(send_message("sent".into())).send();
    server.wait_for(|state| state.calls("send_message") == 1).await;
    db.switch_user(None).unwrap();
    drop(held);
    assert!(matches!(sent.await, Err(CallError::Unknown)));
    db.call(send_message("the other's".into())).await.unwrap();
}

#[test]
fn other_user_of_ticked_client_comes_by_ticks() {
    let target = chat();
    let db = target.builder().build_manual().unwrap();
    let set = tick_until(&db, db.subscribe(User::all()).into_future()).unwrap();
    let before = db.identity().unwrap();
    tick_until(&db, db.table::<User>().first_batch()).unwrap();
    db.switch_user(None).unwrap();
    assert!(db.table::<User>().is_empty());
    tick_until(&db, db.table::<User>().first_batch()).unwrap();
    tick_until(&db, set.applied()).unwrap();
    let now = db.identity().unwrap();
    assert_ne!(before, now);
    let view = db.read();
    let online =
        |identity| view.table::<User>().find(User::IDENTITY, &identity).map(|user| user.online);
    assert_eq!(online(now), Some(true));
}

#[tokio::test]
async fn client_with_offline_store_keeps_its_user() {
    let target = Target::chat().await;
    let db = target.builder().offline(MemoryStore::default()).connect().await.unwrap();
    let identity = db.identity();
    let error = db.switch_user(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("one user's"), "{error}");
    assert_eq!(db.identity(), identity);
    let error = db.switch_user(Some("two\nlines")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    db.disconnect().await;
}

#[tokio::test]
async fn closed_client_becomes_no_other_user() {
    let target = Target::chat().await;
    let db = target.connect().await;
    db.disconnect().await;
    assert_eq!(db.switch_user(None).unwrap_err().kind(), ErrorKind::Disconnected);
}

#[tokio::test]
async fn token_of_other_user_closes_the_connection() {
    let target = Target::chat().await;
    let (identity, token) = token_of_other(&target).await;
    let proxy = lightlike_tests::proxy::Proxy::start(&target.uri()).await;
    let db = Client::builder(proxy.uri(), target.name()).connect().await.unwrap();
    let _users = db.subscribe(User::all()).await.unwrap();
    let (before, users) = (db.identity().unwrap(), db.table::<User>().len());
    db.set_token(&token).unwrap();
    proxy.cut();
    db.reconnect_now();
    let closed = |state: &ConnectionState| matches!(state, ConnectionState::Closed(_));
    let state = db.state().wait_for(closed).await.unwrap();
    let ConnectionState::Closed(CloseReason::Lost(lost)) = &state else { panic!("{state}") };
    assert!(
        matches!(lost, Lost::IdentityChanged { before: old, now } if (*old, *now) == (before, identity))
    );
    assert_eq!(db.table::<User>().len(), users, "rows stay readable");
}
