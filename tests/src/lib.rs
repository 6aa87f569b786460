//! Support of the integration tests: see `tests/`.

pub mod chat;
pub mod conformance;
pub mod hostile;
pub mod notes;
pub mod proxy;
pub mod real;
pub mod submodules;
pub mod target;
pub mod timers;
