//! Reading schemas.

use lightlike_core::schema::{
    IndexAlgorithm, Scalar, ServerField, ServerSchema, ServerType, parse_columns,
};
use proptest::prelude::*;

use crate::load;

const MODULES: [&str; 7] = [
    "fixtures/schema/chat",
    "fixtures/schema/module-test",
    "fixtures/schema/sdk-test-event-table",
    "fixtures/schema/sdk-test-procedure",
    "fixtures/schema/sdk-test-view",
    "modules/chat",
    "modules/conformance",
];

fn names<'a>(names: impl Iterator<Item = &'a Box<str>>) -> Vec<&'a str> {
    let mut names: Vec<_> = names.map(|name| &**name).collect();
    names.sort_unstable();
    names
}

#[test]
fn schema_versions_9_and_10_agree() {
    for module in MODULES {
        let nine = load(&format!("{module}.v9.json"));
        let ten = load(&format!("{module}.v10.json"));
        assert_eq!((nine.version, ten.version), (9, 10));
        assert_eq!(
            names(nine.tables.iter().map(|table| &table.name)),
            names(ten.tables.iter().map(|table| &table.name)),
        );
        for ours in &nine.tables {
            let theirs = ten.table(&ours.name).unwrap();
            assert_eq!(ours.columns.len(), theirs.columns.len(), "{}", ours.name);
            for (a, b) in ours.columns.iter().zip(&theirs.columns) {
                assert_eq!(a.name, b.name);
                assert_eq!(nine.display(&a.ty).to_string(), ten.display(&b.ty).to_string());
            }
            assert_eq!((ours.primary_key, &ours.unique), (theirs.primary_key, &theirs.unique));
            assert_eq!((ours.public, ours.event), (theirs.public, None));
        }
        let callable = |schema: &ServerSchema| {
            let reducers = schema.reducers.iter().filter(|reducer| reducer.callable);
            let mut callable: Vec<_> =
                reducers.map(|reducer| (reducer.name.clone(), reducer.params.len())).collect();
            callable.sort();
            callable
        };
        // Reducers that only a schedule may call are told apart by version 10 alone.
        let nine_callable = callable(&nine);
        assert!(callable(&ten).iter().all(|reducer| nine_callable.contains(reducer)), "{module}");
        assert_eq!(
            names(nine.views.iter().map(|view| &view.name)),
            names(ten.views.iter().map(|view| &view.name)),
        );
        assert_eq!(
            names(nine.procedures.iter().map(|procedure| &procedure.name)),
            names(ten.procedures.iter().map(|procedure| &procedure.name)),
        );
    }
}

#[test]
fn the_chat_is_what_it_is() {
    let chat = load("modules/chat.v10.json");
    let user = chat.table("user").unwrap();
    let columns: Vec<_> = user
        .columns
        .iter()
        .map(|column| format!("{}: {}", column.name.as_deref().unwrap(), chat.display(&column.ty)))
        .collect();
    assert_eq!(columns, ["identity: Identity", "name: Option<String>", "online: bool"]);
    assert_eq!((user.primary_key, &user.unique[..]), (Some(0), &[0][..]));
    assert_eq!((user.event, user.public), (Some(false), true));
    let [index] = &user.indexes[..] else { panic!("one index") };
    assert_eq!((index.algorithm, &index.columns[..]), (IndexAlgorithm::BTree, &[0][..]));
    let set_name = chat.reducer("set_name").unwrap();
    assert!(set_name.callable);
    assert_eq!(set_name.params[0].name.as_deref(), Some("name"));
    assert_eq!(set_name.returns, Some(ServerType::Product(Vec::new())));
    assert_eq!(set_name.error, Some(ServerType::Scalar(Scalar::String)));
    assert!(!chat.reducer("init").unwrap().callable);
    assert_eq!(chat.type_name(user.row), Some("User"));
}

