//! Environment variables of a module, given when it is published.
//!
//! # Source
//!
//! `spacetimedb-client-api-messages` 2.14.0, `publish.rs` (the headers), and `spacetimedb-lib`, `environment.rs` (the limits).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fmt::Write as _;

use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::http::exchange::request::Request;

/// Header of assignments with commas between, which may come several times.
const ASSIGN: HeaderName = HeaderName::from_static("spacetime-environment");
/// Header of the names to forget.
const REMOVE: HeaderName = HeaderName::from_static("spacetime-environment-remove");

/// Largest number of variables of a database.
pub(crate) const MAX_VARIABLES: usize = 256;
/// Longest name, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 256;
/// Length up to which assignments share a line: a server reads a hundred lines of headers, and proxies lines of 8 KiB.
const MAX_LINE_BYTES: usize = 4 * 1024;
/// Longest value, in bytes.
pub(crate) const MAX_VALUE_BYTES: usize = 8 * 1024;

/// Changes to the environment of a database. Values may be secrets: no form of this shows one.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    values: BTreeMap<Box<str>, Box<str>>,
    remove: Remove,
}

/// Variables that are forgotten.
#[derive(Clone)]
enum Remove {
    Named(BTreeSet<Box<str>>),
    All,
}

impl Default for Remove {
    fn default() -> Self {
        Self::Named(BTreeSet::new())
    }
}

impl Environment {
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.into(), value.into());
    }

    pub(crate) fn remove(&mut self, name: &str) {
        if let Remove::Named(names) = &mut self.remove {
            names.insert(name.into());
        }
    }

    pub(crate) fn remove_all(&mut self) {
        self.remove = Remove::All;
    }

    /// Checks what the server would refuse, and says it of the variable.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.values.len() > MAX_VARIABLES {
            let count = self.values.len();
            return Err(format!(
                "{count} environment variables, of which a database has {MAX_VARIABLES} at most"
            ));
        }
        for (name, value) in &self.values {
            check_name(name)?;
            if value.len() > MAX_VALUE_BYTES {
                let bytes = value.len();
                return Err(format!(
                    "the environment variable `{name}` has {bytes} bytes, of which {MAX_VALUE_BYTES} are allowed"
                ));
            }
        }
        let Remove::Named(names) = &self.remove else { return Ok(()) };
        for name in names {
            check_name(name)?;
            if self.values.contains_key(name) {
                return Err(format!(
                    "the environment variable `{name}` is both set and removed; say one"
                ));
            }
        }
        Ok(())
    }

    /// Adds the headers of a change that [`check`](Self::check) found good.
    pub(crate) fn write_to(&self, mut request: Request) -> Request {
        let mut line = String::new();
        for (name, value) in &self.values {
            let assignment = format!("{name}={}", quoted(value));
            if !line.is_empty() && line.len() + assignment.len() > MAX_LINE_BYTES {
                request = request.header(ASSIGN, sensitive(std::mem::take(&mut line)));
            }
            line.push_str(if line.is_empty() { "" } else { ", " });
            line.push_str(&assignment);
        }
        if !line.is_empty() {
            request = request.header(ASSIGN, sensitive(line));
        }
        self.write_removals_to(request)
    }

    /// Returns `true` if all that is not set is forgotten.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.remove, Remove::All)
    }

    /// The values as JSON, for a route that takes them as its body.
    pub(crate) fn json(&self) -> String {
        serde_json::json!(self.values).to_string()
    }

    /// Adds the header of what is forgotten.
    pub(crate) fn write_removals_to(&self, request: Request) -> Request {
        match &self.remove {
            Remove::All => request.header(REMOVE, HeaderValue::from_static("*")),
            Remove::Named(names) if names.is_empty() => request,
            Remove::Named(names) => {
                let names: Vec<&str> = names.iter().map(|name| &**name).collect();
                request.header(REMOVE, sensitive(names.join(", ")))
            }
        }
    }
}

/// The names, without the values.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = f.debug_list();
        names.entries(self.values.keys());
        match &self.remove {
            Remove::Named(removed) => names.entries(removed.iter().map(|name| format!("-{name}"))),
            Remove::All => names.entry(&"-*"),
        };
        names.finish()
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if starts && goes_on && name.len() <= MAX_NAME_BYTES {
        return Ok(());
    }
    // A mistyped assignment may hold a secret: what does not look like a name is not shown.
    let shown =
        if goes_on && name.len() <= MAX_NAME_BYTES { format!(" `{name}`") } else { String::new() };
    Err(format!(
        "the name{shown} of an environment variable is not valid: letters, digits and `_`, no digit first, {MAX_NAME_BYTES} bytes at most"
    ))
}

/// A value in the header's syntax: as it is where it is visible ASCII without quotes, commas and backslashes, else as a JSON
/// string in ASCII.
fn quoted(value: &str) -> String {
    let is_bare =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b',' | b'\\');
    if value.bytes().all(is_bare) {
        return value.to_owned();
    }
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            ' '..='~' => text.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // A `String` takes whatever is written to it.
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text.push('"');
    text
}

