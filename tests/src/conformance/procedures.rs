//! Procedures: what they return, how they fail, and their transactions.

use std::time::Duration;

use lightlike::prelude::*;
use lightlike_testkit::{Builder, ProcedureCtx, Tx};

use super::columns::fresh_uuid_v7;
use super::keys::{PkUuid, insert};

#[derive(Bsatn, Clone, Debug, PartialEq, Eq)]
pub struct ReturnStruct {
    pub a: u32,
    pub b: String,
}

#[derive(Bsatn, Clone, Debug, PartialEq, Eq)]
pub enum ReturnEnum {
    A(u32),
    B(String),
    C,
}

/// Row that was written, in the order of `id`.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table]
pub struct ProcedureRow {
    #[primary_key]
    #[auto_inc]
    pub id: u64,
    pub text: String,
}

#[procedure]
pub fn return_primitive(lhs: u32, rhs: u32) -> u32;

/// By another name, because a signature's type would be called as the one that it returns.
#[procedure(name = "return_struct")]
pub fn call_return_struct(a: u32, b: String) -> ReturnStruct;

#[procedure]
pub fn return_enum_a(a: u32) -> ReturnEnum;

#[procedure]
pub fn return_enum_b(b: String) -> ReturnEnum;

#[procedure]
pub fn return_enum_c() -> ReturnEnum;

#[procedure]
pub fn return_unit();

#[procedure]
pub fn return_option(value: Option<u32>) -> Option<u32>;

/// Half of an even number, or a text that says why not.
#[procedure]
pub fn return_result(even: u32) -> Result<u32, String>;

#[procedure]
pub fn return_bytes(n: u32) -> Vec<u8>;

#[procedure]
pub fn will_panic();

#[procedure]
pub fn insert_with_tx_commit();

#[procedure]
pub fn insert_with_tx_rollback();

/// Two transactions: two updates for the client, in this order, before the result.
#[procedure]
pub fn insert_with_two_txs();

/// A committed transaction, then a panic: the row stays.
#[procedure]
pub fn insert_then_panic();

/// Returns after this time; the result says when it was called.
#[procedure]
pub fn sleep(millis: u64) -> Timestamp;

/// Writes, sleeps, writes again: what others do in between is seen in between.
#[procedure]
pub fn insert_around_sleep(millis: u64);

#[reducer]
pub fn insert_procedure_row(text: String);

/// Starts the scheduled reducer, then sleeps past it and writes. Real servers only.
#[procedure]
pub fn schedule_and_sleep(schedule_millis: u64, sleep_millis: u64);

/// Fetches a page and returns its body, or the error as text. Real servers only.
#[procedure]
pub fn fetch(url: String) -> Result<String, String>;

/// A request that cannot be sent. Real servers only.
#[procedure]
pub fn fetch_invalid() -> String;

/// A thousand rows of `pk_uuid` whose keys ascend, from a procedure.
#[procedure]
pub fn insert_sorted_uuids_with_tx() -> Result<(), String>;

pub(super) fn install(builder: Builder) -> Builder {
    install_transactions(install_values(builder))
        .table::<ProcedureRow>()
        .procedure(|ctx, Sleep { millis }| {
            std::thread::sleep(Duration::from_millis(millis));
            ctx.timestamp()
        })
        .procedure(|ctx, InsertAroundSleep { millis }| {
            write(ctx, "procedure, before its sleep");
            std::thread::sleep(Duration::from_millis(millis));
            write(ctx, "procedure, after its sleep");
        })
        .reducer(|tx: &mut Tx, InsertProcedureRow { text }| {
            insert_row(tx, text);
            Ok(())
        })
}

fn install_values(builder: Builder) -> Builder {
    builder
        .procedure(|_, ReturnPrimitive { lhs, rhs }| lhs.wrapping_add(rhs))
        .procedure(|_, CallReturnStruct { a, b }| ReturnStruct { a, b })
        .procedure(|_, ReturnEnumA { a }| ReturnEnum::A(a))
        .procedure(|_, ReturnEnumB { b }| ReturnEnum::B(b))
        .procedure(|_, ReturnEnumC| ReturnEnum::C)
        .procedure(|_, ReturnUnit| ())
        .procedure(|_, ReturnOption { value }| value)
        .procedure(|_, ReturnResult { even }| match even % 2 {
            0 => Ok(even / 2),
            _ => Err(format!("{even} is odd")),
        })
        .procedure(|_, ReturnBytes { n }| (0..n).map(|i| i as u8).collect())
        .procedure(|_, WillPanic| panic!("this procedure always panics"))
}

fn install_transactions(builder: Builder) -> Builder {
    builder
        .procedure(|ctx, InsertWithTxCommit| write(ctx, "committed"))
        .procedure(|ctx, InsertWithTxRollback| {
            let _: Result<(), ()> = ctx.try_with_tx(|tx| {
                insert_row(tx, "rolled back");
                Err(())
            });
        })
        .procedure(|ctx, InsertWithTwoTxs| {
            write(ctx, "first");
            write(ctx, "second");
        })
        .procedure(|ctx, InsertThenPanic| {
            write(ctx, "before the panic");
            panic!("panicked after the commit");
        })
        .procedure(|ctx, InsertSortedUuidsWithTx| {
            ctx.try_with_tx(|tx| {
                for data in 0..1000 {
                    let key = fresh_uuid_v7(tx);
                    insert(tx, PkUuid { key, data })?;
                }
                Ok(())
            })
        })
}

fn write(ctx: &mut ProcedureCtx, text: &str) {
    ctx.with_tx(|tx| insert_row(tx, text));
}

fn insert_row(tx: &mut Tx, text: impl Into<String>) {
    let id = tx.next_id::<ProcedureRow>();
    tx.insert(ProcedureRow { id, text: text.into() });
}