#[test]
fn names_keys_and_events_come_from_sections() {
    let schema = load("modules/conformance.v10.json");
    let view = schema.view("Level2Person").unwrap();
    assert_eq!(&*view.source_name, "person_at_level_2");
    assert!(schema.reducer("banPlayer1").is_some());
    assert!(schema.table("one_u_8").is_some());
    // Of a view the key that the module names, and of a query the key of its table.
    let key = |name| {
        let view = schema.view(name).unwrap();
        view.primary_key.map(|key| view.columns[usize::from(key)].name.as_deref().unwrap())
    };
    assert_eq!(key("my_view_pk_players"), Some("id"));
    assert_eq!(key("all_view_pk_players"), Some("id"));
    assert_eq!(key("my_player_and_level"), None);
    let level = schema.view("players_at_level").unwrap();
    assert_eq!((level.params.len(), level.anonymous), (1, true));
    assert!(schema.tables.iter().any(|table| table.event == Some(true)));
    assert!(schema.tables.iter().any(|table| !table.public));
    let result = schema.procedure("return_result").unwrap();
    assert_eq!(result.returns.to_string(), "Result<u32, String>");
    let special = schema.table("one_schedule_at").unwrap();
    assert_eq!(special.columns[0].ty, ServerType::Scalar(Scalar::ScheduleAt));
}

#[test]
fn what_a_newer_server_adds_is_skipped() {
    let schema = ServerSchema::parse(
        r#"{"sections":[
            {"Typespace":{"types":[{"Product":{"elements":[{"name":{"some":"id"},"algebraic_type":{"U64":[]}}]}}]}},
            {"Hologram":{"anything":1}},
            {"Tables":[{"source_name":"t","product_type_ref":0,"primary_key":[],"new":true,
                "indexes":[{"algorithm":{"Quantum":{"q":1}}}],"constraints":[{"data":{"Check":[]}}],
                "table_access":{"Shared":[]}}]},
            {"ExplicitNames":{"entries":[{"Planet":{"source_name":"t","canonical_name":"x"}}]}}
        ],"more":[]}"#,
    )
    .unwrap();
    let table = schema.table("t").unwrap();
    assert_eq!(table.indexes[0].algorithm, IndexAlgorithm::Unknown);
    assert!(!table.public && table.unique.is_empty());
}

#[test]
fn submodules_have_namespaces_and_own_types() {
    let schema = ServerSchema::parse(
        r#"{"sections":[
            {"Typespace":{"types":[{"Product":{"elements":[]}}]}},
            {"Submodules":[{"namespace":"shop","module":{"sections":[
                {"Typespace":{"types":[
                    {"Product":{"elements":[{"name":{"some":"kind"},"algebraic_type":{"Ref":1}}]}},
                    {"Sum":{"variants":[{"name":{"some":"a"},"algebraic_type":{"Product":{"elements":[]}}}]}}]}},
                {"Types":[{"source_name":{"scope":[],"source_name":"Kind"},"ty":1}]},
                {"Tables":[{"source_name":"item","product_type_ref":0,"primary_key":[],"table_access":{"Public":[]}}]},
                {"Reducers":[{"source_name":"buy","params":{"elements":[{"name":{"none":[]},"algebraic_type":{"Ref":1}}]}}]}
            ]}}]}
        ]}"#,
    )
    .unwrap();
    let item = schema.table("shop.item").unwrap();
    assert_eq!((item.row, &item.columns[0].ty), (1, &ServerType::Ref(2)));
    assert_eq!(schema.display(&item.columns[0].ty).to_string(), "Kind");
    assert_eq!(schema.reducer("shop.buy").unwrap().params[0].ty, ServerType::Ref(2));
}

#[test]
fn submodules_take_their_wire_names() {
    let schema = load("modules/submodules.v10.json");
    let tables = names(schema.tables.iter().map(|table| &table.name));
    let wire = ["Money.invoice", "account", "my_auth.user_session", "my_auth.vault.stored_item"];
    assert_eq!(tables, wire);
    let reducers = names(schema.reducers.iter().map(|reducer| &reducer.name));
    let wire = ["Money.send_invoice", "add_account", "my_auth.log_in", "my_auth.vault.store_item"];
    assert_eq!(reducers, wire);
    assert_eq!(names(schema.procedures.iter().map(|it| &it.name)), ["my_auth.greet_user"]);
    assert_eq!(names(schema.views.iter().map(|view| &view.name)), ["my_auth.all_sessions"]);
    // Each has types of its own, numbered from zero, two of them called alike.
    for (table, variants) in [
        ("my_auth.user_session", ["guest", "member"]),
        ("my_auth.vault.stored_item", ["low", "high"]),
    ] {
        let column = &schema.table(table).unwrap().columns[2];
        assert_eq!(schema.display(&column.ty).to_string(), "Level");
        let ServerType::Ref(at) = column.ty else { panic!("{column:?}") };
        let ServerType::Sum(found) = &schema.typespace[at as usize] else { panic!("{column:?}") };
        assert_eq!(names(found.iter().filter_map(|it| it.name.as_ref())).len(), 2);
        assert!(found.iter().zip(variants).all(|(it, name)| it.name.as_deref() == Some(name)));
    }
    assert_eq!(schema.views[0].primary_key, Some(0));
}

