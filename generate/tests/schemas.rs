//! Generated source compiles, without a warning.
//!
//! The golden files are compiled by `tests/tests/generated`. This makes and compiles those of another folder, with a client
//! each:
//!
//! ```text
//! LIGHTLIKE_SCHEMAS=/tmp/my-schemas cargo test -p lightlike-generate --test schemas
//! ```

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lightlike_generate::{Generator, ServerSchema};

#[test]
#[expect(clippy::print_stderr, reason = "a test that is not run has to say so")]
fn generated_code_of_schema_folder_compiles() {
    let Some(schemas) = env::var_os("LIGHTLIKE_SCHEMAS") else {
        eprintln!("skipped: LIGHTLIKE_SCHEMAS names no folder of schemas");
        return;
    };
    let files = schema_files(Path::new(&schemas));
    assert!(!files.is_empty(), "there is no .json file in {schemas:?}");
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemas");
    let _ = fs::remove_dir_all(package.join("src"));
    let mut library = String::new();
    for (at, file) in files.iter().enumerate() {
        let text = fs::read_to_string(file).unwrap();
        let schema = ServerSchema::parse(&text).unwrap_or_else(|why| panic!("{file:?}: {why}"));
        let name = module_name(at, file);
        // Everything, as a library; what clients see, as a program of its own; the same as a folder.
        let all = Generator::new().name(&name).private(true).file(&schema);
        let all = all.unwrap_or_else(|why| panic!("{file:?}: {why}"));
        all.write_to(package.join("src")).unwrap();
        library.push_str(&format!("pub mod {name};\n"));
        let client = Generator::new().name("module").client(true).file(&schema).unwrap();
        client.write_to(package.join("src/bin").join(&name)).unwrap();
        let folder = Generator::new().name("module").client(true).files(&schema).unwrap();
        folder.write_to(package.join("src/bin").join(format!("{name}_folder"))).unwrap();
    }
    write_package(&package, &library);
    check(&package);
}

fn schema_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|why| panic!("{folder:?}: {why}"));
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}

fn module_name(at: usize, file: &Path) -> String {
    let stem = file.file_stem().unwrap().to_string_lossy().to_lowercase();
    format!("schema_{at}_{}", stem.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
}

fn write_package(package: &Path, library: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let sdk = root.join("sdk");
    let manifest = format!(
        r#"[package]
name = "schemas"
version = "0.0.0"
edition = "2024"

[dependencies]
lightlike = {{ path = {sdk:?} }}
tokio = {{ version = "1", features = ["macros", "rt-multi-thread"] }}

[lints.rust]
warnings = "deny"

[workspace]
"#
    );
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    fs::write(package.join("src/lib.rs"), library).unwrap();
    // The same versions as here, so that nothing has to be downloaded.
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
}

fn check(package: &Path) {
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--lib", "--bins", "--color", "never"])
        .current_dir(package)
        .env("CARGO_TARGET_DIR", package.join("target"))
        .output()
        .expect("cargo is there where its test is");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
