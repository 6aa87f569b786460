//! Connections: limits, compression, reconnecting, proxies, drivers, and reasons for their end.
//!
//! A client's [state](crate::Client::state) is a [`ConnectionState`](crate::ConnectionState); the builder sets how it
//! [reconnects](Reconnect), what it [takes from a server](Limits), and who drives it.

#[doc(inline)]
pub use lightlike_core::conn::{
    AnswerOrigin, CannotSwitch, CloseReason, Lost, PartialMessage, Receiving, Reconnect, Server,
};
#[doc(inline)]
pub use lightlike_core::driver::{Budget, Io, Proxy};
#[doc(inline)]
pub use lightlike_core::limits::Limits;
#[doc(inline)]
pub use lightlike_core::wire::Compression;

pub use crate::client::Disconnecting;
pub use crate::client::drive::{DriverThread, Tick};
#[cfg(feature = "http")]
pub use crate::schema_check::SchemaCheck;
