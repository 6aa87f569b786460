//! A client for SpacetimeDB 2.x: your own structs, live tables, typed calls.

extern crate self as lightlike;

mod builder;
mod call;
mod callbacks;
mod changes;
mod client;
mod error;
mod event;
mod hooks;
#[cfg(feature = "http")]
pub mod http;
mod hub;
pub mod prelude;
mod query;
mod stream;
mod subscription;
mod table;
mod token;
mod view;
mod watch;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use lightlike_core::cache::{RegisterError, RowChange, SetFailure};
pub use lightlike_core::conn::{
    Cause, CloseReason, ConnectionState, DialError, EndpointError, Lost, NotSent, Reconnect,
    StaleReason, WhileDisconnected,
};
pub use lightlike_core::limits::Limits;
pub use lightlike_core::wire::Compression;
pub use lightlike_core::{bsatn, schema, types};
pub use lightlike_macros::{Bsatn, Table, procedure, reducer};

pub use self::builder::ClientBuilder;
pub use self::call::{Call, CallError, CallErrorKind, Pending, ProcedureCall, Unanswered};
pub use self::changes::Changes;
pub use self::client::{Client, ClientCallbackId, WeakClient};
pub use self::error::{Error, ErrorKind};
pub use self::event::{Change, Deleted, Event, Inserted, Lagged, Updated};
pub use self::hub::Unhandled;
pub use self::query::{IntoQueries, Query, QueryList, TableQueries};
pub use self::stream::EventStream;
pub use self::subscription::Subscription;
pub use self::table::{CallbackId, TableHandle};
pub use self::token::{FileTokens, MemoryTokens, TokenStore};
pub use self::view::{TableView, View};
pub use self::watch::{Gone, Watch};
