//! Reducers that do nothing, and reducers that fail, in each way that there is.

use lightlike::prelude::*;
use lightlike_testkit::{Builder, Tx};

use super::columns::OneU8;

#[reducer]
pub fn no_op();

#[reducer]
pub fn no_op_with_args(text: String, bytes: Vec<u8>);

#[reducer]
pub fn fail_with_string(message: String) -> Result<(), String>;

#[reducer]
pub fn fail_with_custom_error(value: u32) -> Result<(), String>;

#[reducer]
pub fn fail_with_empty_string() -> Result<(), String>;

#[reducer]
pub fn fail_with_panic(message: String);

/// Inserts into `one_u_8`, then fails: the row never exists.
#[reducer]
pub fn fail_after_insert(value: u8) -> Result<(), String>;

/// Inserts into `one_u_8`, then panics: the row never exists.
#[reducer]
pub fn panic_after_insert(value: u8);

/// Fails for all but the database itself.
#[reducer]
pub fn only_for_the_database() -> Result<(), String>;

pub(super) fn install(builder: Builder) -> Builder {
    builder
        .reducer(|_: &mut Tx, NoOp| Ok(()))
        .reducer(|_: &mut Tx, NoOpWithArgs { .. }| Ok(()))
        .reducer(|_: &mut Tx, FailWithString { message }| Err(message))
        .reducer(|_: &mut Tx, FailWithCustomError { value }| {
            Err(format!("{value} is out of range"))
        })
        .reducer(|_: &mut Tx, FailWithEmptyString| Err(String::new()))
        .reducer(|_: &mut Tx, FailWithPanic { message }| panic!("{message}"))
        .reducer(|tx: &mut Tx, FailAfterInsert { value }| {
            tx.insert(OneU8 { value });
            Err("failed after the insert".into())
        })
        .reducer(|tx: &mut Tx, PanicAfterInsert { value }| {
            tx.insert(OneU8 { value });
            panic!("panicked after the insert");
        })
        .reducer(|_: &mut Tx, OnlyForTheDatabase| Err("only the database may call this".into()))
}
