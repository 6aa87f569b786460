//! Honest inputs to start from: what real servers and clients said.

#[path = "sessions.rs"]
mod sessions;

use bytes::Bytes;
use lightlike_core::bsatn::{Encode, to_vec};
use lightlike_core::limits::Limits;
use lightlike_core::types::{ConnectionId, Identity, ScheduleAt, TimeDuration, Timestamp, Uuid};
use lightlike_core::wire::{
    Protocol, QueryRows, RowList, ServerMessage, TransactionUpdate, UpdateRows, decode_server,
    open_frame,
};
use lightlike_fuzz::tree::Tree;
use lightlike_fuzz::{Input, row_list_input};

use crate::session_files::{self, Side};

/// Inputs of one kind.
pub(crate) fn seeds(input: Input) -> Vec<Vec<u8>> {
    match input {
        Input::Frame => frames(Side::Server).map(|frame| frame.to_vec()).collect(),
        Input::ServerBody => with_pairs(bodies().map(|body| body.to_vec()).collect()),
        Input::ClientBody => with_pairs(frames(Side::Client).map(|frame| frame.to_vec()).collect()),
        Input::RowList => row_lists().iter().map(row_list_input).collect(),
        Input::Session => session_files::all().iter().flat_map(sessions::inputs).collect(),
        Input::Value => values(),
        Input::Text => texts().map(String::into_bytes).to_vec(),
    }
}

fn frames(from: Side) -> impl Iterator<Item = Bytes> {
    let frames = session_files::all().into_iter().flat_map(|session| session.frames);
    frames.filter(move |frame| frame.from == from).map(|frame| frame.payload)
}

fn bodies() -> impl Iterator<Item = Bytes> {
    frames(Side::Server).map(|frame| open_frame(frame, &Limits::default()).unwrap())
}

/// Also two at a time, as frames of v3 have them.
fn with_pairs(mut bodies: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    bodies.sort();
    bodies.dedup();
    let pairs: Vec<_> = bodies.chunks_exact(2).map(<[_]>::concat).collect();
    bodies.extend(pairs);
    bodies
}

/// Every row list that a server sent, each once, and one of each packing that no server sent.
fn row_lists() -> Vec<RowList> {
    let mut lists = vec![
        RowList::new(),
        RowList::from_rows([[]; 3] as [[u8; 0]; 3]),
        RowList::from_rows([[7; 4]; 9]),
        RowList::from_rows([&[1][..], &[2, 3], &[], &[4; 100]]),
    ];
    for body in bodies() {
        for message in decode_server(&body, Protocol::V3, &Limits::default()) {
            match message.unwrap() {
                ServerMessage::SubscribeApplied { rows, .. }
                | ServerMessage::UnsubscribeApplied { rows: Some(rows), .. } => {
                    of_queries(rows, &mut lists);
                }
                ServerMessage::TransactionUpdate(update) => of_update(update, &mut lists),
                _ => {}
            }
        }
    }
    lists.sort_by(|a, b| a.data().cmp(b.data()));
    lists.dedup();
    lists
}

fn of_queries(rows: QueryRows, lists: &mut Vec<RowList>) {
    lists.extend(rows.tables.into_iter().map(|table| table.rows));
}

fn of_update(update: TransactionUpdate, lists: &mut Vec<RowList>) {
    let tables = update.query_sets.into_iter().flat_map(|set| set.tables);
    for rows in tables.flat_map(|table| table.rows) {
        match rows {
            UpdateRows::Persistent { inserts, deletes } => lists.extend([inserts, deletes]),
            UpdateRows::Event { events } => lists.push(events),
        }
    }
}

/// Rows of real servers as values of every type, and trees.
fn values() -> Vec<Vec<u8>> {
    let rows = row_lists();
    let rows = rows.iter().flat_map(|list| list.iter().map(<[u8]>::to_vec));
    let mut values: Vec<_> = rows.collect();
    values.sort();
    values.dedup();
    values.extend([encoded(&tree(3)), encoded(&vec![tree(1), tree(2)]), encoded(&chain(60))]);
    values.extend([
        encoded(&chain(70)),
        encoded(&special()),
        encoded(&(true, 1.5_f32, f64::NAN, "é")),
    ]);
    values.extend([encoded(&vec![(); 9]), encoded(&[7_u32; 3]), vec![0xff; 40], vec![0; 200]]);
    let types = 0..8_u8;
    values.iter().flat_map(|value| types.clone().map(|ty| [&[ty], &**value].concat())).collect()
}

fn encoded(value: &impl Encode) -> Vec<u8> {
    to_vec(value).unwrap()
}

/// Every kind of node, this deep.
fn tree(depth: u32) -> Tree {
    let Some(depth) = depth.checked_sub(1) else { return Tree::Number(7) };
    let child = || Box::new(tree(depth));
    Tree::Branches(vec![
        Tree::Leaf,
        Tree::Text("leaf".into()),
        Tree::Boxed(child()),
        Tree::Perhaps(Some(child())),
        Tree::Perhaps(None),
        Tree::Either(Ok(child())),
        Tree::Either(Err("none".into())),
        Tree::Pair((child(), child())),
    ])
}

/// As deep as wished.
fn chain(depth: u32) -> Tree {
    (0..depth).fold(Tree::Leaf, |tree, _| Tree::Boxed(Box::new(tree)))
}

fn special() -> (Identity, ConnectionId, Timestamp, TimeDuration, ScheduleAt, Uuid) {
    let time = Timestamp::from_micros(1_700_000_000_123_456);
    (
        Identity::from_le_bytes([7; 32]),
        ConnectionId::from_u128(7),
        time,
        TimeDuration::from_micros(-1_500_000),
        ScheduleAt::Time(time),
        Uuid::from_u128(7),
    )
}

fn texts() -> [String; 11] {
    let (identity, connection, time, span, schedule, uuid) = special();
    [
        identity.to_string(),
        format!("0x{identity}"),
        connection.to_string(),
        time.to_string(),
        Timestamp::MAX.to_string(),
        Timestamp::MIN.to_string(),
        span.to_string(),
        TimeDuration::MIN.to_string(),
        schedule.to_string(),
        uuid.to_string(),
        "2024-02-29T23:59:60.999999999+23:59".into(),
    ]
}
