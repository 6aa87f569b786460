//! Files of one connection each: JSON, a value a line.
//!
//! First `{"target": .., "subprotocol": ..}`: what the client asked for in the handshake, and the protocol that the server chose.
//! Then, for each WebSocket message in order, `{"from": "client" | "server", "kind": "binary" | .., "hex": ..}` with its whole
//! payload, and `"at"`, the microseconds since the handshake, which other tools may leave out. Tokens are replaced by x's (`redact.rs`).

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;
use lightlike_core::wire::Protocol;
use serde::Deserialize;
use tokio_tungstenite::tungstenite::Message;

use super::redact::{self, Redactor};
use crate::commands::{hex, unhex};
use crate::failure::{Exit, Failure};

/// Sender of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Client,
    Server,
}

/// A recorded connection.
pub(crate) struct Session {
    pub(crate) protocol: Protocol,
    /// The binary messages.
    pub(crate) frames: Vec<Frame>,
}

/// A binary message.
pub(crate) struct Frame {
    /// Line in the file.
    pub(crate) line: usize,
    pub(crate) from: Side,
    pub(crate) payload: Bytes,
}

#[derive(Deserialize)]
struct Head {
    subprotocol: String,
}

#[derive(Deserialize)]
struct Line {
    from: Side,
    kind: String,
    hex: String,
}

impl Session {
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
        let wrong = |line: usize, why: String| {
            let place = format!("{}, line {line}: {why}", path.display());
            Failure::new(Exit::Content, place).tip("`lightlike record` makes such files")
        };
        let text =
            std::str::from_utf8(&text).map_err(|_| wrong(1, "this is no text".to_owned()))?;
        let mut lines = (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty());
        let Some((_, head)) = lines.next() else {
            return Err(wrong(1, "the file is empty".to_owned()));
        };
        let Head { subprotocol } = serde_json::from_str(head)
            .map_err(|error| wrong(1, format!("this is not the start of a session: {error}")))?;
        let protocol = Protocol::from_subprotocol(&subprotocol)
            .ok_or_else(|| wrong(1, format!("the protocol `{subprotocol}` is not known")))?;
        let mut frames = Vec::new();
        for (line, text) in lines {
            let message: Line = serde_json::from_str(text)
                .map_err(|error| wrong(line, format!("this is no message: {error}")))?;
            let payload = unhex(&message.hex)
                .ok_or_else(|| wrong(line, "this is not hex digits in pairs".to_owned()))?;
            if message.kind == "binary" {
                frames.push(Frame { line, from: message.from, payload: payload.into() });
            }
        }
        Ok(Self { protocol, frames })
    }
}

/// A file that is being written. What was said is in it as soon as it was said.
pub(crate) struct Recording {
    file: BufWriter<File>,
    path: PathBuf,
    start: Instant,
    redactor: Redactor,
    pub(crate) messages: u64,
}

