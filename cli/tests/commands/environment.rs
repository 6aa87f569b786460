//! Environment variables of modules: set when they are published, on a real server; refused before, on none.

use std::fs;

use lightlike::http::{EnvironmentChange, ErrorKind, Http};
use lightlike_tests::real::Real;

use crate::program::User;

fn module() -> String {
    format!("{}/../tests/modules/environment.wasm", env!("CARGO_MANIFEST_DIR"))
}

/// Somebody at the real server, and a name for a database, if there is one.
fn publisher() -> Option<(User, String)> {
    let real = Real::from_env()?;
    let user = User::at(real.uri());
    let identity = user.ok(&["login"]);
    Some((user, format!("env-{}", &identity[50..60])))
}

fn strs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

fn variables(user: &User, name: &str) -> String {
    user.ok(&["call", name, "read_environment"]);
    let rows = user.ok(&["sql", name, "SELECT * FROM variable", "-o", "csv"]);
    let mut rows: Vec<_> = rows.lines().skip(1).collect();
    rows.sort_unstable();
    rows.join(" ")
}

#[test]
fn required_variables_are_asked_for_and_set() {
    let Some((user, name)) = publisher() else { return };
    let (module, database) = (module(), &*name);
    let said = user.fails(1, &["publish", database, &module]);
    assert!(
        said.contains("requires environment variables that it was not given: API_KEY"),
        "{said}"
    );
    assert!(said.contains("tip: `--env NAME=VALUE` gives one"), "{said}");
    user.fails(4, &["describe", database]);

    let key = ["publish", database, &module, "--env", "API_KEY=it's, \"é\""];
    assert!(user.fails(1, &key).contains("MODE"));
    let wrong = [&key[..], &["--env", "MODE=other"]].concat();
    assert!(user.fails(1, &wrong).contains("MODE"));
    user.ok(&[&key[..], &["--env", "MODE=dev", "--env", "GREETING="]].concat());
    let now = "API_KEY,\"it's, \"\"é\"\"\" GREETING, MODE,development";
    assert_eq!(variables(&user, database).replace("GREETING,\"\"", "GREETING,"), now);

    // What is not named stays; what is named is replaced or forgotten.
    let mut publish =
        user.command(&["publish", database, &module, "--env", "MODE", "--env-remove", "GREETING"]);
    let run = publish.env("MODE", "prod").output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let now = "API_KEY,\"it's, \"\"é\"\"\" GREETING, MODE,production";
    assert_eq!(variables(&user, database), now);
    let said = user.fails(1, &["publish", database, &module, "--env-remove", "*"]);
    assert!(said.contains("requires environment variables"), "{said}");
    user.ok(&["delete", database, "--yes"]);
}

#[test]
fn environment_changes_without_the_module() {
    let Some((user, name)) = publisher() else { return };
    let (module, database) = (module(), &*name);
    user.ok(&["publish", database, &module, "--env", "API_KEY=k", "--env", "MODE=dev"]);
    let alone = |env: &[&str]| {
        let args = ["publish", database, "--env-only"].into_iter().chain(env.iter().copied());
        args.map(str::to_owned).collect::<Vec<_>>()
    };
    let ok = |env: &[&str]| user.ok(&strs(&alone(env)));
    let fails = |env: &[&str]| user.fails(1, &strs(&alone(env)));
    let changed = ok(&["--env", "MODE=prod", "--env", "LATER=v"]);
    assert_eq!(changed, "API_KEY\nLATER\nMODE\n");
    assert!(variables(&user, database).contains("MODE,production"));
    assert_eq!(ok(&["--env-remove", "LATER"]), "API_KEY\nMODE\n");
    assert!(fails(&["--env-remove", "MODE"]).contains("not given: MODE"));
    let rest = fails(&["--env", "MODE=dev", "--env-remove", "*"]);
    assert!(rest.contains("not given: API_KEY"), "{rest}");
    let whole = ["--env", "MODE=dev", "--env", "API_KEY=é \"", "--env-remove", "*"];
    assert_eq!(ok(&whole), "API_KEY\nMODE\n");
    assert!(variables(&user, database).contains("MODE,development"));
    let stranger = User::at(&user.server);
    stranger.ok(&["login"]);
    stranger.fails(5, &strs(&alone(&["--env", "MODE=dev"])));
    user.ok(&["delete", database, "--yes"]);
    user.fails(4, &strs(&alone(&["--env", "MODE=dev"])));
}

