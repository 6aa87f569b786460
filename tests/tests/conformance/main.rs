//! The client against the module `conformance`, on both servers, with declarations written by hand.

#[path = "stories.rs"]
mod stories;

/// What the stories are told with.
mod module {
    pub(crate) use lightlike_tests::conformance::declared::*;
}
