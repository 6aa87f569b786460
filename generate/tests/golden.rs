//! Files generated from real modules' schemas: `tests/tests/generated` compiles them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lightlike_generate::{Generated, Generator, ServerSchema};

/// The schemas, by the name of the golden file.
const SCHEMAS: [(&str, &str); 14] = [
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
    ("submodules", "modules/submodules.v10.json"),
    // Every name that is no name in Rust, every clash, every shape.
    ("names", "../generate/tests/schemas/names.v10.json"),
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

/// All that is generated here, with the folder below `golden` that it is in.
fn all() -> Vec<(PathBuf, Generated)> {
    let files = SCHEMAS.map(|(name, file)| (golden(), generated(name, file)));
    let mut all = Vec::from(files);
    let chat = schema("modules/chat.v10.json");
    let client = Generator::new().name("chat").client(true).file(&chat).unwrap();
    all.push((golden().join("client"), client));
    let view = schema("fixtures/schema/sdk-test-view.v10.json");
    all.push((golden(), Generator::new().name("view").files(&view).unwrap()));
    all
}

/// `LIGHTLIKE_BLESS=1` writes them anew: look at the difference before it is committed.
#[test]
fn files_are_made_as_they_were() {
    for (folder, generated) in all() {
        for file in generated.files() {
            let path = folder.join(&file.path);
            if std::env::var_os("LIGHTLIKE_BLESS").is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &file.text).unwrap();
            }
            let found = fs::read_to_string(&path).unwrap_or_default();
            assert!(found == file.text, "{path:?} is not what is made now");
        }
        generated.check_in(&folder).unwrap().unwrap();
    }
}

#[test]
fn rustfmt_has_nothing_to_change() {
    let mut all = all();
    // Many tables, in one tuple after the other, and many names in one import.
    for schema in SCHEMAS.map(|(_, file)| schema(file)) {
        let generator = Generator::new().name("module").private(true).client(true).open_enums(true);
        all.push((PathBuf::new(), generator.files(&schema).unwrap()));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (at, (_, generated)) in all.iter().enumerate() {
        let root = folder.path().join(at.to_string());
        generated.write_to(&root).unwrap();
        files.extend(generated.files().iter().map(|file| root.join(&file.path)));
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
