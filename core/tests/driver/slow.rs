//! A slow link: a large message that takes minutes, on a paused clock.
#![expect(clippy::disallowed_methods, reason = "this measures the driver, by its clock")]

use std::time::Duration;

use lightlike_core::conn::{Config, ConnectionState, Event, Receiving, SubscriptionId};
use lightlike_core::limits::Limits;
use lightlike_core::wire::{
    ClientMessage, Protocol, QueryRows, RowList, ServerMessage, TableName, TableRows, decode_client,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::Instant;

use crate::rig::{Rig, frame, greeting};

/// What the link carries in a second.
const BYTES_A_SECOND: usize = 100_000;
/// How much the server puts into a frame.
const FRAME: usize = 4096;
/// A first subscription of 30 MB.
const ROWS: u64 = 30_000;
const ROW: usize = 1_000;

/// The frames of one message, as servers cut them, or a single one.
fn frames(payload: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + payload.len() / size * 4 + 16);
    let count = payload.len().div_ceil(size);
    for (n, part) in payload.chunks(size).enumerate() {
        let last = if n + 1 == count { 0x80 } else { 0 };
        bytes.push(last | if n == 0 { 2 } else { 0 });
        match u16::try_from(part.len()) {
            Ok(len @ 0..126) => bytes.push(len as u8),
            Ok(len) => {
                bytes.push(126);
                bytes.extend(len.to_be_bytes());
            }
            Err(_) => {
                bytes.push(127);
                bytes.extend((part.len() as u64).to_be_bytes());
            }
        }
        bytes.extend(part);
    }
    bytes
}

/// What the client sends, a message or a ping at a time.
async fn client_frame(stream: &mut DuplexStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await.unwrap();
    let len = match head[1] & 0x7f {
        126 => usize::from(stream.read_u16().await.unwrap()),
        127 => usize::try_from(stream.read_u64().await.unwrap()).unwrap(),
        len => usize::from(len),
    };
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).await.unwrap();
    let mut payload = vec![0; len];
    stream.read_exact(&mut payload).await.unwrap();
    payload.iter_mut().enumerate().for_each(|(at, byte)| *byte ^= mask[at % 4]);
    (head[0] & 0x0f, payload)
}

/// The answer to the client's subscription.
async fn large_answer(stream: &mut DuplexStream) -> Vec<u8> {
    let (_, asked) = client_frame(stream).await;
    let mut messages = decode_client(&asked.into(), Protocol::V3, &Limits::DEFAULT);
    let Some(Ok(ClientMessage::Subscribe { request_id, query_set_id, .. })) = messages.next()
    else {
        panic!("a subscription was asked for")
    };
    let row = |n: u64| [&n.to_le_bytes()[..], &[7; ROW - 8]].concat();
    let rows = RowList::from_rows((0..ROWS).map(row));
    let rows = QueryRows { tables: vec![TableRows { table: TableName::from("item"), rows }] };
    frame(&ServerMessage::SubscribeApplied { request_id, query_set_id, rows }).into_data().into()
}

/// A greeted client that has asked for much, and the other end of its link.
async fn asked() -> (Rig, DuplexStream, SubscriptionId) {
    let (client, mut server) = tokio::io::duplex(1 << 16);
    let mut rig = Rig::over(Config::default(), Box::new(client));
    server.write_all(&frames(&frame(&greeting()).into_data(), FRAME)).await.unwrap();
    rig.until(|event| matches!(event, Event::State(ConnectionState::Ready))).await;
    let queries = vec!["SELECT * FROM item".into()];
    let set = rig.shared.command(|connection, _| connection.subscribe(queries));
    (rig, server, set)
}

/// Sends bytes as slowly as the link is; how many pings of the client's came meanwhile.
async fn trickle(server: &mut DuplexStream, bytes: &[u8]) -> usize {
    let mut pings = 0;
    let mut wait = tokio::time::interval(Duration::from_millis(250));
    for part in bytes.chunks(BYTES_A_SECOND / 4) {
        wait.tick().await;
        server.write_all(part).await.unwrap();
        let ping = tokio::time::timeout(Duration::ZERO, server.read_u8());
        if ping.await.is_ok() {
            // The rest of it: an empty payload, masked.
            let mut rest = [0; 5];
            server.read_exact(&mut rest).await.unwrap();
            pings += 1;
        }
    }
    pings
}

#[tokio::test(start_paused = true)]
async fn thirty_megabytes_arrive_over_a_slow_link() {
    for size in [FRAME, usize::MAX] {
        let (mut rig, mut server, set) = asked().await;
        let answer = frames(&large_answer(&mut server).await, size);
        let began = Instant::now();
        let sending = trickle(&mut server, &answer);
        let mut progress: Vec<Receiving> = Vec::new();
        let applied = rig.until(|event| match event {
            Event::Receiving(receiving) => {
                progress.push(*receiving);
                false
            }
            Event::Applied(applied) => *applied == set,
            Event::State(state) => panic!("{state:?}"),
            _ => false,
        });
        let (pings, _) = tokio::join!(sending, applied);
        assert!(began.elapsed() >= Duration::from_secs(299), "{:?}", began.elapsed());
        assert!(pings >= 10, "the server drops whom it does not hear for 30 s: {pings} pings");
        let view = rig.shared.read(lightlike_core::conn::Connection::reader).read();
        assert_eq!(view.untyped("item").unwrap().len(), ROWS as usize);
        told_as_it_is(&progress, size, answer.len());
    }
}

/// Progress grows to the whole, whose length is told where the server tells it.
fn told_as_it_is(progress: &[Receiving], size: usize, len: usize) {
    let parts: Vec<_> = progress.iter().map_while(|receiving| receiving.message).collect();
    assert!(parts.len() > 1000, "{}", parts.len());
    assert!(parts.is_sorted_by(|one, next| one.received <= next.received));
    assert!(parts.last().unwrap().received as usize > len / 100 * 99);
    let is_told = size == usize::MAX;
    assert!(parts.iter().all(|part| part.length.is_some() == is_told), "{:?}", parts[0]);
    assert_eq!(progress.last().unwrap().message, None);
    assert!(progress.last().unwrap().bytes as usize >= len);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_stops_halfway_is_given_up() {
    let (rig, mut server, _) = asked().await;
    let answer = frames(&large_answer(&mut server).await, FRAME);
    trickle(&mut server, &answer[..answer.len() / 20]).await;
    let stopped = Instant::now();
    let lost = rig.lost().await;
    assert!(matches!(lost, lightlike_core::conn::Lost::Silent(_)), "{lost:?}");
    assert!(stopped.elapsed() <= Duration::from_secs(60), "{:?}", stopped.elapsed());
}
