//! The client cache from outside: by example, against a model, and under readers.

#![expect(clippy::unwrap_used, reason = "a test that fails should stop")]

mod applying;
mod encoded;
mod indexes;
mod lenient;
mod model;
mod optimistic;
mod optimistic_connected;
mod optimistic_runs;
mod optimistic_versus_model;
mod panicking;
mod predicting;
mod reading;
mod reclaiming;
mod registering;
mod support;
mod unmentioned;
mod versions;
mod versus_model;
mod with_readers;
