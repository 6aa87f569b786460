//! Each command on the embedded server and on a real one.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};

use lightlike::auth::{FileTokens, TokenStore as _};
use lightlike_tests::target::Target;
use serde_json::Value;

use crate::program::{Run, User};

/// A user at a fresh database of the chat, logged in, whose name is Ada.
async fn ada() -> (Target, User) {
    let target = Target::chat().await;
    let user = User::at(&target.uri());
    user.ok(&["login"]);
    user.ok(&["call", target.name(), "set_name", "Ada"]);
    (target, user)
}

fn objects(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_keeps_an_identity_until_the_logout() {
    let target = Target::chat().await;
    let user = User::at(&target.uri());
    assert!(user.fails(5, &["identity"]).contains("`lightlike login`"));
    let identity = user.ok(&["login"]);
    assert_eq!(user.ok(&["identity"]).lines().next(), Some(identity.trim()));
    assert!(user.fails(1, &["login"]).contains("--force"));
    let token = user.ok(&["identity", "--show-token"]);

    // The library's store has it, under the server's name.
    let file = FileTokens::new(target.uri().trim_start_matches("http://"));
    let file = FileTokens::at(user.home().join("lightlike").join(file.path().file_name().unwrap()));
    assert_eq!(file.load().unwrap().as_deref(), Some(token.trim()));
    // And a program's own name makes somebody else.
    let other = user.ok(&["--as", "my-bot", "login"]);
    assert_ne!(other, identity);
    assert_eq!(user.ok(&["--as", "my-bot", "identity"]).lines().next(), Some(other.trim()));

    user.ok(&["logout"]);
    user.ok(&["logout"]);
    assert_eq!(file.load().unwrap(), None);
    assert_eq!(user.ok(&["login", "--token", token.trim()]), identity);
    let json = user.ok(&["identity", "--json"]);
    assert_eq!(objects(&json)[0]["identity"], identity.trim());
    assert!(!json.contains(token.trim()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_described() {
    let (target, user) = ada().await;
    let all = user.ok(&["describe", target.name()]);
    for line in [
        "tables",
        "  user",
        "    identity  Identity        primary key",
        "    name      Option<String>",
        "  message",
        "reducers",
        "  set_name(name: String)",
        "  send_message(text: String)",
    ] {
        assert!(all.lines().any(|it| it == line), "`{line}` in\n{all}");
    }
    let one = user.ok(&["describe", target.name(), "set_name"]);
    assert_eq!(one, "reducers\n  set_name(name: String)\n");
    let schema = user.ok(&["describe", target.name(), "--json"]);
    assert!(lightlike::schema::ServerSchema::parse(&schema).unwrap().table("user").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_prints_table_json_or_csv() {
    let (target, user) = ada().await;
    let me = user.ok(&["identity"]).lines().next().unwrap().to_owned();
    let query = format!("SELECT * FROM user WHERE identity = 0x{me}");
    let table = user.ok(&["sql", target.name(), &query]);
    let lines: Vec<_> = table.lines().collect();
    let [head, rule, row] = lines[..] else { panic!("{table}") };
    assert_eq!(head.split_whitespace().collect::<Vec<_>>(), ["identity", "name", "online"]);
    assert!(rule.chars().all(|letter| letter == '─'), "{rule}");
    let short = format!("{}...{}", &me[..4], &me[60..]);
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), [&short, "Ada", "false"]);
    assert!(user.ok(&["sql", target.name(), &query, "--full"]).contains(&me));

    let json = objects(&user.ok(&["sql", target.name(), &query, "--format", "json"]));
    assert_eq!(json.len(), 1);
    assert_eq!((&json[0]["name"]["some"], &json[0]["online"]), (&"Ada".into(), &false.into()));
    let csv = user.ok(&["sql", target.name(), &query, "-o", "csv"]);
    assert_eq!(csv, format!("identity,name,online\r\n{me},Ada,false\r\n"));

    fs::write(user.home().join("it.sql"), &query).unwrap();
    assert_eq!(user.ok(&["sql", target.name(), "-f", "it.sql", "-o", "csv"]), csv);
    let two = user.ok(&["sql", target.name(), "SELECT * FROM user", "SELECT * FROM message"]);
    assert!(two.contains("online") && two.contains("sender"), "{two}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_made_and_refusals_are_told() {
    let (target, user) = ada().await;
    let name = target.name();
    for args in [
        &["hello, you"][..],
        &["text=a=b"],
        &["--json", r#"{"text": "json"}"#],
        &["--json", r#"["in order"]"#],
        &["--", "-dash"],
        &["--raw", "0300000072 6177".split(' ').collect::<String>().as_str()],
    ] {
        let call = [&["call", name, "send_message"], args].concat();
        assert_eq!(user.ok(&call), "", "a reducer returns nothing");
    }
    let messages = user.ok(&["sql", name, "SELECT * FROM message", "--format", "json"]);
    let mut texts: Vec<_> =
        objects(&messages).iter().map(|it| it["text"].as_str().unwrap().to_owned()).collect();
    texts.sort();
    assert_eq!(texts, ["-dash", "a=b", "hello, you", "in order", "json", "raw"]);

    let call = |code, args: &[&str]| user.fails(code, &[&["call", name], args].concat());
    let said = call(1, &["set_name", ""]);
    assert_eq!(said, "error: the reducer refused: Names must not be empty\n");
    assert!(call(4, &["set_nam", "Ada"]).contains("did you mean `set_name`?"));
    assert!(call(2, &["set_name"]).contains("`set_name(name: String)` takes 1 argument and not 0"));
    assert!(call(2, &["set_name", "--json", "[7]"]).contains("`set_name(name: String)`"));
    assert!(call(1, &["no_such", "--raw", "00"]).contains("no such reducer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_parse_by_type_and_return_as_json() {
    let target = Target::conformance().await;
    let user = User::at(&target.uri());
    let call = |args: &[&str]| user.ok(&[&["--anonymous", "call", target.name()], args].concat());
    assert_eq!(call(&["return_primitive", "1", "2"]), "3\n");
    assert_eq!(call(&["return_struct", "b=hello", "a=7"]), "{\"a\":7,\"b\":\"hello\"}\n");
    assert_eq!(call(&["return_option", "none"]), "{\"none\":[]}\n");
    assert_eq!(call(&["return_option", "7"]), "{\"some\":7}\n");
    assert_eq!(call(&["return_enum_c"]), "{\"c\":[]}\n");
    let said = user.fails(2, &["call", target.name(), "return_primitive", "1", "two"]);
    assert!(said.contains("`two` is no `u32` for `rhs`"), "{said}");
    let said = user.fails(1, &["call", target.name(), "will_panic"]);
    assert!(said.contains("could not run it"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_shows_first_rows_then_changes() {
    let (target, user) = ada().await;
    let name = target.name();
    let mut watch = user.start(&["watch", name, "user", "message", "--json", "--count", "4"]);
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    let object = |line: String| serde_json::from_str::<Value>(&line).unwrap();
    // Ada, who watches, is online.
    let mut first = object(lines.next().unwrap());
    while first["row"]["name"]["some"] != "Ada" {
        first = object(lines.next().unwrap());
    }
    assert_eq!(
        (&first["table"], &first["op"], &first["cause"]),
        (&"user".into(), &"insert".into(), &"initial".into())
    );
    let renamed = user.run(&["call", name, "set_name", "Grace"]);
    assert_eq!(renamed.code, 0);
    let update = object(lines.next().unwrap());
    assert_eq!(
        (&update["op"], &update["old"]["name"]["some"], &update["new"]["name"]["some"]),
        (&"update".into(), &"Ada".into(), &"Grace".into())
    );
    assert_eq!(user.run(&["call", name, "send_message", "hello"]).code, 0);
    let rest: Vec<_> = lines.map(object).collect();
    // Until then, connections come and go.
    assert!(rest.iter().all(|it| it["op"] == "update" || it["row"]["text"] == "hello"), "{rest:?}");
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_for_terminals() {
    let (target, user) = ada().await;
    let watch = ["watch", target.name(), "user", "--count", "1"];
    let plain = user.ok(&watch);
    assert!(
        plain.starts_with("+ user  identity=c200...") && !plain.contains('\u{1b}'),
        "{plain:?}"
    );
    let green = user.ok(&[&watch[..], &["--color", "always"]].concat());
    assert!(green.starts_with("\u{1b}[32m+ user"), "{green:?}");
    let run = user.command(&watch).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(Run::from(run).out.contains('\u{1b}'));
    let run = user.command(&watch).env("NO_COLOR", "1").output().unwrap();
    assert!(!Run::from(run).out.contains('\u{1b}'));
    assert_eq!(user.run(&[&watch[..], &["--quiet"]].concat()).err, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_reader_ends_watch_silently() {
    let (target, user) = ada().await;
    let mut watch = user.start(&["--quiet", "watch", target.name(), "user"]);
    let mut first = [0; 1];
    let mut out = watch.stdout.take().unwrap();
    out.read_exact(&mut first).unwrap();
    drop(out);
    // The next line finds nobody.
    user.ok(&["call", target.name(), "set_name", "Grace"]);
    let run = Run::from(watch.wait_with_output().unwrap());
    assert_eq!((run.code, &*run.err), (0, ""));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_a_watch_in_order() {
    let (target, user) = ada().await;
    let mut watch = user.start(&["watch", target.name(), "user"]);
    let mut first = [0; 1];
    watch.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    let mut interrupt = std::process::Command::new("kill");
    let interrupted = interrupt.args(["-INT", &watch.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let run = Run::from(watch.wait_with_output().unwrap());
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(!run.err.contains("error"), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_resumes_after_lost_connection_with_difference() {
    let (target, user) = ada().await;
    // Only of this server can connections be cut.
    let Target::Embedded(server) = &target else { return };
    let mut watch = user.start(&["watch", "chat", "message", "--json", "--count", "2"]);
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    let text = |line: String| serde_json::from_str::<Value>(&line).unwrap();
    let say = |text: &str| {
        let message = lightlike_tests::chat::Message {
            sender: server.identity(),
            sent: server.time(),
            text: text.to_owned(),
        };
        server.run(|tx| tx.insert(message));
    };
    server.wait_for(|state| state.query_sets() == 1).await;
    say("before");
    assert_eq!(text(lines.next().unwrap())["row"]["text"], "before");
    server.disconnect_all();
    say("meanwhile");
    let resynced = text(lines.next().unwrap());
    assert_eq!(
        (&resynced["row"]["text"], &resynced["cause"]),
        (&"meanwhile".into(), &"resync".into())
    );
    assert_eq!(watch.wait().unwrap().code(), Some(0));
    let mut err = String::new();
    watch.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(err.contains("lost") && err.contains("is back"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_ends_by_time_and_skips_initial_rows() {
    let (target, user) = ada().await;
    let out = user.ok(&["watch", target.name(), "message", "--no-initial", "--for", "50ms"]);
    assert_eq!(out, "");
    // Without tables, all of them.
    let all = user.ok(&["watch", target.name(), "--count", "1", "--json"]);
    assert_eq!(objects(&all)[0]["table"], "user", "nobody has said anything yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_session_replays_like_the_watch() {
    let (target, user) = ada().await;
    let name = target.name();
    user.ok(&["call", name, "send_message", "hello"]);
    let recorded = user.run(&["record", "it.jsonl", name, "user", "message", "--for", "300ms"]);
    assert_eq!(recorded.code, 0, "{}", recorded.err);
    assert!(recorded.err.contains("messages are in it.jsonl"), "{}", recorded.err);
    let session = fs::read_to_string(user.home().join("it.jsonl")).unwrap();
    let token = user.ok(&["identity", "--show-token"]);
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(!session.contains(&hex(token.trim())), "the token is not in it");

    let shown = user.ok(&["replay", "it.jsonl", "--database", name]);
    assert!(shown.contains("→ subscribe query set 0: SELECT * FROM \"user\"; "), "{shown}");
    assert!(shown.contains("← applied query set 0"), "{shown}");
    assert!(shown.contains("name=\"Ada\""), "{shown}");
    let json = objects(&user.ok(&["replay", "it.jsonl", "--database", name, "--json"]));
    assert!(json.iter().any(|it| it["row"]["text"] == "hello"), "{json:?}");
    let summary = user.ok(&["replay", "it.jsonl", "--summary"]);
    assert!(summary.contains("       1  message\n"), "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_ends_with_its_connection() {
    let (target, user) = ada().await;
    // Only of this server can connections be cut.
    let Target::Embedded(server) = &target else { return };
    let record = user.start(&["record", "it.jsonl", "chat"]);
    server.wait_for(|state| state.query_sets() == 1).await;
    server.disconnect_all();
    let run = Run::from(record.wait_with_output().unwrap());
    assert_eq!(run.code, 3, "{}", run.err);
    assert!(run.err.contains("the connection is lost"), "{}", run.err);
    assert!(user.ok(&["replay", "it.jsonl"]).contains("← greeting"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_client_is_recorded_through_the_proxy() {
    let (target, user) = ada().await;
    let name = target.name();
    let mut proxy = user.start(&["record", "it.jsonl", "--for", "5m"]);
    let mut notes = BufReader::new(proxy.stderr.take().unwrap()).lines().map(Result::unwrap);
    let note = notes.next().unwrap();
    let uri = note.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let uri = uri.trim_end_matches(';').to_owned();
    // HTTP goes through, and WebSockets go through and are written down.
    let through = |args: &[&str]| user.ok(&[&["-s", &*uri, "--anonymous"], args].concat());
    through(&["ping"]);
    assert!(through(&["describe", name]).contains("set_name"));
    through(&["call", name, "set_name", "Bob"]);
    through(&["watch", name, "user", "--count", "1"]);
    let refused =
        user.fails(4, &["-s", &*uri, "--anonymous", "call", "nothing", "f", "--raw", "00"]);
    assert!(refused.contains("404"), "{refused}");
    proxy.kill().unwrap();
    proxy.wait().unwrap();
    let first = user.ok(&["replay", "it.jsonl"]);
    assert!(first.contains("→ call set_name (7 bytes of arguments)"), "{first}");
    assert!(first.contains("← call set_name: committed"), "{first}");
    let second = user.ok(&["replay", "it-2.jsonl"]);
    assert!(second.contains("SELECT * FROM \"user\""), "{second}");
}
