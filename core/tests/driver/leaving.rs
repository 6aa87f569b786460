//! Drivers that end with calls on their way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use lightlike_core::conn::{CallRequest, Config};
use lightlike_core::limits::Limits;
use lightlike_core::wire::{ClientMessage, Protocol, Text, decode_client};
use tokio_tungstenite::tungstenite::protocol::Message;

use crate::rig::{Peer, Rig};

const ROOM: usize = 64 * 1024;

fn call(args: usize) -> CallRequest {
    CallRequest::Reducer { name: Text::from("f"), args: Bytes::from(vec![7; args]) }
}

fn lingering(linger: Duration) -> Config {
    let mut config = Config::default();
    config.linger = linger;
    config
}

/// Ends the driver as a runtime that ends does: it is dropped, and not polled again.
async fn end(rig: Rig) {
    let Rig { shared, task, .. } = rig;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    drop(shared);
}

/// Number of calls that arrive, and whether a close frame follows.
async fn arrive(mut peer: Peer) -> (usize, bool) {
    let mut calls = 0;
    while let Some(Ok(message)) = peer.next().await {
        match message {
            Message::Binary(frame) => {
                let messages = decode_client(&frame, Protocol::V3, &Limits::DEFAULT);
                let is_call =
                    |message: &_| matches!(message, Ok(ClientMessage::CallReducer { .. }));
                calls += messages.filter(|message| is_call(message)).count();
            }
            Message::Close(_) => return (calls, true),
            _ => (),
        }
    }
    (calls, false)
}

#[tokio::test(start_paused = true)]
async fn ended_driver_writes_what_was_called() {
    let (rig, peer) = Rig::greeted(Config::default(), ROOM).await;
    rig.shared.command(|connection, _| {
        for _ in 0..20 {
            let _ = connection.call(call(100), None);
        }
    });
    end(rig).await;
    assert_eq!(arrive(peer).await, (20, true));
}

/// Its last handle went before: the connection is being closed.
#[tokio::test(start_paused = true)]
async fn closing_driver_writes_what_was_called() {
    let (rig, peer) = Rig::greeted(Config::default(), ROOM).await;
    rig.shared.command(|connection, now| {
        let _ = connection.call(call(100), None);
        connection.close(now);
    });
    end(rig).await;
    assert_eq!(arrive(peer).await, (1, true));
}

#[tokio::test(start_paused = true)]
async fn ended_driver_waits_for_no_reader_longer_than_it_lingers() {
    for linger in [Duration::ZERO, Duration::from_millis(20)] {
        let (rig, peer) = Rig::greeted(lingering(linger), 1024).await;
        rig.shared.command(|connection, _| connection.call(call(500_000), None));
        // Nobody reads: this would not end.
        end(rig).await;
        assert_eq!(arrive(peer).await, (0, false));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn lingering_handle_waits_until_the_loop_has_written() {
    let (rig, peer) = Rig::greeted(Config::default(), ROOM).await;
    let arriving = tokio::task::spawn_blocking({
        let shared = Arc::clone(&rig.shared);
        move || {
            shared.command(|connection, now| {
                let _ = connection.call(call(100), None);
                connection.close(now);
            });
            shared.linger();
            // Nothing is polled between this and the end of the process.
        }
    });
    arriving.await.unwrap();
    rig.task.abort();
    assert_eq!(arrive(peer).await, (1, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn lingering_handle_waits_for_no_reader_longer_than_configured() {
    let (rig, peer) = Rig::greeted(lingering(Duration::from_millis(20)), 1024).await;
    let shared = Arc::clone(&rig.shared);
    tokio::task::spawn_blocking(move || {
        shared.command(|connection, now| {
            let _ = connection.call(call(500_000), None);
            connection.close(now);
        });
        // Nobody reads: this would not end.
        shared.linger();
    })
    .await
    .unwrap();
    drop(peer);
    rig.task.await.unwrap();
}

#[test]
fn connection_that_never_opened_leaves_nothing_to_wait_for() {
    let mut config = Config::default();
    config.linger = Duration::MAX;
    let shared =
        lightlike_core::driver::Shared::new(lightlike_core::conn::Connection::new(config, None, 1));
    shared.command(|connection, now| {
        let _ = connection.call(call(1), None);
        connection.close(now);
    });
    shared.linger();
}
