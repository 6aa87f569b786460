//! Reducers that do nothing, and reducers that fail, in each way that there is.

use crate::columns::insert_one_u8;
use spacetimedb::{ReducerContext, reducer};
use std::fmt;

#[reducer]
pub fn no_op(_ctx: &ReducerContext) {}

/// Succeeds and changes nothing, whatever it is given.
#[reducer]
pub fn no_op_with_args(_ctx: &ReducerContext, _text: String, _bytes: Vec<u8>) {}

#[reducer]
pub fn fail_with_string(_ctx: &ReducerContext, message: String) -> Result<(), String> {
    Err(message)
}

/// An error of the module's own. Rust modules put its text on the wire.
#[derive(Debug)]
pub struct OutOfRange {
    value: u32,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is out of range", self.value)
    }
}

#[reducer]
pub fn fail_with_custom_error(_ctx: &ReducerContext, value: u32) -> Result<(), OutOfRange> {
    Err(OutOfRange { value })
}

/// An error without a text.
#[reducer]
pub fn fail_with_empty_string(_ctx: &ReducerContext) -> Result<(), String> {
    Err(String::new())
}

#[reducer]
pub fn fail_with_panic(_ctx: &ReducerContext, message: String) {
    panic!("{message}");
}

/// Inserts into `one_u8`, then fails: the row never exists.
#[reducer]
pub fn fail_after_insert(ctx: &ReducerContext, value: u8) -> Result<(), String> {
    insert_one_u8(ctx, value);
    Err("failed after the insert".into())
}

/// Inserts into `one_u8`, then panics: the row never exists.
#[reducer]
pub fn panic_after_insert(ctx: &ReducerContext, value: u8) {
    insert_one_u8(ctx, value);
    panic!("panicked after the insert");
}

/// Fails for all but the database itself.
#[reducer]
pub fn only_for_the_database(ctx: &ReducerContext) -> Result<(), String> {
    match ctx.sender() == ctx.database_identity() {
        true => Ok(()),
        false => Err("only the database may call this".into()),
    }
}
