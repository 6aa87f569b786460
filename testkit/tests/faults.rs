//! Each thing that can be made to go wrong.

mod common;

use std::time::Duration;

use common::client::{Client, Options, Seen, changes};
use common::world::{Note, add_note, fail, note_twice, world};
use lightlike::bsatn::to_vec;
use lightlike_core::wire::{
    ClientMessage, QuerySetId, ReducerOutcome, RequestId, ServerMessage, Text, TransactionUpdate,
};
use lightlike_testkit::{Fault, Server};
use tokio_tungstenite::tungstenite::Error;

/// Number of notes: tells if a call commits after all.
fn notes(server: &Server) -> usize {
    server.rows::<Note>().len()
}

async fn connected(server: &Server) -> Client {
    Client::connect(server).await
}

#[tokio::test]
async fn request_can_be_lost_before_execution() {
    let server = world().start().await;
    let mut client = connected(&server).await;
    server.inject(Fault::DropConnectionBeforeRequest);
    client.send_call(&add_note(1, "x".into())).await;
    assert_eq!(client.next().await, Seen::Lost);
    assert_eq!(notes(&server), 0);
    assert_eq!(server.look(|state| state.calls("add_note")), 0);
}

#[tokio::test]
async fn reply_can_be_lost_after_commit() {
    let server = world().start().await;
    let mut client = connected(&server).await;
    let mut other = connected(&server).await;
    other.subscribe(1, &["SELECT * FROM note"]).await;
    server.inject(Fault::DropConnectionBeforeReply);
    client.send_call(&add_note(1, "x".into())).await;
    assert_eq!(client.next().await, Seen::Lost);
    assert_eq!(changes(&other.update().await), (vec![Note::new(1, "x")], vec![]));
    assert_eq!(notes(&server), 1);

    let mut client = connected(&server).await;
    client.subscribe(1, &["SELECT * FROM note"]).await;
    server.inject(Fault::DropConnectionBeforeReply);
    client.send_procedure(&note_twice("y".into())).await;
    assert_eq!(changes(&client.update().await), (vec![Note::new(1, "y")], vec![]));
    assert_eq!(changes(&client.update().await), (vec![Note::new(2, "y")], vec![]));
    assert_eq!(client.next().await, Seen::Lost);
    assert_eq!(server.look(|state| state.faults()), 0);
}

#[tokio::test]
async fn nothing_executes_after_connection_end() {
    let server = world().start().await;
    for fault in [
        Fault::DropConnectionBeforeReply,
        Fault::DropConnectionAfterReply,
        Fault::Close { code: 1011, reason: String::new() },
        Fault::TruncateFrame { bytes: 3 },
        Fault::Stall,
    ] {
        server.run(|tx| tx.table_mut::<Note>().clear());
        let mut client = connected(&server).await;
        server.inject(fault.clone());
        let messages: Vec<_> = (0..3)
            .map(|level| ClientMessage::CallReducer {
                request_id: client.next_request(),
                reducer: Text::from("add_note"),
                args: to_vec(&add_note(level, "x".into())).unwrap().into(),
            })
            .collect();
        client.send(&messages).await;
        server.wait_for(|state| state.faults() == 0).await;
        server.disconnect_all();
        while client.next().await != Seen::Lost {}
        server.wait_for(|state| state.connections().is_empty()).await;
        assert_eq!(server.rows::<Note>(), [Note::new(0, "x")], "{fault:?}");
    }
}

#[tokio::test]
async fn a_connection_can_end_right_after_a_reply() {
    let server = world().start().await;
    let mut client = connected(&server).await;
    server.inject(Fault::DropConnectionAfterReply);
    client.send_call(&add_note(1, "x".into())).await;
    assert!(matches!(client.message().await, ServerMessage::ReducerResult { .. }));
    assert_eq!(client.next().await, Seen::Lost);
}

#[tokio::test]
async fn connection_can_close_instead_of_reply() {
    let server = world().start().await;
    let mut client = connected(&server).await;
    server.inject(Fault::Close { code: 1013, reason: "too many requests".into() });
    client.send_call(&add_note(1, "x".into())).await;
    // Whatever else the client says is not looked at.
    client.send_call(&add_note(2, "y".into())).await;
    assert_eq!(client.next().await, Seen::Close { code: 1013, reason: "too many requests".into() });
    server.wait_for(|state| state.connections().is_empty()).await;
    assert_eq!(notes(&server), 1);
}