/// Words for the server's refusal of an environment, which is JSON.
pub(crate) fn refusal(text: &str) -> Option<String> {
    let reply: Reply = serde_json::from_str(text).ok()?;
    Some(match reply.error {
        Refusal::MissingRequiredEnvironment { keys } => format!(
            "the module requires environment variables that it was not given: {}; set them when it is published",
            keys.join(", ")
        ),
        Refusal::VersionConflict(_) => {
            "another module was published meanwhile; look at what is there, and publish again"
                .to_owned()
        }
    })
}

#[derive(Deserialize)]
struct Reply {
    /// Of a publication, or of a change without one.
    #[serde(rename = "EnvironmentError", alias = "Err")]
    error: Refusal,
}

#[derive(Deserialize)]
enum Refusal {
    MissingRequiredEnvironment { keys: Vec<String> },
    VersionConflict(IgnoredAny),
}

fn sensitive(text: String) -> HeaderValue {
    let mut value = HeaderValue::try_from(text).expect("names and quoted values are visible ASCII");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;

    fn headers(environment: &Environment) -> Vec<String> {
        environment.check().unwrap();
        let request = environment.write_to(Request::new(Method::PUT, "/"));
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            assert!(value.is_sensitive() || value == "*");
            format!("{name}: {}", value.to_str().unwrap())
        };
        request.headers.iter().map(line).collect()
    }

    #[test]
    fn values_are_quoted_as_the_server_reads_them() {
        let mut environment = Environment::default();
        for (name, value) in [
            ("API_KEY", "abc123"),
            ("EMPTY", ""),
            ("GREETING", "héllo, \"world\" \\ 😀"),
            ("PEM", "line1\nline2\0\u{7f}"),
            ("QUOTE", "it's"),
            ("URL", "https://x.io/a?b=1&c=%20"),
            ("_PADDED", "  padded  "),
        ] {
            environment.set(name, value);
        }
        let line = [
            "API_KEY=abc123",
            "EMPTY=",
            r#"GREETING="h\u00e9llo, \"world\" \\ \ud83d\ude00""#,
            r#"PEM="line1\u000aline2\u0000\u007f""#,
            r#"QUOTE="it's""#,
            "URL=https://x.io/a?b=1&c=%20",
            r#"_PADDED="  padded  ""#,
        ];
        let line = format!("spacetime-environment: {}", line.join(", "));
        assert_eq!(headers(&environment), [line]);
    }

    #[test]
    fn many_variables_share_few_lines() {
        let mut environment = Environment::default();
        (0..MAX_VARIABLES).for_each(|n| environment.set(&format!("N{n}"), &"v".repeat(100)));
        let lines = headers(&environment);
        assert!(lines.len() < 10 && lines.iter().all(|line| line.len() < 5 << 10));
        let assignments = lines.iter().flat_map(|line| line.split(", ")).count();
        assert_eq!(assignments, MAX_VARIABLES);
        environment.set("N0", &"x".repeat(MAX_VALUE_BYTES));
        assert!(headers(&environment).len() <= lines.len() + 1);
    }

    #[test]
    fn removals_share_one_header() {
        let mut environment = Environment::default();
        environment.remove("FOO");
        environment.remove("_bar");
        assert_eq!(headers(&environment), ["spacetime-environment-remove: FOO, _bar"]);
        environment.remove_all();
        assert_eq!(headers(&environment), ["spacetime-environment-remove: *"]);
    }

    #[test]
    fn invalid_changes_name_the_variable_and_no_value() {
        let problem = |change: fn(&mut Environment)| {
            let mut environment = Environment::default();
            change(&mut environment);
            environment.check().unwrap_err()
        };
        assert!(problem(|it| it.set("1ST", "x")).contains("`1ST`"));
        let mistyped = problem(|it| it.set("KEY=secret", "x"));
        assert!(!mistyped.contains("secret"), "{mistyped}");
        assert!(
            problem(|it| it.set("BIG", &"x".repeat(MAX_VALUE_BYTES + 1)))
                .contains("`BIG` has 8193 bytes")
        );
        let both = problem(|it| {
            it.set("A", "x");
            it.remove("A");
        });
        assert!(both.contains("`A` is both set and removed"), "{both}");
        let many = problem(|it| (0..=MAX_VARIABLES).for_each(|n| it.set(&format!("A{n}"), "")));
        assert!(many.contains("257 environment variables"), "{many}");
    }

    #[test]
    fn refusals_are_put_in_words() {
        let missing =
            r#"{"EnvironmentError":{"MissingRequiredEnvironment":{"keys":["API_KEY","MODE"]}}}"#;
        assert!(refusal(missing).unwrap().contains("API_KEY, MODE"));
        let alone = r#"{"Err":{"MissingRequiredEnvironment":{"keys":["MODE"]}}}"#;
        assert!(refusal(alone).unwrap().contains("was not given: MODE"));
        let conflict = r#"{"EnvironmentError":{"VersionConflict":[]}}"#;
        assert!(refusal(conflict).unwrap().contains("another module"));
        assert_eq!(refusal("No such database."), None);
    }

    #[test]
    fn debug_shows_no_value() {
        let mut environment = Environment::default();
        environment.set("API_KEY", "secret");
        environment.remove("OLD");
        assert_eq!(format!("{environment:?}"), r#"["API_KEY", "-OLD"]"#);
    }
}
