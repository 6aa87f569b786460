//! The program's structs beside the module's schema at connect, on the embedded server and on a real one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use lightlike::connection::SchemaCheck;
use lightlike::prelude::*;
use lightlike::schema::Difference;
use lightlike::{ClientBuilder, ErrorKind};
use lightlike_tests::conformance::events::TestEvent;
use lightlike_tests::conformance::failures::{NoOp, no_op};
use lightlike_tests::conformance::indexes::Score;
use lightlike_tests::conformance::keyed_views::AllViewPkPlayers;
use lightlike_tests::conformance::keys::{Keyed as _, UniqueU32};
use lightlike_tests::conformance::names::{BanPlayer1, Level2Person, Player1};
use lightlike_tests::conformance::procedures::ReturnPrimitive;
use lightlike_tests::conformance::types::EnumWithPayload;
use lightlike_tests::conformance::visibility::Secret;
use lightlike_tests::conformance::{on_a_real_server, on_both_servers};
use lightlike_tests::target::Target;
use tokio::sync::mpsc;

/// Structs that a program has, and the module has otherwise.
mod wrong {
    use super::*;

    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "one_timestamp")]
    pub(super) struct OneTimestamp {
        pub(super) value: u64,
    }

    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "vec_enum_with_payload")]
    pub(super) struct VecEnumWithPayload {
        pub(super) value: Vec<EnumWithPayload>,
        pub(super) more: bool,
    }

    /// The columns have changed places, and the key with them.
    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "pk_string")]
    pub(super) struct PkString {
        pub(super) data: i32,
        #[primary_key]
        pub(super) key: String,
    }

    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "unique_u_32")]
    pub(super) struct UniqueU32 {
        pub(super) key: u32,
        #[unique]
        #[index(btree)]
        pub(super) data: i32,
    }

    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "tick_event")]
    pub(super) struct TickEvent {
        pub(super) number: u32,
    }

    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "nowhere")]
    pub(super) struct Nowhere {
        pub(super) x: u8,
    }

    /// A view of the module's.
    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "player_count")]
    pub(super) struct PlayerCount {
        pub(super) count: u64,
    }

    #[reducer]
    pub(super) fn no_op_with_args(bytes: Vec<u8>) -> u32;

    #[reducer]
    pub(super) fn no_such_reducer();

    /// Called as the table is.
    #[reducer(name = "nowhere")]
    pub(super) fn go_nowhere();

    #[procedure]
    pub(super) fn return_primitive(lhs: u32, rhs: u32) -> Option<u32>;
}

