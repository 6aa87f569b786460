//! Typed queries: what a condition asks the server for is what it says of a row here.

use std::fmt::Debug;

use futures_util::future::join_all;
use lightlike::prelude::*;
use lightlike::query::SqlValue;
use lightlike::{ErrorKind, bsatn};
use lightlike_tests::conformance::{next, on_both_servers};

use crate::module::*;

/// The rows, in an order that does not depend on where they come from.
fn sorted<R: bsatn::Encode>(rows: impl IntoIterator<Item = R>) -> Vec<Vec<u8>> {
    let mut rows: Vec<_> = rows.into_iter().map(|row| bsatn::to_vec(&row).unwrap()).collect();
    rows.sort();
    rows
}

/// Every comparison with a value.
fn comparisons<T: Keyless>(value: &T::Value) -> [Filter<T>; 6]
where
    T::Value: SqlValue + Clone + 'static,
{
    let column = T::COLUMN;
    [
        column.eq(value),
        column.ne(value),
        column.lt(value),
        column.le(value),
        column.gt(value),
        column.ge(value),
    ]
}

/// Inserts rows with these values, then compares the column with each of them in every way, there and here.
async fn agree<T: Keyless>(db: &Client, values: impl IntoIterator<Item = T::Value>)
where
    T::Value: SqlValue + Clone + Debug + 'static,
{
    let values: Vec<_> = values.into_iter().collect();
    for value in &values {
        db.call(T::of(value.clone()).insert()).await.unwrap();
    }
    // What the server made of them.
    let rows = db.query(T::all()).await.unwrap();
    let filters: Vec<_> = values.iter().flat_map(|value| comparisons::<T>(value)).collect();
    let filters: Vec<_> =
        filters.into_iter().filter(|filter| T::filter(filter.clone()).error().is_none()).collect();
    assert!(!filters.is_empty());
    let answers = filters.iter().map(|filter| db.query(T::filter(filter.clone())));
    for (filter, answer) in filters.iter().zip(join_all(answers).await) {
        let here = rows.iter().filter(|row| filter.matches(row)).cloned();
        let there = answer.unwrap_or_else(|error| panic!("{filter:?}: {error:?}"));
        assert_eq!(sorted(there.clone()), sorted(here), "{filter:?}: {there:?} of {rows:?}");
    }
}

#[tokio::test]
async fn numbers_compare_there_as_here() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        agree::<OneU8>(&db, [0, 7, u8::MAX]).await;
        agree::<OneU16>(&db, [0, 7, u16::MAX]).await;
        agree::<OneU32>(&db, [0, 7, u32::MAX]).await;
        agree::<OneU64>(&db, [0, 7, u64::MAX]).await;
        agree::<OneU128>(&db, [0, 1 << 64, u128::MAX]).await;
        agree::<OneU256>(&db, [U256::ZERO, U256::ONE << 200_u32, U256::MAX]).await;
        agree::<OneI8>(&db, [i8::MIN, -1, 0, i8::MAX]).await;
        agree::<OneI16>(&db, [i16::MIN, -1, 0, i16::MAX]).await;
        agree::<OneI32>(&db, [i32::MIN, -1, 0, i32::MAX]).await;
        agree::<OneI64>(&db, [i64::MIN, -1, 0, i64::MAX]).await;
        agree::<OneI128>(&db, [i128::MIN, -1, 0, i128::MAX]).await;
        agree::<OneI256>(&db, [I256::MIN, I256::MINUS_ONE, I256::ZERO, I256::MAX]).await;
        agree::<OneBool>(&db, [false, true]).await;
    })
    .await;
}

