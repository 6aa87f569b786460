//! Names, orders, refusals: what no recorded schema happens to have.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use lightlike_generate::{GenerateError, Generator, ServerSchema, drift};
use serde_json::{Value, json};

fn product(fields: &[(&str, Value)]) -> Value {
    let fields =
        fields.iter().map(|(name, ty)| json!({"name": {"some": name}, "algebraic_type": ty}));
    json!({"Product": {"elements": fields.collect::<Vec<_>>()}})
}

fn sum(variants: &[(&str, Value)]) -> Value {
    let variants =
        variants.iter().map(|(name, ty)| json!({"name": {"some": name}, "algebraic_type": ty}));
    json!({"Sum": {"variants": variants.collect::<Vec<_>>()}})
}

fn scalar(name: &str) -> Value {
    json!({ name: [] })
}

/// A schema of named types, of which the first is the row of the table `t`.
fn schema(types: &[(&str, Value)]) -> ServerSchema {
    let names = types.iter().enumerate().map(
        |(at, (name, _))| json!({"source_name": {"scope": [], "source_name": name}, "ty": at}),
    );
    let reply = json!({"sections": [
        {"Typespace": {"types": types.iter().map(|(_, ty)| ty).collect::<Vec<_>>()}},
        {"Types": names.collect::<Vec<_>>()},
        {"Tables": [{"source_name": "t", "product_type_ref": 0, "primary_key": [], "table_access": {"Public": []}}]},
    ]});
    ServerSchema::parse(&reply.to_string()).unwrap()
}

fn refused(schema: &ServerSchema) -> String {
    Generator::new().file(schema).unwrap_err().to_string()
}

#[test]
fn recursive_type_is_refused_in_words() {
    let tree = product(&[("children", json!({"Array": {"Ref": 1}}))]);
    let branch = sum(&[("leaf", scalar("U8")), ("tree", json!({"Ref": 0}))]);
    assert_eq!(
        refused(&schema(&[("Tree", tree), ("Branch", branch)])),
        "the type `Branch -> Tree -> Branch` contains itself, which no column and no argument can"
    );
    let endless = product(&[("again", json!({"Ref": 0}))]);
    assert_eq!(
        refused(&schema(&[("Endless", endless)])),
        "the type `Endless -> Endless` contains itself, which no column and no argument can"
    );
}

#[test]
fn what_is_no_type_is_refused_in_words() {
    assert_eq!(
        refused(&schema(&[("T", product(&[("far", json!({"Ref": 7}))]))])),
        "`far` of the table `t` refers to type 7, and the schema has only 1"
    );
    let many: Vec<_> = (0..257).map(|at| format!("v{at}")).collect();
    let many: Vec<_> = many.iter().map(|name| (&**name, product(&[]))).collect();
    assert_eq!(
        refused(&schema(&[("T", product(&[("x", json!({"Ref": 1}))])), ("Many", sum(&many))])),
        "Many has 257 variants, and a tag tells at most 256 apart"
    );
    let deep = (0..100).fold(scalar("U8"), |inner, _| json!({"Array": inner}));
    assert_eq!(
        refused(&schema(&[("T", product(&[("x", deep)]))])),
        "`x` of the table `t` is nested more than 64 deep"
    );
    let error = Generator::new().name("no module").file(&schema(&[("T", product(&[]))]));
    assert!(matches!(error, Err(GenerateError::ModuleName { .. })));
}

#[test]
fn server_listing_order_does_not_matter() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemas/names.v10.json");
    let text = std::fs::read_to_string(path).unwrap();
    let made = |text: &str| {
        let schema = ServerSchema::parse(text).unwrap();
        Generator::new().private(true).file(&schema).unwrap().text().to_owned()
    };
    let mut other: Value = serde_json::from_str(&text).unwrap();
    let sections = other["sections"].as_array_mut().unwrap();
    sections.reverse();
    for section in sections {
        for (kind, list) in section.as_object_mut().unwrap() {
            // Types are referred to by their place.
            if kind != "Typespace"
                && let Some(list) = list.as_array_mut()
            {
                list.reverse();
            }
        }
    }
    assert_eq!(made(&text), made(&other.to_string()));
}

