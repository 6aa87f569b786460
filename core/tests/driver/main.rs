//! The driver: sockets that hang, end and misbehave, and handshakes that fail.
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod handshakes;
mod large;
mod rig;
mod sockets;
mod tls;
