//! Sizes of tables, and how many there are.

use bytes::Bytes;
use lightlike_core::schema::Table;
use lightlike_core::wire::{RowList, TableName, TableRows};

use super::{TRANSACTIONS, measured, rows_in};
use crate::input::{self, Entity, Message};
use crate::rig::Rig;

/// Rows of a transaction that changes many.
const CHANGED: u64 = 1_000;

/// A first subscription; a unit is a row.
pub(super) fn subscribe_keyed(rows: u64) {
    subscribe::<Entity>(input::entities(0..rows, 0));
}

/// As [`subscribe_keyed`], of rows without a key.
pub(super) fn subscribe_keyless(rows: u64) {
    subscribe::<Message>(input::messages(0..rows));
}

fn subscribe<T: Table>(rows: Vec<Vec<u8>>) {
    let mut rig = Rig::online();
    rig.register::<T>();
    let count = rows.len();
    let body = rig.subscribe::<T>(rows);
    measured(count as u64, || {
        rig.receive(body);
        rig.settle(|_| ());
    });
    assert_eq!(rig.read().table::<T>().expect("a table").len(), count);
}

/// Many rows of a table of `rows` are changed in one transaction, as far apart in every table; a unit is a row that
/// changes.
pub(super) fn update(rows: u64) {
    let mut rig = Rig::holding_entities(rows);
    let ids = || (0..CHANGED).map(|n| n * 10);
    let mut seen = 0;
    // The first makes room for two versions of a row.
    for revision in 1..3 {
        let body = rig.update::<Entity>(
            input::entities(ids(), revision),
            input::entities(ids(), revision - 1),
        );
        seen = 0;
        let apply = || {
            rig.receive(body);
            rig.settle(|transaction| seen += rows_in(transaction));
        };
        if revision == 2 { measured(CHANGED, apply) } else { apply() }
    }
    assert_eq!(seen, CHANGED);
}

/// Transactions that change one row each of a table of `rows`; a unit is a transaction.
pub(super) fn one_row(rows: u64) {
    let mut rig = Rig::holding_entities(rows);
    let ids: Vec<u64> = (0..2 * TRANSACTIONS).map(|n| n * 7919 % rows).collect();
    one_row_each(&mut rig, &ids);
    assert_eq!(rig.read().table::<Entity>().expect("a table").len() as u64, rows);
}

/// The same beside `tables` that nothing happens to, of ten rows each.
pub(super) fn one_row_beside(tables: u64) {
    let mut rig = Rig::online();
    rig.register::<Entity>();
    let others = (0..tables).map(|n| TableRows {
        table: TableName::from(format!("other_{n}").as_str()),
        rows: RowList::from_rows(input::entities(0..10, 0)),
    });
    rig.add_set(others.collect());
    let body = rig.subscribe::<Entity>(input::entities(0..1_000, 0));
    rig.receive(body);
    rig.settle(|_| ());
    let ids: Vec<u64> = (0..2 * TRANSACTIONS).map(|n| n * 7 % 1_000).collect();
    one_row_each(&mut rig, &ids);
    let view = rig.read();
    assert_eq!(view.table_names().count() as u64, tables + 1);
    assert!((0..tables).all(|n| view.untyped(&format!("other_{n}")).expect("a table").len() == 10));
}

/// Changes one row after the other, the second half of which is measured.
pub(super) fn one_row_each(rig: &mut Rig, ids: &[u64]) {
    let bodies: Vec<Bytes> = (1..)
        .zip(ids)
        .map(|(revision, &id)| {
            let before = ids[..revision as usize - 1].iter().rposition(|&other| other == id);
            let before = before.map_or(0, |at| at as i32 + 1);
            rig.update::<Entity>(input::entities([id], revision), input::entities([id], before))
        })
        .collect();
    let mut seen = 0;
    let mut apply = |rig: &mut Rig, bodies: &[Bytes]| {
        for body in bodies {
            rig.receive(body.clone());
            rig.settle(|transaction| seen += rows_in(transaction));
        }
    };
    let (first, second) = bodies.split_at(ids.len() / 2);
    apply(rig, first);
    measured(second.len() as u64, || apply(rig, second));
    assert_eq!(seen, ids.len() as u64);
}
