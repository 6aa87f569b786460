//! `#[derive(Table)]`: columns, keys, indexes, further tables.

use std::cmp::Ordering;

use lightlike::__private::IndexVisitor;
use lightlike::bsatn::{Reader, to_vec};
use lightlike::schema::{
    Column, FindIn, HasKey, IndexDef, IndexRef, Indexed, Kind, MultiIndex, Plain, Primary, RangeIn,
    Row, Sats, SatsType, TableDef, TableKind, Unique,
};
use lightlike::{Bsatn, Table};

#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(index(name = by_team_and_level, btree(columns = [team, level])))]
struct PlayerV2 {
    name: Option<String>,
    flags: u16,
    #[primary_key]
    #[auto_inc]
    id: u64,
    #[unique]
    email: String,
    #[index(btree)]
    level: u32,
    #[column(name = "Team")]
    team: Box<str>,
    r#type: f32,
}

/// The same rows in a second table, in event form, and computed.
#[derive(Table)]
#[table(name = "logged_out", row = PlayerV2)]
struct LoggedOut;

#[derive(Table)]
#[table(event, row = PlayerV2)]
struct PlayerJoined;

#[derive(Table)]
#[table(view, row = PlayerV2)]
struct Strongest;

#[derive(Table)]
#[table(view, row = PlayerV2, primary_key = id)]
struct MyPlayers;

#[derive(Bsatn, Table, Debug, Clone, PartialEq)]
#[table(name = "message")]
struct Message {
    text: String,
}

#[derive(Table)]
#[table(row = Message)]
struct Archived;

#[derive(Bsatn, Table)]
#[table(view)]
struct Summary {
    count: u32,
    #[primary_key]
    day: i64,
}

#[derive(Bsatn, Table)]
#[table(event)]
struct Explosion {
    #[primary_key]
    id: u8,
}

/// `DEF` is the name of a constant of `Row` too.
fn def<T: Table>() -> TableDef {
    T::DEF
}

fn player() -> PlayerV2 {
    PlayerV2 {
        name: Some("Ada".into()),
        flags: 1,
        id: 7,
        email: "ada@example.org".into(),
        level: 3,
        team: "red".into(),
        r#type: 0.5,
    }
}

#[test]
fn columns_are_typed_constants_of_the_row() {
    let id: Column<PlayerV2, u64, Kind<Primary, Plain>> = PlayerV2::ID;
    let email: Column<PlayerV2, String, Kind<Unique, Plain>> = PlayerV2::EMAIL;
    let level: Column<PlayerV2, u32, Kind<Plain, Indexed>> = PlayerV2::LEVEL;
    assert_eq!((id.index(), id.name(), *id.get(&player())), (2, "id", 7));
    assert_eq!((email.index(), email.name()), (3, "email"));
    assert_eq!(*level.get(&player()), 3);
    assert_eq!(PlayerV2::TEAM.name(), "Team");
    assert_eq!(PlayerV2::TYPE.name(), "type");
    assert_eq!(*PlayerV2::TYPE.get(&player()), 0.5);
}

#[test]
fn multi_column_index_is_a_constant() {
    let index: MultiIndex<PlayerV2, (Box<str>, u32)> = PlayerV2::BY_TEAM_AND_LEVEL;
    assert_eq!(index.columns(), [5, 4]);
    let compare = |team: &str, level| {
        RangeIn::<PlayerV2>::compare(&index, &player(), &(Box::from(team), level))
    };
    assert_eq!(compare("red", 3), Ordering::Equal);
    assert_eq!(compare("red", 4), Ordering::Less);
    assert_eq!(compare("blue", 9), Ordering::Greater);
    assert_eq!(RangeIn::<LoggedOut>::columns(&index), IndexRef::Columns(&[5, 4]));
    assert_eq!(RangeIn::<LoggedOut>::columns(&PlayerV2::LEVEL), IndexRef::Column(4));
}

#[test]
fn a_row_knows_its_columns_as_bsatn_does() {
    let columns = <PlayerV2 as Row>::DEF.columns;
    let names: Vec<_> = columns.iter().map(|column| column.name).collect();
    assert_eq!(names, ["name", "flags", "id", "email", "level", "Team", "type"]);
    let SatsType::Product(product) = <PlayerV2 as Sats>::TYPE else { panic!("not a product") };
    let fields: Vec<_> = product.fields.iter().map(|field| field.name.unwrap()).collect();
    assert_eq!(fields, names);
    assert!(matches!(columns[5].ty.get(), SatsType::String));
    assert_eq!(<PlayerV2 as Row>::DEF.name, "PlayerV2");
}

#[test]
fn the_key_is_read_from_an_encoded_row() {
    let row = player();
    let bytes = to_vec(&row).unwrap();
    let mut reader = Reader::new(&bytes);
    assert_eq!(PlayerV2::decode_key(&mut reader).unwrap(), 7);
    assert_eq!(reader.offset(), 1 + 4 + 3 + 2 + 8);
    assert_eq!(row.key(), &7);
    for len in 0..reader.offset() {
        assert!(PlayerV2::decode_key(&mut Reader::new(&bytes[..len])).is_err());
    }

    let message = Message { text: "hi".into() };
    assert_eq!(message.key(), &());
    let bytes = to_vec(&message).unwrap();
    Message::decode_key(&mut Reader::new(&bytes)).unwrap();

    let bytes = to_vec(&Summary { count: 1, day: -2 }).unwrap();
    assert_eq!(Summary::decode_key(&mut Reader::new(&bytes)).unwrap(), -2);
}

