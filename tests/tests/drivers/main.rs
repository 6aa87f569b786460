//! Who runs a client, and how it reaches its server: on the embedded server, and on a real one where the environment names
//! one.
#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod closing;
mod databases;
mod floods;
mod leaving;
mod links;
mod offers;
mod support;
mod ticks;
mod tls_front;
mod tokens;
mod users;
mod ways;
