//! What the repository's documents say of its code: the map of modules, and the tests that hold promises.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The sources in a file or below a folder.
fn sources(path: &Path) -> Result<Vec<String>> {
    if path.is_file() {
        return Ok(vec![fs::read_to_string(path)?]);
    }
    let mut all = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "rs") {
            all.append(&mut sources(&path)?);
        }
    }
    Ok(all)
}

/// The words between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Rows of the map that describe modules of `folder`: the modules' names, and those that they may use.
fn map_of(folder: &str, architecture: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut map = BTreeMap::new();
    for line in architecture.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [modules, _, knows] = cells[..] else { continue };
        let knows: BTreeSet<String> = quoted(knows).map(str::to_owned).collect();
        for module in quoted(modules).filter_map(|path| path.strip_prefix(folder)) {
            map.insert(module.trim_end_matches(".rs").to_owned(), knows.clone());
        }
    }
    map
}

/// Names that follow `crate::` in code, a brace's included.
fn used_in(source: &str) -> BTreeSet<String> {
    let code: Vec<&str> =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => used.extend(heads_of(list)),
            None => drop(used.insert(head_of(rest))),
        }
    }
    used
}

fn head_of(path: &str) -> String {
    path.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first name of each path in a brace that was opened.
fn heads_of(list: &str) -> Vec<String> {
    let (mut depth, mut heads, mut start) = (0, Vec::new(), 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                heads.push(head_of(&list[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => (),
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

fn check_map(folder: &str) -> Result<Vec<String>> {
    let map = map_of(folder, &fs::read_to_string(root().join("ARCHITECTURE.md"))?);
    let mut problems = Vec::new();
    let mut modules = BTreeMap::new();
    for entry in fs::read_dir(root().join(folder))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if name != "lib" {
            modules.insert(name, path);
        }
    }
    for (module, path) in &modules {
        let Some(may) = map.get(module) else {
            problems.push(format!("{folder}{module} is not in the map"));
            continue;
        };
        let mut uses = BTreeSet::new();
        for source in sources(path)? {
            uses.extend(used_in(&source).into_iter().filter(|name| modules.contains_key(name)));
        }
        uses.remove(module);
        let more = uses.difference(may).map(|other| format!("{module} uses {other} and may not"));
        let less = may.difference(&uses).map(|other| format!("{module} does not use {other}"));
        problems.extend(more.chain(less));
    }
    problems.extend(
        map.keys().filter(|name| !modules.contains_key(*name)).map(|n| format!("there is no {n}")),
    );
    Ok(problems)
}

#[test]
fn core_modules_use_what_the_map_says() -> Result {
    assert_eq!(check_map("core/src/")?, [""; 0], "ARCHITECTURE.md, \"The map\"");
    Ok(())
}

#[test]
fn used_names_are_found_in_braces_and_paths() {
    let source = "use crate::{a::{b, c}, d};\n// crate::e\nfn f() -> crate::g::H { $crate::i() }";
    assert_eq!(used_in(source), ["a", "d", "g", "i"].map(str::to_owned).into());
}

/// Items of the page have the form "- `file or folder`: `test`, `test`".
#[test]
fn promises_name_tests_that_exist() -> Result {
    let page = fs::read_to_string(root().join("docs/reliability.md"))?;
    let (mut named, mut missing) = (0, Vec::new());
    for line in page.lines().filter_map(|line| line.trim_start().strip_prefix("- `")) {
        let Some((path, tests)) = line.split_once("`: `") else { continue };
        let sources = sources(&root().join(path)).map_err(|error| format!("{path}: {error}"))?;
        for test in quoted(&format!("`{tests}")) {
            let definition = format!("fn {test}(");
            if !sources.iter().any(|source| source.contains(&definition)) {
                missing.push(format!("{test} is not in {path}"));
            }
            named += 1;
        }
    }
    assert_eq!(missing, [""; 0], "docs/reliability.md");
    assert!(named > 100, "{named} tests are named");
    Ok(())
}
