//! The client cache from outside: by example, against a model, and under readers.

mod applying;
mod reading;
mod reclaiming;
mod registering;
mod support;
mod versus_model;
mod with_readers;
