//! Failures of commands: an exit code for scripts, and one message with a remedy.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use lightlike_tests::target::Target;

use crate::program::{Run, User};

/// A server that answers every request with the same; its address.
fn answers(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut head = [0; 4096];
            let _ = socket.read(&mut head);
            let reply = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = socket.write_all(reply.as_bytes());
        }
    });
    uri
}

#[test]
fn unreachable_server_is_connection_failure() {
    let user = User::alone();
    for args in [
        &["ping"][..],
        &["login"],
        &["describe", "chat"],
        &["sql", "chat", "SELECT * FROM user"],
        &["call", "chat", "set_name", "Ada"],
        &["call", "chat", "set_name", "--raw", "00"],
        &["watch", "chat"],
        &["logs", "chat"],
        &["names", "chat"],
        &["delete", "chat", "--yes"],
        &["record", "it.jsonl", "chat"],
    ] {
        let said = user.fails(3, args);
        assert!(said.contains("cannot"), "{args:?}: {said}");
    }
    let said = user.fails(3, &["ping"]);
    assert!(said.contains("cannot reach http://127.0.0.1:1: Connection refused"), "{said}");
    assert!(said.contains("tip: is a server running there?"), "{said}");
}

#[test]
fn wrong_usage_is_code_2() {
    let user = User::alone();
    assert!(user.fails(2, &["-s", "http://a b", "ping"]).contains("is not an address"));
    assert!(user.fails(2, &["-s", "ftp://host", "ping"]).contains("use http"));
    assert!(user.fails(2, &["describe", "no such name"]).contains("is not a database"));
    let said = user.fails(2, &["describe", "no such name", "--json"]);
    assert!(said.contains("is not a database"), "{said}");
    assert!(user.fails(2, &["--token", "a\nb", "ping"]).contains("token"));
    assert!(user.fails(2, &["sql", "chat"]).contains("there is no SQL statement"));
    assert!(user.fails(2, &["call", "chat", "f", "--raw", "0"]).contains("hex digits in pairs"));
    for args in [
        &["nonsense"][..],
        &["sql"],
        &["watch", "chat", "--for", "soon"],
        &["sql", "chat", "SELECT", "--format", "xml"],
        &["names", "chat", "--add", "a", "--set", "b"],
        &["call", "chat", "f", "1", "--json", "[1]"],
        &["--token", "a", "--anonymous", "ping"],
    ] {
        let run = user.run(args);
        assert_eq!(run.code, 2, "{args:?}: {}", run.err);
        assert!(run.err.starts_with("error: "), "{args:?}: {}", run.err);
    }
}

#[test]
fn what_is_no_spacetimedb_server_is_not_understood() {
    let user = User::at(&answers("200 OK", "<h1>It works!</h1>"));
    for args in
        [&["describe", "chat"][..], &["sql", "chat", "SELECT * FROM user"], &["names", "chat"]]
    {
        let said = user.fails(6, args);
        assert!(said.contains("is it a SpacetimeDB 2.x server"), "{args:?}: {said}");
    }
    let user = User::at(&answers("502 Bad Gateway", "nothing behind this"));
    assert!(user.fails(1, &["describe", "chat"]).contains("nothing behind this"));
}

#[test]
fn missing_route_is_reported_as_other_version() {
    let user = User::at(&answers("404 Not Found", ""));
    let said = user.fails(4, &["describe", "chat"]);
    assert!(said.contains("knows no such request"), "{said}");
    assert!(said.contains("is it a SpacetimeDB 2.x server"), "{said}");
}

#[test]
fn a_proxy_of_the_environment_is_asked() {
    let proxy = answers("407 Proxy Authentication Required", "say who you are");
    let user = User::at("http://database.example:3000");
    let mut command = user.command(&["describe", "chat"]);
    let run = Run::from(command.env("http_proxy", &proxy).env_remove("no_proxy").output().unwrap());
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(run.err.contains("say who you are"), "{}", run.err);
}