impl Recording {
    /// A new file, for its owner alone: rows and arguments are in it as they were sent. `target` is what the client asked
    /// for, `token` what it presented besides.
    pub(crate) fn create(
        path: PathBuf,
        target: &str,
        token: Option<&str>,
        subprotocol: &str,
    ) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(|error| {
            Failure::file("make", &path, &error).tip("give the name of a file that is not there")
        })?;
        let (target, presented) = redact::target(target);
        let presented = presented.into_iter().chain(token);
        let mut recording = Self {
            file: BufWriter::new(file),
            path,
            start: Instant::now(),
            redactor: Redactor::new(Protocol::from_subprotocol(subprotocol), presented),
            messages: 0,
        };
        let (target, subprotocol) = (json(&target), json(subprotocol));
        recording.line(&format!("{{\"target\": {target}, \"subprotocol\": {subprotocol}}}"))?;
        Ok(recording)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Notes one message.
    pub(crate) fn push(&mut self, from: Side, message: &Message) -> Result<(), Failure> {
        let (kind, payload) = match message {
            Message::Binary(payload) => ("binary", payload.clone()),
            Message::Text(payload) => ("text", Bytes::copy_from_slice(payload.as_bytes())),
            Message::Ping(payload) => ("ping", payload.clone()),
            Message::Pong(payload) => ("pong", payload.clone()),
            Message::Close(frame) => ("close", close(frame.as_ref())),
            Message::Frame(_) => return Ok(()),
        };
        let payload = match (from, kind) {
            (Side::Server, "binary") => self.redactor.frame(&payload),
            _ => self.redactor.payload(&payload),
        };
        let from = match from {
            Side::Client => "client",
            Side::Server => "server",
        };
        let (at, hex) = (self.start.elapsed().as_micros(), hex(&payload));
        self.messages += 1;
        self.line(&format!(r#"{{"from": "{from}", "kind": "{kind}", "at": {at}, "hex": "{hex}"}}"#))
    }

    fn line(&mut self, text: &str) -> Result<(), Failure> {
        let written = writeln!(self.file, "{text}").and_then(|()| self.file.flush());
        written.map_err(|error| Failure::file("write", &self.path, &error))
    }
}

fn json(text: &str) -> serde_json::Value {
    text.into()
}

/// The payload of a close frame.
fn close(frame: Option<&tokio_tungstenite::tungstenite::protocol::CloseFrame>) -> Bytes {
    frame.map_or_else(Bytes::new, |frame| {
        let code = u16::from(frame.code).to_be_bytes();
        [&code, frame.reason.as_bytes()].concat().into()
    })
}

#[cfg(test)]
mod tests {
    use lightlike_core::limits::Limits;
    use lightlike_core::wire::{
        Compression, ServerMessage, decode_server, encode_server, open_frame, seal_frame,
    };

    use super::*;

    const TOKEN: &str = "marker.marker.marker";

    #[test]
    fn recorded_tokens_are_redacted_wherever_the_greeting_stands() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.jsonl");
        let subprotocol = Protocol::V3.subprotocol();
        let target = format!("/v1/x?token={TOKEN}");
        let mut recording =
            Recording::create(path.clone(), &target, Some("another.token.presented"), subprotocol)
                .unwrap();
        let (identity, connection_id) =
            (lightlike::types::Identity::ZERO, lightlike::types::ConnectionId::ZERO);
        let greeting =
            ServerMessage::InitialConnection { identity, connection_id, token: TOKEN.into() };
        let mut body = Vec::new();
        encode_server(&greeting, &mut body).unwrap();
        let frame = seal_frame(&body, Compression::None, |_, _| ());
        let quoted = || format!("another.token.presented {TOKEN}");
        for (from, message) in [
            (Side::Client, Message::Ping(quoted().into())),
            (Side::Server, Message::Ping(vec![1].into())),
            (Side::Server, Message::Pong(quoted().into())),
            (Side::Server, Message::Text(quoted().into())),
            (Side::Server, Message::Binary(frame)),
            (Side::Client, Message::Binary(quoted().into())),
        ] {
            recording.push(from, &message).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for secret in ["marker", "another.token"] {
            assert!(!text.contains(secret) && !text.contains(&hex(secret.as_bytes())), "{text}");
        }
        let session = Session::read(&path).unwrap();
        let body = open_frame(session.frames[0].payload.clone(), &Limits::default()).unwrap();
        let first = decode_server(&body, Protocol::V3, &Limits::default()).next();
        let Some(Ok(ServerMessage::InitialConnection { token, .. })) = first else {
            panic!("no greeting")
        };
        assert_eq!(&*token, "x".repeat(TOKEN.len()));
        let again = Recording::create(path.clone(), "/v1/x", None, subprotocol);
        assert!(again.is_err(), "nothing is overwritten");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn invalid_session_file_is_refused_with_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.jsonl");
        let head = r#"{"target": "/", "subprotocol": "v3.bsatn.spacetimedb"}"#;
        for (text, why) in [
            (String::new(), "line 1: the file is empty"),
            ("hello".to_owned(), "line 1: this is not the start of a session"),
            (head.replace("v3", "v9"), "line 1: the protocol `v9.bsatn.spacetimedb` is not known"),
            (format!("{head}\n\n{{}}"), "line 3: this is no message"),
            (
                format!("{head}\n{}", r#"{"from": "client", "kind": "binary", "hex": "0"}"#),
                "line 2: this is not hex digits in pairs",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let failure = Session::read(&path).err().map(|failure| format!("{failure:?}"));
            assert!(failure.as_ref().is_some_and(|it| it.contains(why)), "{failure:?}");
        }
    }
}
