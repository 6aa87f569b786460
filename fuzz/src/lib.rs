//! Fuzz targets, as plain functions over bytes.
//!
//! A target takes any bytes and panics when something that must always hold does not: no input panics, what decodes
//! encodes to the same bytes, and memory stays in proportion to the input. [`TARGETS`] lists them all. They run as
//! ordinary tests over recorded frames (`tests/`), and under libFuzzer for as long as one likes (`libfuzzer/`).

mod bsatn;
mod frames;
mod messages;
mod session;
mod text;
pub mod tree;

pub use messages::row_list_input;
pub use session::{Happening, Start, session_input};

/// A parser under test.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name on the command line.
    pub name: &'static str,
    /// Runs it over one input.
    pub run: fn(&[u8]),
    /// Kind of its inputs, so that honest ones can be made to start from.
    pub input: Input,
    /// Maximal number of bytes that a run may have allocated at once, given the input's length.
    pub peak_bytes: fn(usize) -> usize,
}

/// Kind of a target's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A byte that chooses a type, then a value's encoding.
    Value,
    /// A server's frame.
    Frame,
    /// The body of a server's frame.
    ServerBody,
    /// A client's frame.
    ClientBody,
    /// A row list as it is on the wire.
    RowList,
    /// Events of a connection, one after the other: see [`session_input`].
    Session,
    /// Text.
    Text,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "bsatn",
        run: bsatn::typed,
        input: Input::Value,
        peak_bytes: |input| 64 * input + SLACK,
    },
    Target {
        name: "bsatn_dynamic",
        run: bsatn::dynamic,
        input: Input::Value,
        peak_bytes: |input| 256 * input + 8 * MIB,
    },
    Target { name: "text", run: text::target, input: Input::Text, peak_bytes: |_| SLACK },
    Target {
        name: "frame",
        run: frames::target,
        input: Input::Frame,
        // Two windows of brotli's, each at most 16 MiB, its tables, and a body that grows to the limit by doubling.
        peak_bytes: |input| 40 * MIB + 8 * frames::MAX_MESSAGE_BYTES + 8 * input,
    },
    Target {
        name: "server_v2",
        run: messages::server_v2,
        input: Input::ServerBody,
        peak_bytes: |input| 32 * input + SLACK,
    },
    Target {
        name: "server_v3",
        run: messages::server_v3,
        input: Input::ServerBody,
        peak_bytes: |input| 32 * input + SLACK,
    },
    Target {
        name: "client_v2",
        run: messages::client_v2,
        input: Input::ClientBody,
        peak_bytes: |input| 32 * input + SLACK,
    },
    Target {
        name: "client_v3",
        run: messages::client_v3,
        input: Input::ClientBody,
        peak_bytes: |input| 32 * input + SLACK,
    },
    Target {
        name: "row_list",
        run: messages::row_list,
        input: Input::RowList,
        peak_bytes: |input| 32 * input + SLACK,
    },
    Target {
        name: "session",
        run: session::target,
        input: Input::Session,
        peak_bytes: |input| 512 * input + MIB,
    },
];

const MIB: usize = 1 << 20;
/// For what a run takes whatever its input is: errors, the first room of lists.
const SLACK: usize = 64 << 10;

/// The target that is called `name`.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