#[test]
fn stale_files_are_named_and_current_ones_kept() {
    let folder = tempfile::tempdir().unwrap();
    let schema = schema(&[("T", product(&[("x", scalar("U8"))]))]);
    let generated = Generator::new().name("m").client(true).file(&schema).unwrap();
    let stale = generated.check_in(folder.path()).unwrap().unwrap_err().to_string();
    assert!(stale.ends_with("m.rs does not exist"), "{stale}");

    let (file, client) = (folder.path().join("m.rs"), folder.path().join("main.rs"));
    assert_eq!(generated.write_to(folder.path()).unwrap(), [file.clone(), client.clone()]);
    assert!(generated.write_to(folder.path()).unwrap().is_empty());
    assert_eq!(generated.check_in(folder.path()).unwrap(), Ok(()));

    // The client is the reader's from then on.
    std::fs::write(&client, "fn main() {}").unwrap();
    std::fs::write(&file, generated.text().replace("u8", "u16").replace('\n', "\r\n")).unwrap();
    let stale = generated.check_in(folder.path()).unwrap().unwrap_err();
    assert_eq!((stale.files.len(), stale.files[0].line), (1, Some(11)));
    assert_eq!(generated.write_to(folder.path()).unwrap(), [file]);
    assert_eq!(std::fs::read_to_string(&client).unwrap(), "fn main() {}");
}

#[test]
fn a_kept_schema_drifts_where_the_module_changed() {
    let kept = schema(&[
        ("T", product(&[("x", scalar("U8")), ("kind", json!({"Ref": 1}))])),
        ("Kind", sum(&[("a", product(&[])), ("b", scalar("U8"))])),
    ]);
    assert_eq!(drift(&kept, &kept), []);
    let now = schema(&[
        ("T", product(&[("kind", json!({"Ref": 1}))])),
        ("Kind", sum(&[("a", product(&[])), ("b", scalar("U16")), ("c", product(&[]))])),
        ("More", product(&[("y", scalar("U8"))])),
    ]);
    let lines: Vec<_> = drift(&now, &kept).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "table t, column 1: server has kind: Kind, file has x: u8",
            "table t, column 2: server has nothing, file has kind: Kind",
            "type Kind, variant 2: server has b(u16), file has b(u8)",
            "type Kind, variant 3: server has c, file has nothing",
            "type More: server has a struct, file has nothing",
            "type More, field 1: server has y: u8, file has nothing",
        ]
    );
}

#[test]
fn replies_of_both_versions_do_not_drift_apart() {
    for module in
        ["chat", "module-test", "sdk-test-event-table", "sdk-test-procedure", "sdk-test-view"]
    {
        let [nine, ten] = [9, 10].map(|version| {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/schema");
            let text = std::fs::read_to_string(format!("{folder}/{module}.v{version}.json"));
            ServerSchema::parse(&text.unwrap()).unwrap()
        });
        assert_eq!(drift(&nine, &ten), [], "{module}");
    }
}

/// A schema of tables with these names, all of one column called as `column` says.
fn tables(names: &[&str], column: &str) -> ServerSchema {
    let types = names.iter().map(|_| product(&[(column, scalar("U32"))]));
    let tables = names.iter().enumerate().map(|(at, name)| {
        json!({"source_name": name, "product_type_ref": at, "primary_key": [0],
            "table_access": {"Public": []}})
    });
    let reply = json!({"sections": [
        {"Typespace": {"types": types.collect::<Vec<_>>()}},
        {"Tables": tables.collect::<Vec<_>>()},
    ]});
    ServerSchema::parse(&reply.to_string()).unwrap()
}

#[test]
fn no_name_escapes_comment_or_quotes() {
    let name = "x\n\"{}`\u{202e}*/ fn injected() {}";
    let made = Generator::new().client(true).file(&tables(&[name], "a\"b\nc")).unwrap();
    for file in made.files() {
        assert!(!file.text.contains('\u{202e}'), "{}", file.text);
        let lines = file.text.lines().filter(|line| line.contains(" fn injected()"));
        for line in lines {
            let line = line.trim_start();
            let quoted = ["///", "#[table(name = \"", "println!(\"x\\n\\\"{{}}", "\"x\\n\\\"{{}}"];
            assert!(quoted.iter().any(|start| line.starts_with(start)), "{line}");
        }
    }
}