#[tokio::test]
async fn environment_of_another_module_is_a_conflict() {
    let Some((user, name)) = publisher() else { return };
    let database = &*name;
    user.ok(&["publish", database, &module(), "--env", "API_KEY=k", "--env", "MODE=dev"]);
    let token = user.ok(&["identity", "--show-token"]);
    let http = Http::new(&user.server).unwrap().with_token(token.trim());
    let read = http.environment(database).await.unwrap();
    assert_eq!(read.names, ["API_KEY", "MODE"]);
    let change = || EnvironmentChange::default().set("MODE", "prod").of_module(&read.module_hash);
    http.change_environment(database, change()).await.unwrap();
    let chat = module().replace("environment.wasm", "chat.wasm");
    user.ok(&["publish", database, &chat, "--clear", "--yes"]);
    let refused = http.change_environment(database, change()).await.unwrap_err();
    assert_eq!((refused.status(), refused.kind()), (Some(409), ErrorKind::Refused), "{refused}");
    assert!(refused.to_string().contains("program changed before publication"), "{refused}");
    user.ok(&["delete", database, "--yes"]);
}

#[test]
fn declared_variables_are_described_and_checked() {
    let Some((user, name)) = publisher() else { return };
    let (module, database) = (module(), &*name);
    user.ok(&["publish", database, &module, "--env", "API_KEY=secret", "--env", "MODE=dev"]);
    let all = user.ok(&["describe", database]);
    for line in [
        "environment",
        "  API_KEY = any text; required",
        "  GREETING = any text; optional",
        "  MODE = one of \"dev\", \"prod\"; required",
    ] {
        assert!(all.lines().any(|it| it == line), "{line}: {all}");
    }
    assert!(!all.contains("secret"), "{all}");

    let schema = user.ok(&["describe", database, "--json"]);
    fs::write(user.home().join("schema.json"), schema.replace("GREETING", "SALUTE")).unwrap();
    let check = user.run(&["check", database]);
    assert_eq!(check.code, 0, "{}", check.err);
    assert!(check.err.contains("environment GREETING"), "{}", check.err);
    assert!(check.err.contains("no client notices"), "{}", check.err);

    // The module is published for a moment to be asked, which takes an environment too.
    let generate = ["generate", "--module", &module, "--name", "declared"];
    assert!(user.fails(1, &generate).contains("`--env NAME=VALUE` gives one"));
    user.ok(&[&generate[..], &["--env", "API_KEY=any", "--env", "MODE=dev"]].concat());
    user.ok(&["delete", database, "--yes"]);
}

#[test]
fn limits_of_environments_are_those_of_the_server() {
    let Some((user, name)) = publisher() else { return };
    let (module, database) = (module(), &*name);
    let long = format!("{}={}", "N".repeat(256), "v".repeat(7 << 10));
    let value = format!("VALUE={}", "v".repeat(8 << 10));
    let mut args = vec!["publish", database, &module, "--env", "API_KEY=k", "--env", "MODE=dev"];
    args.extend(["--env", &long, "--env", &value]);
    user.ok(&args);
    // Many: with the two that are required, as many as a database has.
    let many: Vec<_> = (2..256).map(|n| format!("N{n}=v")).collect();
    let mut args = vec!["publish", database, &module, "--env", "API_KEY=k", "--env", "MODE=dev"];
    args.extend(["--env-remove", "*"]);
    args.extend(many.iter().flat_map(|it| ["--env", it]));
    user.ok(&args);
    let said = user.fails(1, &["publish", database, &module, "--env", "ONE_MORE=v"]);
    assert!(said.contains("too many stored values"), "{said}");
    user.ok(&["delete", database, "--yes"]);
}

#[test]
fn environments_beyond_limits_are_not_sent() {
    // Nobody listens: whatever is sent fails with another code.
    let user = User::alone();
    let (module, value) = (module(), "v".repeat((8 << 10) + 1));
    let publish = |env: &[&str]| {
        let args = [&["--anonymous", "publish", "chat", &module][..], env].concat();
        user.fails(2, &args)
    };
    let said = publish(&["--env", &format!("KEY={value}")]);
    assert!(said.contains("`KEY` has 8193 bytes, of which 8192 are allowed"), "{said}");
    let said = publish(&["--env", &format!("{}=v", "N".repeat(257))]);
    assert!(said.contains("256 bytes at most"), "{said}");
    assert!(publish(&["--env", "1ST=v"]).contains("`1ST`"));
    assert!(publish(&["--env", "A=v", "--env-remove", "A"]).contains("both set and removed"));
    let many: Vec<_> = (0..257).map(|n| format!("N{n}=v")).collect();
    let many: Vec<_> = many.iter().flat_map(|it| ["--env", it]).collect();
    assert!(publish(&many).contains("257 environment variables"));
    let said = publish(&["--env", "LIGHTLIKE_NOT_SET"]);
    assert!(said.contains("give the value: --env LIGHTLIKE_NOT_SET=VALUE"), "{said}");
}
