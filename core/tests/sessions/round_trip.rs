//! Every frame is what it decodes to.

use std::collections::{BTreeMap, VecDeque};

use lightlike_core::wire::{
    ClientMessage, Compression, ServerMessage, encode_client, encode_server, seal_frame,
};

use crate::frames::{body, client_messages, server_messages};
use crate::session_files::{self, Side};

const EVERY_MESSAGE: [&str; 15] = [
    "Subscribe",
    "Unsubscribe",
    "OneOffQuery",
    "CallReducer",
    "CallProcedure",
    "SubscribeBatch",
    "InitialConnection",
    "SubscribeApplied",
    "UnsubscribeApplied",
    "SubscriptionError",
    "TransactionUpdate",
    "OneOffQueryResult",
    "ReducerResult",
    "ProcedureResult",
    "SubscribeBatchApplied",
];

const PLAIN: u8 = 0;

#[test]
fn session_frames_reencode_to_same_bytes() {
    for session in session_files::all() {
        for frame in &session.frames {
            let mut encoded = Vec::new();
            let expected = match frame.from {
                Side::Server => {
                    for message in server_messages(&session, frame) {
                        encode_server(&message, &mut encoded).unwrap();
                    }
                    body(&session, frame)
                }
                Side::Client => {
                    for message in client_messages(&session, frame) {
                        encode_client(&message, &mut encoded).unwrap();
                    }
                    frame.payload.clone()
                }
            };
            assert_eq!(encoded, expected, "{}:{}", session.name, frame.line);
        }
    }
}

#[test]
fn plain_frames_reseal_to_same_bytes() {
    for session in session_files::all() {
        for frame in session.frames.iter().filter(|frame| frame.from == Side::Server) {
            if frame.payload[0] == PLAIN {
                let sealed = seal_frame(&body(&session, frame), Compression::None, |_, _| ());
                assert_eq!(sealed, frame.payload, "{}:{}", session.name, frame.line);
            }
        }
    }
}

#[test]
fn session_rows_lie_at_listed_offsets() {
    for session in session_files::all() {
        for frame in session.frames.iter().filter(|frame| frame.from == Side::Server) {
            for message in server_messages(&session, frame) {
                let ServerMessage::SubscribeApplied { rows, .. } = message else { continue };
                for table in &rows.tables {
                    let joined: Vec<u8> = table.rows.iter().flatten().copied().collect();
                    assert_eq!(joined, table.rows.data(), "{}:{}", session.name, frame.line);
                    assert_eq!(table.rows.iter().len(), table.rows.len());
                }
            }
        }
    }
}

#[test]
fn session_greets_exactly_once_and_first() {
    for session in session_files::all() {
        let frames = session.frames.iter().filter(|frame| frame.from == Side::Server);
        let messages: Vec<_> = frames.flat_map(|frame| server_messages(&session, frame)).collect();
        let introductions = messages.iter().enumerate();
        let introductions: Vec<usize> = introductions
            .filter(|(_, message)| matches!(message, ServerMessage::InitialConnection { .. }))
            .map(|(position, _)| position)
            .collect();
        assert_eq!(introductions, [0], "{}", session.name);
    }
}

#[test]
fn session_answers_come_in_request_order() {
    for session in session_files::all() {
        let mut open = VecDeque::new();
        for frame in &session.frames {
            match frame.from {
                Side::Client => {
                    open.extend(
                        client_messages(&session, frame).iter().map(ClientMessage::request_id),
                    );
                }
                Side::Server => {
                    for message in server_messages(&session, frame) {
                        let Some(answered) = message.request_id() else { continue };
                        assert_eq!(
                            open.pop_front(),
                            Some(answered),
                            "{}:{}",
                            session.name,
                            frame.line
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn the_recorded_sessions_have_every_message() {
    let mut counts = BTreeMap::new();
    for session in session_files::own() {
        for frame in &session.frames {
            let names: Vec<_> = match frame.from {
                Side::Server => {
                    server_messages(&session, frame).iter().map(ServerMessage::name).collect()
                }
                Side::Client => {
                    client_messages(&session, frame).iter().map(ClientMessage::name).collect()
                }
            };
            for name in names {
                *counts.entry(name).or_insert(0) += 1;
            }
        }
    }
    let missing: Vec<_> =
        EVERY_MESSAGE.into_iter().filter(|name| !counts.contains_key(name)).collect();
    assert_eq!(missing, [""; 0], "recorded: {counts:?}");
}
