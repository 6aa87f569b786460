//! Work that goes on while a large message is applied.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use lightlike_core::conn::{Config, Connection, Event};
use lightlike_core::limits::Limits;
use lightlike_core::wire::{
    ClientMessage, Protocol, QueryRows, RowList, ServerMessage, TableName, TableRows, decode_client,
};
use tokio_tungstenite::tungstenite::protocol::Message;

use crate::rig::{Peer, Rig, frame};

/// Many times more than are applied between two looks at the socket.
const ROWS: u32 = 30_000;

/// The answer to the client's subscription, which is large.
async fn large_answer(peer: &mut Peer) -> Message {
    let asked = peer.next().await.unwrap().unwrap().into_data();
    let mut messages = decode_client(&asked, Protocol::V3, &Limits::DEFAULT);
    let Some(Ok(ClientMessage::Subscribe { request_id, query_set_id, .. })) = messages.next()
    else {
        panic!("a subscription was asked for")
    };
    let rows = RowList::from_rows((0..ROWS).map(u32::to_le_bytes));
    let rows = QueryRows { tables: vec![TableRows { table: TableName::from("item"), rows }] };
    frame(&ServerMessage::SubscribeApplied { request_id, query_set_id, rows })
}

#[tokio::test(start_paused = true)]
async fn ping_behind_large_message_is_answered_early() {
    let (mut rig, mut peer) = Rig::greeted(Config::default(), 1 << 20).await;
    let queries = vec!["SELECT * FROM item".into()];
    let set = rig.shared.command(|connection, _| connection.subscribe(queries));
    let answer = large_answer(&mut peer).await;
    peer.feed(answer).await.unwrap();
    peer.send(Message::Ping(Bytes::from_static(b"still there?"))).await.unwrap();
    let answered = peer.next().await.unwrap().unwrap();
    assert_eq!(answered, Message::Pong(Bytes::from_static(b"still there?")));
    assert!(rig.shared.read(Connection::is_applying), "there is most of the message to apply");
    assert!(rig.events.try_recv().is_err(), "its rows are not shown before all are applied");
    rig.until(|event| matches!(event, Event::Applied(applied) if *applied == set)).await;
    let view = rig.shared.read(Connection::reader).read();
    assert_eq!(view.untyped("item").unwrap().len(), ROWS as usize);
}

#[tokio::test(start_paused = true)]
async fn held_view_stops_neither_receiving_nor_readers() {
    let (mut rig, mut peer) = Rig::greeted(Config::default(), 1 << 20).await;
    let reader = rig.shared.read(Connection::reader);
    let held = reader.read();
    for n in 0..3 {
        let queries = vec![format!("SELECT * FROM item WHERE id > {n}").into()];
        let set = rig.shared.command(|connection, _| connection.subscribe(queries));
        let answer = large_answer(&mut peer).await;
        peer.send(answer).await.unwrap();
        rig.until(|event| matches!(event, Event::Applied(applied) if *applied == set)).await;
        assert_eq!(reader.read().untyped("item").unwrap().len(), ROWS as usize);
    }
    assert!(held.untyped("item").is_none(), "a view does not change");
}
