//! Effects of messages, one case each. Many are bugs that other clients had.

use lightlike_core::cache::{Cache, Change, OutOfSyncKind, Part, RowMismatch, Step, TableId};
use lightlike_core::wire::RowList;

use super::support::*;

#[test]
fn a_first_subscription_inserts_its_rows_in_order() {
    let mut cache = cache();
    let players = [player(2, 0), player(1, 0), player(3, 0)];
    let tx = apply(&mut cache, [inserts::<Player>(A, &players)]);
    assert_eq!(changes::<Player>(&tx), players.map(Seen::Insert));
    assert!(tx.before().table::<Player>().unwrap().is_empty());
    assert_eq!(rows::<Player>(&cache).len(), 3);
}

#[test]
fn shared_row_leaves_with_second_set() {
    let mut cache = cache();
    let row = [player(1, 0)];
    assert_eq!(changes::<Player>(&apply(&mut cache, [inserts::<Player>(A, &row)])).len(), 1);
    assert!(apply(&mut cache, [inserts::<Player>(B, &row)]).is_empty());
    assert!(apply(&mut cache, [deletes::<Player>(A, &row)]).is_empty());
    let tx = apply(&mut cache, [deletes::<Player>(B, &row)]);
    assert_eq!(changes::<Player>(&tx), [Seen::Delete(player(1, 0))]);
    assert!(rows::<Player>(&cache).is_empty());
}

#[test]
fn same_key_other_encoding_is_an_update() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 5)])]);
    let tx = apply(
        &mut cache,
        [inserts::<Player>(A, &[player(1, 6)]), deletes::<Player>(A, &[player(1, 5)])],
    );
    assert_eq!(changes::<Player>(&tx), [Seen::Update(player(1, 5), player(1, 6))]);
    assert_eq!(rows::<Player>(&cache), [player(1, 6)]);
    assert_eq!(rows_in::<Player>(tx.before()), [player(1, 5)]);
}

#[test]
fn deletes_may_precede_replacing_inserts() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 5)])]);
    let tx = apply(
        &mut cache,
        [deletes::<Player>(A, &[player(1, 5)]), inserts::<Player>(A, &[player(1, 6)])],
    );
    assert_eq!(changes::<Player>(&tx), [Seen::Update(player(1, 5), player(1, 6))]);
}

#[test]
fn same_key_same_encoding_is_silent() {
    let mut cache = cache();
    let row = [player(1, 5)];
    apply(&mut cache, [inserts::<Player>(A, &row)]);
    let tx = apply(&mut cache, [deletes::<Player>(A, &row), inserts::<Player>(B, &row)]);
    assert!(tx.is_empty());
    assert!(apply(&mut cache, [deletes::<Player>(B, &row)]).tables().len() == 1);
}

#[test]
fn changed_keyless_row_is_insert_and_delete() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Message>(A, &[message(1, "helo")])]);
    let tx = apply(
        &mut cache,
        [
            inserts::<Message>(A, &[message(1, "hello")]),
            deletes::<Message>(A, &[message(1, "helo")]),
        ],
    );
    assert_eq!(
        changes::<Message>(&tx),
        [Seen::Insert(message(1, "hello")), Seen::Delete(message(1, "helo"))]
    );
}

#[test]
fn insert_then_delete_in_message_is_silent() {
    let mut cache = cache();
    let row = [message(1, "oops")];
    let tx = apply(&mut cache, [inserts::<Message>(A, &row), deletes::<Message>(A, &row)]);
    assert!(tx.is_empty());
    let row = [player(1, 5)];
    let tx = apply(&mut cache, [inserts::<Player>(A, &row), deletes::<Player>(A, &row)]);
    assert!(tx.is_empty());
    assert!(rows::<Player>(&cache).is_empty());
}

#[test]
fn cancelled_replacement_keeps_old_row() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 5)])]);
    let passing = [player(1, 6)];
    let tx = apply(&mut cache, [inserts::<Player>(A, &passing), deletes::<Player>(A, &passing)]);
    assert!(tx.is_empty());
    assert_eq!(rows::<Player>(&cache), [player(1, 5)]);
}

#[test]
fn a_row_and_its_passing_replacement_both_leave() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 5)])]);
    let tx = apply(
        &mut cache,
        [
            inserts::<Player>(A, &[player(1, 6)]),
            deletes::<Player>(A, &[player(1, 6), player(1, 5)]),
        ],
    );
    assert_eq!(changes::<Player>(&tx), [Seen::Delete(player(1, 5))]);
}

