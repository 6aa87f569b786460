//! Watches of single rows: a whole client, and a server in this process.

use std::thread;

use lightlike::prelude::*;
use lightlike_testkit::Server;

use super::{TRANSACTIONS, measured};
use crate::input::{self, Entity};

/// Transactions that change one row each, which is watched, while `watches` watch others; a unit is a transaction.
pub(super) fn one_row_beside(watches: u64) {
    let changing = watches;
    let rows = (0..=watches).map(|id| input::entity(id, 0));
    let server = Server::builder().table::<Entity>().rows::<Entity>(rows).start_blocking();
    let db = Client::builder(server.uri(), server.database()).build_manual().expect("a client");
    let entities = db.subscribe(Entity::all());
    while !entities.is_applied() {
        tick(&db);
    }
    let others: Vec<_> = (0..watches).map(|id| db.table::<Entity>().watch_row(id)).collect();
    let watch = db.table::<Entity>().watch_row(changing);
    let mut counted = 0;
    for revision in 1..=2 * TRANSACTIONS as i32 {
        let waiting = db.stats().frames_received;
        server.run(|tx| tx.upsert(input::entity(changing, revision)));
        // The transaction is here: what is counted is applying it, and telling.
        while db.stats().frames_received == waiting {
            thread::yield_now();
        }
    }
    let hp = || watch.borrow().as_ref().map(|row| row.hp);
    measured(2 * TRANSACTIONS, || counted += tick(&db));
    assert_eq!(counted, 2 * TRANSACTIONS, "transactions");
    assert_eq!(hp(), Some(input::hp(changing, 2 * TRANSACTIONS as i32)));
    assert!(
        others
            .iter()
            .zip(0..)
            .all(|(other, id)| other.borrow().as_ref().is_some_and(|row| row.id == id))
    );
}

/// Runs one tick, and returns the number of messages that it applied.
fn tick(db: &Client) -> u64 {
    db.tick(Budget::unlimited()).expect("a connection").messages
}
