//! Submodules, whose names in the source and on the wire differ, on both servers.

use std::fs;

use lightlike_tests::target::Target;

use crate::program::User;

#[tokio::test(flavor = "multi_thread")]
async fn commands_use_wire_names_of_submodules() {
    let target = Target::submodules().await;
    let (user, name) = (User::at(&target.uri()), target.name());
    user.ok(&["login"]);
    let all = user.ok(&["describe", name]);
    for line in [
        "  my_auth.user_session",
        "  my_auth.vault.stored_item",
        "  Money.invoice",
        "  my_auth.all_sessions",
        "  my_auth.log_in(user_name: String, level: Level)",
        "  my_auth.greet_user(user_name: String) -> String",
    ] {
        assert!(all.lines().any(|it| it == line), "{line}: {all}");
    }
    assert!(!all.contains("myAuth") && !all.contains("deepVault"), "{all}");
    let one = user.ok(&["describe", name, "my_auth.vault.stored_item"]);
    assert!(one.contains("    level  ") && one.contains("Level"), "{one}");

    user.ok(&["call", name, "my_auth.log_in", "Ada", r#"{"member": 7}"#]);
    user.ok(&["call", name, "my_auth.vault.store_item", "gold", "high"]);
    assert_eq!(user.ok(&["call", name, "my_auth.greet_user", "Ada"]), "\"hello, Ada\"\n");
    let rows = user.ok(&["sql", name, "SELECT * FROM my_auth.user_session", "-o", "csv"]);
    assert!(rows.starts_with("id,user_name,level") && rows.contains("1,Ada,"), "{rows}");
    let watched = ["watch", name, "my_auth.vault.stored_item", "--count", "1"];
    assert!(user.ok(&watched).starts_with("+ my_auth.vault.stored_item"));
}

#[tokio::test(flavor = "multi_thread")]
async fn declarations_of_submodules_are_generated_and_checked() {
    let target = Target::submodules().await;
    let (user, name) = (User::at(&target.uri()), target.name());
    user.ok(&["generate", name, "--name", "declared"]);
    let text = fs::read_to_string(user.home().join("src/declared.rs")).unwrap();
    for line in [
        r#"#[table(name = "my_auth.user_session")]"#,
        r#"#[table(name = "my_auth.vault.stored_item")]"#,
        r#"#[table(name = "Money.invoice")]"#,
        r#"#[reducer(name = "my_auth.log_in")]"#,
        "pub fn my_auth_log_in(user_name: String, level: Level);",
        r#"#[procedure(name = "my_auth.greet_user")]"#,
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    user.ok(&["generate", name, "--name", "declared", "--check"]);

    let schema = user.ok(&["describe", name, "--json"]);
    fs::write(user.home().join("schema.json"), &schema).unwrap();
    user.ok(&["check", name]);
    let other = schema.replacen("\"label\"", "\"title\"", 1);
    assert_ne!(other, schema);
    fs::write(user.home().join("schema.json"), other).unwrap();
    let drift = user.run(&["check", name]);
    assert_eq!(drift.code, 7, "{}", drift.err);
    assert!(drift.out.contains("table my_auth.vault.stored_item, column 2: server has label"));
}
