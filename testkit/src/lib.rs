//! A SpacetimeDB-like server in the test process, for programs that use Lightlike.
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
pub use lightlike_core::wire;
pub use procedure::ProcedureCtx;
pub use server::state::ConnectionInfo;
pub use server::{HeldReplies, Server, ServerState, StartError};