/// Servers list tables in the order of a hash map.
#[test]
fn listing_order_of_server_changes_nothing() {
    let listed = |order: fn(&mut Vec<serde_json::Value>)| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/modules/conformance.v10.json");
        let mut reply: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for section in reply["sections"].as_array_mut().unwrap() {
            for kind in ["Tables", "Views", "Reducers", "Procedures"] {
                let listed = section.get_mut(kind).and_then(serde_json::Value::as_array_mut);
                listed.into_iter().for_each(order);
            }
        }
        ServerSchema::parse(&reply.to_string()).unwrap()
    };
    let schema = listed(|_| ());
    assert_eq!(schema, listed(|tables| tables.reverse()));
    assert_eq!(schema, listed(|tables| tables.rotate_left(1)));
    let integers: Vec<_> =
        schema.tables.iter().filter_map(|table| table.name.strip_prefix("one_i_")).collect();
    assert_eq!(integers, ["8", "16", "32", "64", "128", "256"]);
}

#[test]
fn environments_are_declared_with_their_values() {
    let schema = load("modules/environment.v10.json");
    let said: Vec<_> = schema.environment.iter().map(|it| format!("{} = {it}", it.name)).collect();
    assert_eq!(
        said,
        [
            "API_KEY = any text; required",
            "GREETING = any text; optional",
            r#"MODE = one of "dev", "prod"; required"#,
        ]
    );
}

#[test]
fn what_is_no_schema_says_why() {
    let problem = |json: &str| ServerSchema::parse(json).unwrap_err().to_string();
    assert_eq!(
        problem("{}"),
        "this is not the schema of a module: it has neither `sections` nor a `typespace`"
    );
    assert!(problem("nope").contains("expected ident at line 1 column 2"));
    assert!(problem("[]").contains("neither"));
    let unknown = r#"{"sections":[{"Typespace":{"types":[{"Quaternion":[]}]}}]}"#;
    assert!(problem(unknown).contains("section Typespace: unknown variant `Quaternion`"));
    let dangling = r#"{"sections":[{"Tables":[{"source_name":"t","product_type_ref":7,"primary_key":[],"table_access":{"Public":[]}}]}]}"#;
    assert!(problem(dangling).ends_with("the row of the table `t` is no product"));
    let missing = r#"{"sections":[{"Reducers":[{"source_name":"r"}]}]}"#;
    assert!(problem(missing).contains("section Reducers: missing field `params`"));
    assert!(problem(&"[".repeat(100_000)).contains("recursion limit"));
}

#[test]
fn reply_columns_do_not_become_special_types() {
    let columns = parse_columns(
        r#"{"elements":[{"name":{"some":"__identity__"},"algebraic_type":{"U256":[]}}]}"#,
    );
    let want =
        ServerField { name: Some("__identity__".into()), ty: ServerType::Scalar(Scalar::U256) };
    assert_eq!(columns.unwrap(), [want]);
    assert!(parse_columns("[]").is_err());
}

proptest! {
    /// A schema with a piece cut out or changed is another schema or an error.
    #[test]
    fn a_damaged_schema_does_not_panic(at in 0usize..3000, len in 0usize..40, with in "[\\[\\]{}:,\"0-9a-z]{0,4}") {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/modules/chat.v10.json");
        let mut text = std::fs::read_to_string(path).unwrap();
        let start = at.min(text.len());
        let end = (start + len).min(text.len());
        text.replace_range(start..end, &with);
        let _ = ServerSchema::parse(&text);
    }
}