#[tokio::test]
async fn floats_compare_bit_exactly_with_server() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let singles = [
            f32::NEG_INFINITY,
            f32::MIN,
            -0.0,
            f32::from_bits(1),
            f32::MIN_POSITIVE,
            0.1,
            16_777_217.0,
            f32::MAX,
            f32::INFINITY,
            f32::NAN,
        ];
        agree::<OneF32>(&db, singles).await;
        let doubles = [
            f64::NEG_INFINITY,
            f64::MIN,
            -0.0,
            0.0,
            f64::from_bits(1),
            f64::MIN_POSITIVE,
            0.1,
            0.1 + 0.2,
            1e22,
            1e23,
            8.5e-17,
            9_007_199_254_740_993.0,
            1.797_693_134_862_315e308,
            f64::MAX,
            f64::INFINITY,
            f64::NAN,
        ];
        agree::<OneF64>(&db, doubles).await;
        // Bits from all over the range.
        let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
        let any = std::iter::from_fn(|| {
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            Some(bits ^ bits >> 29)
        });
        let any: Vec<_> = any.take(40).collect();
        agree::<OneF64>(&db, any.iter().map(|&bits| f64::from_bits(bits))).await;
        agree::<OneF32>(&db, any.iter().map(|&bits| f32::from_bits(bits as u32))).await;
    })
    .await;
}

#[tokio::test]
async fn texts_bytes_and_times_compare_like_server() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let text = [
            "",
            "a",
            "A",
            "ab",
            "'",
            "''",
            "it's",
            "\"quoted\"",
            "\\",
            "\\'",
            "\\n",
            "a\nb",
            "\t",
            "-- no comment",
            "/* nor */ this",
            ";",
            "%_",
            "$1",
            ":sender",
            "é",
            "e\u{301}",
            "日本",
            "🦀",
            "\u{0}",
            "\u{feff}",
        ];
        agree::<OneString>(&db, text.map(str::to_owned)).await;
        let bytes: [&[u8]; 7] = [&[], &[0], &[0, 0], &[1], &[1, 0], &[127], &[255, 0, 255]];
        agree::<VecU8>(&db, bytes.map(<[u8]>::to_vec)).await;
        // Numbers whose first byte is the last that counts.
        let numbers = [0_u128, 1, 256, 1 << 127, u128::MAX];
        agree::<OneIdentity>(&db, numbers.map(|n| Identity::from_u256(U256::from(n) << 64_u32)))
            .await;
        agree::<OneConnectionId>(&db, numbers.map(ConnectionId::from_u128)).await;
        agree::<OneUuid>(&db, numbers.map(Uuid::from_u128)).await;
        let micros =
            [0, 1, -1, 1_700_000_000_123_456, -62_167_219_200_000_000, 253_402_300_799_999_999];
        agree::<OneTimestamp>(&db, micros.map(Timestamp::from_micros)).await;
    })
    .await;
}

