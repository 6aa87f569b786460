//! Commands that only a real server answers: publishing, names, logs, deleting databases, SQL that writes.

use std::io::{BufRead as _, BufReader};

use lightlike_tests::real::{Module, Real};
use serde_json::Value;

use crate::program::User;

fn module(name: &str) -> String {
    format!("{}/../tests/modules/{name}.wasm", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_database_is_published_named_and_deleted() {
    let Some(real) = Real::from_env() else { return };
    let user = User::at(real.uri());
    let identity = user.ok(&["login"]);
    let name = format!("cli-{}", &identity[50..60]);
    let database = user.ok(&["publish", &name, &module("chat")]);
    let database = database.trim();
    assert_eq!(user.ok(&["publish", &name, &module("chat")]).trim(), database);
    assert!(user.ok(&["identity"]).contains(&format!("{database}  {name}")));

    let other = format!("{name}-other");
    assert_eq!(user.ok(&["names", database, "--add", &other]).lines().count(), 2);
    let renamed = format!("{name}-renamed");
    assert_eq!(user.ok(&["names", &name, "--set", &renamed]), format!("{renamed}\n"));

    let stranger = User::at(real.uri());
    stranger.ok(&["login"]);
    for args in [
        &["publish", &*renamed, &module("chat")][..],
        &["names", database, "--add", "mine"],
        &["delete", database, "--yes"],
        &["logs", database],
    ] {
        let said = stranger.fails(5, args);
        assert!(said.contains("tip: only the owner may"), "{args:?}: {said}");
    }
    // Another module, whose tables cannot be made of these.
    let said = user.fails(1, &["publish", database, &module("conformance")]);
    assert!(said.contains("`--plan` shows what stands in the way"), "{said}");
    let said = user.fails(2, &["publish", database, &module("chat"), "--clear"]);
    assert!(said.contains("`--yes` says that it is meant"), "{said}");
    user.ok(&["publish", database, &module("conformance"), "--clear", "--yes"]);
    assert!(user.ok(&["describe", database]).contains("pk_string"));

    let said = user.fails(2, &["delete", database]);
    assert!(said.contains("`--yes`"), "{said}");
    user.ok(&["delete", database, "--yes"]);
    let said = user.fails(4, &["delete", database, "--yes"]);
    assert!(said.contains("cannot find"), "{said}");
}

#[test]
fn garbage_is_no_module() {
    let Some(real) = Real::from_env() else { return };
    let user = User::at(real.uri());
    user.ok(&["login"]);
    std::fs::write(user.home().join("it.wasm"), b"\0asm, almost").unwrap();
    let said = user.fails(1, &["publish", "cli-garbage", "it.wasm"]);
    assert!(said.contains("publish `cli-garbage`"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_shown_and_followed() {
    let Some(real) = Real::from_env() else { return };
    let chat = real.publish(Module::Chat).await.unwrap();
    let (owner, name) = (User::at(real.uri()), chat.name());
    owner.ok(&["login", "--token", &chat.owner().token]);
    owner.fails(1, &["call", name, "set_name", ""]);
    let log = owner.ok(&["logs", name]);
    assert!(log.contains("INFO  __spacetimedb__ Database initialized"), "{log}");
    assert!(log.contains("ERROR set_name Names must not be empty"), "{log}");
    let errors = owner.ok(&["logs", name, "--level", "error", "--json"]);
    let line: Value = serde_json::from_str(errors.lines().next().unwrap()).unwrap();
    assert_eq!((&line["level"], &line["function"]), (&"ERROR".into(), &"set_name".into()));

    let mut follow = owner.start(&["logs", name, "--follow", "-n", "1"]);
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().is_some());
    owner.fails(1, &["call", name, "send_message", ""]);
    assert!(lines.any(|line| line.contains("Messages must not be empty")));
    follow.kill().unwrap();
    follow.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_that_writes_says_how_many_rows() {
    let Some(real) = Real::from_env() else { return };
    let chat = real.publish(Module::Chat).await.unwrap();
    let (owner, name) = (User::at(real.uri()), chat.name());
    owner.ok(&["login", "--token", &chat.owner().token]);
    for text in ["one", "two"] {
        owner.ok(&["call", name, "send_message", text]);
    }
    let count = owner.ok(&["sql", name, "SELECT COUNT(*) AS n FROM message"]);
    assert_eq!(count, "n\n─\n2\n");
    let deleted = owner.run(&["sql", name, "DELETE FROM message WHERE text = 'one'"]);
    assert_eq!((deleted.code, &*deleted.out), (0, ""));
    assert!(deleted.err.contains("1 row deleted"), "{}", deleted.err);
    let said = User::at(real.uri()).fails(1, &["sql", name, "DELETE FROM message"]);
    assert!(said.contains("not authorized"), "{said}");
}
