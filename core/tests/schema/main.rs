//! Schemas that servers gave, and how the constants of a program differ from them.

mod compare;
mod fingerprint;
mod parse;

use std::fs;
use std::path::PathBuf;

use lightlike_core::schema::ServerSchema;

/// The schema in a file below `tests/`.
fn load(file: &str) -> ServerSchema {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests")).join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path:?}: {why}"));
    ServerSchema::parse(&text).unwrap_or_else(|why| panic!("{path:?}: {why}"))
}
