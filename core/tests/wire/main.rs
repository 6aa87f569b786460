//! Messages, row lists and frames: what they are in bytes, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod errors;
mod frames;
mod generators;
mod limits;
mod messages;
mod properties;
mod rows;

#[path = "../support/hex.rs"]
mod hex;

use bytes::Bytes;
use lightlike_core::limits::Limits;
use lightlike_core::wire::{
    ClientMessage, Protocol, ServerMessage, WireError, decode_client, decode_server, encode_client,
    encode_server,
};

/// The one message of a server's v2 frame.
fn server(body: &[u8]) -> Result<ServerMessage, WireError> {
    decode_server(&Bytes::copy_from_slice(body), Protocol::V2, &Limits::default()).next().unwrap()
}

/// The one message of a client's v2 frame.
fn client(body: &[u8]) -> Result<ClientMessage, WireError> {
    decode_client(&Bytes::copy_from_slice(body), Protocol::V2, &Limits::default()).next().unwrap()
}

fn server_bytes(message: &ServerMessage) -> Vec<u8> {
    let mut out = Vec::new();
    encode_server(message, &mut out).unwrap();
    out
}

fn client_bytes(message: &ClientMessage) -> Vec<u8> {
    let mut out = Vec::new();
    encode_client(message, &mut out).unwrap();
    out
}