#[tokio::test]
async fn delayed_reply_delays_what_follows() {
    let server = world().start().await;
    let mut client = connected(&server).await;
    server.inject(Fault::DelayReply(Duration::from_millis(1)));
    let first = client.send_query("SELECT * FROM note").await;
    let second = client.send_query("SELECT * FROM note").await;
    assert_eq!(client.message().await.request_id(), Some(first));
    assert_eq!(client.message().await.request_id(), Some(second));
    // A connection that is lost meanwhile does not wait for the time to pass.
    server.inject(Fault::DelayReply(Duration::MAX));
    client.send_query("SELECT * FROM note").await;
    server.wait_for(|state| state.faults() == 0).await;
    server.disconnect_all();
    assert_eq!(client.next().await, Seen::Lost);
}

#[tokio::test]
async fn a_connection_can_stay_open_and_silent() {
    let server = world().start().await;
    let mut client = connected(&server).await;
    let mut other = connected(&server).await;
    server.inject_on(client.id, Fault::Stall);
    assert!(other.hears_nothing().await, "the fault is the other connection's");
    client.send_call(&add_note(1, "x".into())).await;
    server.wait_for(|state| state.commits() == 1).await;
    client.send_call(&add_note(2, "y".into())).await;
    assert!(other.hears_nothing().await);
    assert_eq!(server.connections().len(), 2);
    assert!(server.disconnect(client.id));
    assert_eq!(client.next().await, Seen::Lost);
    assert_eq!(notes(&server), 1, "the second call was never read");
}

#[tokio::test]
async fn reply_can_be_garbage_or_truncated() {
    let server = world().start().await;
    let mut client = connected(&server).await;
    server.inject(Fault::SendGarbage(vec![0, 99, 1, 2, 3]));
    client.send_query("SELECT * FROM note").await;
    assert_eq!(&client.payload().await[..], [0, 99, 1, 2, 3]);
    assert!(client.hears_nothing().await, "the connection goes on");

    for bytes in [0, 1, 2, 10] {
        let mut client = connected(&server).await;
        server.inject(Fault::TruncateFrame { bytes });
        client.send_query("SELECT * FROM note").await;
        assert_eq!(client.next().await, Seen::Lost, "{bytes}");
    }
}

#[tokio::test]
async fn something_else_can_come_first() {
    let server = world().start().await;
    let mut client = connected(&server).await;
    let unasked = ServerMessage::SubscriptionError {
        request_id: Some(RequestId(77)),
        query_set_id: QuerySetId(7),
        error: Text::from("who?"),
    };
    server.inject(Fault::SendFirst(Box::new(unasked.clone())));
    let sent = client.send_query("SELECT * FROM note").await;
    assert_eq!(client.message().await, unasked);
    assert_eq!(client.message().await.request_id(), Some(sent));

    let update = ServerMessage::TransactionUpdate(TransactionUpdate::default());
    assert!(server.send(client.id, update.clone()));
    assert_eq!(client.message().await, update);
    assert!(server.send_payload(client.id, vec![3]));
    assert_eq!(&client.payload().await[..], [3]);
}

#[tokio::test]
async fn an_applied_query_set_can_fail() {
    let server = world().start().await;
    let mut client = connected(&server).await;
    // It waits for a subscription, whatever else is asked for.
    server.inject(Fault::ErrorAfterApplied("view crashed".into()));
    client.query("SELECT * FROM note").await.unwrap();
    client.subscribe(4, &["SELECT * FROM note"]).await;
    let failed = |query_set_id, error: &str| ServerMessage::SubscriptionError {
        request_id: None,
        query_set_id: QuerySetId(query_set_id),
        error: Text::from(error),
    };
    assert_eq!(client.message().await, failed(4, "view crashed"));
    client.subscribe(5, &["SELECT * FROM note"]).await;
    assert!(server.fail_query_set(client.id, QuerySetId(5), "again"));
    assert_eq!(client.message().await, failed(5, "again"));
    server.run(|tx| tx.insert(Note::new(1, "x")));
    assert!(client.hears_nothing().await);
    assert_eq!(server.look(|state| state.query_sets()), 0);

    server.inject(Fault::ErrorAfterApplied("in a batch".into()));
    client.send_batch(&[(6, &["SELECT * FROM nope"]), (7, &["SELECT * FROM note"])]).await;
    assert!(matches!(client.message().await, ServerMessage::SubscribeBatchApplied { .. }));
    assert_eq!(client.message().await, failed(7, "in a batch"));
}

