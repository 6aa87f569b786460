//! A client for SpacetimeDB 2.x: your own structs, live tables, typed calls.
//!
//! ```no_run
//! use lightlike::prelude::*;
//!
//! /// A row of the module's `user` table. The derives replace generated bindings.
//! #[derive(Bsatn, Table, Clone, Debug, PartialEq)]
//! #[table(name = "user")]
//! struct User {
//!     #[primary_key]
//!     identity: Identity,
//!     name: Option<String>,
//!     online: bool,
//! }
//!
//! /// A reducer as a signature: makes the type `SetName` and the function `set_name`.
//! #[reducer]
//! fn set_name(name: String) -> Result<(), String>;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), lightlike::Error> {
//! let db = Client::builder("http://127.0.0.1:3000", "chat").connect().await?;
//!
//! // A query set: its rows come together, are kept in step, and go when the subscription is dropped.
//! let _users = db.subscribe(User::all()).await?;
//!
//! // A view is all tables at one moment. Rows are borrowed from it; holding it stops nobody.
//! let view = db.read();
//! for user in view.table::<User>().iter().filter(|user| user.online) {
//!     println!("{:?}", user.name);
//! }
//!
//! // Callbacks run in the server's order, and before the call that caused them is answered.
//! db.table::<User>().on_update(|event, old, new| {
//!     println!("{:?} -> {:?}, by us: {}", old.name, new.name, event.is_mine());
//! });
//! match db.call(set_name("Ada".into())).await {
//!     Ok(()) => println!("committed"),
//!     Err(CallError::Rejected(why)) => println!("refused: {why}"), // the reducer's own error type
//!     Err(error) => return Err(error.into()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What to know
//!
//! - **Who runs what.** [`ClientBuilder::connect`] starts a task on the tokio runtime that it is called in. It applies
//!   what the server says, and runs callbacks; one that blocks stops the rest. They may do everything but wait: read,
//!   register others, subscribe, and make calls that they do not await ([`Call::send`], [`Call::forget`]).
//! - **One transaction at a time.** Callbacks see a transaction whole, and nothing of the next one. When a call's future
//!   resolves, its rows are in the cache and their callbacks have run.
//! - **Three shapes of the same events.** Callbacks hear of everything, in order, at once ([`TableHandle::on_insert`] and
//!   the like, [`Client::on_batch`], [`Client::on_call`]). Streams hold a bounded number of events and say how many they dropped
//!   ([`TableHandle::changes`], [`Client::broadcast`]). Watches have the latest value ([`TableHandle::watch_row`],
//!   [`TableHandle::watch`], [`Client::state`], [`Client::wait_until`]).
//! - **A lost connection comes back.** Rows stay readable ([`View::is_stale`] tells), then the difference comes as one
//!   transaction with the cause [`Cause::Resync`](events::Cause::Resync). A call that was under way ends as
//!   [`CallError::Unknown`], unless its reducer is declared `idempotent`: then it is sent again, until the server has
//!   hung up on it [too often](connection::Limits::max_call_losses).
//! - **Calls can be seen before they are answered.** [`Call::optimistic`] shows what is expected of one, over whatever the
//!   server says meanwhile.
//! - **It works without a network**, given an [offline store](ClientBuilder::offline): rows of the last run are there at
//!   once, and calls wait on disk, each [delivered as it says](calls::Delivery), also over a restart.
//! - **Nothing is silent.** What does not decode, what is refused, what a slow stream missed, what a call came to: each
//!   has its typed error, which names the thing.
//! - **It can be watched.** [`Client::stats`] has the numbers. `tracing` is told of connections, transactions and calls, as
//!   events and as spans: what a callback logs is inside its transaction, and a call is inside what its caller does. The
//!   names and fields are stable, and listed in the repository's `docs/observability.md`.
//!
//! # Where to find what
//!
//! The root has what a first program touches. Further items are in modules by concern: [`events`] (callbacks, streams,
//! watches), [`calls`], [`query`], [`subscriptions`], [`optimistic`] (predicted rows), [`offline`] (stores, queued calls),
//! [`connection`] (limits, reconnecting, drivers, proxies), [`tls`], [`auth`] (tokens), [`stats`], [`error`] (details of an
//! [`Error`]), [`schema`] and [`types`], [`untyped`], and `http`.
//!
//! # Features
//!
//! - `brotli` (on by default): frames that the server compressed with brotli, for
//!   [`ClientBuilder::compression`].
//! - `redb` (on by default): `offline::RedbStore`, an offline store in the embedded database redb. Without it there are
//!   [`FileStore`](offline::FileStore) and [`MemoryStore`](offline::MemoryStore).
//! - `json`: SATS-JSON, in `json`, and JSON of [`untyped`] rows.
//! - `http`: the server's HTTP API, in `http`, and the comparison of the program with the module's schema at connect. It
//!   brings `json`.
//! - `schema`: that comparison while the program is compiled, with a schema that was saved.
//! - `auth`: token renewal, claims, and OpenID Connect sign-in, in [`auth`].
//! - `serde`: serde forms of [`types::Identity`], [`types::Timestamp`] and the server's other types, as the official Rust
//!   types have them, and `types::text` for their text forms.
//! - `chrono`, `jiff`, `time`, `uuid`: conversions to and from the types of these crates.
//! - `claims`: `Identity::from_claims`.

#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate self as lightlike;

pub mod auth;
pub mod calls;
mod client;
pub mod connection;
pub mod error;
pub mod events;
#[cfg(feature = "http")]
pub mod http;
mod hub;
mod observe;
pub mod offline;
pub mod optimistic;
pub mod prelude;
pub mod query;
pub mod schema;
#[cfg(feature = "http")]
mod schema_check;
pub mod stats;
pub mod subscriptions;
mod sync;
mod tables;
pub mod tls;
pub mod untyped;
#[cfg(test)]
mod words;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

// Documented here, where a program finds them: their own crate is not for programs to name.
#[doc(inline)]
pub use lightlike_core::bsatn::{self, Bsatn};
#[doc(inline)]
pub use lightlike_core::conn::ConnectionState;
#[cfg(feature = "json")]
#[doc(inline)]
pub use lightlike_core::json;
#[doc(inline)]
pub use lightlike_core::schema::{HasKey, Procedure, Reducer, Table};
#[doc(inline)]
pub use lightlike_core::types::{self, ConnectionId, Identity, TimeDuration, Timestamp, Uuid};
#[doc(inline)]
pub use lightlike_macros::{Bsatn, Table, procedure, reducer};

pub use self::calls::{Call, CallError, CallErrorKind, Pending, ProcedureCall};
pub use self::client::builder::ClientBuilder;
pub use self::client::{Client, WeakClient};
pub use self::error::{Error, ErrorKind};
pub use self::subscriptions::Subscription;
pub use self::tables::handle::TableHandle;
pub use self::tables::view::{TableView, View};
