//! Calls that are not answered, each of which is expected to change rows.

use lightlike_core::cache::LocalTx;
use lightlike_core::conn::CallRequest;
use lightlike_core::wire::Text;

use super::{TRANSACTIONS, measured, rows_in, tables};
use crate::input::{self, Entity};
use crate::rig::Rig;

/// Rows that each call reads and writes.
const TOUCHED: u64 = 10;

/// Rows in the table, of which the calls touch the first ones.
const HELD: u64 = 20_000;

/// First key of the rows that no call touches.
const DISJOINT: u64 = 10_000;

fn with_calls(calls: u64) -> Rig {
    let mut rig = Rig::holding_entities(HELD);
    for n in 0..calls {
        let request = CallRequest::Reducer { name: Text::from("move"), args: bytes::Bytes::new() };
        let call = rig.connection.call(request, None);
        let run = move |tx: &mut LocalTx| {
            for id in n * TOUCHED..(n + 1) * TOUCHED {
                if let Some(mut row) = tx.table::<Entity>().get(&id).cloned() {
                    row.x += 1.0;
                    tx.update(row);
                }
            }
        };
        rig.connection.optimistic(rig.now, call, Box::new(run)).expect("rows to change");
    }
    while rig.connection.poll_action().is_some() {}
    rig.settle(|_| ());
    rig
}

/// Checks that exactly the rows that calls touch are as the calls leave them.
fn check(rig: &Rig, calls: u64) {
    let view = rig.read();
    let rows = view.table::<Entity>().expect("a table");
    assert_eq!(rig.connection.pending_calls() as u64, calls);
    assert_eq!(rows.iter().filter(|row| row.x != row.id as f32).count() as u64, calls * TOUCHED);
}

/// Transactions that change one row each, which no call touches; a unit is a transaction.
pub(super) fn one_row_beside(calls: u64) {
    let mut rig = with_calls(calls);
    let ids: Vec<u64> = (0..2 * TRANSACTIONS).map(|n| DISJOINT + n * 7).collect();
    tables::one_row_each(&mut rig, &ids);
    check(&rig, calls);
}

/// A transaction that changes a thousand rows, which no call touches; it is the unit.
pub(super) fn rows_beside(calls: u64) {
    let mut rig = with_calls(calls);
    let ids = || DISJOINT..DISJOINT + 1000;
    let mut seen = 0;
    for revision in 1..3 {
        let body = rig.update::<Entity>(
            input::entities(ids(), revision),
            input::entities(ids(), revision - 1),
        );
        let apply = || {
            rig.receive(body);
            rig.settle(|transaction| seen += rows_in(transaction));
        };
        if revision == 2 { measured(1, apply) } else { apply() }
    }
    assert_eq!(seen, 2 * 1000);
    check(&rig, calls);
}
