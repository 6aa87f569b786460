//! Contents of recorded frames.

use bytes::Bytes;
use lightlike_core::limits::Limits;
use lightlike_core::wire::{
    ClientMessage, ServerMessage, decode_client, decode_server, open_frame,
};

use crate::session_files::{Frame, Session};

pub(crate) fn body(session: &Session, frame: &Frame) -> Bytes {
    open_frame(frame.payload.clone(), &Limits::default())
        .unwrap_or_else(|error| panic!("{}:{}: {error}", session.name, frame.line))
}

pub(crate) fn server_messages(session: &Session, frame: &Frame) -> Vec<ServerMessage> {
    decode_server(&body(session, frame), session.protocol, &Limits::default())
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{}:{}: {error}", session.name, frame.line))
}

pub(crate) fn client_messages(session: &Session, frame: &Frame) -> Vec<ClientMessage> {
    decode_client(&frame.payload, session.protocol, &Limits::default())
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{}:{}: {error}", session.name, frame.line))
}
