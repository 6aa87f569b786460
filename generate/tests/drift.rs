//! Two schemas beside each other: what no client notices is a note.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::Path;

use lightlike_generate::{Drift, ServerSchema, drift};

fn schema(module: &str, change: impl Fn(&str) -> String) -> ServerSchema {
    let file = format!("../tests/modules/{module}.v10.json");
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    ServerSchema::parse(&change(&text)).unwrap()
}

/// The differences between a module and what a change makes of its schema.
fn changed(module: &str, from: &str, to: &str) -> Vec<Drift> {
    let change = |text: &str| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    drift(&schema(module, str::to_owned), &schema(module, change))
}

#[test]
fn other_names_of_arguments_are_notes() {
    let field =
        |name: &str| format!(r#"{{"name":{{"some":"{name}"}},"algebraic_type":{{"String":[]}}}}"#);
    let params = |name: &str| format!(r#""params":{{"elements":[{}]}}"#, field(name));
    let differences = changed("chat", &params("text"), &params("words"));
    let lines: Vec<_> = differences.iter().map(|it| (it.to_string(), it.is_note)).collect();
    let line = "reducer send_message, argument 1: server has text: String, file has words: String";
    assert_eq!(lines, [(line.to_owned(), true)]);

    let number = params("text").replace("String", "U32");
    let differences = changed("chat", &params("text"), &number);
    assert!(differences.len() == 1 && !differences[0].is_note, "{differences:?}");
    let two = format!("{},{}", field("text"), field("more"));
    let more = format!(r#""params":{{"elements":[{two}]}}"#);
    let differences = changed("chat", &params("text"), &more);
    assert!(!differences.is_empty() && differences.iter().all(|it| !it.is_note), "{differences:?}");
}

#[test]
fn other_names_of_columns_are_differences() {
    let differences = changed("chat", r#""some":"online""#, r#""some":"present""#);
    assert!(differences.iter().any(|it| !it.is_note), "{differences:?}");
}

#[test]
fn other_environment_variables_are_notes() {
    let differences = changed("environment", "GREETING", "SALUTE");
    let places: Vec<_> = differences.iter().map(|it| (&*it.place, it.is_note)).collect();
    assert_eq!(places, [("environment GREETING", true), ("environment SALUTE", true)]);
}

#[test]
fn submodules_drift_by_their_wire_names() {
    let differences = changed("submodules", r#""some":"label""#, r#""some":"title""#);
    let places: Vec<_> = differences.iter().map(|it| (&*it.place, it.is_note)).collect();
    assert!(places.contains(&("table my_auth.vault.stored_item, column 2", false)), "{places:?}");
    assert!(places.contains(&("reducer my_auth.vault.store_item, argument 1", true)), "{places:?}");
    // Another name in the source is none on the wire.
    let differences = changed("submodules", "deepVault", "deeperVault");
    assert!(differences.is_empty(), "{differences:?}");
}
