//! Text of servers and modules: escaped on a terminal, and whole in data for programs.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;

use lightlike_tests::target::Target;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::{Value, json};

use crate::program::User;

/// A title, a cleared screen, a bell, a line that is written over, C1's own CSI, DEL, a turned direction, and what is not
/// seen.
const HOSTILE: &str =
    "h\u{1b}]0;owned\u{7}\u{1b}[2J\rx\u{9b}31m\u{7f}\u{202e}gnp\u{2066}\u{200b}\u{feff}\u{85}end";

/// Characters that a terminal obeys, but for the ends of lines.
fn commands(text: &str) -> Vec<char> {
    let obeyed = |letter: &char| {
        letter.is_control()
            || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{feff}')
    };
    // A terminal makes two characters of a line's end, and three of CSV's.
    let text = text.replace("\r\r\n", "").replace("\r\n", "");
    text.chars().filter(|it| *it != '\n').filter(obeyed).collect()
}

/// A server all of whose names and texts are hostile. Its address.
fn hostile() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut head = [0; 8192];
            let len = socket.read(&mut head).unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..len]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let (ty, body) = answer(path);
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {ty}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = socket.write_all(answer.as_bytes());
        }
    });
    uri
}

fn answer(path: &str) -> (&'static str, String) {
    const JSON: &str = "application/json";
    match path.split('?').next().unwrap_or_default() {
        "/v1/ping" => ("text/plain", String::new()),
        "/v1/health" => (JSON, json!({ "version": HOSTILE }).to_string()),
        "/v1/identity" => {
            (JSON, json!({ "identity": "00".repeat(32), "token": "a.b.c" }).to_string())
        }
        path if path.ends_with("/schema") => (JSON, schema()),
        path if path.ends_with("/sql") => (JSON, rows().to_string()),
        path if path.ends_with("/names") => (JSON, json!({ "names": [HOSTILE] }).to_string()),
        path if path.ends_with("/identity") => ("text/plain", "00".repeat(32)),
        path if path.ends_with("/logs") => {
            let line = json!({
                "level": "Info", "ts": 1, "message": format!("{HOSTILE}\n{HOSTILE}"),
                "target": HOSTILE, "function": HOSTILE, "filename": HOSTILE,
            });
            ("application/x-ndjson", format!("{line}\n"))
        }
        path if path.contains("/call/") => (JSON, json!(HOSTILE).to_string()),
        _ => (JSON, json!({ "unknown": HOSTILE }).to_string()),
    }
}

/// The chat module's schema, with every name of its own a hostile one.
fn schema() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/modules/chat.v10.json");
    let mut schema = std::fs::read_to_string(file).unwrap();
    for name in ["user", "message", "Message", "User", "sender", "online", "set_name", "text"] {
        let hostile = json!(format!("{name}{HOSTILE}")).to_string();
        schema = schema.replace(&format!("\"{name}\""), &hostile);
    }
    schema
}

/// One row of a table whose columns have hostile names and values: a text, some text, and a variant.
fn rows() -> Value {
    let string = json!({ "String": [] });
    let unit = json!({ "Product": { "elements": [] } });
    let option = json!({ "Sum": { "variants": [
        { "name": { "some": "some" }, "algebraic_type": string },
        { "name": { "some": "none" }, "algebraic_type": unit },
    ] } });
    let sum = json!({ "Sum": { "variants": [
        { "name": { "some": HOSTILE }, "algebraic_type": unit },
    ] } });
    let product = json!({ "Product": { "elements": [
        { "name": { "some": HOSTILE }, "algebraic_type": string },
    ] } });
    let column = |name: &str, ty: &Value| json!({ "name": { "some": format!("{name}{HOSTILE}") }, "algebraic_type": ty });
    json!([{
        "schema": { "elements": [
            column("a", &string), column("b", &option), column("c", &sum), column("d", &product),
        ] },
        "rows": [[HOSTILE, { "some": HOSTILE }, { HOSTILE: [] }, [HOSTILE]]],
        "total_duration_micros": 1,
        "stats": { "rows_inserted": 0, "rows_deleted": 0, "rows_updated": 0 },
    }])
}

/// Runs a command on a terminal of its own: what it shows there.
fn on_a_terminal(user: &User, args: &[&str]) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let screen = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut command = user.command(args);
    command.stdout(Stdio::from(screen.try_clone().unwrap())).stderr(Stdio::from(screen));
    let mut child = command.spawn().unwrap();
    // The screen's last ends are the child's.
    drop(command);
    let mut shown = Vec::new();
    let mut terminal = File::from(terminal);
    let mut buffer = [0; 4096];
    // A terminal whose program has gone reads as an error.
    while let Ok(len @ 1..) = terminal.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..len]);
    }
    child.wait().unwrap();
    String::from_utf8(shown).unwrap()
}

/// Our own colours, which are no commands of others.
fn without_colours(shown: &str) -> String {
    let mut plain = shown.to_owned();
    while let Some(start) = plain.find("\u{1b}[") {
        let Some(end) = plain[start..].find('m').map(|end| start + end) else { break };
        let is_colour = plain[start + 2..end].bytes().all(|it| it.is_ascii_digit() || it == b';');
        assert!(is_colour, "{:?}", &plain[start..=end]);
        plain.replace_range(start..=end, "");
    }
    plain
}