#[test]
fn what_was_not_generated_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let made = Generator::new().client(true).file(&tables(&["t"], "id")).unwrap();
    let (module, client) = (folder.path().join("module.rs"), folder.path().join("main.rs"));
    std::fs::write(&module, "fn mine() {}\n").unwrap();
    let error = made.write_to(folder.path()).unwrap_err();
    let said = format!("cannot write over {}: it was not generated", module.display());
    assert!(error.to_string().starts_with(&said), "{error}");
    assert_eq!(std::fs::read_to_string(&module).unwrap(), "fn mine() {}\n");
    assert!(!client.exists(), "all or nothing");
    // Of another schema, or by another version.
    std::fs::write(&module, "// @generated by lightlike, somehow\n").unwrap();
    assert_eq!(made.write_to(folder.path()).unwrap(), [module, client]);
    let main = Generator::new().name("main").client(true).file(&tables(&["t"], "id"));
    assert!(matches!(main, Err(GenerateError::ModuleName { .. })), "{main:?}");
}

#[test]
fn every_table_has_its_own_file() {
    let schema = tables(&["mod", "types", "naïve", "日本", "1", "gen"], "gen");
    let made = Generator::new().client(true).files(&schema).unwrap();
    let paths: Vec<_> = made.files().iter().map(|file| file.path.to_str().unwrap()).collect();
    assert_eq!(
        paths,
        [
            "module/mod.rs",
            "module/_1_2.rs",
            "module/gen.rs",
            "module/mod_2.rs",
            "module/na_ve.rs",
            "module/types_2.rs",
            "module/value.rs",
            "main.rs"
        ]
    );
    let root = &made.files()[0].text;
    assert!(root.contains("mod r#gen;") && root.contains("pub use self::r#gen::*;"), "{root}");
    assert!(made.files()[7].text.contains("fn watch_1(db: &Client)"));
}

#[test]
fn what_has_no_name_cannot_be_asked_for() {
    assert_eq!(refused(&tables(&[""], "id")), "the schema has a table without a name");
    let column = Generator::new().file(&tables(&["t"], "")).unwrap();
    assert!(column.files()[0].text.contains("    pub value: u32,\n"));
}

#[test]
fn view_with_arguments_has_no_key_and_no_floats() {
    let field =
        |name: &str, ty: &str| json!({"name": {"some": name}, "algebraic_type": scalar(ty)});
    let view = |name: &str, param: Value| {
        json!({"source_name": name, "is_public": true, "is_anonymous": true,
            "params": {"elements": [param]}, "return_type": {"Array": {"Ref": 0}}})
    };
    let reply = json!({"sections": [
        {"Typespace": {"types": [product(&[("id", scalar("U64"))])]}},
        {"Types": [{"source_name": {"scope": [], "source_name": "Player"}, "ty": 0}]},
        {"Views": [view("by_level", field("level", "U32")), view("near", field("x", "F32"))]},
        {"ViewPrimaryKeys": [{"view_source_name": "by_level", "columns": ["id"]}]},
    ]});
    let schema = ServerSchema::parse(&reply.to_string()).unwrap();
    assert!(schema.views.iter().all(|view| view.primary_key.is_none()));
    let text = Generator::new().file(&schema).unwrap().files()[0].text.clone();
    assert!(text.contains("args(level: u32)") && !text.contains("primary_key"), "{text}");
    assert!(text.contains("no query can pass"), "{text}");
}

#[test]
fn open_enums_keep_unknown_tags_where_there_are_no_values() {
    let unit = || json!({"Product": {"elements": []}});
    let plain = sum(&[("red", unit()), ("other", unit())]);
    let valued = sum(&[("dot", unit()), ("label", scalar("String"))]);
    let row = product(&[("color", json!({"Ref": 1})), ("shape", json!({"Ref": 2}))]);
    let schema = schema(&[("Row", row), ("Color", plain), ("Shape", valued)]);
    let text = |generator: Generator| generator.file(&schema).unwrap().files()[0].text.clone();
    let open = text(Generator::new().open_enums(true));
    assert!(open.contains("    Other,\n    /// The tag of a variant that this program does not know.\n    #[bsatn(other)]\n    Unknown(u8),\n"), "{open}");
    assert_eq!(open.matches("#[bsatn(other)]").count(), 1, "{open}");
    assert!(!text(Generator::new()).contains("other)]"));
}
