//! Sockets that hang, end, or carry what they should not.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use lightlike_core::conn::{CallRequest, Config, ConnectionState, DialError, Event, Lost, Reply};
use lightlike_core::types::Timestamp;
use lightlike_core::wire::{
    FrameError, ReducerOutcome, RequestId, ServerMessage, Text, TransactionUpdate,
};
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::rig::{Rig, frame, greeting};

const ROOM: usize = 64 * 1024;

fn call(args: usize) -> CallRequest {
    CallRequest::Reducer { name: Text::from("f"), args: Bytes::from(vec![7; args]) }
}

fn answer(request_id: u32) -> ServerMessage {
    let update = TransactionUpdate::default();
    ServerMessage::ReducerResult {
        request_id: RequestId(request_id),
        timestamp: Timestamp::from_micros(0),
        outcome: ReducerOutcome::Ok { ret_value: Bytes::new(), update },
    }
}

#[tokio::test(start_paused = true)]
async fn unopened_socket_times_out() {
    let lost = Rig::stuck().lost().await;
    assert!(matches!(lost, Lost::Dial(DialError::TimedOut(_))), "{lost:?}");
}

#[tokio::test(start_paused = true)]
async fn stuck_dial_still_closes() {
    let mut rig = Rig::stuck();
    rig.until(|event| matches!(event, Event::State(ConnectionState::Connecting))).await;
    rig.shared.command(|connection, now| connection.close(now));
    rig.until(|event| matches!(event, Event::State(ConnectionState::Closed(_)))).await;
    rig.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn silent_server_times_out() {
    let (rig, _peer) = Rig::open(Config::default(), ROOM).await;
    assert!(matches!(rig.lost().await, Lost::NotGreeted(_)));
}

#[tokio::test(start_paused = true)]
async fn a_half_open_socket_is_noticed() {
    let (rig, peer) = Rig::greeted(Config::default(), ROOM).await;
    // The other end exists, and neither reads nor writes.
    let lost = rig.lost().await;
    assert!(matches!(lost, Lost::Silent(time) if time == Duration::from_secs(30)), "{lost:?}");
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_pings_is_kept() {
    let (mut rig, mut peer) = Rig::greeted(Config::default(), ROOM).await;
    for _ in 0..5 {
        let ping = peer.next().await.unwrap().unwrap();
        assert!(ping.is_ping());
        // The answer leaves with the next flush.
        peer.flush().await.unwrap();
    }
    assert!(rig.events.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn unread_peer_does_not_stop_receiving() {
    let (mut rig, mut peer) = Rig::greeted(Config::default(), 1024).await;
    let (large, small) = rig.shared.command(|connection, _| {
        (connection.call(call(500_000), None), connection.call(call(1), None))
    });
    // The client's large message fills the pipe; the server answers both before it reads them.
    peer.feed(frame(&answer(0))).await.unwrap();
    peer.flush().await.unwrap();
    rig.until(|event| matches!(event, Event::Answered { call, .. } if *call == large)).await;
    peer.feed(frame(&answer(1))).await.unwrap();
    peer.flush().await.unwrap();
    rig.until(|event| matches!(event, Event::Answered { call, .. } if *call == small)).await;
}

#[tokio::test(start_paused = true)]
async fn the_servers_close_code_and_reason_are_told() {
    let (rig, mut peer) = Rig::greeted(Config::default(), ROOM).await;
    let close = CloseFrame { code: CloseCode::Error, reason: "unknown tag".into() };
    peer.close(Some(close)).await.unwrap();
    match rig.lost().await {
        Lost::Closed { code: 1011, reason } => assert_eq!(&*reason, "unknown tag"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn close_code_is_told_where_writing_fails() {
    let (rig, mut peer) = Rig::greeted(Config::default(), 1024).await;
    rig.shared.command(|connection, _| connection.call(call(500_000), None));
    // The server reads none of it.
    let close = CloseFrame { code: CloseCode::Size, reason: "too large".into() };
    peer.feed(Message::Close(Some(close))).await.unwrap();
    peer.flush().await.unwrap();
    drop(peer);
    let lost = rig.lost().await;
    assert!(matches!(lost, Lost::Closed { code: 1009, .. }), "{lost:?}");
}

#[tokio::test(start_paused = true)]
async fn abrupt_end_is_reported() {
    let (rig, peer) = Rig::greeted(Config::default(), ROOM).await;
    drop(peer);
    assert!(matches!(rig.lost().await, Lost::HungUp));
}

#[tokio::test(start_paused = true)]
async fn text_is_not_for_a_binary_protocol() {
    let (rig, mut peer) = Rig::greeted(Config::default(), ROOM).await;
    peer.send(Message::text("hello")).await.unwrap();
    assert!(matches!(rig.lost().await, Lost::Violation(_)));
}

#[tokio::test(start_paused = true)]
async fn garbage_frame_ends_connection_with_reason() {
    for (garbage, wire) in [(vec![], false), (vec![9, 1, 2], false), (vec![0, 99], true)] {
        let (rig, mut peer) = Rig::greeted(Config::default(), ROOM).await;
        peer.send(Message::Binary(garbage.clone().into())).await.unwrap();
        match rig.lost().await {
            Lost::Frame(_) => assert!(!wire, "{garbage:?}"),
            Lost::Wire(_) => assert!(wire, "{garbage:?}"),
            other => panic!("{garbage:?}: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn oversized_frame_is_refused_by_limit_name() {
    let mut config = Config::default();
    config.limits.max_frame_bytes = 4096;
    let (rig, mut peer) = Rig::greeted(config, ROOM).await;
    peer.send(Message::Binary(vec![0; 5000].into())).await.unwrap();
    match rig.lost().await {
        Lost::Frame(error @ FrameError::FrameTooLarge { limit: 4096, .. }) => {
            assert!(error.to_string().contains("max_frame_bytes"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn closing_says_goodbye_and_ends_the_task() {
    let (mut rig, mut peer) = Rig::greeted(Config::default(), ROOM).await;
    rig.shared.command(|connection, now| connection.close(now));
    let goodbye = peer.next().await.unwrap().unwrap();
    assert!(matches!(goodbye, Message::Close(Some(frame)) if frame.code == CloseCode::Normal));
    assert!(peer.next().await.is_none());
    drop(peer);
    rig.until(|event| matches!(event, Event::State(ConnectionState::Closed(_)))).await;
    rig.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn dropped_driver_answers_every_call() {
    let (mut rig, _peer) = Rig::greeted(Config::default(), ROOM).await;
    let call = rig.shared.command(|connection, _| connection.call(call(1), None));
    rig.task.abort();
    let unknown = |event: &Event| matches!(event, Event::Answered { call: answered, reply: Reply::Unknown, .. } if *answered == call);
    rig.until(unknown).await;
    rig.until(|event| matches!(event, Event::State(ConnectionState::Closed(_)))).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_greets_twice_is_given_up() {
    let (rig, mut peer) = Rig::greeted(Config::default(), ROOM).await;
    peer.send(frame(&greeting())).await.unwrap();
    assert!(matches!(rig.lost().await, Lost::Violation("it greeted twice")));
}