#[test]
fn no_command_lets_others_command_the_terminal() {
    let user = User::at(&hostile());
    user.ok(&["login"]);
    for args in [
        &["ping"][..],
        &["ping", "--json"],
        &["describe", "chat"],
        &["describe", "chat", "--json"],
        &["describe", "chat", HOSTILE],
        &["sql", "chat", "SELECT"],
        &["sql", "chat", "SELECT", "--full"],
        &["sql", "chat", "SELECT", "--json"],
        &["sql", "chat", "SELECT", "-o", "json"],
        &["sql", "chat", "SELECT", "-o", "csv"],
        &["names", "chat"],
        &["names", "chat", "--json"],
        &["logs", "chat"],
        &["logs", "chat", "--json"],
        &["identity"],
        &["delete", "chat", "--yes"],
        &["call", "chat", "nothing"],
        &["watch", "chat", "nothing"],
        &["check", "chat"],
    ] {
        let shown = on_a_terminal(&user, args);
        assert!(!shown.is_empty(), "{args:?}");
        let left = commands(&without_colours(&shown));
        assert!(left.is_empty(), "{args:?}: {left:?} in {shown:?}");
        // For people in pipes the same, without colours.
        let run = user.run(args);
        let said = if is_data(args) { run.err } else { run.out + &run.err };
        assert!(commands(&said).is_empty(), "{args:?}: {said:?}");
    }
}

/// Whether the output is for programs.
fn is_data(args: &[&str]) -> bool {
    args.iter().any(|arg| matches!(*arg, "--json" | "json" | "csv" | "names"))
}

#[test]
fn data_for_programs_has_every_byte() {
    let user = User::at(&hostile());
    let object = |args: &[&str]| serde_json::from_str::<Value>(&user.ok(args)).unwrap();
    for format in [&["--json"][..], &["-o", "json"], &["--format", "json"]] {
        let row = object(&[&["sql", "chat", "SELECT"], format].concat());
        assert_eq!(row[format!("a{HOSTILE}")], HOSTILE);
        assert_eq!(row[format!("b{HOSTILE}")]["some"], HOSTILE);
        assert_eq!(row[format!("c{HOSTILE}")], json!({ HOSTILE: [] }));
        assert_eq!(row[format!("d{HOSTILE}")][HOSTILE], HOSTILE);
    }
    let csv = user.ok(&["sql", "chat", "SELECT", "-o", "csv"]);
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let part = json!({ HOSTILE: HOSTILE }).to_string();
    let head = ["a", "b", "c", "d"].map(|name| quoted(&format!("{name}{HOSTILE}"))).join(",");
    let row = [HOSTILE, HOSTILE, HOSTILE, &part].map(quoted).join(",");
    assert_eq!(csv, format!("{head}\r\n{row}\r\n"));
    assert_eq!(object(&["names", "chat", "--json"]), json!([HOSTILE]));
    assert_eq!(user.ok(&["names", "chat"]), format!("{HOSTILE}\n"));
    assert_eq!(object(&["ping", "--json"])["version"], HOSTILE);
    let line = object(&["logs", "chat", "--json"]);
    assert_eq!(
        (&line["message"], &line["function"]),
        (&json!(format!("{HOSTILE}\n{HOSTILE}")), &json!(HOSTILE))
    );
    assert_eq!(user.ok(&["describe", "chat", "--json"]), format!("{}\n", schema()));
    // On a terminal, JSON means the same though it is escaped.
    let shown = on_a_terminal(&user, &["--quiet", "sql", "chat", "SELECT", "--json"]);
    assert!(commands(&shown).is_empty(), "{shown:?}");
    let row: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(row[format!("a{HOSTILE}")], HOSTILE);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_refusals_are_shown_and_not_obeyed() {
    let target = Target::conformance().await;
    let user = User::at(&target.uri());
    let name = target.name();
    let call = ["--anonymous", "call", name, "fail_with_string", HOSTILE];
    let shown = on_a_terminal(&user, &call);
    assert!(shown.contains("the reducer refused") && shown.contains("owned"), "{shown:?}");
    assert!(commands(&without_colours(&shown)).is_empty(), "{shown:?}");
    let target = Target::chat().await;
    let user = User::at(&target.uri());
    let name = target.name();
    user.ok(&["--anonymous", "call", name, "send_message", "--", HOSTILE]);
    let watch = ["--anonymous", "watch", name, "message", "--count", "1"];
    let shown = on_a_terminal(&user, &watch);
    assert!(shown.contains("owned"), "{shown:?}");
    assert!(commands(&without_colours(&shown)).is_empty(), "{shown:?}");
    let json = user.ok(&[&watch[..], &["--json"]].concat());
    let change: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(change["row"]["text"], HOSTILE);
    let csv = user.ok(&["--anonymous", "sql", name, "SELECT * FROM message", "-o", "csv"]);
    assert!(csv.ends_with(&format!(",\"{HOSTILE}\"\r\n")), "{csv:?}");
    user.ok(&["--anonymous", "record", "it.jsonl", name, "message", "--for", "300ms"]);
    for args in [&["replay", "it.jsonl", "--database", name][..], &["replay", "it.jsonl"]] {
        let shown = on_a_terminal(&user, args);
        assert!(commands(&without_colours(&shown)).is_empty(), "{shown:?}");
    }
    let replay = ["replay", "it.jsonl", "--database", name, "--json"];
    let change: Value = serde_json::from_str(user.ok(&replay).lines().next().unwrap()).unwrap();
    assert_eq!(change["row"]["text"], HOSTILE);
}
