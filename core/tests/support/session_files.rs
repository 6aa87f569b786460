//! Reads recorded sessions: see `tests/fixtures/README.md` for what they are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use lightlike_core::wire::Protocol;
use serde::Deserialize;

use crate::hex::unhex;

/// One recorded connection.
pub(crate) struct Session {
    /// The file's name, for messages.
    pub(crate) name: String,
    /// Protocol that the server chose.
    pub(crate) protocol: Protocol,
    /// The binary WebSocket messages, in order.
    pub(crate) frames: Vec<Frame>,
}

/// One binary WebSocket message.
pub(crate) struct Frame {
    /// Line in the file, for messages.
    pub(crate) line: usize,
    pub(crate) from: Side,
    pub(crate) payload: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Client,
    Server,
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

/// The sessions of the project, and those of the folder that `LIGHTLIKE_SESSIONS` names.
pub(crate) fn all() -> Vec<Session> {
    let mut sessions = own();
    if let Some(folder) = env::var_os("LIGHTLIKE_SESSIONS") {
        sessions.extend(in_folder(Path::new(&folder)));
    }
    sessions
}

/// The sessions of the project.
pub(crate) fn own() -> Vec<Session> {
    in_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/sessions"))
}

fn in_folder(folder: &Path) -> Vec<Session> {
    let mut files = Vec::new();
    find(folder, &mut files);
    files.sort();
    assert!(!files.is_empty(), "no .jsonl file in {}", folder.display());
    files.iter().map(|file| read(file)).collect()
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
}

fn read(file: &Path) -> Session {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines().zip(1..).filter(|(text, _)| !text.is_empty());
    let (head, _) = lines.next().unwrap_or_else(|| panic!("{name} is empty"));
    let Head { subprotocol } = serde_json::from_str(head).unwrap();
    let protocol = Protocol::from_subprotocol(&subprotocol)
        .unwrap_or_else(|| panic!("{name}: unknown subprotocol {subprotocol}"));
    let frames = lines.filter_map(|(text, line)| {
        let message: Line =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}:{line}: {error}"));
        let frame = Frame { line, from: message.from, payload: unhex(&message.hex).into() };
        (message.kind == "binary").then_some(frame)
    });
    Session { frames: frames.collect(), name, protocol }
}