#[test]
fn a_table_inherits_what_its_row_has() {
    for def in [def::<PlayerV2>(), def::<LoggedOut>(), def::<PlayerJoined>()] {
        assert_eq!(def.primary_key, Some(2));
        assert_eq!(def.unique, [2, 3]);
        assert_eq!(def.indexes, [IndexDef { columns: &[4] }, IndexDef { columns: &[5, 4] }]);
        assert_eq!(def.row.name, "PlayerV2");
    }
    let kinds = [def::<PlayerV2>(), def::<LoggedOut>(), def::<PlayerJoined>()]
        .map(|def| (def.name, def.kind));
    assert_eq!(
        kinds,
        [
            ("player_v_2", TableKind::Table),
            ("logged_out", TableKind::Table),
            ("player_joined", TableKind::Event)
        ]
    );
}

#[test]
fn view_inherits_only_the_named_key() {
    assert_eq!((def::<Strongest>().kind, def::<Strongest>().primary_key), (TableKind::View, None));
    assert!(def::<Strongest>().unique.is_empty() && def::<Strongest>().indexes.is_empty());
    assert_eq!(def::<MyPlayers>().primary_key, Some(2));
    assert_eq!(def::<MyPlayers>().unique, [2]);
    assert!(def::<MyPlayers>().indexes.is_empty());
    assert_eq!(def::<Summary>().primary_key, Some(1));
}

/// Expands to `true` if `$ty` implements `$trait`, asked without failing to compile: the inherent function shadows the
/// trait's.
macro_rules! implements {
    ($ty:ty: $($bound:tt)+) => {{
        struct Probe<T>(core::marker::PhantomData<T>);
        #[allow(dead_code, reason = "not called where the bound holds")]
        trait Otherwise { fn answer(&self) -> bool { false } }
        impl<T> Otherwise for Probe<T> {}
        #[allow(dead_code, reason = "not called where the bound does not hold")]
        impl<T: $($bound)+> Probe<T> { fn answer(&self) -> bool { true } }
        Probe::<$ty>(core::marker::PhantomData).answer()
    }};
}

#[test]
fn only_keyed_tables_find_by_key() {
    assert!(implements!(PlayerV2: HasKey));
    assert!(implements!(LoggedOut: HasKey));
    assert!(implements!(MyPlayers: HasKey));
    assert!(implements!(Summary: HasKey));
    assert!(!implements!(PlayerJoined: HasKey), "an event table keeps no rows");
    assert!(!implements!(Explosion: HasKey), "an event table keeps no rows");
    assert!(!implements!(Strongest: HasKey));
    assert!(!implements!(Message: HasKey));
    assert!(!implements!(Archived: HasKey), "its row has none");
    assert!(implements!(Kind<Primary, Plain>: FindIn<LoggedOut>));
    assert!(implements!(Kind<Unique, Plain>: FindIn<LoggedOut>));
    assert!(!implements!(Kind<Unique, Plain>: FindIn<MyPlayers>));
    assert!(!implements!(Kind<Plain, Indexed>: FindIn<PlayerV2>));
}

/// Writes down what it is shown.
#[derive(Default)]
struct Seen(Vec<(&'static str, Vec<u16>, Ordering)>);

impl IndexVisitor<PlayerV2> for Seen {
    fn unique<V: std::hash::Hash + Eq + 'static>(
        &mut self,
        column: u16,
        get: impl Fn(&PlayerV2) -> &V + Copy + Send + Sync + 'static,
    ) {
        let (a, b) = (player(), PlayerV2 { email: "b".into(), ..player() });
        let order = if get(&a) == get(&b) { Ordering::Equal } else { Ordering::Less };
        self.0.push(("unique", vec![column], order));
    }

    fn ordered(
        &mut self,
        columns: &'static [u16],
        compare: impl Fn(&PlayerV2, &PlayerV2) -> Ordering + Copy + Send + Sync + 'static,
    ) {
        let (a, b) = (player(), PlayerV2 { level: 9, ..player() });
        self.0.push(("ordered", columns.to_vec(), compare(&a, &b)));
    }
}

#[test]
fn row_exposes_unique_columns_and_ordered_indexes() {
    let mut seen = Seen::default();
    PlayerV2::visit_indexes(&mut seen);
    assert_eq!(
        seen.0,
        [
            ("unique", vec![3], Ordering::Less),
            ("ordered", vec![4], Ordering::Less),
            ("ordered", vec![5, 4], Ordering::Less),
        ]
    );
}

#[test]
fn index_algorithm_makes_no_difference() {
    #[derive(Bsatn, Table)]
    #[table(index(name = by_both, hash(columns = [a, b])))]
    struct Indexes {
        #[index(hash)]
        a: u8,
        #[index(direct)]
        b: u8,
    }
    let indexes: Vec<_> = def::<Indexes>().indexes.iter().map(|index| index.columns).collect();
    assert_eq!(indexes, [&[0_u16][..], &[1], &[0, 1]]);
    let row = Indexes { a: 1, b: 2 };
    assert_eq!(RangeIn::<Indexes>::compare(&Indexes::A, &row, &2), Ordering::Less);
    assert_eq!((row.a, row.b), (1, 2));
}
