//! Conditions on rows: one value that is SQL for the server, and a test for rows that are here.
//!
//! [`Filter`] is the condition, [`SqlValue`] what a value must be to stand in one, and columns have the comparisons that
//! make one: `User::LEVEL.gt(3)`. What a condition means here is what it means on the server, ties and NaNs included.
//!
//! Not here: which table is asked, joins, and views with arguments, which are the facade's `Query`.

mod column;
mod filter;
mod sql;
mod tree;
mod value;

pub use column::{Operand, Other, Sender};
pub use filter::Filter;
pub use sql::{QueryError, push_literal, push_name};
pub use value::{NoLiteral, SqlValue, ViewArgument};