#[tokio::test]
async fn conditions_combine_there_as_here() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        for (id, game, player, points) in [
            (1, 7, "ada", 30),
            (2, 7, "grace", 2),
            (3, 8, "ada", 10),
            (8, 7, "ada", 8),
            (9, 9, "", 9),
        ] {
            db.call(insert_score(id, game, player.into(), points)).await.unwrap();
        }
        let rows = db.query(Score::all()).await.unwrap();
        let ada = || Score::PLAYER.eq("ada");
        let game = || Score::GAME.eq(7_u32);
        let odd = || Score::ID.is_in([1, 3, 9]);
        let none: [u64; 0] = [];
        let filters = [
            ada().and(game()),
            ada().or(game()),
            ada().and(game().or(odd())),
            ada().and(game()).or(odd()),
            !ada().and(game().or(odd())),
            ada().not().or(!game()).and(odd().not()).not(),
            Score::GAME.lt(8).or(Score::GAME.gt(8)).and(Score::POINTS.ge(2).and(ada().or(odd()))),
            Filter::all_of([]),
            Filter::any_of([]),
            Score::ID.is_in(none),
            ada().and(Score::ID.is_in(none)),
            ada().or(Filter::all_of([])),
        ];
        for filter in filters {
            let query = Score::filter(filter.clone());
            let here = sorted(rows.iter().filter(|row| filter.matches(row)).cloned());
            let there = sorted(db.query(query.clone()).await.unwrap());
            assert_eq!(there, here, "{query:?}");
            // A subscription takes less of SQL than a query does.
            let set = db.subscribe(query.clone()).await.unwrap();
            assert_eq!(sorted(db.table::<Score>().iter()), here, "{query:?}");
            set.unsubscribe().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn columns_compare_with_columns_and_with_the_sender() {
    on_both_servers(async |target| {
        let (ada, grace) = (target.connect().await, target.connect().await);
        for (db, id, player) in [(&ada, 1, 1), (&ada, 2, 3), (&grace, 3, 2)] {
            db.call(insert_view_pk_membership(id, player)).await.unwrap();
        }
        let me = ada.identity().unwrap();
        let filters = [
            ViewPkMembership::ID.eq(ViewPkMembership::PLAYER_ID),
            ViewPkMembership::ID.lt(ViewPkMembership::PLAYER_ID),
            !ViewPkMembership::ID.lt(ViewPkMembership::PLAYER_ID),
            ViewPkMembership::MEMBER.eq(Sender),
            ViewPkMembership::MEMBER.ne(Sender),
            ViewPkMembership::MEMBER.eq(me),
            ViewPkMembership::MEMBER.eq(Sender).and(ViewPkMembership::ID.gt(1)).not(),
        ];
        let rows = ada.query(ViewPkMembership::all()).await.unwrap();
        for filter in filters {
            let mine = filter.clone().for_sender(me);
            let here = sorted(rows.iter().filter(|row| mine.matches(row)).cloned());
            assert!(!here.is_empty());
            let query = ViewPkMembership::filter(filter);
            assert_eq!(sorted(ada.query(query.clone()).await.unwrap()), here, "{query:?}");
            let set = ada.subscribe(query.clone()).await.unwrap();
            assert_eq!(sorted(ada.table::<ViewPkMembership>().iter()), here, "{query:?}");
            set.unsubscribe().await.unwrap();
        }
        let hers = grace.query(ViewPkMembership::filter(ViewPkMembership::MEMBER.eq(Sender)));
        assert_eq!(hers.await.unwrap().iter().map(|row| row.id).collect::<Vec<_>>(), [3]);
    })
    .await;
}

/// Official view scenario 2, case scenarios 4 and 5.
#[tokio::test]
async fn semijoins_return_rows_that_others_select() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        for (name, level) in [("one", 1), ("two", 2), ("too", 2)] {
            db.call(create_player1(name.into(), level)).await.unwrap();
        }
        let level_2 = || Player1::filter(Player1::CURRENT_LEVEL_2.eq(2));
        let players = db.query(level_2()).await.unwrap();
        assert_eq!(players.len(), 2);
        for (name, player) in [("Grace", &players[0]), ("Ada", &players[0]), ("Kay", &players[1])] {
            db.call(add_person2(name.into(), player.player_1_id, 36, 99)).await.unwrap();
        }
        let names = |people: Vec<Person2Row>| {
            let mut names: Vec<_> = people.into_iter().map(|person| person.first_name).collect();
            names.sort();
            names
        };
        let of = |player: &Player1| Player1::filter(Player1::PLAYER_NAME.eq(&player.player_name));
        let joined = |players| {
            Person2Row::all().left_semijoin(players, Person2Row::PLAYER_REF, Player1::PLAYER_1_ID)
        };
        let found = db.query(joined(of(&players[0]))).await.unwrap();
        assert_eq!(names(found), ["Ada", "Grace"]);
        let found =
            db.query(joined(level_2()).filter(Person2Row::FIRST_NAME.ne("Ada"))).await.unwrap();
        assert_eq!(names(found), ["Grace", "Kay"]);
        let either = Person2Row::FIRST_NAME.eq("Ada").or(Person2Row::FIRST_NAME.eq("Kay"));
        let people = Person2Row::filter(either);
        let right = of(&players[0]).right_semijoin(
            people.clone(),
            Player1::PLAYER_1_ID,
            Person2Row::PLAYER_REF,
        );
        let _set = db.subscribe(right).await.unwrap();
        assert_eq!(names(db.table::<Person2Row>().iter().collect()), ["Ada"]);
        assert!(db.table::<Player1>().is_empty(), "rows that only select do not come");
        let players_of =
            people.right_semijoin(Player1::all(), Person2Row::PLAYER_REF, Player1::PLAYER_1_ID);
        let _set = db.subscribe(players_of).await.unwrap();
        assert_eq!(db.table::<Player1>().len(), 2);
        // Both conditions are chains of "or", and each holds as a whole.
        let any_level = Player1::CURRENT_LEVEL_2.eq(1).or(Player1::CURRENT_LEVEL_2.eq(2));
        let both = Person2Row::filter(
            Person2Row::FIRST_NAME.eq("Kay").or(Person2Row::FIRST_NAME.eq("Ada")),
        )
        .left_semijoin(
            Player1::filter(any_level),
            Person2Row::PLAYER_REF,
            Player1::PLAYER_1_ID,
        );
        assert_eq!(names(db.query(both).await.unwrap()), ["Ada", "Kay"]);
    })
    .await;
}

