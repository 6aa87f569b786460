//! Calls and rows that outlive a client, on both servers: each call is delivered as it says, whatever is cut.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod calls;
mod module;
mod restarts;
mod rig;
mod stores;
