//! Options: the same for every command, with their defaults in the help, and an environment that may be empty.

use lightlike_tests::target::Target;
use serde_json::Value;

use crate::program::{Run, User};

#[tokio::test(flavor = "multi_thread")]
async fn empty_variables_are_not_set() {
    let target = Target::chat().await;
    let user = User::at(&target.uri());
    user.ok(&["login"]);
    let me = user.ok(&["identity"]);
    let mut command = user.command(&["identity"]);
    command.env("LIGHTLIKE_TOKEN", "").env("LIGHTLIKE_AS", "");
    assert_eq!(Run::from(command.output().unwrap()).out, me);
    let mut command = user.command(&["-s", &target.uri(), "ping"]);
    command.env("LIGHTLIKE_SERVER", "");
    assert_eq!(Run::from(command.output().unwrap()).code, 0);
    // Then it is this machine's.
    let mut command = user.command(&["--timeout", "10s", "--help"]);
    let help = Run::from(command.env("LIGHTLIKE_SERVER", "").output().unwrap()).out;
    let words: Vec<_> = help.split_whitespace().collect();
    let default = "[default: that of spacetime.json, or `local`]";
    assert!(words.join(" ").contains(default), "{help}");
    let mut command = user.command(&["ping"]);
    let run = Run::from(command.env("LIGHTLIKE_SERVER", "").output().unwrap());
    assert!(run.code != 2 && !run.err.contains("is not an address"), "{}", run.err);
    let mut command = user.command(&["--anonymous", "ping"]);
    command.env("LIGHTLIKE_TOKEN", "");
    assert_eq!(Run::from(command.output().unwrap()).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_comes_before_the_environment() {
    let target = Target::chat().await;
    let user = User::at(&target.uri());
    let bad = |args: &[&str]| {
        let mut command = user.command(args);
        Run::from(command.env("LIGHTLIKE_TOKEN", "bad.token.indeed").output().unwrap())
    };
    assert_eq!(bad(&["ping"]).code, 5);
    for args in [&["--anonymous", "ping"][..], &["ping", "--anonymous"]] {
        let run = bad(args);
        assert_eq!(run.code, 0, "{}", run.err);
    }
    for args in
        [&["--anonymous", "--token", "a", "ping"][..], &["ping", "--anonymous", "--token", "a"]]
    {
        let run = bad(args);
        assert_eq!(run.code, 2, "{args:?}: {}", run.err);
        assert!(run.err.contains("cannot be used with"), "{}", run.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_asked_for_the_same_everywhere() {
    let target = Target::chat().await;
    let user = User::at(&target.uri());
    user.ok(&["login"]);
    let name = target.name();
    user.ok(&["call", name, "set_name", "Ada"]);
    for args in [
        &["sql", name, "SELECT * FROM user"][..],
        &["watch", name, "user", "--count", "1"],
        &["describe", name],
        &["identity"],
        &["ping"],
    ] {
        let out = user.ok(&[args, &["--json"]].concat());
        let value: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
        assert!(value.is_object(), "{args:?}: {out}");
    }
    let said = user.fails(2, &["sql", name, "SELECT 1", "--json", "--format", "csv"]);
    assert!(said.contains("cannot be used with"), "{said}");
}

#[test]
fn defaults_are_in_the_help() {
    let user = User::alone();
    // Lines are as long as the terminal is wide.
    let words = |help: String| help.split_whitespace().collect::<Vec<_>>().join(" ");
    let help = words(user.ok(&["help", "logs"]));
    for part in
        ["[default: 30s; 10s to connect, 5m to publish]", "[default: 100]", "[default: trace]"]
    {
        assert!(help.contains(part), "{part}: {help}");
    }
    let help = words(user.ok(&["--help"]));
    let server = "[default: that of spacetime.json, or `local`]";
    for part in [server, "[default: auto]", "LIGHTLIKE_SERVER", "LIGHTLIKE_AS"] {
        assert!(help.contains(part), "{part}: {help}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn named_user_is_told_of_by_name() {
    let target = Target::chat().await;
    let user = User::at(&target.uri());
    assert!(user.run(&["logout", "--as", "ada"]).err.contains("nobody was logged in as `ada`"));
    assert!(user.fails(5, &["--as", "ada", "identity"]).contains("nobody is logged in as `ada`"));
    user.ok(&["login", "--as", "ada"]);
    let said = user.fails(1, &["login", "--as", "ada"]);
    assert!(said.contains("somebody is logged in as `ada` already"), "{said}");
    let run = user.run(&["logout", "--as", "ada"]);
    assert!(run.err.contains("logged out as `ada`"), "{}", run.err);
    assert!(!run.err.contains(&target.uri()), "it was not the server's user: {}", run.err);
    user.ok(&["login"]);
    let run = user.run(&["logout"]);
    assert!(run.err.contains(&format!("logged out of {}", target.uri())), "{}", run.err);
}
