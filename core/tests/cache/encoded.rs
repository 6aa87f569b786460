//! Changes of tables that have no type yet.

use lightlike_core::bsatn;
use lightlike_core::cache::{Cache, RowChange, Transaction};

use super::support::*;

/// Changes of a transaction's first table, decoded.
fn encoded(tx: &Transaction) -> Vec<Seen<Player>> {
    let decode = |row: &[u8]| bsatn::from_slice::<Player>(row).unwrap();
    let mut seen = Vec::new();
    tx.tables()[0].for_each_encoded(tx, |change| {
        seen.push(match change {
            RowChange::Insert(row) => Seen::Insert(decode(row)),
            RowChange::Update { old, new } => Seen::Update(decode(old), decode(new)),
            RowChange::Delete(row) => Seen::Delete(decode(row)),
            RowChange::Event(row) => Seen::Event(decode(row)),
        });
    });
    seen
}

#[test]
fn untyped_table_reports_encoded_changes() {
    let mut cache = Cache::default();
    let tx = apply(&mut cache, [inserts::<Player>(A, &[player(1, 0), player(2, 0)])]);
    assert_eq!(encoded(&tx), [Seen::Insert(player(1, 0)), Seen::Insert(player(2, 0))]);
    // It has no key: a row that is replaced comes and leaves.
    let parts = [inserts::<Player>(A, &[player(1, 7)]), deletes::<Player>(A, &[player(1, 0)])];
    let tx = apply(&mut cache, parts);
    assert_eq!(encoded(&tx), [Seen::Insert(player(1, 7)), Seen::Delete(player(1, 0))]);
    // The rows stay with the transaction, wherever the table's move.
    cache.register::<Player>().unwrap();
    assert_eq!(encoded(&tx), [Seen::Insert(player(1, 7)), Seen::Delete(player(1, 0))]);
}

#[test]
fn typed_table_encodes_changes_on_request() {
    let mut cache = Cache::default();
    cache.register::<Player>().unwrap();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 0)])]);
    let parts = [inserts::<Player>(A, &[player(1, 7)]), deletes::<Player>(A, &[player(1, 0)])];
    let tx = apply(&mut cache, parts);
    assert_eq!(encoded(&tx), changes::<Player>(&tx));
    assert_eq!(encoded(&tx), [Seen::Update(player(1, 0), player(1, 7))]);
}

#[test]
fn untyped_events_keep_their_order() {
    let mut cache = Cache::default();
    let rows = [player(2, 0), player(1, 0), player(2, 0)];
    let tx = apply(&mut cache, [events::<Player>(A, &rows)]);
    assert_eq!(encoded(&tx), rows.map(Seen::Event));
}
