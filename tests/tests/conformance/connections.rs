//! Connecting and disconnecting: who the server says is there.

use lightlike::ErrorKind;
use lightlike::prelude::*;
use lightlike_tests::conformance::{next, on_both_servers};

use crate::module::*;

/// The official flow of connecting and disconnecting, and scenario 34.
#[tokio::test]
async fn client_counts_as_connected_until_disconnect() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let _rows = db.subscribe((Connected::all(), Disconnected::all())).await.unwrap();
        let identity = db.identity().unwrap();
        assert!(db.table::<Connected>().iter().eq([Connected { identity }]));
        assert!(db.table::<Disconnected>().is_empty());
        let (token, connection) = (db.token().unwrap(), db.connection_id());
        db.disconnect().await;
        assert!(matches!(db.state().get(), ConnectionState::Closed(_)));

        let again = target.builder().token(token).connect().await.unwrap();
        assert_eq!(again.identity(), Some(identity));
        assert_ne!(again.connection_id(), connection);
        let _rows = again.subscribe((Connected::all(), Disconnected::all())).await.unwrap();
        assert!(again.table::<Connected>().iter().eq([Connected { identity }]));
        assert!(again.table::<Disconnected>().iter().eq([Disconnected { identity }]));
    })
    .await;
}

/// Official scenario 32.
#[tokio::test]
async fn a_kept_token_is_the_same_token_again() {
    on_both_servers(async |target| {
        let folder = tempfile::tempdir().unwrap();
        let tokens = FileTokens::at(folder.path().join("token"));
        let first = target.builder().token_store(tokens.clone()).connect().await.unwrap();
        let second = target.builder().token_store(tokens).connect().await.unwrap();
        assert_eq!((first.identity(), first.token()), (second.identity(), second.token()));
        assert_ne!(first.connection_id(), second.connection_id());
    })
    .await;
}

#[tokio::test]
async fn one_of_two_connections_may_close() {
    on_both_servers(async |target| {
        let first = target.connect().await;
        let token = first.token().unwrap();
        let second = target.builder().token(&token).connect().await.unwrap();
        let _rows = first.subscribe(Disconnected::all()).await.unwrap();
        let mut gone = first.table::<Disconnected>().inserts();
        second.disconnect().await;
        assert_eq!(Some(next(&mut gone).await.row.identity), first.identity());
        first.call(no_op()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn identity_refused_by_module_cannot_connect() {
    on_both_servers(async |target| {
        let (judge, culprit) = (target.connect().await, target.connect().await);
        let (identity, token) = (culprit.identity().unwrap(), culprit.token().unwrap());
        culprit.disconnect().await;
        judge.call(ban(identity)).await.unwrap();
        let refused = target.builder().token(&token).connect().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Connect, "{refused:?}");
        judge.call(unban(identity)).await.unwrap();
        let back = target.builder().token(&token).connect().await.unwrap();
        assert_eq!(back.identity(), Some(identity));
    })
    .await;
}

#[tokio::test]
async fn a_token_that_is_none_is_refused() {
    on_both_servers(async |target| {
        let refused = target.builder().token("no.such.token").connect().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Auth, "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn missing_database_is_not_found() {
    on_both_servers(async |target| {
        let missing =
            Client::builder(target.uri(), "no-such-database").connect().await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing:?}");
    })
    .await;
}

/// Official scenarios 11 to 14 subscribe before they are connected.
#[tokio::test]
async fn what_is_asked_before_connecting_is_answered_after() {
    on_both_servers(async |target| {
        let db = target.builder().build().unwrap();
        let set = db.subscribe(Connected::all());
        let mut inserts = db.table::<Connected>().inserts();
        assert!(!set.is_applied() && db.identity().is_none() && db.connection_id().is_none());
        db.start().unwrap();
        let set = set.await.unwrap();
        assert!(set.is_applied());
        let Inserted { row, cause, .. } = next(&mut inserts).await;
        assert_eq!(Some(row.identity), db.identity());
        assert!(matches!(cause, Cause::Applied(_)), "{cause:?}");
    })
    .await;
}

#[tokio::test]
async fn a_callback_may_disconnect() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let mut state = db.state();
        db.table::<Connected>().on_insert(|event, _| {
            let db = event.db().clone();
            // Polled once, it closes.
            let mut disconnect = Box::pin(async move { db.disconnect().await });
            let waker = std::task::Waker::noop();
            let _ = disconnect.as_mut().poll(&mut std::task::Context::from_waker(waker));
        });
        let set = db.subscribe(Connected::all());
        state.wait_for(|state| matches!(state, ConnectionState::Closed(_))).await.unwrap();
        assert_eq!(set.ended().await.unwrap_err().kind(), ErrorKind::Disconnected);
        assert_eq!(db.table::<Connected>().len(), 1);
    })
    .await;
}
