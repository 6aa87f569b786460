//! A SpacetimeDB-like server in the test process, for programs that use Lightlike.
//!
//! It has the tables of the program's own structs, reducers and procedures as closures, and speaks the real protocol on
//! loopback, so that a program is tested whole and needs nothing but Rust:
//!
//! ```
//! use lightlike::{Bsatn, Table, reducer, types::Identity};
//! use lightlike_testkit::Server;
//!
//! #[derive(Bsatn, Table, Clone, Debug, PartialEq)]
//! #[table(name = "user")]
//! struct User {
//!     #[primary_key]
//!     identity: Identity,
//!     name: String,
//! }
//!
//! #[reducer]
//! fn set_name(name: String) -> Result<(), String>;
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! let server = Server::builder()
//!     .table::<User>()
//!     .reducer(|tx, SetName { name }| {
//!         if name.is_empty() {
//!             return Err("Names must not be empty".into());
//!         }
//!         tx.upsert(User { identity: tx.sender(), name });
//!         Ok(())
//!     })
//!     .start()
//!     .await;
//!
//! // The program under test connects to `server.uri()`, database `app`. Meanwhile somebody else does something ..
//! let grace = server.create_identity().0;
//! server.run(|tx| tx.insert(User { identity: grace, name: "Grace".into() }));
//! // .. and what was committed can be looked at.
//! assert_eq!(server.rows::<User>(), [User { identity: grace, name: "Grace".into() }]);
//! # });
//! ```
//!
//! What goes wrong between a client and its server can be made to go wrong: see [`Fault`]. To wait for what a client
//! does there is [`Server::wait_for`], and [`Server::hold_replies`] to stop the world in between; no test has to sleep.
//!
//! # What it is not
//!
//! Where it differs from the real engine, it is wrong, and a recorded conversation with the engine holds it to that. These
//! are known: its schema has no schedules, defaults and sequences; SQL over HTTP only reads; schedules do not run by
//! themselves (call the reducer with [`Server::run`]); views take no arguments; everything committed is durable at once,
//! so confirmed reads make no difference; and tokens are only known by heart, not signed. What a module is refused for before
//! it runs is not refused here: a schedule on an event table, a sequence with a start, bounds or a step (neither can be
//! declared to the kit), a name that is a namespace's too.

//!
//! # Features
//!
//! Both are on by default; a program that carries a server along, and no test, builds sooner without.
//!
//! - `brotli`: compresses with brotli for clients that ask for it. Without, they get gzip: every frame says what it is.
//! - `http`: the HTTP routes that answer in JSON of the database's own, its schema and SQL. Without, they answer 501. A client
//!   with the feature `http` asks for the schema when it connects.

mod accounts;
mod builder;
mod clock;
mod database;
mod fault;
mod module;
mod procedure;
mod server;
mod sql;

pub use builder::Builder;
pub use database::{InsertError, TableMut, TableRef, Tx};
pub use fault::Fault;
#[doc(inline)]
pub use lightlike_core::wire;
pub use procedure::ProcedureCtx;
pub use server::state::ConnectionInfo;
pub use server::{HeldReplies, Server, ServerState, StartError};
