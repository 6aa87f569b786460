//! `lightlike generate` and `lightlike check`, as a user runs them: against the embedded server, or a real one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use lightlike_tests::target::Target;

/// Runs the program in a folder, with a home of its own.
fn lightlike(folder: &Path, server: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lightlike"))
        .args(["--server", server, "--quiet"])
        .args(arguments)
        .current_dir(folder)
        .env("XDG_DATA_HOME", folder.join("data"))
        .env("HOME", folder)
        .env_remove("LIGHTLIKE_TOKEN")
        .output()
        .expect("the program runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn done(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
}

/// Tells the story on a database of its own.
async fn with_chat(story: impl FnOnce(&Path, &str, &str) + Send + 'static) {
    let target = Target::chat().await;
    let (uri, name) = (target.uri(), target.name().to_owned());
    let told = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        story(folder.path(), &uri, &name);
    });
    told.await.unwrap();
    if let Target::Real(database) = &target {
        database.delete().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_database_generates_file_and_client() {
    with_chat(|folder, server, database| {
        let made = lightlike(folder, server, &["generate", database, "--name", "chat", "--client"]);
        done(&made);
        assert_eq!(stdout(&made), "src/chat.rs\nsrc/main.rs\n");
        let text = fs::read_to_string(folder.join("src/chat.rs")).unwrap();
        assert!(
            text.contains("#[table(name = \"user\")]\npub struct User {\n    #[primary_key]\n")
        );
        assert!(text.contains("#[reducer]\npub fn set_name(name: String);\n"));
        let client = fs::read_to_string(folder.join("src/main.rs")).unwrap();
        assert!(client.contains(server) && client.contains("chat::Message::all()"), "{client}");

        // What was not generated is somebody's work.
        fs::write(folder.join("src/mine.rs"), "fn mine() {}\n").unwrap();
        let mine = lightlike(folder, server, &["generate", database, "--name", "mine"]);
        assert_eq!(mine.status.code(), Some(8));
        let said = stderr(&mine);
        assert!(said.contains("cannot write over src/mine.rs: it was not generated"), "{said}");
        assert!(said.contains("`--name` or `--out` writes elsewhere"), "{said}");
        assert_eq!(fs::read_to_string(folder.join("src/mine.rs")).unwrap(), "fn mine() {}\n");

        // What is right is left alone, and so is the client whatever it is.
        fs::write(folder.join("src/main.rs"), "fn main() {}\n").unwrap();
        let again = ["generate", database, "--name", "chat", "--client"];
        assert_eq!(stdout(&lightlike(folder, server, &again)), "");
        done(&lightlike(folder, server, &["generate", database, "--name", "chat", "--check"]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_file_is_named_with_exit_7() {
    with_chat(|folder, server, database| {
        let check = ["generate", database, "--name", "chat", "--check"];
        let missing = lightlike(folder, server, &check);
        assert_eq!(missing.status.code(), Some(7));
        assert!(stderr(&missing).contains("src/chat.rs does not exist"), "{}", stderr(&missing));

        done(&lightlike(folder, server, &["generate", database, "--name", "chat"]));
        let path = folder.join("src/chat.rs");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("online: bool", "online: u8")).unwrap();
        let stale = lightlike(folder, server, &check);
        assert_eq!(stale.status.code(), Some(7));
        assert!(stderr(&stale).contains("src/chat.rs from line "), "{}", stderr(&stale));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_schema_is_checked_against_the_database() {
    with_chat(|folder, server, database| {
        let kept = lightlike(folder, server, &["describe", database, "--json"]);
        done(&kept);
        fs::write(folder.join("schema.json"), &kept.stdout).unwrap();
        done(&lightlike(folder, server, &["check", database]));

        let other = stdout(&kept).replace("\"Bool\"", "\"U8\"");
        fs::write(folder.join("other.json"), other).unwrap();
        let differs = lightlike(folder, server, &["check", database, "--schema", "other.json"]);
        assert_eq!(differs.status.code(), Some(7));
        assert_eq!(
            stdout(&differs),
            "table user, column 3: server has online: bool, file has online: u8\n"
        );
        assert!(stderr(&differs).contains("1 difference\n"), "{}", stderr(&differs));
    })
    .await;
}

#[test]
fn a_schema_in_a_file_needs_no_server() {
    let folder = tempfile::tempdir().unwrap();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/modules/conformance.v10.json");
    let nobody = "http://127.0.0.1:1";
    let arguments = ["generate", "--schema", schema, "--name", "all", "--split", "--out", "."];
    let made = lightlike(folder.path(), nobody, &arguments);
    done(&made);
    assert!(stdout(&made).starts_with("./all/mod.rs\n"));
    assert!(folder.path().join("all/pk_string.rs").is_file());
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = "http://127.0.0.1:1";
    let ends = |arguments: &[&str], code: i32, says: &str| {
        let output = lightlike(folder.path(), nobody, arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
    };
    fs::write(folder.path().join("no.json"), "{}").unwrap();
    fs::write(folder.path().join("no.wasm"), "text").unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    ends(&["generate"], 2, "no database is named, and there is no spacetime.json here or above");
    ends(&["generate", "chat"], 3, "cannot reach http://127.0.0.1:1");
    ends(&["generate", "--schema", "far.json"], 8, "cannot read far.json");
    ends(&["generate", "--schema", "no.json"], 6, "no.json: this is not the schema of a module");
    ends(&["generate", "--schema", "no.json", "--name", "no name"], 6, "no.json");
    ends(&["check", "chat"], 8, "cannot read schema.json");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_module_is_refused_before_sending() {
    with_chat(|folder, server, _| {
        fs::write(folder.join("no.wasm"), "text").unwrap();
        fs::create_dir(folder.join("empty")).unwrap();
        for (module, says) in [
            ("no.wasm", "no.wasm is no WebAssembly module"),
            ("empty", "empty has no Cargo.toml: build the module, and give the .wasm file"),
            ("nowhere", "cannot read nowhere"),
        ] {
            let output = lightlike(folder, server, &["generate", "--module", module]);
            assert_eq!(output.status.code(), Some(8), "{}", stderr(&output));
            assert!(stderr(&output).contains(says), "{}", stderr(&output));
        }
    })
    .await;
}

/// Runs on a real server alone, which takes modules.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "a test that is not run has to say so")]
async fn module_generates_file_and_leaves_server_clean() {
    let Some(real) = lightlike_tests::real::Real::from_env() else {
        eprintln!("skipped: modules need a real server; see `tests/engine/run`");
        return;
    };
    let server = real.uri().to_owned();
    let owner = real.new_identity().await.unwrap();
    let identity = owner.identity.clone();
    let told = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let wasm = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/modules/chat.wasm");
        let token = ["--token", &owner.token];
        let arguments = [&token[..], &["generate", "--module", wasm, "--name", "chat"]].concat();
        done(&lightlike(folder.path(), &server, &arguments));
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../generate/tests/golden/chat.rs");
        assert_eq!(
            fs::read_to_string(folder.path().join("src/chat.rs")).unwrap(),
            fs::read_to_string(golden).unwrap(),
        );
        // The source of a package, by a cargo that has built it already.
        let package = folder.path().join("server");
        fs::create_dir(&package).unwrap();
        fs::write(package.join("Cargo.toml"), "").unwrap();
        let manifest = package.join("Cargo.toml").canonicalize().unwrap();
        let message = serde_json::json!({
            "reason": "compiler-artifact", "manifest_path": manifest, "filenames": [wasm],
        });
        let cargo = folder.path().join("cargo");
        fs::write(&cargo, format!("#!/bin/sh\necho '{message}'\n")).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_lightlike"))
            .args(["--server", &server, "--quiet", "--anonymous"])
            .args(["generate", "--module", "server", "--name", "chat", "--check"])
            .current_dir(folder.path())
            .env("CARGO", &cargo)
            .env("HOME", folder.path())
            .output()
            .unwrap();
        done(&output);
    });
    told.await.unwrap();
    let identity = lightlike::types::Identity::from_hex(&identity).unwrap();
    let http = lightlike::http::Http::new(real.uri()).unwrap();
    assert_eq!(http.databases(identity).await.unwrap(), []);
}

/// Returns `true` if the compiler can build modules.
fn builds_modules() -> bool {
    let libraries = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", "wasm32-unknown-unknown"])
        .output();
    libraries.is_ok_and(|output| {
        output.status.success()
            && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

/// Runs where modules can be built and a server is there. Build output is kept for the next time.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "a test that is not run has to say so")]
async fn module_source_is_built_and_generated() {
    let real = lightlike_tests::real::Real::from_env();
    let Some(real) = real.filter(|_| builds_modules()) else {
        eprintln!("skipped: a server, and `rustup target add wasm32-unknown-unknown`, are needed");
        return;
    };
    let server = real.uri().to_owned();
    let told = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        // The module's crates ask for a newer compiler than they need.
        let cargo = folder.path().join("cargo");
        let real_cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let script =
            format!("#!/bin/sh\nexec '{real_cargo}' \"$@\" --ignore-rust-version --locked\n");
        fs::write(&cargo, script).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
        let module = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/modules/chat");
        let output = Command::new(env!("CARGO_BIN_EXE_lightlike"))
            .args(["--server", &server, "--quiet", "--anonymous"])
            .args(["generate", "--module", module, "--name", "chat"])
            .current_dir(folder.path())
            .env("CARGO", &cargo)
            .env("CARGO_TARGET_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/modules"))
            .output()
            .unwrap();
        done(&output);
        assert_eq!(stdout(&output), "src/chat.rs\n");
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../generate/tests/golden/chat.rs");
        assert_eq!(
            fs::read_to_string(folder.path().join("src/chat.rs")).unwrap(),
            fs::read_to_string(golden).unwrap(),
        );
    });
    told.await.unwrap();
}
