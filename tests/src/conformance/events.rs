//! Event tables: rows that are delivered once and never stored.

use lightlike::prelude::*;
use lightlike_testkit::{Builder, Tx};

use super::columns::OneU64;

#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(event)]
pub struct TestEvent {
    pub name: String,
    pub value: u64,
}

/// An event of constant size.
#[derive(Bsatn, Table, Clone, Debug, PartialEq, Eq)]
#[table(event)]
pub struct TickEvent {
    pub number: u32,
}

#[reducer]
pub fn emit_test_event(name: String, value: u64);

/// Three events, `a` 1 to `c` 3, in one transaction.
#[reducer]
pub fn emit_multiple_test_events();

/// The same event `n` times in one transaction.
#[reducer]
pub fn emit_same_event(name: String, n: u32);

/// Events 0 to `n` - 1 in one transaction.
#[reducer]
pub fn emit_events(n: u32);

/// An event and a row of `one_u_64` in one transaction.
#[reducer]
pub fn emit_event_with_row(name: String, value: u64);

/// An event that is never delivered: the transaction fails after it.
#[reducer]
pub fn emit_event_and_fail(name: String) -> Result<(), String>;

pub(super) fn install(builder: Builder) -> Builder {
    builder
        .table::<TestEvent>()
        .table::<TickEvent>()
        .reducer(|tx: &mut Tx, EmitTestEvent { name, value }| {
            tx.insert(TestEvent { name, value });
            Ok(())
        })
        .reducer(|tx: &mut Tx, EmitMultipleTestEvents| {
            for (name, value) in [("a", 1), ("b", 2), ("c", 3)] {
                tx.insert(TestEvent { name: name.into(), value });
            }
            Ok(())
        })
        .reducer(|tx: &mut Tx, EmitSameEvent { name, n }| {
            (0..n).for_each(|_| tx.insert(TestEvent { name: name.clone(), value: 0 }));
            Ok(())
        })
        .reducer(|tx: &mut Tx, EmitEvents { n }| {
            (0..n).for_each(|number| tx.insert(TickEvent { number }));
            Ok(())
        })
        .reducer(|tx: &mut Tx, EmitEventWithRow { name, value }| {
            tx.insert(OneU64 { value });
            tx.insert(TestEvent { name, value });
            Ok(())
        })
        .reducer(|tx: &mut Tx, EmitEventAndFail { name }| {
            tx.insert(TestEvent { name, value: 0 });
            Err("failed after the event".into())
        })
}