#[tokio::test]
async fn a_table_can_be_joined_with_itself() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        for (id, player) in [(1, 2), (2, 5), (3, 2)] {
            db.call(insert_view_pk_membership(id, player)).await.unwrap();
        }
        let late = ViewPkMembership::filter(ViewPkMembership::PLAYER_ID.gt(2));
        let pointing = ViewPkMembership::filter(ViewPkMembership::ID.ne(3)).left_semijoin(
            late,
            ViewPkMembership::PLAYER_ID,
            ViewPkMembership::ID,
        );
        let ids = |rows: Vec<ViewPkMembership>| rows.iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(ids(db.query(pointing.clone()).await.unwrap()), [1]);
        let _set = db.subscribe(pointing).await.unwrap();
        assert_eq!(ids(db.table::<ViewPkMembership>().iter().collect()), [1]);
    })
    .await;
}

/// Official keyed view scenarios 2 and 3, and procedural ones 2 and 3.
#[tokio::test]
async fn keyed_views_can_be_joined_by_their_key() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        for id in 1..=3 {
            db.call(insert_view_pk_player(id, format!("player {id}"))).await.unwrap();
        }
        for id in [2, 3] {
            db.call(insert_view_pk_membership(id, id)).await.unwrap();
        }
        db.call(insert_view_pk_membership_secondary(1, 3)).await.unwrap();
        let members = ViewPkMembership::filter(ViewPkMembership::ID.ge(2)).right_semijoin(
            AllViewPkPlayers::filter(ViewPkPlayer::NAME.ne("player 2")),
            ViewPkMembership::PLAYER_ID,
            ViewPkPlayer::ID,
        );
        let both = SenderViewPkPlayersA::all().left_semijoin(
            SenderViewPkPlayersB::all(),
            ViewPkPlayer::ID,
            ViewPkPlayer::ID,
        );
        let _sets = db.subscribe((members, both)).await.unwrap();
        let ids = |rows: Vec<ViewPkPlayer>| rows.iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(ids(db.table::<AllViewPkPlayers>().iter().collect()), [3]);
        assert_eq!(ids(db.table::<SenderViewPkPlayersA>().iter().collect()), [3]);
        let mut updates = db.table::<SenderViewPkPlayersA>().updates();
        db.call(update_view_pk_player(3, "after".into())).await.unwrap();
        assert_eq!(next(&mut updates).await.new.name, "after");
    })
    .await;
}

#[tokio::test]
async fn a_type_around_another_compares_as_that() {
    #[derive(Bsatn, Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[bsatn(transparent)]
    struct Level(u32);

    #[derive(Bsatn, Table, Clone, Debug, PartialEq)]
    #[table(name = "pk_u_32")]
    struct Wrapped {
        #[primary_key]
        key: Level,
        data: i32,
    }

    on_both_servers(async |target| {
        let db = target.connect().await;
        for key in [9, 10] {
            db.call(PkU32::insert(key, 0)).await.unwrap();
        }
        let filter = Wrapped::KEY.gt(Level(9));
        let there = db.query(Wrapped::filter(filter.clone())).await.unwrap();
        assert_eq!(there, [Wrapped { key: Level(10), data: 0 }]);
        assert!(filter.matches(&there[0]));
    })
    .await;
}

