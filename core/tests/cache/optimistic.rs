//! Mutations over the server's rows, by example.

use lightlike_core::cache::{
    Cache, Change, LocalTx, Mutated, Mutation, MutationError, MutationId, NewIds, Part, RowStatus,
    Step, TempId, Transaction,
};

use super::support::*;

const ONE: MutationId = MutationId(1);
const TWO: MutationId = MutationId(2);

fn mutate(
    cache: &mut Cache,
    id: MutationId,
    run: impl Fn(&mut LocalTx) + Send + 'static,
) -> Mutated {
    cache.mutate(id, Box::new(run))
}

fn end(cache: &mut Cache, parts: Vec<Part>, ends: &[MutationId]) -> Transaction {
    cache.begin(Change { parts, ends: ends.to_vec() });
    match cache.step(usize::MAX) {
        Step::Committed(transaction) => transaction,
        other => panic!("{other:?}"),
    }
}

#[test]
fn mutation_rows_appear_and_vanish_when_refused() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 10), player(2, 20)])]);

    let mutated = mutate(&mut cache, ONE, |tx| {
        tx.insert(player(3, 30));
        tx.update(player(1, 11));
        tx.delete_by(Player::ID, &2);
    });
    assert_eq!(mutated.error, None);
    assert_eq!(
        changes::<Player>(&mutated.transaction),
        [
            Seen::Insert(player(3, 30)),
            Seen::Update(player(1, 10), player(1, 11)),
            Seen::Delete(player(2, 20)),
        ]
    );
    assert_eq!(rows::<Player>(&cache), [player(1, 11), player(3, 30)]);

    let refused = end(&mut cache, Vec::new(), &[ONE]);
    assert_eq!(
        changes::<Player>(&refused),
        [
            Seen::Delete(player(3, 30)),
            Seen::Update(player(1, 11), player(1, 10)),
            Seen::Insert(player(2, 20)),
        ]
    );
    assert_eq!(rows::<Player>(&cache), [player(1, 10), player(2, 20)]);
}

#[test]
fn confirmed_row_as_predicted_is_silent() {
    let mut cache = cache();
    mutate(&mut cache, ONE, |tx| tx.insert(player(1, 10)));
    let confirmed = end(&mut cache, vec![inserts::<Player>(A, &[player(1, 10)])], &[ONE]);
    assert!(confirmed.is_empty());
    assert_eq!(rows::<Player>(&cache), [player(1, 10)]);
    assert_eq!(cache.row_status::<Player>(&player(1, 10)), Some(RowStatus::Confirmed));
}

#[test]
fn temporary_row_is_replaced_in_one_transaction() {
    let mut cache = cache();
    mutate(&mut cache, ONE, |tx| {
        let id = tx.temp_id();
        tx.insert(player(id, 10));
    });
    let temporary = rows::<Player>(&cache).remove(0);
    assert!(temporary.id.is_temp_id() && !7_u64.is_temp_id());

    let confirmed = end(&mut cache, vec![inserts::<Player>(A, &[player(7, 10)])], &[ONE]);
    assert_eq!(
        changes::<Player>(&confirmed),
        [Seen::Insert(player(7, 10)), Seen::Delete(temporary)]
    );
    assert_eq!(rows::<Player>(&cache), [player(7, 10)]);
}

#[test]
fn pending_rows_sort_in_their_order_behind_servers() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(u64::MAX >> 1, 1), player(3, 1)])]);
    for number in [4, 7, 900] {
        mutate(&mut cache, MutationId(number), |tx| {
            for score in [10, 11] {
                let id = tx.temp_id();
                tx.insert(player(id, score));
            }
        });
    }
    let ids = |cache: &Cache| -> Vec<u64> {
        let mut rows = rows::<Player>(cache);
        rows.sort();
        rows.iter().map(|row| row.id).collect()
    };
    let before = ids(&cache);
    let expected = [4, 7, 900].map(|number| [0, 1].map(|index| u64::temp_id(number, index)));
    assert_eq!(before[2..], expected.concat());
    // The first one is confirmed, and the order stays.
    let rows = [player(4, 10), player(5, 11)];
    end(&mut cache, vec![inserts::<Player>(A, &rows)], &[MutationId(4)]);
    assert_eq!(ids(&cache)[4..], before[4..]);
}

/// Deletes the row of an id, which may be replaced.
struct DeletePlayer(u64);

impl Mutation for DeletePlayer {
    fn run(&self, tx: &mut LocalTx) {
        tx.delete_by(Player::ID, &self.0);
    }

    fn names_ids(&self) -> bool {
        self.0.is_temp_id()
    }

    fn with_ids(&self, ids: &NewIds) -> Option<Box<dyn Mutation>> {
        let id = u64::from_any(ids.get(self.0.to_any())?)?;
        Some(Box::new(Self(id)))
    }
}

