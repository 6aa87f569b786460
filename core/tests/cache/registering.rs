//! First mentions of tables.

use lightlike_core::bsatn::{DecodeError, Reader, Writer};
use lightlike_core::cache::{Cache, Change, Part, RegisterError, RowMismatch, Step};
use lightlike_core::schema::{IndexVisitor, Row, RowDef, Sats, SatsType, Table, TableDef};
use lightlike_core::wire::RowList;

use super::support::*;

#[test]
fn first_mention_moves_raw_rows_silently() {
    let mut cache = Cache::default();
    let players = [player(1, 0), player(2, 0)];
    apply(&mut cache, [inserts::<Player>(A, &players), inserts::<Player>(B, &players[..1])]);
    assert!(cache.reader().read().table::<Player>().is_none());
    let registered = cache.register::<Player>().unwrap();
    assert!(registered.failed.is_empty());
    assert_eq!(rows::<Player>(&cache), players);
    assert_eq!(cache.table_name(registered.table), Some("player"));
    assert_eq!(cache.register::<Player>().unwrap(), registered);
    // Who holds what moved too.
    let tx = apply(&mut cache, [Part::DropSet { set: A }]);
    assert_eq!(changes::<Player>(&tx), [Seen::Delete(player(2, 0))]);
}

#[test]
fn earlier_view_sees_rows_after_first_mention() {
    let mut cache = Cache::default();
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 0), player(2, 0)])]);
    let early = cache.reader().read();
    apply(&mut cache, [deletes::<Player>(A, &[player(1, 0)])]);
    let later = cache.reader().read();
    cache.register::<Message>().unwrap();
    cache.register::<Player>().unwrap();
    apply(&mut cache, [inserts::<Player>(A, &[player(3, 0)])]);
    assert_eq!(rows_in::<Player>(&early), [player(1, 0), player(2, 0)]);
    assert_eq!(rows_in::<Player>(&later), [player(2, 0)]);
    assert_eq!(early.table::<Player>().unwrap().find(Player::ID, &1), Some(&player(1, 0)));
    assert!(rows_in::<Message>(&early).is_empty());
    assert_eq!(rows::<Player>(&cache), [player(2, 0), player(3, 0)]);
}

#[test]
fn first_mention_during_change_restarts_it() {
    let mut cache = Cache::default();
    let players: Vec<_> = (0..10).map(|id| player(id, 0)).collect();
    cache.begin(Change::of(vec![inserts::<Player>(A, &players)]));
    assert!(matches!(cache.step(5), Step::More));
    cache.register::<Player>().unwrap();
    let Step::Committed(tx) = cache.step(1000) else { panic!("not committed") };
    assert_eq!(changes::<Player>(&tx).len(), 10);
}

#[test]
fn undecodable_raw_rows_fail_their_sets() {
    let mut cache = Cache::default();
    apply(
        &mut cache,
        [
            inserts::<Player>(A, &[player(1, 0), player(2, 0)]),
            inserts::<Player>(B, &[player(2, 0)]),
            Part::Inserts { set: A, table: "player".into(), rows: RowList::from_rows([[1; 9]]) },
            inserts::<Message>(A, &[message(1, "hi")]),
        ],
    );
    let registered = cache.register::<Player>().unwrap();
    let [failure] = &*registered.failed else { panic!("{registered:?}") };
    assert_eq!(failure.set, A);
    assert!(matches!(failure.reason, RowMismatch::Column { column: "name", .. }), "{failure}");
    assert_eq!(rows::<Player>(&cache), [player(2, 0)]);
    // The set's other tables follow when the machine drops it.
    assert!(apply(&mut cache, [deletes::<Player>(A, &[player(1, 0)])]).is_empty());
    apply(&mut cache, [Part::DropSet { set: A }]);
    cache.register::<Message>().unwrap();
    assert!(rows::<Message>(&cache).is_empty());
    while cache.reclaim(100) {}
    assert_eq!(cache.usage(registered.table).unwrap().occupied, 1);
}

