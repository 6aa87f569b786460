//! Calls and rows that outlive the program.

mod builder;
mod client;
mod hub;
mod outcome;

pub use self::outcome::{CallEnd, CallOutcome};

pub(crate) use self::builder::Offline;
pub(crate) use self::hub::{AcceptedSender, OfflineHub};
