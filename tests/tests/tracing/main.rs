//! What a client tells `tracing`. A program of its own: `tracing` keeps for the whole program what somebody listens to.
#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod events;
mod recorder;
mod secrets;
mod spans;
