//! Commands without a server: help, completions, manual pages, replays.

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::User;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The commands that the help lists.
fn commands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let words = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    words.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn help_teaches_by_examples() {
    let user = User::alone();
    let help = user.ok(&["--help"]);
    assert!(help.contains("Exit codes"), "{help}");
    let commands = commands(&help);
    assert!(commands.len() >= 16, "{commands:?}");
    for command in commands {
        let help = user.ok(&["help", &command]);
        assert!(help.contains("Usage: lightlike"), "{help}");
        if !matches!(&*command, "help" | "logout" | "ping") {
            assert!(help.contains("\n  lightlike "), "{command}: {help}");
        }
    }
    let nothing = user.run(&[]);
    assert_eq!((nothing.code, nothing.err.contains("Usage:")), (2, true));
}

#[test]
fn shells_have_completions_and_commands_have_pages() {
    let user = User::alone();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = user.ok(&["completions", shell]);
        assert!(script.contains("subscribe") && script.contains("no-initial"), "{shell}");
    }
    assert!(user.ok(&["man"]).starts_with(".ie"), "the page of the program itself");
    user.ok(&["man", "pages"]);
    let page = fs::read_to_string(user.home().join("pages/lightlike-sql.1")).unwrap();
    assert!(page.contains("lightlike") && page.contains("csv"), "{page}");
    for command in commands(&user.ok(&["--help"])).iter().filter(|it| *it != "help") {
        assert!(user.home().join(format!("pages/lightlike-{command}.1")).exists(), "{command}");
    }
}

#[test]
fn every_recorded_session_plays_back() {
    let user = User::alone();
    let folders = ["tests/fixtures/sessions", "tests/fixtures/sessions/engine"];
    let files = folders.into_iter().flat_map(|folder| fs::read_dir(repository(folder)).unwrap());
    let files = files.map(|entry| entry.unwrap().path());
    let sessions: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|it| it == "jsonl")).collect();
    assert!(sessions.len() > 15);
    for session in sessions {
        let run = user.run(&["replay", "--summary", session.to_str().unwrap()]);
        assert_eq!(run.code, 0, "{}: {}", session.display(), run.err);
        assert!(run.err.contains("transactions"), "{}", run.err);
    }
}

#[test]
fn replay_names_by_schema_and_bytes_without() {
    let user = User::alone();
    let session = repository("tests/fixtures/sessions/engine/v3-views.jsonl");
    let session = session.to_str().unwrap();
    let bytes = user.ok(&["replay", session]);
    assert!(bytes.contains("← greeting for "), "{bytes}");
    assert!(bytes.contains("→ call move_player (8 bytes of arguments)"), "{bytes}");
    assert!(bytes.contains("← call move_player: committed"), "{bytes}");
    assert!(bytes.contains("+ player_count  0x0000000000000000"), "{bytes}");

    let schema = repository("tests/modules/conformance.v10.json");
    let schema = schema.to_str().unwrap();
    let named = user.ok(&["replay", session, "--schema", schema]);
    assert!(named.contains("+ player_count         count=1"), "{named}");
    assert!(!named.contains("0x0"), "{named}");
    let json = user.ok(&["replay", session, "--schema", schema, "--json"]);
    for line in json.lines() {
        let change: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(change["table"].is_string() && change["op"].is_string(), "{line}");
    }
    let session = repository("tests/fixtures/sessions/engine/v3-calls-in-one-frame.jsonl");
    let json = user.ok(&["replay", session.to_str().unwrap(), "--schema", schema, "--json"]);
    let updates = json.lines().filter(|line| line.contains(r#""op":"update""#)).count();
    assert!(updates > 0, "rows are replaced by those of their key");
}

#[test]
fn a_session_that_makes_no_sense_says_where() {
    let user = User::alone();
    let file = user.home().join("it.jsonl");
    let file = file.to_str().unwrap();
    assert!(user.fails(8, &["replay", file]).contains("cannot read"));
    fs::write(file, "hello").unwrap();
    let said = user.fails(6, &["replay", file]);
    assert!(said.contains("it.jsonl, line 1: this is not the start of a session"), "{said}");

    let whole =
        fs::read_to_string(repository("tests/fixtures/sessions/engine/v3-views.jsonl")).unwrap();
    // Without a frame, what comes later may not follow: it is said, whichever it is.
    let mut lost = 0;
    for without in 1..whole.lines().count() {
        let lines = whole.lines().enumerate().filter(|(at, _)| *at != without);
        let lines: Vec<_> = lines.map(|(_, line)| line).collect();
        fs::write(file, lines.join("\n")).unwrap();
        let run = user.run(&["replay", file]);
        let said = run.code == 6 && run.err.contains("it.jsonl: line ");
        assert!(run.code == 0 || said, "without line {without}: {}", run.err);
        lost += usize::from(said && run.err.contains("this cannot follow: "));
    }
    assert!(lost > 2, "{lost}");
    // Half a frame.
    let head: Vec<_> = whole.lines().take(2).collect();
    fs::write(file, format!("{}\n{}", head[0], head[1].replace("0000", "00"))).unwrap();
    let said = user.fails(6, &["replay", file]);
    assert!(said.contains("line 2"), "{said}");

    fs::write(file, whole).unwrap();
    assert!(user.fails(8, &["replay", file, "--schema", "nothing.json"]).contains("cannot read"));
    fs::write(user.home().join("schema.json"), "{}").unwrap();
    let said = user.fails(6, &["replay", file, "--schema", "schema.json"]);
    assert!(said.contains("this is not the schema of a module"), "{said}");
}
