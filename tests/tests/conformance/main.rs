//! The client against the module `conformance`, on both servers: one file an area. The numbers are those of the official
//! client's scenarios.

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
mod published;
mod queries;
mod reads;
mod schedules;
mod sets;
mod stories;
mod subscriptions;
mod timers;
mod views;
mod visibility;
