//! Events of tables, calls and connections: callbacks, streams, watches.

pub(crate) mod broadcast;
pub(crate) mod callbacks;
pub(crate) mod changes;
pub(crate) mod event;
pub(crate) mod hooks;
pub(crate) mod listeners;
pub(crate) mod stream;
pub(crate) mod watches;
