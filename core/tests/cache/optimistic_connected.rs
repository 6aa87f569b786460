//! Which mutations run again, by what they read and what has changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lightlike_core::cache::{
    Cache, Change, LocalTx, MutationError, MutationId, Part, RowStatus, Step, Transaction,
};
use lightlike_core::schema::{Table, TableDef};

use super::support::*;

/// A cache whose mutations are counted when they run.
struct Counted {
    cache: Cache,
    runs: Vec<Arc<AtomicUsize>>,
}

impl Counted {
    /// With players of these numbers, whose scores are their numbers.
    fn with_players(ids: impl Iterator<Item = u64>) -> Self {
        let mut cache = cache();
        let players: Vec<_> = ids.map(|id| player(id, id as u32)).collect();
        apply(&mut cache, [inserts::<Player>(A, &players)]);
        Self { cache, runs: Vec::new() }
    }

    /// Adds a mutation, whose number is how many there were before.
    fn add(&mut self, run: impl Fn(&mut LocalTx) + Send + 'static) {
        let runs = Arc::new(AtomicUsize::new(0));
        let id = MutationId(self.runs.len() as u64);
        self.runs.push(Arc::clone(&runs));
        let mutated = self.cache.mutate(
            id,
            Box::new(move |tx: &mut LocalTx| {
                runs.fetch_add(1, Ordering::Relaxed);
                run(tx);
            }),
        );
        assert_eq!(mutated.error, None);
        self.runs[id.0 as usize].store(0, Ordering::Relaxed);
    }

    /// The server's player of this number gets another score.
    fn change(&mut self, id: u64, from: u32, to: u32) -> Transaction {
        let (came, left) = (player(id, to), player(id, from));
        self.apply(vec![inserts::<Player>(A, &[came]), deletes::<Player>(A, &[left])], &[])
    }

    fn apply(&mut self, parts: Vec<Part>, ends: &[u64]) -> Transaction {
        let ends = ends.iter().copied().map(MutationId).collect();
        self.cache.begin(Change { parts, ends });
        match self.cache.step(usize::MAX) {
            Step::Committed(transaction) => transaction,
            other => panic!("{other:?}"),
        }
    }

    /// Those that ran since the last time, as often as they did.
    fn ran(&self) -> Vec<usize> {
        let ran = self.runs.iter().map(|runs| runs.swap(0, Ordering::Relaxed)).enumerate();
        ran.flat_map(|(mutation, runs)| vec![mutation; runs]).collect()
    }

    fn scores(&self) -> Vec<(u64, u32)> {
        rows::<Player>(&self.cache).iter().map(|row| (row.id, row.score)).collect()
    }
}

/// Gives the player `to` one more than the score of `from`.
fn step(from: u64, to: u64) -> impl Fn(&mut LocalTx) + Send {
    move |tx| {
        let score = tx.find(Player::ID, &from).map_or(0, |row| row.score);
        tx.upsert(player(to, score + 1));
    }
}

#[test]
fn answer_reruns_no_unrelated_mutations() {
    const CALLS: u64 = 2000;
    let mut counted = Counted::with_players(0..CALLS);
    for id in 0..CALLS {
        counted.add(step(id, id));
    }
    // Answered in the order of the calls, and otherwise.
    for id in (0..CALLS / 2).chain((CALLS / 2..CALLS).rev()) {
        let parts = vec![
            inserts::<Player>(A, &[player(id, id as u32 + 1)]),
            deletes::<Player>(A, &[player(id, id as u32)]),
        ];
        assert!(counted.apply(parts, &[id]).is_empty());
    }
    assert_eq!(counted.ran(), [0; 0]);
    assert_eq!(counted.cache.mutations().count(), 0);
    assert!(counted.scores().iter().all(|&(id, score)| u64::from(score) == id + 1));
}

#[test]
fn readers_of_unwritten_rows_are_not_rerun() {
    let mut counted = Counted::with_players(0..1000);
    for id in 1..1000 {
        counted.add(move |tx| {
            let config = tx.find(Player::ID, &0).map_or(0, |row| row.score);
            tx.upsert(player(id, config + 7));
        });
    }
    for id in 1..500 {
        counted.apply(Vec::new(), &[id - 1]);
    }
    assert_eq!(counted.ran(), [0; 0]);
    // What they read makes them run, once each.
    counted.change(0, 0, 100);
    assert_eq!(counted.ran(), (499..999).collect::<Vec<_>>());
    assert_eq!(counted.scores()[999], (999, 107));
}