#[test]
fn key_is_reusable_within_and_after_message() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 0)])]);
    for score in 1..10 {
        let (old, new) = ([player(1, score - 1)], [player(1, score)]);
        let tx = apply(&mut cache, [deletes::<Player>(A, &old), inserts::<Player>(A, &new)]);
        let ([old], [new]) = (old, new);
        assert_eq!(changes::<Player>(&tx), [Seen::Update(old, new)]);
    }
    apply(&mut cache, [deletes::<Player>(A, &[player(1, 9)])]);
    let tx = apply(&mut cache, [inserts::<Player>(A, &[player(1, 99)])]);
    assert_eq!(changes::<Player>(&tx), [Seen::Insert(player(1, 99))]);
}

#[test]
fn equal_rows_without_a_key_are_counted() {
    let mut cache = cache();
    let twice = [message(1, "hi"), message(1, "hi")];
    let tx = apply(&mut cache, [inserts::<Message>(A, &twice)]);
    assert_eq!(changes::<Message>(&tx), [Seen::Insert(message(1, "hi"))]);
    assert!(apply(&mut cache, [deletes::<Message>(A, &twice[..1])]).is_empty());
    let tx = apply(&mut cache, [deletes::<Message>(A, &twice[..1])]);
    assert_eq!(changes::<Message>(&tx), [Seen::Delete(message(1, "hi"))]);
}

#[test]
fn table_may_appear_repeatedly_in_message() {
    let mut cache = cache();
    let tx = apply(
        &mut cache,
        [
            inserts::<Player>(A, &[player(1, 0), player(2, 0)]),
            inserts::<Message>(A, &[message(1, "hi")]),
            inserts::<Player>(A, &[player(2, 0), player(3, 0)]),
        ],
    );
    let names: Vec<_> = tx.tables().iter().map(|diff| diff.name()).collect();
    assert_eq!(names, ["player", "message"]);
    assert_eq!(changes::<Player>(&tx), [1, 2, 3].map(|id| Seen::Insert(player(id, 0))));
    // Two queries of the set match the second row.
    assert!(apply(&mut cache, [deletes::<Player>(A, &[player(2, 0)])]).is_empty());
    assert!(!apply(&mut cache, [deletes::<Player>(A, &[player(2, 0)])]).is_empty());
}

#[test]
fn update_for_other_set_only_is_silent() {
    let mut cache = cache();
    let row = [player(1, 5)];
    apply(&mut cache, [inserts::<Player>(A, &row), inserts::<Player>(B, &row)]);
    // The row no longer matches B, and did not change.
    assert!(apply(&mut cache, [deletes::<Player>(B, &row)]).is_empty());
    let error = try_apply(&mut cache, [deletes::<Player>(B, &row)]).unwrap_err();
    assert!(matches!(error.kind(), OutOfSyncKind::NotInSet { .. }));
    assert_eq!(error.set(), Some(B));
}

#[test]
fn inserts_and_deletes_may_use_different_packing() {
    let mut cache = cache();
    // Rows of one size are packed without offsets, others with.
    let old = [player(1, 5), player(2, 5)];
    let mut new = [player(1, 6), player(2, 6)];
    new[1].name = "a longer name than before".into();
    apply(&mut cache, [inserts::<Player>(A, &old)]);
    assert!(list(&old).row_bytes().is_some() && list(&new).row_bytes().is_none());
    let tx = apply(&mut cache, [inserts::<Player>(A, &new), deletes::<Player>(A, &old)]);
    assert_eq!(changes::<Player>(&tx).len(), 2);
    assert_eq!(rows::<Player>(&cache), new);
}

#[test]
fn delete_of_unknown_row_is_out_of_sync() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 0)])]);
    let error = try_apply(
        &mut cache,
        [inserts::<Player>(A, &[player(3, 0)]), deletes::<Player>(A, &[player(2, 0)])],
    )
    .unwrap_err();
    assert!(matches!(error.kind(), OutOfSyncKind::UnknownRow { row_bytes: 25 }), "{error}");
    assert_eq!(error.table(), "player");
    assert_eq!(rows::<Player>(&cache), [player(1, 0)]);
    let error = try_apply(&mut cache, [deletes::<Message>(A, &[message(1, "?")])]).unwrap_err();
    assert!(matches!(error.kind(), OutOfSyncKind::UnknownRow { .. }));
    assert!(!cache.is_applying());
}

