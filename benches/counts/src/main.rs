//! One case of codec, cache and machine on fixed input, without a socket: for counting instructions, and for profiles.
//!
//! `bench-counts CASE [ROUNDS]`. What is counted is inside of [`measured`], and each case checks its answer.
//! `bench-counts growth CASE SIZE` is one of those whose costs are compared between sizes.

mod growth;
mod input;
mod memory;
mod optimistic;
mod rig;

use std::env;
use std::hint::black_box;

use input::{Entity, Message, Tick};
use lightlike_core::cache::RowChange;
use lightlike_core::schema::Table;
use rig::Rig;

/// Rows held, rows in a transaction, and calls.
const HELD: u64 = 20_000;
const CHANGED: u64 = 5_000;
const CALLS: u64 = 5_000;

/// The only part that counts: `callgrind` is told its name.
#[inline(never)]
fn measured<T>(act: impl FnOnce() -> T) -> T {
    black_box(act())
}

fn main() {
    let mut args = env::args().skip(1);
    let case = args.next().unwrap_or_default();
    if case == "growth" {
        return growth::run(args);
    }
    let rounds = args.next().map_or(1, |rounds| rounds.parse::<u64>().expect("a number"));
    for _ in 0..rounds {
        match case.as_str() {
            "subscribe-keyed" => subscribe::<Entity>(input::entities(0..HELD, 0)),
            "subscribe-keyless" => subscribe::<Message>(input::messages(0..HELD)),
            "update" => update(),
            "events" => events(),
            "calls" => calls(),
            "optimistic" => optimistic::in_flight(CALLS),
            "optimistic-one-row" => optimistic::on_one_row(CALLS),
            "optimistic-beside" => optimistic::beside(100, 100),
            "find" => find(),
            "iterate" => iterate(),
            other => panic!("`{other}` is no case"),
        }
    }
}

fn subscribe<T: Table>(rows: Vec<Vec<u8>>) {
    let mut rig = Rig::online();
    rig.register::<T>();
    let count = rows.len();
    let body = rig.subscribe::<T>(rows);
    measured(|| {
        rig.receive(body);
        rig.settle(|_| ());
    });
    let view = rig.read();
    assert_eq!(view.table::<T>().expect("a table").len(), count);
}

/// A transaction that replaces rows, looked at as a callback would, and what it leaves cleared away.
fn update() {
    let mut rig = Rig::holding_entities(HELD);
    // The first one makes room for two versions of a row.
    let first =
        rig.update::<Entity>(input::entities(0..CHANGED, 1), input::entities(0..CHANGED, 0));
    rig.receive(first);
    rig.settle(|_| ());
    let body = rig.update::<Entity>(input::entities(0..CHANGED, 2), input::entities(0..CHANGED, 1));
    let mut seen = 0;
    measured(|| {
        rig.receive(body);
        rig.settle(|transaction| {
            for diff in transaction.tables() {
                for change in diff.changes::<Entity>(transaction).expect("rows of its type") {
                    if let RowChange::Update { old, new } = change {
                        seen += u64::from(old.id == new.id && old.hp != new.hp);
                    }
                }
            }
        });
    });
    assert_eq!(seen, CHANGED);
}

fn events() {
    let mut rig = Rig::online();
    rig.register::<Tick>();
    let subscribed = rig.subscribe::<Tick>(Vec::new());
    rig.receive(subscribed);
    rig.settle(|_| ());
    let body = rig.events::<Tick>(input::ticks(0..CHANGED));
    let mut sum = 0;
    measured(|| {
        rig.receive(body);
        rig.settle(|transaction| {
            for diff in transaction.tables() {
                for change in diff.changes::<Tick>(transaction).expect("rows of its type") {
                    if let RowChange::Event(tick) = change {
                        sum += tick.id;
                    }
                }
            }
        });
    });
    assert_eq!(sum, (0..CHANGED).sum::<u64>());
}

fn calls() {
    let mut rig = Rig::online();
    let answered = measured(|| {
        (0..CALLS).map(|n| rig.call_and_answer(n)).filter(|&committed| committed).count()
    });
    assert_eq!(answered as u64, CALLS);
}

fn find() {
    let rig = Rig::holding_entities(HELD);
    let ids: Vec<u64> = (0..HELD).map(|n| n * 7919 % HELD).collect();
    let expected: i64 = ids.iter().map(|&id| i64::from(input::hp(id, 0))).sum();
    let sum: i64 = measured(|| {
        let hp = |id| {
            let view = rig.read();
            let table = view.table::<Entity>().expect("a table");
            i64::from(table.get(id).expect("a row").hp)
        };
        ids.iter().map(hp).sum()
    });
    assert_eq!(sum, expected);
}

fn iterate() {
    let rig = Rig::holding_entities(HELD);
    let expected: i64 = (0..HELD).map(|id| i64::from(input::hp(id, 0))).sum();
    let view = rig.read();
    let sum: i64 = measured(|| {
        let table = view.table::<Entity>().expect("a table");
        table.iter().map(|row| i64::from(row.hp)).sum()
    });
    assert_eq!(sum, expected);
}
