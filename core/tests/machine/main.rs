//! The connection machine, without a socket and without waiting.
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

mod alarms;
mod rig;

mod bounds;
mod calling;
mod connecting;
mod ending;
mod event_tables;
mod finishing;
mod hang_ups;
mod healing;
mod item;
mod naming;
mod observing;
mod offline;
mod optimistic;
mod owning;
mod panicking;
mod progress;
mod random;
mod reconnecting;
mod recovering;
mod subscribing;
mod times;
mod tokens;
mod verifying;