#[test]
fn set_keeping_replaced_row_is_out_of_sync() {
    let mut cache = cache();
    let old = [player(1, 5)];
    apply(&mut cache, [inserts::<Player>(A, &old), inserts::<Player>(B, &old)]);
    let parts = [inserts::<Player>(A, &[player(1, 6)]), deletes::<Player>(A, &old)];
    let error = try_apply(&mut cache, parts).unwrap_err();
    assert_eq!(error.kind(), OutOfSyncKind::Replaced);
    assert_eq!(rows::<Player>(&cache), old);
    // Nothing of the failed message counts.
    apply(&mut cache, [deletes::<Player>(A, &old)]);
    assert_eq!(apply(&mut cache, [deletes::<Player>(B, &old)]).tables().len(), 1);
}

#[test]
fn duplicate_key_in_message_is_out_of_sync() {
    let mut cache = cache();
    let parts = [inserts::<Player>(A, &[player(1, 5)]), inserts::<Player>(B, &[player(1, 6)])];
    let error = try_apply(&mut cache, parts).unwrap_err();
    assert_eq!(error.kind(), OutOfSyncKind::TwoRowsOfOneKey);
    assert!(rows::<Player>(&cache).is_empty());
}

#[test]
fn dropping_set_removes_rows_from_all_tables() {
    let mut cache = cache();
    apply(
        &mut cache,
        [
            inserts::<Player>(A, &[player(1, 0), player(2, 0), player(2, 0)]),
            inserts::<Player>(B, &[player(2, 0), player(3, 0)]),
            inserts::<Message>(A, &[message(1, "hi")]),
        ],
    );
    let tx = apply(&mut cache, [Part::DropSet { set: A }]);
    assert_eq!(changes::<Player>(&tx), [Seen::Delete(player(1, 0))]);
    assert_eq!(changes::<Message>(&tx), [Seen::Delete(message(1, "hi"))]);
    assert_eq!(rows::<Player>(&cache), [player(2, 0), player(3, 0)]);
    assert!(apply(&mut cache, [Part::DropSet { set: A }]).is_empty());
    apply(&mut cache, [Part::DropSet { set: B }]);
    assert!(rows::<Player>(&cache).is_empty());
}

#[test]
fn a_resync_shows_only_what_differs() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 0), player(2, 0), player(3, 0)])]);
    let tx = apply(
        &mut cache,
        [
            inserts::<Player>(B, &[player(1, 0), player(2, 7), player(4, 0)]),
            Part::DropSet { set: A },
        ],
    );
    assert_eq!(
        changes::<Player>(&tx),
        [
            Seen::Update(player(2, 0), player(2, 7)),
            Seen::Insert(player(4, 0)),
            Seen::Delete(player(3, 0))
        ]
    );
}

#[test]
fn row_of_stale_set_may_be_replaced() {
    let mut cache = cache();
    let old = [player(1, 5)];
    apply(&mut cache, [inserts::<Player>(A, &old), inserts::<Player>(B, &old)]);
    cache.mark_stale(B);
    let parts = || [inserts::<Player>(A, &[player(1, 6)]), deletes::<Player>(A, &old)];
    cache.begin(Change::of(parts().into()));
    (0..4).for_each(|_| assert!(matches!(cache.step(1), Step::More)));
    cache.abort();
    assert_eq!(rows::<Player>(&cache), old);
    let tx = apply(&mut cache, parts());
    assert_eq!(changes::<Player>(&tx), [Seen::Update(player(1, 5), player(1, 6))]);
    // It holds the new row, until it is dropped.
    assert!(apply(&mut cache, [deletes::<Player>(A, &[player(1, 6)])]).is_empty());
    let tx = apply(&mut cache, [Part::DropSet { set: B }]);
    assert_eq!(changes::<Player>(&tx), [Seen::Delete(player(1, 6))]);
}

#[test]
fn events_keep_their_order_and_are_not_stored() {
    let mut cache = cache();
    let ticks = [3, 1, 2].map(|id| Tick { id });
    let tx = apply(&mut cache, [events::<Tick>(A, &ticks)]);
    assert_eq!(changes::<Tick>(&tx), ticks.clone().map(Seen::Event));
    assert!(rows::<Tick>(&cache).is_empty());
    // Also where they do not come marked as events.
    let tx = apply(&mut cache, [inserts::<Tick>(A, &ticks[..1])]);
    assert_eq!(changes::<Tick>(&tx), [Seen::Event(Tick { id: 3 })]);
}