#[test]
fn mutation_that_names_temporary_id_follows_the_row() {
    let mut cache = cache();
    mutate(&mut cache, ONE, |tx| {
        let id = tx.temp_id();
        tx.insert(player(id, 10));
    });
    let temporary = rows::<Player>(&cache)[0].id;
    assert_eq!(cache.temp_id_owner(temporary.to_any()), Some(ONE));
    cache.mutate(TWO, Box::new(DeletePlayer(temporary)));
    assert!(rows::<Player>(&cache).is_empty());

    // An aborted change leaves it as it was.
    let came = || vec![inserts::<Player>(A, &[player(7, 10)])];
    cache.begin(Change { parts: came(), ends: vec![ONE] });
    let _ = cache.step(1);
    drop(cache.abort());
    let confirmed = end(&mut cache, came(), &[ONE]);
    assert!(confirmed.is_empty(), "{:?}", changes::<Player>(&confirmed));
    assert_eq!(confirmed.new_ids().get(temporary.to_any()), Some(7_u64.to_any()));
    assert_eq!(cache.temp_id_owner(temporary.to_any()), None);
    assert!(rows::<Player>(&cache).is_empty());
    // It is still pending: without it the row is seen.
    let refused = end(&mut cache, Vec::new(), &[TWO]);
    assert_eq!(changes::<Player>(&refused), [Seen::Insert(player(7, 10))]);
}

#[test]
fn resynced_rows_are_taken_for_no_calls() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 1)])]);
    mutate(&mut cache, ONE, |tx| {
        let id = tx.temp_id();
        tx.insert(player(id, 10));
    });
    let parts =
        vec![inserts::<Player>(B, &[player(1, 1), player(7, 10)]), Part::DropSet { set: A }];
    let resynced = end(&mut cache, parts, &[ONE]);
    assert!(resynced.new_ids().is_empty(), "it may be another client's");
}

#[test]
fn mutation_reruns_over_server_changes() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 10)])]);
    mutate(&mut cache, ONE, |tx| {
        let score = tx.find(Player::ID, &1).map_or(0, |row| row.score);
        tx.upsert(player(1, score + 1));
    });
    let theirs = apply(
        &mut cache,
        [inserts::<Player>(A, &[player(1, 50)]), deletes::<Player>(A, &[player(1, 10)])],
    );
    assert_eq!(changes::<Player>(&theirs), [Seen::Update(player(1, 11), player(1, 51))]);
}

#[test]
fn a_change_of_other_rows_runs_nothing_again() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 10), player(2, 20)])]);
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    mutate(&mut cache, ONE, move |tx| {
        counted.fetch_add(1, Ordering::Relaxed);
        let score = tx.table::<Player>().get(&1).map_or(0, |row| row.score);
        tx.upsert(player(3, score));
    });
    apply(
        &mut cache,
        [
            inserts::<Player>(A, &[player(2, 21), player(4, 4)]),
            deletes::<Player>(A, &[player(2, 20)]),
            inserts::<Message>(A, &[message(1, "hi")]),
        ],
    );
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    // What it has read counts as well as what it wrote.
    apply(
        &mut cache,
        [inserts::<Player>(A, &[player(1, 12)]), deletes::<Player>(A, &[player(1, 10)])],
    );
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    assert!(rows::<Player>(&cache).contains(&player(3, 12)));
}

#[test]
fn later_mutations_build_on_and_outlive_earlier() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 10)])]);
    for id in [ONE, TWO] {
        mutate(&mut cache, id, |tx| {
            let score = tx.find(Player::ID, &1).map_or(0, |row| row.score);
            tx.upsert(player(1, score * 2));
        });
    }
    assert_eq!(rows::<Player>(&cache), [player(1, 40)]);
    assert_eq!(
        cache.row_status::<Player>(&player(1, 40)),
        Some(RowStatus::Pending(vec![ONE, TWO]))
    );
    let refused = end(&mut cache, Vec::new(), &[ONE]);
    assert_eq!(changes::<Player>(&refused), [Seen::Update(player(1, 40), player(1, 20))]);
}

#[test]
fn failing_mutation_contributes_nothing_until_it_succeeds() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 10)])]);
    let mutated = mutate(&mut cache, ONE, |tx| {
        tx.insert(message(1, "mine"));
        tx.insert(player(1, 99));
    });
    assert_eq!(mutated.error, Some(MutationError::KeyTaken { table: "player" }));
    assert!(mutated.transaction.is_empty() && rows::<Message>(&cache).is_empty());

    let left = apply(&mut cache, [deletes::<Player>(A, &[player(1, 10)])]);
    assert_eq!(changes::<Player>(&left), [Seen::Update(player(1, 10), player(1, 99))]);
    assert_eq!(cache.mutation_error(ONE), None);
}

