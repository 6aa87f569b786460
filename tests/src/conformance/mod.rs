//! The module `conformance` (see `tests/modules`): its tables, functions and types as Rust, and the same module on the
//! embedded server as far as that goes. One file a room, called as the module's.

#![expect(missing_docs, reason = "`tests/modules/README.md` lists every table, function and type")]

#[macro_use]
mod tables;

pub mod bulk;
pub mod columns;
pub mod connections;
pub mod events;
pub mod failures;
pub mod indexes;
pub mod joins;
pub mod keyed_views;
pub mod keys;
pub mod names;
pub mod procedures;
pub mod schedules;
mod story;
pub mod types;
pub mod values;
pub mod views;
pub mod visibility;

use lightlike_testkit::Server;

/// All of it at one level, as a generator writes it.
pub mod declared {
    pub use super::{
        bulk::*, columns::*, connections::*, events::*, failures::*, indexes::*, joins::*,
        keyed_views::*, keys::*, names::*, procedures::*, schedules::*, types::*, values::*,
        views::*, visibility::*,
    };
}

pub use self::story::{Log, next, on_a_real_server, on_a_real_server_of, on_both_servers, within};

/// The module on the embedded server.
///
/// It has no row-level security, no schedules, no views with arguments and no HTTP requests: tests that need those run
/// [`on_a_real_server`].
pub async fn embedded() -> Server {
    let mut builder = Server::builder().database("conformance");
    for install in [
        columns::install,
        keys::install,
        indexes::install,
        joins::install,
        events::install,
        visibility::install,
        views::install,
        keyed_views::install,
        procedures::install,
        failures::install,
        connections::install,
        names::install,
        bulk::install,
    ] {
        builder = install(builder);
    }
    builder.start().await
}