/// Events that a message brings in several lists, or in one that may repeat them, are delivered once, where they came first.
#[test]
fn events_of_overlapping_queries_are_delivered_once() {
    let [one, two, three] = [1, 2, 3].map(|id| Tick { id });
    let lists = [vec![three.clone(), one.clone()], vec![one.clone(), two.clone(), three.clone()]];
    let expected = [three.clone(), one.clone(), two].map(Seen::Event);
    for sets in [[A, B], [A, A]] {
        let mut cache = cache();
        let parts = [0, 1].map(|at| events::<Tick>(sets[at], &lists[at]));
        assert_eq!(changes::<Tick>(&apply(&mut cache, parts.clone())), expected);
        assert_eq!(changes::<Tick>(&apply(&mut cache, parts)), expected, "the next message's");
    }
    let joined = repeating::<Tick>(A, 0, &[three.clone(), one.clone(), three.clone()]);
    let tx = apply(&mut cache(), [joined]);
    assert_eq!(changes::<Tick>(&tx), [three, one].map(Seen::Event));
}

/// A resync gathers several messages in a change.
#[test]
fn equal_events_of_two_messages_are_two() {
    let tick = [Tick { id: 1 }];
    for parts in [
        vec![events_of::<Tick>(A, 1, &tick), events_of::<Tick>(A, 2, &tick)],
        vec![
            events_of::<Tick>(A, 1, &tick),
            events_of::<Tick>(B, 1, &tick),
            events_of::<Tick>(A, 2, &tick),
            events_of::<Tick>(B, 2, &tick),
        ],
        vec![repeating::<Tick>(A, 1, &tick), repeating::<Tick>(A, 2, &tick)],
    ] {
        let tx = apply(&mut cache(), parts);
        assert_eq!(
            changes::<Tick>(&tx),
            [Seen::Event(Tick { id: 1 }), Seen::Event(Tick { id: 1 })]
        );
    }
}

#[test]
fn events_of_overlapping_queries_are_found_in_any_steps() {
    let ticks: Vec<_> = (0..50).map(|id| Tick { id }).collect();
    let expected: Vec<_> = ticks.iter().cloned().map(Seen::Event).collect();
    for rows_a_step in [1, 7, 200] {
        let mut cache = cache();
        cache.begin(Change::of(vec![events::<Tick>(A, &ticks), events::<Tick>(B, &ticks[20..])]));
        let tx = loop {
            match cache.step(rows_a_step) {
                Step::More => (),
                Step::Committed(tx) => break tx,
                Step::OutOfSync(error) => panic!("{error}"),
            }
        };
        assert_eq!(changes::<Tick>(&tx), expected);
    }
}

#[test]
fn nothing_is_visible_before_the_commit() {
    let mut cache = cache();
    let reader = cache.reader();
    let players: Vec<_> = (0..100).map(|id| player(id, 0)).collect();
    cache.begin(Change::of(vec![inserts::<Player>(A, &players)]));
    let mut steps = 0;
    let tx = loop {
        let view = reader.read();
        let table = view.table::<Player>().unwrap();
        assert_eq!((table.iter().count(), table.find(Player::ID, &5)), (0, None));
        assert_eq!(table.range(Player::SCORE, ..).count(), 0);
        match cache.step(7) {
            Step::More => steps += 1,
            Step::Committed(tx) => break tx,
            Step::OutOfSync(error) => panic!("{error}"),
        }
    };
    assert!(steps > 40, "{steps} steps");
    assert_eq!(changes::<Player>(&tx).len(), 100);
    assert_eq!(rows::<Player>(&cache).len(), 100);
}

