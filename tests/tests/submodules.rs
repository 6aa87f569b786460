//! Submodules whose names in the source and on the wire differ, one inside another, on the embedded server and on a real one.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as its tests do")]

use lightlike::connection::SchemaCheck;
use lightlike::http::Http;
use lightlike::prelude::*;
use lightlike::schema::{SatsValue, ServerSchema};
use lightlike::untyped::Args;
use lightlike_tests::conformance::next;
use lightlike_tests::submodules::{
    Account, AllSessions, Invoice, Level, StoredItem, UserSession, VaultLevel, add_account,
    greet_user, log_in, send_invoice, store_item,
};
use lightlike_tests::target::Target;

/// Tells the story on a database of its own.
async fn with_submodules(story: impl AsyncFnOnce(&Target)) {
    let target = Target::submodules().await;
    story(&target).await;
    if let Target::Real(database) = &target {
        database.delete().await.unwrap();
    }
}

async fn schema(target: &Target) -> ServerSchema {
    Http::new(&target.uri()).unwrap().schema(target.name()).await.unwrap()
}

fn inserted<Row>(change: Change<Row>) -> Row {
    match change {
        Change::Inserted(Inserted { row, .. }) => row,
        _ => panic!("nothing is changed or deleted"),
    }
}

#[tokio::test]
async fn typed_rows_and_calls_use_wire_names() {
    with_submodules(async |target| {
        let db = target.builder().schema_check(SchemaCheck::Strict).connect().await.unwrap();
        let _account = db.subscribe(Account::all()).await.unwrap();
        let _session = db.subscribe(UserSession::all()).await.unwrap();
        let _item = db.subscribe(StoredItem::all()).await.unwrap();
        let _invoice = db.subscribe(Invoice::filter(Invoice::AMOUNT.gt(5))).await.unwrap();
        let mut sessions = db.table::<UserSession>().changes();

        db.call(add_account("Ada".into())).await.unwrap();
        db.call(log_in("Ada".into(), Level::Member(7))).await.unwrap();
        db.call(store_item("gold".into(), VaultLevel::High)).await.unwrap();
        db.call(send_invoice(5)).await.unwrap();
        db.call(send_invoice(6)).await.unwrap();

        assert_eq!(db.table::<Account>().iter().next().unwrap().name, "Ada");
        let session = UserSession { id: 1, user_name: "Ada".into(), level: Level::Member(7) };
        assert_eq!(inserted(next(&mut sessions).await), session);
        assert_eq!(db.table::<UserSession>().get(&1).unwrap(), session);
        let item = StoredItem { id: 1, label: "gold".into(), level: VaultLevel::High };
        assert_eq!(db.table::<StoredItem>().get(&1).unwrap(), item);
        let amounts: Vec<_> = db.table::<Invoice>().iter().map(|row| row.amount).collect();
        assert_eq!(amounts, [6]);

        let refused = db.call(log_in(String::new(), Level::Guest)).await;
        let empty = "Names must not be empty";
        assert!(matches!(&refused, Err(CallError::Rejected(why)) if why == empty), "{refused:?}");
        assert_eq!(db.call_procedure(greet_user("Ada".into())).await.unwrap(), "hello, Ada");
    })
    .await;
}

#[tokio::test]
async fn view_of_a_submodule_has_its_table_s_key() {
    with_submodules(async |target| {
        let db = target.builder().schema_check(SchemaCheck::Strict).connect().await.unwrap();
        let _sessions = db.subscribe(AllSessions::all()).await.unwrap();
        db.call(log_in("Ada".into(), Level::Guest)).await.unwrap();
        assert_eq!(db.table::<AllSessions>().get(&1).unwrap().user_name, "Ada");
    })
    .await;
}

#[tokio::test]
async fn untyped_rows_and_calls_use_wire_names() {
    with_submodules(async |target| {
        let db = target.connect().await;
        let untyped = db.untyped(schema(target).await);
        let _rows = db
            .subscribe([
                "SELECT * FROM my_auth.user_session",
                "SELECT * FROM my_auth.vault.stored_item",
            ])
            .await
            .unwrap();
        let call = async |reducer: &str, args: &str| {
            untyped.call(reducer, Args::json(args)).unwrap().await.unwrap()
        };
        call("my_auth.log_in", r#"["Ada", {"member": 7}]"#).await;
        call("my_auth.vault.store_item", r#"["gold", {"high": []}]"#).await;
        let session = untyped.table("my_auth.user_session").unwrap().rows().remove(0);
        assert_eq!(session.get("user_name").unwrap(), SatsValue::from("Ada"));
        assert_eq!(
            session.to_json().unwrap(),
            r#"{"id":1,"user_name":"Ada","level":{"member":7}}"#
        );
        // A type of the same name as another submodule's.
        let item = untyped.table("my_auth.vault.stored_item").unwrap().rows().remove(0);
        assert_eq!(item.to_json().unwrap(), r#"{"id":1,"label":"gold","level":{"high":[]}}"#);
        let _view = db.subscribe("SELECT * FROM my_auth.all_sessions").await.unwrap();
        assert_eq!(untyped.table("my_auth.all_sessions").unwrap().rows().len(), 1);
        for accessor in
            ["myAuth.user_session", "myAuth.userSession", "my_auth.deepVault.stored_item"]
        {
            assert!(untyped.table(accessor).is_err(), "{accessor}");
        }
    })
    .await;
}

#[tokio::test]
async fn schema_check_finds_columns_of_submodules() {
    /// A row with another type than the server's.
    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "my_auth.vault.stored_item")]
    struct Wrong {
        #[primary_key]
        id: u64,
        label: String,
        level: Level,
    }

    /// A name of the source, which is none on the wire.
    #[derive(Bsatn, Table, Clone, Debug)]
    #[table(name = "myAuth.userSession")]
    struct BySource {
        id: u64,
    }

    with_submodules(async |target| {
        let db = target.builder().table::<Wrong>().table::<BySource>();
        let refused = db.schema_check(SchemaCheck::Strict).connect().await.unwrap_err();
        let lines: Vec<_> = refused.schema_differences().iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        let column = "table my_auth.vault.stored_item, column 3: server has level: ";
        assert!(lines[0].starts_with(column), "{lines:?}");
        assert_eq!(lines[1], "table myAuth.userSession: server has no such table");
    })
    .await;
}