#[tokio::test]
async fn handshake_can_be_refused_dropped_or_unnegotiable() {
    let server = world().start().await;
    server.inject(Fault::RefuseHandshake { status: 503, body: "later".into() });
    server.inject(Fault::NoProtocol);
    server.inject(Fault::DropHandshake);
    for (status, body) in [(503, "later"), (400, "no valid protocol selected")] {
        let Err(Error::Http(response)) = Client::open(&server, &Options::default()).await else {
            panic!()
        };
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.body().as_deref(), Some(body.as_bytes()));
    }
    assert!(!matches!(
        Client::open(&server, &Options::default()).await,
        Err(Error::Http(_)) | Ok(_)
    ));
    connected(&server).await;
    assert_eq!(server.look(|state| state.handshakes()), 4);
}

#[tokio::test]
async fn a_server_can_be_too_old_for_batches() {
    let server = world().start().await;
    server.inject(Fault::NoSubscribeBatch);
    let mut client = connected(&server).await;
    client.send_batch(&[(1, &["SELECT * FROM note"])]).await;
    assert!(matches!(client.next().await, Seen::Close { code: 1011, .. }));
    let mut client = connected(&server).await;
    client.send_batch(&[(1, &["SELECT * FROM note"])]).await;
    assert!(matches!(client.message().await, ServerMessage::SubscribeBatchApplied { .. }));
}

#[tokio::test]
async fn faults_happen_once_and_in_order() {
    let server = world().start().await;
    server.inject(Fault::DropConnectionAfterReply);
    server.inject(Fault::DropConnectionBeforeRequest);
    let mut client = connected(&server).await;
    assert_eq!(server.look(|state| state.faults()), 2, "neither is of a handshake");
    client.send_call(&fail()).await;
    let ServerMessage::ReducerResult { outcome: ReducerOutcome::Err(_), .. } =
        client.message().await
    else {
        panic!()
    };
    assert_eq!(client.next().await, Seen::Lost);
    let mut client = connected(&server).await;
    client.send_call(&fail()).await;
    assert_eq!(client.next().await, Seen::Lost);
    assert!(connected(&server).await.hears_nothing().await);
}

#[tokio::test]
async fn replies_can_be_held_back() {
    let server = world().start().await;
    let mut client = connected(&server).await;
    let first = server.hold_replies();
    let second = server.hold_replies();
    client.send_call(&add_note(1, "x".into())).await;
    server.wait_for(|state| state.commits() == 1).await;
    drop(first);
    client.send_raw(tokio_tungstenite::tungstenite::Message::Ping("alive?".into())).await;
    // The call is done, and the client does not know: the server asks nobody to hurry.
    client
        .send(&[ClientMessage::OneOffQuery {
            request_id: RequestId(9),
            query: "SELECT * FROM note".into(),
        }])
        .await;
    server.wait_for(|state| state.requests() == 2).await;
    drop(second);
    assert!(matches!(client.message().await, ServerMessage::ReducerResult { .. }));
    assert_eq!(client.message().await.request_id(), Some(RequestId(9)));

    let held = server.hold_replies();
    client.send_call(&add_note(2, "y".into())).await;
    server.wait_for(|state| state.commits() == 2).await;
    server.disconnect_all();
    assert_eq!(client.next().await, Seen::Lost);
    drop(held);
}

#[tokio::test]
async fn connections_can_be_ended_one_by_one() {
    let server = world().start().await;
    let mut ada = connected(&server).await;
    let mut bob = connected(&server).await;
    let mut eve = connected(&server).await;
    assert!(server.disconnect(ada.id));
    assert_eq!(ada.next().await, Seen::Lost);
    assert!(server.close(bob.id, 1001, "gone"));
    assert_eq!(bob.next().await, Seen::Close { code: 1001, reason: "gone".into() });
    server.wait_for(|state| state.connections().len() == 1).await;
    assert!(!server.disconnect(ada.id));
    assert!(eve.hears_nothing().await);
    // A reason that fits no close frame is cut, between two letters.
    server.close(eve.id, 1001, &"é".repeat(100));
    assert_eq!(eve.next().await, Seen::Close { code: 1001, reason: "é".repeat(61) });
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut_off() {
    let server = world().start().await;
    let mut client = connected(&server).await;
    client.subscribe(1, &["SELECT * FROM note"]).await;
    let held = server.hold_replies();
    for level in 0..16_384 {
        server.run(|tx| tx.insert(Note::new(level, "")));
    }
    assert_eq!(server.connections().len(), 1);
    server.run(|tx| tx.insert(Note::new(0, "one too many")));
    server.wait_for(|state| state.connections().is_empty()).await;
    drop(held);
    assert_eq!(client.next().await, Seen::Lost);
}