#[test]
fn duplicate_raw_keys_fail_the_second_set() {
    let mut cache = Cache::default();
    apply(
        &mut cache,
        [inserts::<Player>(A, &[player(1, 0)]), inserts::<Player>(B, &[player(1, 1)])],
    );
    let registered = cache.register::<Player>().unwrap();
    assert_eq!(registered.failed[0].set, B);
    assert_eq!(registered.failed[0].reason, RowMismatch::TwoRowsOfOneKey { column: "id" });
    assert_eq!(rows::<Player>(&cache), [player(1, 0)]);
}

#[test]
fn tables_may_share_a_row_type() {
    let mut cache = cache();
    cache.register::<Banned>().unwrap();
    apply(
        &mut cache,
        [inserts::<Player>(A, &[player(1, 0)]), inserts::<Banned>(A, &[player(2, 0)])],
    );
    assert_eq!(rows::<Player>(&cache), [player(1, 0)]);
    assert_eq!(rows::<Banned>(&cache), [player(2, 0)]);
    let view = cache.reader().read();
    assert_eq!(view.table::<Banned>().unwrap().find(Player::ID, &2), Some(&player(2, 0)));
}

/// A second marker for the players' table.
struct Players;

impl Table for Players {
    type Row = Player;

    const DEF: TableDef = <Player as Table>::DEF;
}

#[test]
fn two_markers_may_name_one_table() {
    let mut cache = cache();
    let first = cache.register::<Player>().unwrap().table;
    assert_eq!(cache.register::<Players>().unwrap().table, first);
    apply(&mut cache, [inserts::<Player>(A, &[player(1, 0)])]);
    assert_eq!(rows::<Players>(&cache), [player(1, 0)]);
}

/// A view of players that has no key.
struct Keyless;

impl Table for Keyless {
    type Row = Player;

    const DEF: TableDef = TableDef { primary_key: None, ..<Player as Table>::DEF };
}

/// Another idea of what a player is.
#[derive(Debug)]
struct Gamer(u64);

impl lightlike_core::bsatn::Encode for Gamer {
    fn encode(&self, out: &mut Writer) {
        self.0.encode(out);
    }
}
impl<'a> lightlike_core::bsatn::Decode<'a> for Gamer {
    const SIZE: Option<usize> = Some(8);

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        lightlike_core::bsatn::Decode::decode(reader).map(Self)
    }
}
impl Sats for Gamer {
    const TYPE: SatsType = SatsType::U64;
}
impl Row for Gamer {
    const DEF: RowDef = RowDef { name: "Gamer", columns: &[], lenient: false };

    type Key = ();

    fn key(&self) -> &() {
        &()
    }

    fn decode_key(_: &mut Reader<'_>) -> Result<(), DecodeError> {
        Ok(())
    }

    fn visit_indexes(_: &mut impl IndexVisitor<Self>) {}
}
impl Table for Gamer {
    type Row = Self;

    const DEF: TableDef = TableDef { row: Self::DEF_ROW, ..<Player as Table>::DEF };
}
impl Gamer {
    const DEF_ROW: RowDef = <Self as Row>::DEF;
}

#[test]
fn second_row_type_is_refused_by_name() {
    let mut cache = cache();
    let error = cache.register::<Gamer>().unwrap_err();
    assert_eq!(
        error,
        RegisterError::RowType { table: "player", registered: "Player", refused: "Gamer" }
    );
    let error = cache.register::<Keyless>().unwrap_err();
    assert_eq!(error, RegisterError::Definition { table: "player", what: "primary keys" });
    assert!(cache.reader().read().table::<Gamer>().is_none());
}

#[test]
fn diff_of_other_type_is_empty() {
    let mut cache = cache();
    let tx = apply(
        &mut cache,
        [inserts::<Player>(A, &[player(1, 0)]), inserts::<Banned>(A, &[player(1, 0)])],
    );
    let [players, banned] = tx.tables() else { panic!("two tables") };
    assert_eq!(players.changes::<Player>(&tx).unwrap().len(), 1);
    assert!(players.changes::<Message>(&tx).is_none());
    assert!(banned.changes::<Player>(&tx).is_none(), "raw when it was committed");
    assert_eq!(banned.len(), 1);
}