#[test]
fn abort_at_any_step_restores_everything() {
    let before = [player(1, 0), player(2, 0), player(3, 0)];
    let change = || {
        Change::of(vec![
            inserts::<Player>(A, &[player(1, 1), player(5, 0), player(2, 0), player(4, 0)]),
            deletes::<Player>(A, &[player(1, 0), player(3, 0), player(5, 0)]),
            inserts::<Message>(B, &[message(1, "hi")]),
            Part::DropSet { set: B },
        ])
    };
    for steps in 0.. {
        let mut cache = cache();
        apply(&mut cache, [inserts::<Player>(A, &before), inserts::<Player>(B, &before)]);
        cache.begin(change());
        let done = (0..steps).any(|_| !matches!(cache.step(1), Step::More));
        cache.abort();
        if done {
            return assert!(steps > 15);
        }
        assert_eq!(rows::<Player>(&cache), before);
        assert!(rows::<Message>(&cache).is_empty());
        assert!(apply(&mut cache, [deletes::<Player>(A, &before)]).is_empty());
        assert_eq!(changes::<Player>(&apply(&mut cache, [deletes::<Player>(B, &before)])).len(), 3);
        while cache.reclaim(100) {}
        let usage = cache.usage(TableId(0)).unwrap();
        assert_eq!((usage.occupied, usage.retired), (0, 0), "after {steps} steps");
    }
}

#[test]
fn undecodable_rows_end_sets_carrying_their_table() {
    let mut cache = cache();
    apply(
        &mut cache,
        [
            inserts::<Player>(A, &[player(1, 0)]),
            inserts::<Message>(A, &[message(1, "a")]),
            inserts::<Message>(B, &[message(2, "b")]),
        ],
    );
    let mut bad = bytes(&player(2, 0));
    *bad.last_mut().unwrap() = 7;
    let tx = apply(
        &mut cache,
        [
            inserts::<Message>(B, &[message(3, "c")]),
            Part::Inserts {
                set: A,
                table: "player".into(),
                rows: RowList::from_rows([bytes(&player(3, 0)), bad]),
            },
        ],
    );
    let [failure] = tx.failed_sets() else { panic!("{:?}", tx.failed_sets()) };
    assert_eq!((failure.set, &*failure.table_name), (A, "player"));
    let RowMismatch::Column { column, expected, .. } = &failure.reason else { panic!("{failure}") };
    assert_eq!((*column, &**expected), ("online", "Bool"));
    assert!(rows::<Player>(&cache).is_empty());
    assert_eq!(rows::<Message>(&cache), [message(2, "b"), message(3, "c")]);
    assert_eq!(changes::<Player>(&tx), [Seen::Delete(player(1, 0))]);
    // What the server still sends for the set means nothing, until the set is dropped.
    assert!(apply(&mut cache, [deletes::<Player>(A, &[player(3, 0)])]).is_empty());
    apply(&mut cache, [Part::DropSet { set: A }]);
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 0)])]);
    assert_eq!(rows::<Player>(&cache).len(), 1);
}

#[test]
fn row_with_extra_columns_says_so() {
    let mut cache = cache();
    let long = [bytes(&player(1, 0)), vec![1, 2, 3]].concat();
    let rows = RowList::from_rows([long]);
    let tx = apply(&mut cache, [Part::Inserts { set: A, table: "player".into(), rows }]);
    let expected = RowMismatch::Longer { column: "online", left: 3 };
    assert_eq!(tx.failed_sets()[0].reason, expected);
}

#[test]
fn row_truncated_before_key_fails_its_set() {
    let mut cache = cache();
    for short in [
        Part::Inserts { set: A, table: "player".into(), rows: RowList::from_rows([[1, 2]]) },
        Part::Deletes { set: B, table: "player".into(), rows: RowList::from_rows([[1, 2]]) },
    ] {
        let tx = apply(&mut cache, [short]);
        let [failure] = tx.failed_sets() else { panic!("no failure") };
        assert!(matches!(failure.reason, RowMismatch::Column { column: "id", .. }), "{failure}");
    }
}

#[test]
fn a_begun_change_replaces_one_under_way() {
    let mut cache = cache();
    cache.begin(Change::of(vec![inserts::<Player>(A, &[player(1, 0), player(2, 0)])]));
    assert!(matches!(cache.step(1), Step::More));
    let tx = apply(&mut cache, [inserts::<Player>(A, &[player(3, 0)])]);
    assert_eq!(changes::<Player>(&tx).len(), 1);
    assert_eq!(rows::<Player>(&cache), [player(3, 0)]);
}

#[test]
fn a_step_without_a_change_commits_nothing() {
    let mut cache = Cache::default();
    let Step::Committed(tx) = cache.step(1) else { panic!("no transaction") };
    assert!(tx.is_empty());
    assert_eq!(tx.before().version(), tx.after().version());
}