fn lines(differences: &[Difference]) -> Vec<String> {
    differences.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn structs_as_the_module_s_connect_strictly() {
    on_both_servers(async |target| {
        let db = target
            .builder()
            .table::<TestEvent>()
            .table::<Score>()
            .table::<Player1>()
            .table::<Level2Person>()
            .table::<AllViewPkPlayers>()
            .reducer::<BanPlayer1>()
            .reducer::<NoOp>()
            .procedure::<ReturnPrimitive>()
            .schema_check(SchemaCheck::Strict)
            .connect()
            .await
            .unwrap();
        assert_eq!(lines(&db.check_schema().await.unwrap()), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn strict_connect_error_lists_every_difference() {
    on_both_servers(async |target| {
        let error = target
            .builder()
            .table::<wrong::OneTimestamp>()
            .table::<wrong::VecEnumWithPayload>()
            .table::<wrong::PkString>()
            .table::<wrong::UniqueU32>()
            .table::<wrong::TickEvent>()
            .table::<wrong::Nowhere>()
            .table::<wrong::PlayerCount>()
            .table::<Secret>()
            .reducer::<wrong::NoOpWithArgs>()
            .reducer::<wrong::NoSuchReducer>()
            .procedure::<wrong::ReturnPrimitive>()
            .schema_check(SchemaCheck::Strict)
            .connect()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema);
        let expected = [
            "table one_timestamp, column 1: server has value: Timestamp, struct has value: u64",
            "table vec_enum_with_payload, column 2: server has no column, struct has more: bool",
            "table pk_string, column 1: server has key: String, struct has data: i32",
            "table pk_string, column 2: server has data: i32, struct has key: String",
            "table unique_u_32, column 2: struct has data unique, server has not",
            "table unique_u_32, index: struct has one over data, server has none",
            "table tick_event: server has an event table, struct has a table whose rows stay",
            "table nowhere: server has no such table",
            "table player_count: server has a view, struct has a table",
            "table secret: private on the server, only its owner can read it",
            "reducer no_op_with_args, argument 1: server has text: String, struct has bytes: Vec<u8>",
            "reducer no_op_with_args, argument 2: server has bytes: Vec<u8>, struct has no argument",
            "reducer no_op_with_args, return type: server has (), struct has u32",
            "reducer no_such_reducer: server has no such reducer",
            "procedure return_primitive, return type: server has u32, struct has Option<u32>",
        ];
        assert_eq!(lines(error.schema_differences()), expected);
        let text = error.to_string();
        assert!(text.starts_with("the program differs from the module: table one_timestamp, column 1"));
        assert!(text.contains("; table nowhere: server has no such table; "));
    })
    .await;
}

/// Differences that a hook is told, to be waited for.
fn heard(builder: ClientBuilder) -> (ClientBuilder, mpsc::Receiver<Vec<String>>) {
    let (sender, receiver) = mpsc::channel(16);
    let hook = move |differences: &[Difference]| sender.try_send(lines(differences)).unwrap();
    (builder.on_schema_drift(hook), receiver)
}

#[tokio::test]
async fn difference_is_reported_at_fetch_and_mention() {
    on_both_servers(async |target| {
        let (builder, mut heard) = heard(target.builder().table::<wrong::TickEvent>());
        let db = builder.connect().await.unwrap();
        let tick_event =
            "table tick_event: server has an event table, struct has a table whose rows stay";
        assert_eq!(heard.recv().await.unwrap(), [tick_event]);

        let _handle = db.table::<wrong::Nowhere>();
        let nowhere = "table nowhere: server has no such table";
        assert_eq!(heard.try_recv().unwrap(), [nowhere]);
        let _ = db.call(wrong::go_nowhere()).await;
        let no_reducer = "reducer nowhere: server has no such reducer";
        assert_eq!(heard.try_recv().unwrap(), [no_reducer]);
        let one_timestamp =
            "table one_timestamp, column 1: server has value: Timestamp, struct has value: u64";
        let set = db.subscribe((wrong::OneTimestamp::all(), Score::all()));
        assert_eq!(heard.try_recv().unwrap(), [one_timestamp]);
        let _set = set.await.unwrap();
        let refused = db.call(wrong::no_such_reducer()).await.unwrap_err();
        assert!(matches!(refused, CallError::Failed(_)), "{refused:?}");
        let no_such_reducer = "reducer no_such_reducer: server has no such reducer";
        assert_eq!(heard.try_recv().unwrap(), [no_such_reducer]);

        // Once is enough, and what is right is not spoken of.
        let _handle = db.table::<wrong::Nowhere>();
        let _ = db.call(wrong::no_such_reducer()).await;
        db.call(no_op()).await.unwrap();
        assert!(heard.try_recv().is_err());
        let all = db.check_schema().await.unwrap();
        assert_eq!(lines(&all), [tick_event, nowhere, one_timestamp, no_reducer, no_such_reducer]);
    })
    .await;
}

#[tokio::test]
async fn strict_check_refuses_rows_of_later_mentions() {
    on_both_servers(async |target| {
        let db = target.builder().schema_check(SchemaCheck::Strict).connect().await.unwrap();
        let one_timestamp =
            "table one_timestamp, column 1: server has value: Timestamp, struct has value: u64";
        // Again and again, not only at the first mention.
        for _ in 0..2 {
            let mut set = db.subscribe((Score::all(), wrong::OneTimestamp::all()));
            assert!(set.is_ended() && set.id().is_none(), "nothing is asked for");
            set.resubscribe();
            let refused = set.await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Schema);
            assert_eq!(lines(refused.schema_differences()), [one_timestamp]);
        }
        let refused = db.query(wrong::OneTimestamp::all()).await.unwrap_err();
        assert_eq!(lines(refused.schema_differences()), [one_timestamp]);
        let _fits = db.subscribe(Score::all()).await.unwrap();

        let _handle = db.table::<wrong::Nowhere>();
        let refused = db.subscribe_to_all_tables().await.unwrap_err();
        assert_eq!(
            lines(refused.schema_differences()),
            ["table nowhere: server has no such table"]
        );
    })
    .await;
}

#[tokio::test]
async fn strict_start_ends_earlier_mismatched_sets() {
    on_both_servers(async |target| {
        let other = target.connect().await;
        other.call(UniqueU32::insert(1, 2)).await.unwrap();
        let db = target.builder().schema_check(SchemaCheck::Strict).build().unwrap();
        let right = db.subscribe(Score::all());
        let wrong = db.subscribe(wrong::UniqueU32::all());
        db.start().unwrap();
        let ended = wrong.ended().await.unwrap_err();
        assert_eq!(ended.kind(), ErrorKind::Schema);
        assert_eq!(ended.schema_differences().len(), 2, "{ended}");
        right.applied().await.unwrap();
        assert!(db.table::<wrong::UniqueU32>().is_empty(), "its rows went with it");
        assert!(!right.is_ended());
    })
    .await;
}

#[tokio::test]
async fn nothing_is_compared_where_the_check_is_off() {
    on_both_servers(async |target| {
        let builder = target.builder().schema_check(SchemaCheck::Off);
        let (builder, mut heard) = heard(builder.table::<wrong::Nowhere>());
        let db = builder.connect().await.unwrap();
        let _set = db.subscribe(wrong::OneTimestamp::all()).await.unwrap();
        assert!(heard.try_recv().is_err());
    })
    .await;
}

#[tokio::test]
async fn manually_started_client_is_checked_too() {
    on_both_servers(async |target| {
        let builder = target.builder().schema_check(SchemaCheck::Strict);
        let (builder, mut heard) = heard(builder);
        let db = builder.build().unwrap();
        let _handle = db.table::<wrong::Nowhere>();
        db.start().unwrap();
        assert_eq!(heard.recv().await.unwrap(), ["table nowhere: server has no such table"]);
    })
    .await;
}

#[tokio::test]
async fn the_owner_may_have_private_tables() {
    on_a_real_server(async |target| {
        let Target::Real(database) = target else { panic!("this is a real server") };
        let builder = target.builder().token(&database.owner().token);
        let strict = builder.table::<Secret>().schema_check(SchemaCheck::Strict);
        strict.connect().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn unreachable_schema_compares_nothing() {
    let server = lightlike_testkit::Server::builder().start().await;
    let db = Client::builder(server.uri(), server.database()).connect().await.unwrap();
    drop(server);
    let error = db.check_schema().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    let said = error.to_string();
    assert!(said.starts_with("cannot compare the program with the module: GET "), "{said}");
}
