//! Tokens: kept for their owner alone, mended without being read, and shown to nobody.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;

use lightlike_tests::target::Target;

use crate::program::{Run, User};

/// Where the token of a user is.
fn file(user: &User) -> PathBuf {
    let folder = fs::read_dir(user.home().join("lightlike")).unwrap();
    let mut files = folder.map(|entry| entry.unwrap().path());
    let (file, more) = (files.next().unwrap(), files.next());
    assert_eq!(more, None, "there is one file");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_is_mended_without_being_read() {
    let target = Target::chat().await;
    let user = User::at(&target.uri());
    let own = user.ok(&["login"]).trim().to_owned();
    let token = user.ok(&["identity", "--show-token"]).trim().to_owned();
    let file = file(&user);
    let large = vec![b'x'; 1 << 20];
    for damage in [&b"\xff\xfe not text"[..], b"a.b.c\r\nX-Evil: 1", &large] {
        let damaged = || fs::write(&file, damage).unwrap();
        damaged();
        let said = user.fails(8, &["ping"]);
        assert!(said.contains(&file.display().to_string()), "it names the file: {said}");
        assert!(said.contains("lightlike login") && said.contains("lightlike logout"), "{said}");
        assert!(!said.contains("X-Evil"), "{said}");
        // What needs no kept token needs no good one.
        user.ok(&["--anonymous", "ping"]);
        user.ok(&["--token", &token, "ping"]);

        assert_eq!(user.ok(&["login", "--token", &token]).trim(), own);
        assert_eq!(user.ok(&["identity"]).lines().next(), Some(&*own));
        damaged();
        assert_eq!(user.ok(&["login", "--force", "--token", &token]).trim(), own);
        damaged();
        assert_ne!(user.ok(&["login"]).trim(), own);
        damaged();
        let mut login = user.command(&["login", "--token", "-"]);
        let mut login = login.stdin(Stdio::piped()).spawn().unwrap();
        login.stdin.take().unwrap().write_all(format!("{token}\n").as_bytes()).unwrap();
        let run = Run::from(login.wait_with_output().unwrap());
        assert_eq!((run.code, run.out.trim()), (0, &*own), "{}", run.err);
        damaged();
        user.ok(&["logout"]);
        assert!(!file.exists());
        user.ok(&["login", "--token", &token]);
    }
    // One that is good is not lost by accident.
    assert!(user.fails(1, &["login"]).contains("somebody is logged in"));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn kept_and_recorded_files_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let target = Target::chat().await;
    let user = User::at(&target.uri());
    user.ok(&["login"]);
    let file = file(&user);
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    user.ok(&["ping"]);
    assert_eq!(mode(&file), 0o600);
    user.ok(&["record", "it.jsonl", target.name(), "user", "--for", "100ms"]);
    assert_eq!(mode(&user.home().join("it.jsonl")), 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_home_no_shared_folder_is_used() {
    let target = Target::chat().await;
    let user = User::at(&target.uri());
    for home in [None, Some(""), Some("relative")] {
        let mut command = user.command(&["login"]);
        command.env_remove("XDG_DATA_HOME").env_remove("HOME").env("TMPDIR", user.home());
        if let Some(home) = home {
            command.env("HOME", home).env("XDG_DATA_HOME", home);
        }
        let run = Run::from(command.output().unwrap());
        assert_eq!(run.code, 8, "{}", run.err);
        assert!(run.err.contains("HOME"), "{}", run.err);
    }
    assert_eq!(fs::read_dir(user.home()).unwrap().count(), 0, "nothing is kept anywhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn token_of_another_server_names_file_and_remedy() {
    let target = Target::chat().await;
    let user = User::at(&target.uri());
    user.ok(&["login"]);
    let file = file(&user);
    fs::write(&file, "token.of.another").unwrap();
    let database = target.name();
    for args in [
        &["ping"][..],
        &["identity"],
        &["sql", database, "SELECT * FROM user"],
        &["call", database, "set_name", "--raw", "00"],
        &["watch", database],
    ] {
        let said = user.fails(5, args);
        assert!(said.contains(&file.display().to_string()), "{args:?}: {said}");
        assert!(said.contains("`lightlike logout` and `lightlike login`"), "{args:?}: {said}");
        assert!(!said.contains("token.of.another"), "{args:?}: {said}");
    }
    let said = user.fails(5, &["--token", "token.of.another", "ping"]);
    assert!(said.contains("LIGHTLIKE_TOKEN"), "{said}");
    user.ok(&["logout"]);
    user.ok(&["login"]);
    user.ok(&["ping"]);
}

/// A server that answers all requests so; its address.
fn answers(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let _ = socket.read(&mut [0; 8192]);
            let _ = socket.write_all(answer.as_bytes());
        }
    });
    uri
}

/// Every command that asks a server.
const COMMANDS: [&[&str]; 16] = [
    &["ping"],
    &["login", "--force"],
    &["login", "--force", "--token", "marker.marker.marker"],
    &["identity"],
    &["describe", "chat"],
    &["describe", "chat", "--json"],
    &["sql", "chat", "SELECT * FROM user"],
    &["call", "chat", "set_name", "Ada"],
    &["call", "chat", "set_name", "--raw", "00"],
    &["watch", "chat"],
    &["logs", "chat"],
    &["names", "chat"],
    &["names", "chat", "--add", "lobby"],
    &["delete", "chat", "--yes"],
    &["publish", "chat", "chat.wasm", "--yes"],
    &["generate", "chat"],
];

/// Nothing else contains it.
const MARKER: &str = "marker.marker.marker";

fn refuses_everything(answer: &str, expected: &[&str]) {
    let user = User::at(&answers(answer.replace("{}", MARKER)));
    fs::write(user.home().join("chat.wasm"), b"\0asm").unwrap();
    for args in COMMANDS {
        let given = ["--token", MARKER].iter().filter(|_| !args.contains(&"--token"));
        let given: Vec<_> = given.copied().collect();
        let run = user.run(&[&given, args].concat());
        assert_ne!(run.code, 0, "{args:?}: {}", run.out);
        let said = run.out + &run.err;
        assert!(!said.contains("marker"), "{args:?}: {said}");
        for part in expected {
            assert!(said.contains(part), "{args:?}: {said}");
        }
    }
    assert!(!user.home().join("lightlike").exists(), "nobody is logged in");
}

#[test]
fn a_redirect_is_a_success_of_no_command() {
    let answer = "HTTP/1.1 302 Found\r\nlocation: https://login.example/?token={}\r\n\
        content-length: 0\r\nconnection: close\r\n\r\n";
    refuses_everything(answer, &["302", "https://login.example/?token=***"]);
}

#[test]
fn login_page_is_a_success_of_no_command() {
    let page = format!("<!DOCTYPE html><html><title>Log in</title>{MARKER}</html>");
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
        page.len()
    );
    refuses_everything(&answer, &["200"].map(|_| "error: "));
}

#[test]
fn a_refusal_that_quotes_the_token_hides_it() {
    for status in
        ["401 Unauthorized", "403 Forbidden", "400 Bad Request", "500 Oh", "404 Not Found"]
    {
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\nbad {MARKER}",
            MARKER.len() + 4
        );
        refuses_everything(&answer, &["error: "]);
    }
}

#[test]
fn addresses_are_shown_without_their_secrets() {
    for server in ["http://ada:marker@host", "http://host?token=marker", "marker@host"] {
        let user = User::at(server);
        for args in [&["ping"][..], &["--help"], &["sql", "--help"], &["nonsense"]] {
            let run = user.run(args);
            let said = run.out + &run.err;
            assert!(!said.contains("marker"), "{server} {args:?}: {said}");
        }
        let run = user.run(&["ping"]);
        assert_eq!(run.code, 2, "{}", run.err);
    }
}
