//! Every frame is what it decodes to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use lightlike_core::types::{TimeDuration, Timestamp};
use lightlike_core::wire::{
    ClientMessage, Compression, ProcedureStatus, Protocol, ReducerOutcome, RequestId,
    ServerMessage, Text, encode_client, encode_server, seal_frame,
};

use crate::frames::{body, client_messages, server_messages};
use crate::session_files::{self, Frame, Session, Side};

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
    session_files::all().iter().for_each(greets_first_and_once);
}

fn greets_first_and_once(session: &Session) {
    let frames = session.frames.iter().filter(|frame| frame.from == Side::Server);
    let messages: Vec<_> = frames.flat_map(|frame| server_messages(session, frame)).collect();
    let introductions = messages.iter().enumerate();
    let introductions: Vec<usize> = introductions
        .filter(|(_, message)| matches!(message, ServerMessage::InitialConnection { .. }))
        .map(|(position, _)| position)
        .collect();
    // A server may have hung up before it said anything.
    let expected: &[usize] = if messages.is_empty() { &[] } else { &[0] };
    assert_eq!(introductions, expected, "{}", session.name);
}

#[test]
fn session_answers_come_in_order_except_procedures() {
    session_files::all().iter().for_each(|session| {
        assert_eq!(first_out_of_order(session), None, "{}", session.name);
    });
}

/// Requests that are not answered.
#[derive(Default)]
struct Open {
    in_order: VecDeque<RequestId>,
    /// They run beside everything else: each is answered when it is done.
    procedures: BTreeSet<RequestId>,
}

impl Open {
    fn ask(&mut self, message: &ClientMessage) {
        let request = message.request_id();
        match message {
            ClientMessage::CallProcedure { .. } => {
                self.procedures.insert(request);
            }
            _ => self.in_order.push_back(request),
        }
    }

    /// Whether it was the turn of this request.
    fn answer(&mut self, answered: RequestId) -> bool {
        if self.procedures.remove(&answered) {
            return true;
        }
        let is_next = self.in_order.front() == Some(&answered);
        if is_next {
            self.in_order.pop_front();
        }
        is_next
    }
}

/// Where a session has an answer to a request that was not made, or behind others that are not answered, if it does.
fn first_out_of_order(session: &Session) -> Option<usize> {
    let mut open = Open::default();
    for frame in &session.frames {
        match frame.from {
            Side::Client => {
                client_messages(session, frame).iter().for_each(|message| open.ask(message));
            }
            Side::Server => {
                let messages = server_messages(session, frame);
                let mut answered = messages.iter().filter_map(ServerMessage::request_id);
                if !answered.all(|request| open.answer(request)) {
                    return Some(frame.line);
                }
            }
        }
    }
    None
}

/// A session of these messages, a frame each.
fn session(messages: &[Result<ClientMessage, ServerMessage>]) -> Session {
    let frames = messages.iter().zip(1..).map(|(message, line)| {
        let mut body = Vec::new();
        let (from, payload) = match message {
            Ok(asked) => {
                encode_client(asked, &mut body).unwrap();
                (Side::Client, body.into())
            }
            Err(answered) => {
                encode_server(answered, &mut body).unwrap();
                (Side::Server, seal_frame(&body, Compression::None, |_, _| ()))
            }
        };
        Frame { line, from, payload }
    });
    Session { name: "made".into(), protocol: Protocol::V3, frames: frames.collect() }
}

#[test]
fn procedures_may_be_overtaken_and_reducers_may_not() {
    let (name, args) = (Text::from_static("f"), Bytes::new());
    let reducer = |id| {
        let (reducer, args) = (name.clone(), args.clone());
        Ok(ClientMessage::CallReducer { request_id: RequestId(id), reducer, args })
    };
    let procedure = |id| {
        let (procedure, args) = (name.clone(), args.clone());
        Ok(ClientMessage::CallProcedure { request_id: RequestId(id), procedure, args })
    };
    let timestamp = Timestamp::UNIX_EPOCH;
    let committed = |id| {
        let (request_id, outcome) = (RequestId(id), ReducerOutcome::OkEmpty);
        Err(ServerMessage::ReducerResult { request_id, timestamp, outcome })
    };
    let returned = |id| {
        let (request_id, duration) = (RequestId(id), TimeDuration::from_micros(0));
        let status = ProcedureStatus::Returned(Bytes::new());
        Err(ServerMessage::ProcedureResult { request_id, timestamp, duration, status })
    };
    let order = |messages: &[_]| first_out_of_order(&session(messages));
    // One that sleeps is answered behind a later reducer, and behind another.
    let slept = [procedure(1), procedure(2), reducer(3), committed(3), returned(2), returned(1)];
    assert_eq!(order(&slept), None);
    assert_eq!(order(&[reducer(1), reducer(2), committed(1), committed(2)]), None);
    assert_eq!(order(&[reducer(1), reducer(2), committed(2), committed(1)]), Some(3));
    assert_eq!(order(&[procedure(1), returned(1), returned(1)]), Some(3), "twice");
    assert_eq!(order(&[committed(1)]), Some(1), "unasked");
}

#[test]
fn sessions_without_frames_are_sessions() {
    let nothing = session(&[]);
    greets_first_and_once(&nothing);
    assert_eq!(first_out_of_order(&nothing), None);
    crate::replay::replays(&nothing);
    crate::coming_back::comes_back(&nothing);
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
