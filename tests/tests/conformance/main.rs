//! The client against the module `conformance`, on both servers, with declarations written by hand.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod older_enums;
mod published;
#[path = "stories.rs"]
mod stories;
mod telling;
mod timers;

/// Declarations of the scenarios.
mod module {
    pub(crate) use lightlike_tests::conformance::declared::*;
}