#[tokio::test]
async fn value_without_literal_is_refused_before_sending() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let late = Timestamp::from_micros(i64::MAX);
        let query = OneTimestamp::filter(OneTimestamp::VALUE.lt(late));
        let failed = db.query(query.clone()).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Query, "{failed:?}");
        assert!(failed.to_string().contains("`value`"), "{failed}");
        assert!(format!("{failed:?}").contains("years 0 to 9999"), "{failed:?}");
        let refused = db.subscribe((OneU8::all(), query)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Query, "{refused:?}");
        let nan = db.query(OneF32::filter(OneF32::VALUE.eq(f32::NAN))).await.unwrap_err();
        assert!(format!("{nan:?}").contains("no literal for NaN"), "{nan:?}");
        db.call(OneU8::of(1).insert()).await.unwrap();
        assert!(db.table::<OneU8>().is_empty(), "none of the set was asked for");
    })
    .await;
}

#[tokio::test]
async fn conditions_of_two_thousand_terms_are_taken() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        for n in [7, 200] {
            db.call(OneU8::of(n).insert()).await.unwrap();
        }
        // The server's limit of a query is 50,000 bytes, so names and numbers have to be short.
        let few = (0..1_900_u32).map(|n| (n % 100) as u8);
        let in_them = OneU8::VALUE.is_in(few.clone());
        let in_none = Filter::all_of(few.take(1_700).map(|n| OneU8::VALUE.ne(n)));
        for (filter, expected) in [(in_them, 7), (in_none, 200)] {
            let query = OneU8::filter(filter.clone());
            assert!((40_000..50_000).contains(&query.sql().len()), "{} bytes", query.sql().len());
            let there = db.query(query.clone()).await.unwrap();
            assert_eq!(there, [OneU8::of(expected)]);
            assert!(filter.matches(&there[0]));
            let _set = db.subscribe(query).await.unwrap();
            assert_eq!(db.table::<OneU8>().iter().collect::<Vec<_>>(), there);
        }
    })
    .await;
}

#[tokio::test]
async fn conditions_nested_too_deeply_are_not_asked() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        let value = OneU8::VALUE;
        let nested = |levels: u8| {
            (0..levels).fold(value.eq(0), |inner, n| inner.and(value.ge(n)).or(value.eq(n)))
        };
        db.call(OneU8::of(3).insert()).await.unwrap();
        let there = db.query(OneU8::filter(nested(4))).await.unwrap();
        assert_eq!(there, [OneU8::of(3)]);
        let failed = db.query(OneU8::filter(nested(60))).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::Query, "{failed:?}");
        assert!(failed.to_string().contains("AND and OR 119 deep"), "{failed}");
    })
    .await;
}

#[test]
fn filters_added_in_loop_take_linear_time() {
    const TERMS: u32 = 20_000;
    let query = (0..TERMS).fold(OneU32::all(), |query, n| query.filter(OneU32::VALUE.ne(n)));
    assert_eq!(query.sql().matches("<>").count(), TERMS as usize);
    assert!(query.error().is_none());
}

#[tokio::test]
async fn message_of_exactly_limit_arrives() {
    on_both_servers(async |target| {
        let db = target.connect().await;
        // A reducer that is not there: its name and fourteen bytes are around the arguments.
        let limit = lightlike::connection::Limits::default().max_outgoing_bytes;
        let call =
            |bytes: usize| no_such_reducer("x".repeat(bytes - 4 - 14 - "no_such_reducer".len()));
        let arrived = db.call(call(limit)).await;
        assert!(matches!(arrived, Err(CallError::Failed(_))), "it is answered");
        let refused = db.call(call(limit + 1)).await.unwrap_err();
        assert!(refused.to_string().len() < 1000);
        let CallError::NotSent(why) = refused else { panic!("{refused:?}") };
        assert!(why.to_string().contains("33554433 bytes"), "{why}");
        db.query(OneU8::all()).await.unwrap();
    })
    .await;
}

#[reducer]
fn no_such_reducer(text: String) -> Result<(), String>;
