//! Histories that went wrong once, without what had nothing to do with it.

use super::*;

/// An insert that fails takes the deletion beside it along. Where it succeeds later, the deletion is the first write of
/// its row, and a transaction has to report it, for those who count rows.
#[test]
fn insert_that_succeeds_later_brings_its_deletion() {
    let ops = [
        Op::Transact { rows: vec![(0, Some(0))], says: vec![(3, true)], ends: Vec::new() },
        Op::Subscribe(1),
        Op::Mutate(vec![Write::Insert(0, 0), Write::Unsay(3)]),
        Op::Mutate(vec![Write::Count(1)]),
        Op::Transact { rows: vec![(0, None)], says: Vec::new(), ends: Vec::new() },
    ];
    run_history(&ops, 2);
}