#[test]
fn deleted_row_ends_update_and_keeps_upsert() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 10), player(2, 20)])]);
    mutate(&mut cache, ONE, |tx| {
        tx.update(player(1, 11));
        tx.insert(message(1, "updated"));
    });
    mutate(&mut cache, TWO, |tx| tx.upsert(player(2, 21)));
    let theirs = apply(&mut cache, [deletes::<Player>(A, &[player(1, 10), player(2, 20)])]);
    assert_eq!(changes::<Player>(&theirs), [Seen::Delete(player(1, 11))]);
    assert_eq!(rows::<Player>(&cache), [player(2, 21)]);
    assert!(rows::<Message>(&cache).is_empty());
    assert_eq!(cache.mutation_error(ONE), Some(&MutationError::NoSuchRow { table: "player" }));
    // Until the row is there again.
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 15)])]);
    assert_eq!(rows::<Player>(&cache), [player(1, 11), player(2, 21)]);
    assert_eq!(rows::<Message>(&cache), [message(1, "updated")]);
}

#[test]
fn a_panic_is_the_mutations_own() {
    let mut cache = cache();
    let mutated = mutate(&mut cache, ONE, |tx| {
        tx.insert(player(1, 1));
        panic!("no more ink");
    });
    assert_eq!(mutated.error, Some(MutationError::Panicked("no more ink".into())));
    mutate(&mut cache, TWO, |tx| tx.insert(player(2, 2)));
    assert_eq!(rows::<Player>(&cache), [player(2, 2)]);
}

#[test]
fn mutation_registers_unmentioned_table() {
    let mut cache = Cache::default();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 10)])]);
    let mutated = mutate(&mut cache, ONE, |tx| {
        tx.update(player(1, 11));
        tx.insert(message(1, "hi"));
    });
    assert_eq!(mutated.error, None);
    assert_eq!(rows::<Player>(&cache), [player(1, 11)]);
    assert_eq!(rows::<Message>(&cache), [message(1, "hi")]);
}

#[test]
fn a_set_that_ends_leaves_the_mutations_rows() {
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 10), player(2, 20)])]);
    mutate(&mut cache, ONE, |tx| tx.upsert(player(1, 11)));
    let dropped = apply(&mut cache, [Part::DropSet { set: A }]);
    assert_eq!(changes::<Player>(&dropped), [Seen::Delete(player(2, 20))]);
    assert_eq!(rows::<Player>(&cache), [player(1, 11)]);
    end(&mut cache, Vec::new(), &[ONE]);
    assert!(rows::<Player>(&cache).is_empty());
}

#[test]
fn rows_say_whose_word_they_are() {
    let mut cache = cache();
    apply(
        &mut cache,
        [inserts::<Player>(A, &[player(1, 10)]), inserts::<Player>(B, &[player(2, 20)])],
    );
    cache.mark_stale(B);
    mutate(&mut cache, ONE, |tx| tx.insert(player(3, 30)));
    let status = |row| cache.row_status::<Player>(&row);
    assert_eq!(status(player(1, 10)), Some(RowStatus::Confirmed));
    assert_eq!(status(player(2, 20)), Some(RowStatus::Stale));
    assert_eq!(status(player(3, 30)), Some(RowStatus::Pending(vec![ONE])));
    assert_eq!(status(player(4, 40)), None);
}

#[test]
fn event_tables_and_excess_temporary_ids_are_refused() {
    let mut cache = cache();
    let mutated = mutate(&mut cache, ONE, |tx| tx.insert(Tick { id: 1 }));
    assert_eq!(mutated.error, Some(MutationError::EventTable { table: "tick" }));
    let mutated = mutate(&mut cache, TWO, |tx| {
        for _ in 0..300 {
            let _: u32 = tx.temp_id();
        }
    });
    assert_eq!(mutated.error, Some(MutationError::TooManyTempIds { limit: 255 }));
}

#[test]
fn frequent_mutations_do_not_starve_a_change() {
    let mut cache = cache();
    let players: Vec<_> = (0..100).map(|id| player(id, 1)).collect();
    cache.begin(Change::of(vec![inserts::<Player>(A, &players)]));
    let mut came = 0;
    for id in 0.. {
        assert!(id < 100, "it never ends");
        while cache.must_finish_first() {
            if let Step::Committed(transaction) = cache.step(usize::MAX) {
                came = changes::<Player>(&transaction).len();
            }
        }
        if came > 0 {
            break;
        }
        assert!(matches!(cache.step(10), Step::More));
        mutate(&mut cache, MutationId(id), move |tx| tx.upsert(player(1000 + id, 2)));
    }
    assert_eq!(came, 100);
}