#[test]
fn unknown_schema_type_is_not_understood() {
    const SCHEMA: &str = r#"{"sections": [{"Typespace": {"types": [{"Product": {"elements":
        [{"name": {"some": "x"}, "algebraic_type": {"Quaternion": []}}]}}]}}]}"#;
    let user = User::at(&answers("200 OK", SCHEMA));
    for args in [&["describe", "chat"][..], &["watch", "chat"], &["call", "chat", "f", "1"]] {
        let said = user.fails(6, args);
        assert!(said.contains("Quaternion"), "{args:?}: {said}");
    }
}

#[test]
fn module_text_cannot_control_terminal() {
    let user = User::at(&answers("400 Bad Request", "no\u{1b}[2J\u{7}way"));
    let said = user.fails(1, &["sql", "chat", "SELECT"]);
    assert!(said.contains(r"no\u{1b}[2J\u{7}way"), "{said:?}");
}

#[test]
fn missing_or_invalid_module_files_exit_8() {
    let user = User::alone();
    assert!(user.fails(5, &["publish", "chat", "chat.wasm"]).contains("`lightlike login`"));
    let publish = |file: &str| user.fails(8, &["--anonymous", "publish", "chat", file]);
    assert!(publish("chat.wasm").contains("cannot read chat.wasm"));
    fs::write(user.home().join("chat.wasm"), "hello").unwrap();
    assert!(publish("chat.wasm").contains("is no WebAssembly module"));
    fs::write(user.home().join("it.jsonl"), "mine").unwrap();
    assert!(user.fails(8, &["record", "it.jsonl", "chat"]).contains("is there already"));
    assert_eq!(fs::read_to_string(user.home().join("it.jsonl")).unwrap(), "mine");
    assert!(user.fails(8, &["sql", "chat", "-f", "no.sql"]).contains("cannot read no.sql"));
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_databases_bad_tokens_and_refused_sql() {
    let target = Target::chat().await;
    let (uri, name) = (target.uri(), target.name());
    let user = User::at(&uri);
    for args in [
        &["describe", "nothing"][..],
        &["sql", "nothing", "SELECT * FROM user"],
        &["call", "nothing", "set_name", "Ada"],
        &["call", "nothing", "set_name", "--raw", "00"],
        &["watch", "nothing"],
        &["record", "it.jsonl", "nothing"],
        &["replay", "it.jsonl", "--database", "nothing"],
    ] {
        if args[0] == "replay" {
            let head = r#"{"target": "/", "subprotocol": "v3.bsatn.spacetimedb"}"#;
            fs::write(user.home().join("it.jsonl"), head).unwrap();
        }
        let said = user.fails(4, args);
        assert!(said.contains("nothing"), "{args:?}: {said}");
    }
    for args in [
        &["ping"][..],
        &["login"],
        &["identity"],
        &["sql", name, "SELECT * FROM user"],
        &["call", name, "set_name", "--raw", "00"],
    ] {
        let said = user.fails(5, &[&["--token", "nonsense"], args].concat());
        assert!(said.contains("nvalid token") && said.contains("tip: "), "{args:?}: {said}");
    }
    assert!(
        fs::read_dir(user.home()).unwrap().all(|it| it.unwrap().path().is_file()),
        "nothing is kept"
    );

    let said = user.fails(1, &["sql", name, "SELECT * FROM nope"]);
    assert!(said.contains("no such table: `nope`"), "{said}");
    let said = user.fails(1, &["watch", name, "SELECT * FROM nope"]);
    assert!(said.contains("no such table: `nope`"), "{said}");
    let said = user.fails(4, &["watch", name, "usr"]);
    assert!(said.contains("did you mean `user`?"), "{said}");
    let said = user.fails(4, &["describe", name, "usr"]);
    assert!(said.contains("tip: `lightlike describe"), "{said}");
}
