//! Queries to the server: typed ones, and SQL as text.
//!
//! ```
//! use lightlike::prelude::*;
//!
//! #[derive(Bsatn, Table, Clone, Debug, PartialEq)]
//! #[table(name = "player")]
//! struct Player {
//!     #[primary_key]
//!     identity: Identity,
//!     level: u32,
//!     #[index(btree)]
//!     guild: u64,
//! }
//!
//! #[derive(Bsatn, Table, Clone, Debug, PartialEq)]
//! #[table(name = "guild")]
//! struct Guild {
//!     #[primary_key]
//!     id: u64,
//!     name: String,
//! }
//!
//! // A column compares with a value, with another column, or with whoever asks.
//! let strong = Player::LEVEL.ge(30).and(Player::IDENTITY.ne(Sender));
//! let query = Player::filter(strong.clone());
//! assert_eq!(
//!     query.sql(),
//!     r#"SELECT * FROM "player" WHERE "player"."level" >= 30 AND "player"."identity" <> :sender"#
//! );
//!
//! // The same condition decides about a row that is here.
//! let ada = Player { identity: Identity::from_u256(U256::ONE), level: 31, guild: 7 };
//! assert!(strong.for_sender(Identity::ZERO).matches(&ada));
//!
//! // A semijoin returns rows of one table that rows of another select.
//! let red = Guild::filter(Guild::NAME.eq("red"));
//! let in_red = Player::all().left_semijoin(red, Player::GUILD, Guild::ID);
//! assert_eq!(
//!     in_red.sql(),
//!     r#"SELECT "player".* FROM "player" JOIN "guild" ON "player"."guild" = "guild"."id" WHERE "guild"."name" = 'red'"#
//! );
//! ```
//!
//! What SQL can compare is an [`SqlValue`]; the compiler refuses columns of other types, in words. What the typed queries
//! do not cover can be said as text wherever a query is taken: `db.subscribe("SELECT * FROM player WHERE level > 3")`.

mod list;
mod returned;
mod tables;
mod typed;

#[doc(inline)]
pub use lightlike_core::query::{
    Filter, NoLiteral, Operand, QueryError, Sender, SqlValue, ViewArgument,
};

pub use self::list::{IntoQueries, QueryList};
pub use self::tables::Tables;
#[doc(hidden)]
pub use self::typed::Arguments;
pub use self::typed::{Called, Joined, Query, Rows, TableQueries};

pub(crate) use self::list::Register;
pub(crate) use self::returned::{Returned, returned_table};
