//! Texts of this crate's errors, variant by variant.

use std::collections::BTreeSet;
use std::fmt;

use crate::GenerateError;

/// Checks each error's text, and that no variant is left out.
fn check<E: fmt::Display>(all: Vec<E>, variants: usize, expected: fn(&E) -> (usize, &'static str)) {
    let mut seen = BTreeSet::new();
    for error in all {
        let ((number, says), text) = (expected(&error), error.to_string());
        assert!(text.contains(says) && !text.contains('\n'), "`{text}` does not say `{says}`");
        seen.insert(number);
    }
    assert!(seen.into_iter().eq(0..variants), "each variant is tried");
}

#[test]
fn generate_errors_name_schema_item() {
    // Not to be answered with a wildcard: a new variant belongs here.
    fn expected(error: &GenerateError) -> (usize, &'static str) {
        match error {
            GenerateError::Recursive { .. } => (0, "`Tree.children` contains itself"),
            GenerateError::Unnamed { .. } => (1, "a table without a name"),
            GenerateError::Dangling { .. } => (2, "column `x` refers to type 9, and the schema"),
            GenerateError::TooManyVariants { .. } => (3, "column `x` has 300 variants"),
            GenerateError::TooDeep { .. } => (4, "column `x` is nested more than 64 deep"),
            GenerateError::ModuleName { .. } => (5, "`a-b` cannot be the name"),
        }
    }
    let what = || "column `x`".into();
    let all = vec![
        GenerateError::Recursive { path: "Tree.children".into() },
        GenerateError::Unnamed { what: "table" },
        GenerateError::Dangling { what: what(), at: 9, types: 3 },
        GenerateError::TooManyVariants { what: what(), variants: 300 },
        GenerateError::TooDeep { what: what(), limit: 64 },
        GenerateError::ModuleName { name: "a-b".into() },
    ];
    check(all, 6, expected);
}

#[cfg(feature = "http")]
#[test]
fn source_errors_name_module_and_cause() {
    use std::io;

    use lightlike::http::Http;

    use crate::SourceError;

    fn expected(error: &SourceError) -> (usize, &'static str) {
        match error {
            SourceError::Read { .. } => (0, "cannot read /a/module: these very words"),
            SourceError::NoPackage { .. } => (1, "/a/module has no Cargo.toml"),
            SourceError::NoModule { .. } => (2, "/a/module is no WebAssembly module"),
            SourceError::NoCargo { .. } => (3, "cannot run cargo: these very words"),
            SourceError::Build { .. } => (4, "/a/module does not build: these very words"),
            SourceError::NoArtifact { .. } => (5, "/a/module builds, and makes no .wasm file"),
            SourceError::Server { .. } => (6, "cannot publish the module as `tmp`: "),
        }
    }
    let (path, system) = (|| "/a/module".into(), || io::Error::other("these very words"));
    let refused = Http::new("no address").unwrap_err();
    let all = vec![
        SourceError::Read { path: path(), source: system() },
        SourceError::NoPackage { path: path() },
        SourceError::NoModule { path: path() },
        SourceError::NoCargo { cargo: "cargo".into(), source: system() },
        SourceError::Build { path: path(), message: "these very words".into() },
        SourceError::NoArtifact { path: path() },
        SourceError::Server { verb: "publish", database: "tmp".into(), source: refused },
    ];
    check(all, 7, expected);
}
