//! Query sets that hold the same rows.

use bytes::Bytes;
use lightlike_core::schema::Table;
use lightlike_core::wire::{QuerySetId, RowList, TableName, TableRows};

use super::{TRANSACTIONS, measured, rows_in, tables};
use crate::input::{self, Entity};
use crate::rig::Rig;

/// Rows of a set, and how many of them the next set does not have.
const WINDOW: u64 = 100;
const STRIDE: u64 = 10;

fn window(n: u64) -> Vec<TableRows> {
    rows(input::entities(n * STRIDE..n * STRIDE + WINDOW, 0))
}

fn rows(rows: Vec<Vec<u8>>) -> Vec<TableRows> {
    let table = TableName::from(Entity::DEF.name);
    vec![TableRows { table, rows: RowList::from_rows(rows) }]
}

fn rows_of_windows(sets: u64) -> u64 {
    (sets - 1) * STRIDE + WINDOW
}

/// `sets` begin one after the other, each of which has most of its rows in common with its neighbours; a unit is a row
/// of a set.
pub(super) fn subscribe(sets: u64) {
    let mut rig = Rig::online();
    rig.register::<Entity>();
    let bodies: Vec<Bytes> = (0..sets).map(|n| rig.ask_for_set(window(n))).collect();
    measured(sets * WINDOW, || {
        for body in bodies {
            rig.receive(body);
            rig.settle(|_| ());
        }
    });
    let view = rig.read();
    assert_eq!(view.table::<Entity>().expect("a table").len() as u64, rows_of_windows(sets));
}

/// A row changes that `sets` hold, and which is told once for each; a unit is one of these.
pub(super) fn one_row_in(sets: u64) {
    let mut rig = Rig::online();
    rig.register::<Entity>();
    let sets: Vec<QuerySetId> =
        (0..sets).map(|_| rig.add_set(rows(input::entities(0..WINDOW, 0)))).collect();
    let bodies: Vec<Bytes> = (0..4)
        .map(|revision| {
            let (came, left) = (input::entities([7], revision + 1), input::entities([7], revision));
            rig.update_in::<Entity>(&sets, &came, &left)
        })
        .collect();
    let mut seen = 0;
    let mut apply = |bodies: &[Bytes]| {
        for body in bodies {
            rig.receive(body.clone());
            rig.settle(|transaction| seen += rows_in(transaction));
        }
    };
    apply(&bodies[..2]);
    measured(2 * sets.len() as u64, || apply(&bodies[2..]));
    assert_eq!(seen, 4);
    let view = rig.read();
    assert_eq!(view.table::<Entity>().expect("a table").get(&7).expect("a row").hp, 7 + 4);
}

/// Transactions that change one row each of a set that overlaps with none, beside `sets` that do; a unit is a transaction.
pub(super) fn one_row_beside(sets: u64) {
    let mut rig = Rig::online();
    rig.register::<Entity>();
    for n in 0..sets {
        rig.add_set(window(n));
    }
    let own = 1_000_000..1_001_000;
    rig.add_set(rows(input::entities(own.clone(), 0)));
    let ids: Vec<u64> = own.take(2 * TRANSACTIONS as usize).collect();
    tables::one_row_each(&mut rig, &ids);
    let view = rig.read();
    assert_eq!(view.table::<Entity>().expect("a table").len() as u64, rows_of_windows(sets) + 1000);
}