#[test]
fn reruns_follow_reads_of_rewritten_rows() {
    let mut counted = Counted::with_players(1..=10);
    counted.add(step(1, 2));
    counted.add(step(9, 10));
    counted.add(step(2, 3));
    counted.add(step(3, 4));
    counted.add(step(10, 9));
    counted.change(1, 1, 50);
    assert_eq!(counted.ran(), [0, 2, 3]);
    assert_eq!(counted.scores()[..4], [(1, 50), (2, 51), (3, 52), (4, 53)]);
    counted.apply(Vec::new(), &[2]);
    assert_eq!(counted.ran(), [3]);
    assert_eq!(counted.scores()[..4], [(1, 50), (2, 51), (3, 3), (4, 4)]);
}

#[test]
fn rerun_does_not_see_later_writes() {
    let mut counted = Counted::with_players(1..=4);
    counted.add(step(1, 2));
    counted.add(|tx| tx.upsert(player(1, 70)));
    counted.add(|tx| tx.upsert(player(4, 9)));
    counted.change(1, 1, 20);
    assert_eq!(counted.ran(), [0]);
    assert_eq!(counted.scores(), [(1, 70), (2, 21), (3, 3), (4, 9)]);
}

#[test]
fn write_without_reading_survives_change_beneath() {
    let mut counted = Counted::with_players(1..=2);
    counted.add(|tx| tx.upsert(player(1, 70)));
    counted.add(|tx| tx.update(player(2, 80)));
    counted.change(1, 1, 20);
    counted.change(2, 2, 20);
    assert_eq!(counted.ran(), [0; 0]);
    assert_eq!(counted.scores(), [(1, 70), (2, 80)]);
    // An update reads whether there is a row.
    counted.apply(vec![deletes::<Player>(A, &[player(1, 20), player(2, 20)])], &[]);
    assert_eq!(counted.ran(), [1]);
    assert_eq!(counted.scores(), [(1, 70)]);
}

#[test]
fn those_who_only_read_before_are_left_alone() {
    let mut counted = Counted::with_players(1..=4);
    counted.add(step(1, 2));
    counted.add(step(3, 1));
    // The first one has read the row that the second one wrote; it was the server's then, and still is.
    counted.apply(Vec::new(), &[1]);
    assert_eq!(counted.ran(), [0; 0]);
    assert_eq!(counted.scores(), [(1, 1), (2, 2), (3, 3), (4, 4)]);
}

#[test]
fn changed_footprint_on_rerun_pulls_in_others() {
    let mut counted = Counted::with_players(1..=6);
    // Writes the row that the first one names.
    counted.add(|tx| {
        let to = tx.find(Player::ID, &1).map_or(0, |row| row.score);
        tx.upsert(player(to.into(), 100));
    });
    counted.add(step(5, 6));
    counted.add(step(6, 4));
    counted.add(step(3, 3));
    counted.change(1, 1, 5);
    assert_eq!(counted.ran(), [0, 1, 2]);
    assert_eq!(counted.scores(), [(1, 5), (2, 2), (3, 4), (4, 102), (5, 100), (6, 101)]);
}

/// Does something once the player 1 is gone.
fn without_first(act: impl Fn(&mut LocalTx) + Send) -> impl Fn(&mut LocalTx) + Send {
    move |tx| {
        if tx.find(Player::ID, &1).is_none() {
            act(tx);
        }
    }
}

