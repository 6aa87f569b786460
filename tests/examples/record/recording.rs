//! Recordings of one connection, and their form in files.

use std::fmt::Write as _;

use lightlike_core::limits::Limits;
use lightlike_core::wire::{Protocol, ServerMessage, decode_server, open_frame};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::Result;

/// Offset of the token in a frame that starts with the greeting: behind the tags of the frame and of the message, an
/// identity, a connection id and the token's own length.
const TOKEN_AT: usize = 1 + 1 + 32 + 16 + 4;

/// One connection.
pub(crate) struct Recording {
    /// Request target of the client.
    pub(crate) target: String,
    /// Subprotocol that the server chose.
    pub(crate) subprotocol: String,
    /// Messages of both sides, in the order in which they passed by.
    pub(crate) messages: Vec<(Side, Message)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Recording {
    /// The file's text: a JSON value a line, with x's for the token.
    pub(crate) fn to_text(&self) -> Result<String> {
        let protocol = Protocol::from_subprotocol(&self.subprotocol).ok_or("unknown protocol")?;
        let (target, subprotocol) = (json!(self.target), json!(self.subprotocol));
        let mut text = format!("{{\"target\": {target}, \"subprotocol\": {subprotocol}}}\n");
        for (from, message) in &self.messages {
            let (kind, mut payload) = match message {
                Message::Binary(payload) => ("binary", payload.to_vec()),
                Message::Text(payload) => ("text", payload.as_bytes().to_vec()),
                Message::Ping(payload) => ("ping", payload.to_vec()),
                Message::Pong(payload) => ("pong", payload.to_vec()),
                Message::Close(frame) => ("close", close(frame.as_ref())),
                Message::Frame(_) => return Err("a frame that is no message".into()),
            };
            if kind == "binary" && *from == Side::Server {
                blank_token(&mut payload, protocol)?;
            }
            let from = match from {
                Side::Client => "client",
                Side::Server => "server",
            };
            let hex = hex(&payload);
            writeln!(text, r#"{{"from": "{from}", "kind": "{kind}", "hex": "{hex}"}}"#)?;
        }
        Ok(text)
    }
}

/// Writes x's over the token, in the frame that has one.
fn blank_token(frame: &mut [u8], protocol: Protocol) -> Result {
    let body = open_frame(frame.to_vec().into(), &Limits::default())?;
    let first = decode_server(&body, protocol, &Limits::default()).next();
    if let Some(ServerMessage::InitialConnection { token, .. }) = first.transpose()? {
        let place = frame.get_mut(TOKEN_AT..TOKEN_AT + token.len());
        let place = place.filter(|place| **place == *token.as_bytes());
        place.ok_or("the greeting is compressed, and its token cannot be blanked")?.fill(b'x');
    }
    Ok(())
}

/// The payload of a close frame.
fn close(frame: Option<&tokio_tungstenite::tungstenite::protocol::CloseFrame>) -> Vec<u8> {
    frame.map_or_else(Vec::new, |frame| {
        let code = u16::from(frame.code).to_be_bytes();
        [&code, frame.reason.as_bytes()].concat()
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
