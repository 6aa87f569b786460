//! What is made of real modules' schemas, as files: `tests/tests/generated` compiles them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lightlike_generate::{Generated, Generator, ServerSchema};

/// The schemas, by the name of the golden file.
const SCHEMAS: [(&str, &str); 12] = [
    ("chat_v9", "fixtures/schema/chat.v9.json"),
    ("chat_v10", "fixtures/schema/chat.v10.json"),
    ("module_test_v9", "fixtures/schema/module-test.v9.json"),
    ("module_test_v10", "fixtures/schema/module-test.v10.json"),
    ("event_table_v9", "fixtures/schema/sdk-test-event-table.v9.json"),
    ("event_table_v10", "fixtures/schema/sdk-test-event-table.v10.json"),
    ("procedure_v9", "fixtures/schema/sdk-test-procedure.v9.json"),
    ("procedure_v10", "fixtures/schema/sdk-test-procedure.v10.json"),
    ("view_v9", "fixtures/schema/sdk-test-view.v9.json"),
    ("view_v10", "fixtures/schema/sdk-test-view.v10.json"),
    ("conformance", "modules/conformance.v10.json"),
    ("chat", "modules/chat.v10.json"),
];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn schema(file: &str) -> ServerSchema {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path:?}: {why}"));
    ServerSchema::parse(&text).unwrap_or_else(|why| panic!("{path:?}: {why}"))
}

fn generated(name: &str, file: &str) -> Generated {
    let schema = schema(file);
    // Some of what a module keeps for itself too.
    let private = name == "module_test_v10";
    Generator::new().name(name).private(private).file(&schema).unwrap()
}

/// `LIGHTLIKE_BLESS=1` writes them anew: look at the difference before it is committed.
#[test]
fn files_are_made_as_they_were() {
    for (name, file) in SCHEMAS {
        let generated = generated(name, file);
        if std::env::var_os("LIGHTLIKE_BLESS").is_some() {
            generated.write_to(golden()).unwrap();
        }
        generated.check_in(golden()).unwrap().unwrap();
    }
}

#[test]
fn rustfmt_has_nothing_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (name, file) in SCHEMAS {
        let generated = generated(name, file);
        generated.write_to(folder.path()).unwrap();
        files.push(folder.path().join(format!("{name}.rs")));
    }
    // In a folder without a configuration, so with what most have.
    let output = Command::new("rustfmt")
        .args(["--edition", "2024", "--check", "--color", "never"])
        .args(&files)
        .current_dir(folder.path())
        .output()
        .expect("rustfmt is there where cargo is");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