#[test]
fn first_write_on_rerun_reaches_its_readers() {
    let mut counted = Counted::with_players(1..=3);
    apply(&mut counted.cache, [inserts::<Message>(A, &[message(1, "hi")])]);
    counted.add(without_first(|tx| _ = tx.delete_by(Player::ID, &2)));
    counted.add(without_first(|tx| _ = tx.delete(&message(1, "hi"))));
    counted.add(without_first(|tx| {
        tx.upsert(Player { name: "renamed".to_owned(), ..player(3, 3) });
    }));
    counted.add(step(2, 7));
    counted.add(|tx| {
        let count = tx.iter::<Message>().count();
        tx.upsert(player(8, count as u32));
    });
    counted.add(|tx| {
        let named = tx.find(Player::NAME, "player 3").map_or(0, |row| row.score);
        tx.upsert(player(9, named));
    });
    assert_eq!(counted.scores(), [(1, 1), (2, 2), (3, 3), (7, 3), (8, 1), (9, 3)]);
    counted.apply(vec![deletes::<Player>(A, &[player(1, 1)])], &[]);
    assert_eq!(counted.ran(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(counted.scores(), [(3, 3), (7, 1), (8, 0), (9, 0)]);
}

#[test]
fn first_write_as_server_has_it_reruns_none() {
    let mut counted = Counted::with_players(1..=2);
    counted.add(without_first(|tx| tx.upsert(player(2, 2))));
    counted.add(step(2, 7));
    counted.apply(vec![deletes::<Player>(A, &[player(1, 1)])], &[]);
    assert_eq!(counted.ran(), [0]);
    assert_eq!(counted.scores(), [(2, 2), (7, 3)]);
}

#[test]
fn growing_chain_does_not_rerun_per_link() {
    const LINKS: u64 = 20;
    let mut cache = cache();
    let players: Vec<_> = (1..=LINKS).map(|id| player(id, 0)).collect();
    apply(&mut cache, [inserts::<Player>(A, &players)]);
    let mut counted = Counted { cache, runs: Vec::new() };
    // Each writes the next row as soon as its own has a score.
    for id in 1..LINKS {
        counted.add(move |tx| {
            let score = tx.find(Player::ID, &id).map_or(0, |row| row.score);
            if score > 0 {
                tx.upsert(player(id + 1, score + 1));
            }
        });
    }
    let seen = counted.change(1, 0, 1);
    assert_eq!(changes::<Player>(&seen).len() as u64, LINKS);
    assert!(counted.scores().iter().all(|&(id, score)| u64::from(score) == id));
    assert_eq!(counted.ran().len() as u64, LINKS - 1);
    counted.change(1, 1, 7);
    assert_eq!(counted.ran().len() as u64, LINKS - 1);
    assert_eq!(counted.scores()[19], (20, 26));
}

#[test]
fn whole_table_reader_reruns_on_earlier_write() {
    let mut counted = Counted::with_players(1..=3);
    counted.add(step(1, 2));
    counted.add(|tx| {
        let top = tx.iter::<Player>().map(|row| row.score).max().unwrap_or(0);
        tx.insert(message(top, "top"));
    });
    counted.add(step(3, 3));
    counted.add(|tx| {
        tx.delete(&message(77, "nobody"));
    });
    counted.change(1, 1, 40);
    // The one who counts does not see what the third one writes.
    assert_eq!(counted.ran(), [0, 1]);
    assert_eq!(rows::<Message>(&counted.cache), [message(41, "top")]);
    counted.apply(Vec::new(), &[2]);
    assert_eq!(counted.ran(), [0; 0]);
}

#[test]
fn dropped_set_reruns_readers_of_its_rows() {
    let mut counted = Counted::with_players(1..=3);
    apply(&mut counted.cache, [inserts::<Player>(B, &[player(3, 3)])]);
    counted.add(step(1, 2));
    counted.add(step(3, 3));
    counted.apply(vec![Part::DropSet { set: A }], &[]);
    assert_eq!(counted.ran(), [0]);
    assert_eq!(counted.scores(), [(2, 1), (3, 4)]);
}

#[test]
fn resync_with_equal_rows_runs_nothing() {
    let mut counted = Counted::with_players(1..=3);
    counted.add(step(1, 2));
    counted.add(step(2, 2));
    counted.add(|tx| {
        let rows = tx.iter::<Player>().count() as u32;
        tx.upsert(player(9, rows));
    });
    let rows: Vec<_> = (1..=3).map(|id| player(id, id as u32)).collect();
    counted.cache.mark_stale(A);
    let resync = vec![inserts::<Player>(B, &rows), Part::DropSet { set: A }];
    assert!(counted.apply(resync, &[]).is_empty());
    assert_eq!(counted.ran(), [0; 0]);
    assert_eq!(counted.scores(), [(1, 1), (2, 3), (3, 3), (9, 3)]);
}

#[test]
fn unique_lookup_reruns_for_its_value_only() {
    let mut counted = Counted::with_players(1..=3);
    counted.add(|tx| {
        let name = "player 2".to_owned();
        let score = tx.find(Player::NAME, &name).map_or(0, |row| row.score);
        tx.upsert(player(9, score));
    });
    counted.add(step(3, 3));
    counted.change(1, 1, 10);
    assert_eq!(counted.ran(), [0; 0]);
    counted.change(2, 2, 20);
    assert_eq!(counted.ran(), [0]);
    assert_eq!(counted.scores(), [(1, 10), (2, 20), (3, 4), (9, 20)]);
    // A row that gets the name, and one that has it no more.
    let stranger = Player { name: "player 2".to_owned(), ..player(0, 50) };
    let left = vec![deletes::<Player>(A, &[player(2, 20)]), inserts::<Player>(A, &[stranger])];
    counted.apply(left, &[]);
    assert_eq!(counted.ran(), [0]);
    assert_eq!(counted.scores(), [(0, 50), (1, 10), (3, 4), (9, 50)]);
}

#[test]
fn row_written_as_server_has_it_is_servers() {
    let mut counted = Counted::with_players(1..=1);
    counted.add(|tx| tx.upsert(player(1, 9)));
    counted.add(|tx| tx.upsert(player(1, 1)));
    let status = |cache: &Cache, score| cache.row_status::<Player>(&player(1, score));
    assert_eq!(status(&counted.cache, 1), Some(RowStatus::Confirmed));
    // The second one's end shows the first one's again.
    counted.apply(Vec::new(), &[1]);
    assert_eq!(counted.ran(), [0; 0]);
    assert_eq!(status(&counted.cache, 9), Some(RowStatus::Pending(vec![MutationId(0)])));
}

/// A second marker of the players' table.
struct Users;

impl Table for Users {
    type Row = Player;

    const DEF: TableDef = <Player as Table>::DEF;
}

#[test]
fn markers_of_one_table_share_writes() {
    let mut counted = Counted::with_players(1..=2);
    counted.add(|tx| {
        tx.insert(player(3, 30));
        let mut users = tx.table_mut::<Users>();
        users.insert(player(4, 40));
        users.delete(&player(1, 1));
        assert_eq!(tx.table::<Users>().len(), 3);
        assert_eq!(tx.iter::<Player>().count(), 3);
        tx.update(player(4, 41));
    });
    assert_eq!(counted.scores(), [(2, 2), (3, 30), (4, 41)]);
}

#[test]
fn rerun_may_register_a_table() {
    let mut cache = Cache::default();
    cache.register::<Player>().unwrap();
    apply(
        &mut cache,
        [inserts::<Player>(A, &[player(1, 1)]), inserts::<Message>(A, &[message(1, "one")])],
    );
    let greet = |tx: &mut LocalTx| {
        if tx.find(Player::ID, &1).is_some_and(|row| row.score > 10) {
            let said = tx.iter::<Message>().count();
            tx.insert(message(said as u32 + 1, "hello"));
        }
    };
    cache.mutate(MutationId(1), Box::new(greet));
    cache.mutate(MutationId(2), Box::new(|tx: &mut LocalTx| tx.upsert(player(2, 2))));
    let came = [
        inserts::<Player>(A, &[player(1, 11)]),
        deletes::<Player>(A, &[player(1, 1)]),
        inserts::<Message>(A, &[message(1, "two")]),
    ];
    let seen = apply(&mut cache, came);
    // All of it in the transaction that made it so, decoded.
    assert_eq!(changes::<Player>(&seen), [Seen::Update(player(1, 1), player(1, 11))]);
    assert_eq!(
        changes::<Message>(&seen),
        [Seen::Insert(message(1, "two")), Seen::Insert(message(3, "hello"))]
    );
    assert_eq!(rows::<Player>(&cache), [player(1, 11), player(2, 2)]);
}

#[test]
fn rerun_registering_undecodable_table_ends_its_set() {
    /// Table that has nothing to do with that of the players.
    struct Gossip;
    impl Table for Gossip {
        type Row = Message;

        const DEF: TableDef = TableDef { name: "gossip", ..<Message as Table>::DEF };
    }
    let mut cache = Cache::default();
    cache.register::<Player>().unwrap();
    let gossip = Part::Inserts { set: B, table: "gossip".into(), rows: list(&[1_u8]) };
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 1)]), gossip]);
    let listen = |tx: &mut LocalTx| {
        if tx.find(Player::ID, &1).is_some_and(|row| row.score > 10) {
            let heard = tx.table::<Gossip>().len() as u32;
            tx.upsert(player(2, heard));
        }
    };
    cache.mutate(MutationId(1), Box::new(listen));
    let came = [
        inserts::<Player>(A, &[player(1, 11)]),
        deletes::<Player>(A, &[player(1, 1)]),
        inserts::<Player>(B, &[player(3, 3)]),
    ];
    let seen = apply(&mut cache, came);
    let failed: Vec<_> = seen.failed_sets().iter().map(|failure| failure.set).collect();
    assert_eq!(failed, [B]);
    assert_eq!(rows::<Player>(&cache), [player(1, 11), player(2, 0)]);
}

#[test]
fn rerun_with_wrong_row_type_reports_it() {
    /// Not what the players' rows are.
    struct Strangers;
    impl Table for Strangers {
        type Row = Message;

        const DEF: TableDef = TableDef { name: "player", ..<Message as Table>::DEF };
    }
    let mut cache = cache();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 1)])]);
    let meet = |tx: &mut LocalTx| {
        if tx.find(Player::ID, &1).is_some_and(|row| row.score > 10) {
            tx.table_mut::<Strangers>().insert(message(1, "hi"));
        }
    };
    let mutated = cache.mutate(MutationId(1), Box::new(meet));
    assert_eq!(mutated.error, None);
    let came = [inserts::<Player>(A, &[player(1, 11)]), deletes::<Player>(A, &[player(1, 1)])];
    apply(&mut cache, came);
    let error = cache.mutation_error(MutationId(1));
    assert!(matches!(error, Some(MutationError::Table(_))), "{error:?}");
}
