//! Writes assembly that gives the linker every function of V8 as one trap.
//!
//! The engine depends on V8 for JavaScript modules, whose archive is 100 MB; tests use wasm modules and link an empty one. The
//! `v8` crate's sources say which functions it expects of the archive.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Prefixes of the names that the crate declares as foreign.
const PREFIXES: [&str; 4] = ["v8__", "std__", "icu_", "udata_"];

/// Element types of the arrays whose constructors a macro of the crate names.
const ARRAYS: [&str; 12] = [
    "BigInt64",
    "BigUint64",
    "Float16",
    "Float32",
    "Float64",
    "Int16",
    "Int32",
    "Int8",
    "Uint16",
    "Uint32",
    "Uint8",
    "Uint8Clamped",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.lock");
    let mut names: BTreeSet<String> =
        ARRAYS.iter().map(|ty| format!("v8__{ty}Array__New")).collect();
    collect(&sources(&locked_version()), &mut names);
    let trap = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("x86_64") => "ud2",
        Ok("aarch64") => "udf #0",
        other => panic!("no trap instruction is known for {other:?}"),
    };
    let labels: String = names.iter().map(|name| format!(".weak {name}\n{name}:\n")).collect();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("v8_traps.s");
    fs::write(out, format!(".text\n{labels}{trap}\n")).expect("OUT_DIR can be written");
}

/// The version of `v8` in the lock file.
fn locked_version() -> String {
    let lock = fs::read_to_string("Cargo.lock").expect("a lock file beside the manifest");
    let (_, after) =
        lock.split_once("name = \"v8\"\nversion = \"").expect("the engine depends on v8");
    after.split('"').next().expect("a version in quotes").to_owned()
}

/// Folder in which cargo unpacked the crate.
fn sources(version: &str) -> PathBuf {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo"))).expect("a home folder");
    let registries = fs::read_dir(home.join("registry/src")).expect("cargo has fetched crates");
    let mut found =
        registries.flatten().map(|registry| registry.path().join(format!("v8-{version}/src")));
    found.find(|folder| folder.is_dir()).expect("cargo has unpacked v8")
}

/// Adds each foreign name that a file below `folder` declares.
fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the v8 crate").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, names);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        for declaration in text.split("fn ").skip(1) {
            let end = declaration.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let name = &declaration[..end.unwrap_or(declaration.len())];
            if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
                names.insert(name.to_owned());
            }
        }
    }
}
