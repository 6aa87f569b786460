//! `spacetime.json`: what it says where a command is told less.

use std::fs;

use lightlike_tests::real::Real;
use lightlike_tests::target::Target;

use crate::program::{Run, User};

fn write(user: &User, file: &str, text: &str) {
    let path = user.home().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[track_caller]
fn done(run: &Run) -> &str {
    assert_eq!(run.code, 0, "{}", run.err);
    &run.out
}

#[tokio::test(flavor = "multi_thread")]
async fn server_and_database_come_from_the_file() {
    let target = Target::chat().await;
    let user = User::at(&target.uri());
    user.ok(&["login"]);
    let text = format!(
        "{{\n  // A comment, and a comma at the end.\n  \"database\": \"{}\",\n  server: '{}',\n  \"hologram\": [1],\n}}\n",
        target.name(),
        target.uri()
    );
    write(&user, "spacetime.json", &text);
    fs::create_dir_all(user.home().join("client/src")).unwrap();
    for folder in ["", "client/src"] {
        done(&user.run_in(folder, &["call", ".", "set_name", "Ada"]));
        let rows = user.run_in(folder, &["sql", ".", "SELECT * FROM user", "-o", "csv"]);
        assert!(done(&rows).contains("Ada"), "{}", rows.out);
        assert!(done(&user.run_in(folder, &["describe"])).contains("send_message"));
        let one = user.run_in(folder, &["describe", ".", "user"]);
        assert!(done(&one).contains("online") && !one.out.contains("send_message"));
    }
    let said = user.run_in("client/src", &["describe", "--verbose"]).err;
    let file = "../../spacetime.json";
    assert!(said.contains(&format!("the server {} is from {file}", target.uri())), "{said}");
    assert!(said.contains(&format!("the database {} is from {file}", target.name())), "{said}");
    assert_eq!(user.run_in("", &["describe"]).err, "", "nothing is said unasked");
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_and_variables_win_over_the_file() {
    let target = Target::chat().await;
    let user = User::at(&target.uri());
    write(&user, "spacetime.json", r#"{"database": "nowhere", "server": "http://127.0.0.1:1"}"#);
    // By a variable, and by an argument.
    user.ok(&["describe", target.name()]);
    let uri = target.uri();
    done(&user.run_in("", &["-s", &uri, "describe", target.name()]));
    // By neither: the failure says whose server and database these are.
    let run = user.run_in("", &["describe"]);
    assert_eq!(run.code, 3, "{}", run.err);
    for note in ["the server http://127.0.0.1:1", "the database nowhere"] {
        assert!(run.err.contains(&format!("note: {note} is from spacetime.json")), "{}", run.err);
    }
    let said = user.fails(4, &["describe"]);
    assert!(said.contains("nowhere") && !said.contains("127.0.0.1:1 is from"), "{said}");
    let run = user.run_in("", &["--no-config", "describe"]);
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(run.err.contains("no database is named"), "{}", run.err);
}

#[test]
fn overlays_replace_keys_by_precedence() {
    let user = User::alone();
    write(&user, "spacetime.json", r#"{"database": "base", "server": "http://127.0.0.1:1"}"#);
    let database = |overlay: &[&str]| {
        let run = user.run_in("", &[overlay, &["describe"]].concat());
        assert_eq!(run.code, 3, "{}", run.err);
        let note = run.err.lines().find(|line| line.contains("note: the database")).unwrap();
        note.trim().to_owned()
    };
    let says = |name: &str, file: &str| format!("note: the database {name} is from {file}");
    assert_eq!(database(&[]), says("base", "spacetime.json"));
    write(&user, "spacetime.local.json", r#"{"database": "local"}"#);
    assert_eq!(database(&[]), says("local", "spacetime.local.json"));
    let missing = user.run_in("", &["--overlay", "dev", "describe"]);
    assert_eq!(missing.code, 4, "{}", missing.err);
    write(&user, "spacetime.dev.json", r#"{"database": "dev"}"#);
    assert_eq!(database(&["--overlay", "dev"]), says("dev", "spacetime.dev.json"));
    write(&user, "spacetime.dev.local.json", r#"{"database": "mine"}"#);
    assert_eq!(database(&["--overlay", "dev"]), says("mine", "spacetime.dev.local.json"));
    assert_eq!(database(&[]), says("local", "spacetime.local.json"));
}

#[test]
fn damaged_files_are_named_with_the_remedy() {
    let user = User::alone();
    for (text, said) in [
        ("{", "spacetime.json is not JSON5: "),
        ("[]", "spacetime.json: the file is an array, and must be an object"),
        (r#"{"database": 5}"#, "spacetime.json: `database` is a number, and must be a text"),
        (r#"{"server": {}}"#, "spacetime.json: `server` is an object, and must be a text"),
        (
            r#"{"env": {"A": null}}"#,
            "`A` in `env` is null, and must be a text, a number or a boolean",
        ),
        (r#"{"env": ["A"]}"#, "`env` is an array, and must be an object"),
        (r#"{"children": {}}"#, "`children` is an object, and must be an array"),
        (r#"{"children": [5]}"#, "the file is a number, and must be an object"),
        (r#"{"break-clients": "yes"}"#, "`break-clients` is a text, and must be `true` or `false`"),
        (r#"{"generate": {}}"#, "`generate` is an object, and must be an array of objects"),
        (r#"{"generate": [{"language": 1}]}"#, "`language` in `generate` is a number"),
    ] {
        write(&user, "spacetime.json", text);
        let run = user.run_in("", &["describe", "chat"]);
        assert_eq!(run.code, 6, "{text}: {}", run.err);
        assert!(run.err.contains(said), "{text}: {}", run.err);
        assert!(run.err.contains("`--no-config` goes without"), "{text}: {}", run.err);
        assert_eq!(user.run_in("", &["--no-config", "describe", "chat"]).code, 3, "{text}");
    }
    write(&user, "spacetime.json", r#"{"server": "testnet"}"#);
    let run = user.run_in("", &["ping"]);
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(run.err.contains("`server` in spacetime.json") && run.err.contains("--server URL"));
}

#[test]
fn one_of_several_databases_has_to_be_named() {
    let user = User::alone();
    let text = r#"{"database": "a", "server": "http://127.0.0.1:1", "children": [
        {"database": "b", "children": [{"database": "c"}]}, {"database": "d", "server": "http://127.0.0.1:2"}]}"#;
    write(&user, "spacetime.json", text);
    let run = user.run_in("", &["describe"]);
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(run.err.contains("spacetime.json has 4 databases: a, b, c, d"), "{}", run.err);
    for (name, server) in [("c", "127.0.0.1:1"), ("d", "127.0.0.1:2"), ("other", "127.0.0.1:1")] {
        let run = user.run_in("", &["describe", name]);
        assert!(run.code == 3 && run.err.contains(server), "{name}: {}", run.err);
    }
    let run = user.run_in("", &["--anonymous", "publish", ".", "it.wasm"]);
    assert!(run.code == 2 && run.err.contains("that of 4 databases"), "{}", run.err);
}

#[test]
fn given_token_needs_given_server() {
    let user = User::alone();
    write(&user, "spacetime.json", r#"{"server": "https://elsewhere.invalid"}"#);
    for hand in [&["--token", "abc"][..], &["--as", "bot"]] {
        let run = user.run_in("", &[hand, &["ping"]].concat());
        assert_eq!(run.code, 5, "{}", run.err);
        assert!(run.err.contains("--server https://elsewhere.invalid"), "{}", run.err);
        let run = user.run_in("", &[hand, &["-s", "http://127.0.0.1:1", "ping"]].concat());
        assert_eq!(run.code, 3, "{}", run.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn declarations_are_generated_where_the_file_says() {
    let target = Target::chat().await;
    let user = User::at(&target.uri());
    let text = format!(
        r#"{{"database": "{}", "server": "{}", "generate": [
            {{"language": "typescript", "out-dir": "web"}},
            {{"language": "rust", "out-dir": "client/src/module_bindings"}}]}}"#,
        target.name(),
        target.uri()
    );
    write(&user, "spacetime.json", &text);
    fs::create_dir_all(user.home().join("client")).unwrap();
    done(&user.run_in("client", &["generate"]));
    let made = user.home().join("client/src/module_bindings.rs");
    assert!(fs::read_to_string(&made).unwrap().contains("pub struct User {"));
    assert!(!user.home().join("web").exists());
    done(&user.run_in("", &["generate", "--check"]));
    // By hand it is elsewhere.
    done(&user.run_in("", &["generate", "--out", "other", "--name", "chat"]));
    assert!(user.home().join("other/chat.rs").exists());
    fs::remove_file(made).unwrap();
    assert_eq!(user.run_in("", &["generate", "--check"]).code, 7);
}

#[test]
fn every_database_is_published_as_the_file_says() {
    let Some(real) = Real::from_env() else { return };
    let user = User::at(real.uri());
    let identity = user.ok(&["login"]);
    let name = format!("project-{}", &identity[50..60]);
    let module = format!("{}/../tests/modules", env!("CARGO_MANIFEST_DIR"));
    let text = format!(
        r#"{{"database": "{name}", "server": "{}", "bin-path": "{module}/environment.wasm",
            "env": {{"API_KEY": 7, "MODE": "dev"}},
            "children": [{{"database": "{name}-prod", "env": {{"MODE": "prod"}}}},
                         {{"database": "{name}-chat", "bin-path": "{module}/chat.wasm"}}]}}"#,
        real.uri()
    );
    write(&user, "spacetime.json", &text);
    let published = user.run_in("", &["publish", "--verbose"]);
    assert_eq!(done(&published).lines().count(), 3);
    let line = "the environment variable MODE is from spacetime.json";
    assert!(published.err.contains(line), "{}", published.err);
    let mode = |database: &str| {
        done(&user.run_in("", &["call", database, "read_environment"]));
        let sql = "SELECT * FROM variable WHERE name = 'MODE'";
        done(&user.run_in("", &["sql", database, sql, "-o", "csv"])).to_owned()
    };
    assert!(mode(&name).contains("development"));
    assert!(mode(&format!("{name}-prod")).contains("production"));
    // One of them, with what is given by hand over what the file says.
    done(&user.run_in("", &["publish", &name, "--env", "MODE=prod"]));
    assert!(mode(&name).contains("production"));
    for database in [name.clone(), format!("{name}-prod"), format!("{name}-chat")] {
        done(&user.run_in("", &["delete", &database, "--yes"]));
    }
}
