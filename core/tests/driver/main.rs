//! The driver: sockets that hang, end and misbehave, and handshakes that fail.
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod fairness;
mod handshakes;
mod large;
mod leaving;
mod panicking;
mod proxies;
mod rig;
mod slow;
mod sockets;
mod tls;
