//! One file an area. The numbers are those of the official client's scenarios. Where the declarations come from is the
//! target's to say: here they are written by hand, in `tests/generated` they are what the generator makes of the module.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod calls;
mod columns;
mod connections;
mod events;
mod indexes;
mod joins;
mod keys;
mod messages;
mod names;
mod procedures;
mod queries;
mod reads;
mod schedules;
mod scores;
mod sets;
mod subscriptions;
mod views;
mod visibility;
