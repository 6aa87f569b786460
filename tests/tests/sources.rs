//! Rules of the sources that no lint knows: documentation names what its reader can name, and moments are added up in one
//! place.
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// Modules of the core that no program sees, whose examples name the core itself.
const OF_THE_CORE: &[&str] = &["deadline.rs"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// What the documentation shows of a line: nothing of one that an example hides.
fn shown(line: &str) -> Option<&str> {
    let text = line.trim_start();
    let text = text.strip_prefix("///").or_else(|| text.strip_prefix("//!"))?.trim_start();
    (!text.starts_with("# ")).then_some(text)
}

/// The core is documented through the crate `lightlike`, where `lightlike_core::..` does not resolve.
#[test]
fn examples_name_the_crate_that_programs_use() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    ["core/src", "sdk/src", "macros/src"].iter().for_each(|at| sources(&root.join(at), &mut files));
    assert!(files.len() > 100, "{files:?}");
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        if OF_THE_CORE.contains(&name) {
            continue;
        }
        for (at, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let says = shown(line).filter(|text| text.contains("lightlike_core::"));
            assert!(says.is_none(), "{}:{}: {line}", file.display(), at + 1);
        }
    }
}

/// Items of the core appear in the documentation of `lightlike`, and not as a line that says where they come from.
#[test]
fn reexports_of_the_core_are_documented_in_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files.retain(|file| !file.ends_with("private.rs"));
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut before = "";
        for line in text.lines() {
            let is_reexport = line.starts_with("pub use lightlike_");
            assert!(!is_reexport || before == "#[doc(inline)]", "{}: {line}", file.display());
            before = line;
        }
    }
}

/// What a moment is called here, and what a time that is added to one.
const MOMENTS: &[&str] = &["now", "since", "began", "until", "deadline", "moment", "instant"];
const TIMES: &[&str] = &["timeout", "pause", "grace", "linger", "duration", "leeway"];

/// The name at the end of an expression: `now` of `self.clock.now()`.
fn name_before(text: &str) -> &str {
    let text = text.trim_end().trim_end_matches(['(', ')']);
    let start = text.rfind(|letter: char| !letter.is_alphanumeric() && letter != '_');
    start.map_or(text, |at| &text[at + 1..])
}

/// The path at the beginning of an expression: `config.timeout` of `config.timeout.min(..)`.
fn path_after(text: &str) -> String {
    let is_path = |letter: &char| letter.is_alphanumeric() || "_.:&*".contains(*letter);
    text.trim_start().chars().take_while(is_path).collect::<String>().to_lowercase()
}

/// Returns `true` if a line adds a time to a moment, or takes one off, in a way that may overflow.
fn adds_to_a_moment(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let operators = [" + ", " - ", " += ", " -= "];
    operators.iter().any(|operator| {
        code.match_indices(operator).any(|(at, _)| {
            let (before, after) = (name_before(&code[..at]), &code[at + operator.len()..]);
            let is_sum = !operator.contains('-') && MOMENTS.contains(&before);
            is_sum || path_after(after).split(['.', ':', '_']).any(|part| TIMES.contains(&part))
        })
    })
}

/// `Instant + Duration` panics where the sum is beyond all moments, and every time that an application chooses may be that
/// long. `core/src/deadline.rs` is the one place that adds them.
#[test]
fn moments_are_added_up_in_one_place() {
    assert!(adds_to_a_moment("let end = Instant::now() + wait;"));
    assert!(adds_to_a_moment("    self.dial_at = dialed + self.config.reconnect.pause_max;"));
    assert!(adds_to_a_moment("let begin = now - config.grace;"));
    assert!(!adds_to_a_moment("let end = after(now, wait); // not now + wait"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    ["core/src", "sdk/src", "cli/src"].iter().for_each(|at| sources(&root.join(at), &mut files));
    // The server's timestamps are numbers, with arithmetic of their own.
    let has_own = ["core/src/deadline.rs", "core/src/types"].map(|at| root.join(at));
    files.retain(|file| !has_own.iter().any(|own| file.starts_with(own)));
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        // Tests stand behind the code, and choose their own times.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let wrong = code.lines().enumerate().find(|(_, line)| adds_to_a_moment(line));
        assert!(wrong.is_none(), "{}: {wrong:?}: use `deadline::after`", file.display());
    }
}
