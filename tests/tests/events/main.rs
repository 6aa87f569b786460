//! Who hears of what happens, on both servers: callbacks, watches, listeners to calls, and the broadcast.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod broadcast;
mod callbacks;
mod causes;
mod listeners;
mod observing;
mod typed;
mod watches;
