//! Rust names for the names of a module, whatever language that is written in.
//!
//! The macros of `lightlike` derive wire names from Rust names as the server does. Here it is the other way round: a Rust
//! name is found that is good Rust, and where the macros would not find the wire name from it, it is said.

use std::collections::BTreeSet;

use convert_case::{Case, Casing};

/// Names that generated code uses for what they usually mean, or that would puzzle in its place.
const TAKEN: &[&str] = &[
    "Self",
    "Box",
    "Option",
    "Some",
    "None",
    "Result",
    "Ok",
    "Err",
    "String",
    "Vec",
    "Identity",
    "ConnectionId",
    "Timestamp",
    "TimeDuration",
    "ScheduleAt",
    "Uuid",
    "I256",
    "U256",
    "Client",
    "Subscription",
    "CallError",
    "FileTokens",
];

/// Words that are no names even with `r#`.
const NEVER_RAW: &[&str] = &["self", "Self", "super", "crate", "_"];

/// Words that are reserved since the edition of 2024, though `syn` takes them for names.
const RESERVED: &[&str] = &["gen"];

/// As the macros make the wire name of a table, a column, a function from its Rust name.
pub(crate) fn snake(ident: &str) -> String {
    unraw(ident).to_case(Case::Snake)
}

/// As the macros make the wire name of a variant.
pub(crate) fn camel(ident: &str) -> String {
    unraw(ident).to_case(Case::Camel)
}

/// As the macros make the name of a call's type.
pub(crate) fn call_type(function: &str) -> String {
    unraw(function).to_case(Case::Pascal)
}

/// The name that a schema gives to a field; an empty one is none.
pub(crate) fn given(name: &Option<Box<str>>) -> Option<&str> {
    name.as_deref().filter(|name| !name.is_empty())
}

fn unraw(ident: &str) -> &str {
    ident.strip_prefix("r#").unwrap_or(ident)
}

/// A field, a parameter, a function: `player_id`, `u_8`, `r#type`.
pub(crate) fn value(name: &str) -> String {
    let mut ident = String::with_capacity(name.len());
    let mut before = None;
    for c in name.chars().map(plain) {
        if c.is_uppercase() {
            if before.is_some_and(|before: char| before.is_lowercase() || before.is_ascii_digit()) {
                ident.push('_');
            }
            ident.extend(c.to_lowercase());
        } else {
            ident.push(c);
        }
        before = Some(c);
    }
    let ident = ident.replace(|c: char| !is_continue(c), "_");
    let words: Vec<_> = ident.split('_').filter(|word| !word.is_empty()).collect();
    let start = if ident.starts_with('_') { "_" } else { "" };
    identifier(format!("{start}{}", words.join("_")), "value")
}

/// A letter that is another way to write one of ASCII is that one: the compiler wants names without such twins.
fn plain(c: char) -> char {
    let letter = c.to_uppercase().flat_map(char::to_lowercase).next().unwrap_or(c);
    if letter.is_ascii() && c.is_lowercase() && c.to_uppercase().count() == 1 { letter } else { c }
}

/// A type or a variant: `PlayerId`, `OneU8`.
pub(crate) fn ty(name: &str) -> String {
    let name: String = name.chars().map(|c| if is_continue(c) { plain(c) } else { '_' }).collect();
    let words = name.split('_').filter(|word| !word.is_empty());
    let ident = words.map(|word| {
        let mut chars = word.chars();
        let first = chars.next().into_iter().flat_map(char::to_uppercase);
        first.chain(chars).collect::<String>()
    });
    identifier(ident.collect(), "Type")
}

fn is_continue(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Makes an identifier of what is nearly one.
fn identifier(mut ident: String, otherwise: &str) -> String {
    if ident.trim_matches('_').is_empty() {
        ident = otherwise.to_owned();
    }
    if NEVER_RAW.contains(&&*ident) {
        return ident + "_";
    }
    if ident.starts_with(|c: char| c.is_numeric()) {
        ident.insert(0, '_');
    }
    if is_word(&ident) {
        return ident;
    }
    let raw = format!("r#{ident}");
    if syn::parse_str::<syn::Ident>(&raw).is_ok() { raw } else { otherwise.to_owned() }
}

/// A module with a file of its own, of which the compiler takes only ASCII.
pub(crate) fn file(name: &str) -> String {
    value(&name.replace(|c: char| !c.is_ascii(), "_"))
}

/// Returns `true` if a name can be that of a Rust module.
pub(crate) fn is_module(name: &str) -> bool {
    is_word(name)
}

fn is_word(name: &str) -> bool {
    syn::parse_str::<syn::Ident>(name).is_ok() && !RESERVED.contains(&name)
}

/// The names of one scope, each given once.
#[derive(Debug)]
pub(crate) struct Scope {
    given: BTreeSet<String>,
    /// Between a name and the number that makes it another.
    separator: &'static str,
}

impl Scope {
    /// A scope of types, in which the usual names mean what they usually do.
    pub(crate) fn of_types() -> Self {
        Self { given: TAKEN.iter().map(|&name| name.to_owned()).collect(), separator: "" }
    }

    /// A scope of variants.
    pub(crate) fn of_variants() -> Self {
        Self { given: BTreeSet::new(), separator: "" }
    }

    /// A scope of fields, parameters or functions.
    pub(crate) fn of_values() -> Self {
        Self { given: BTreeSet::new(), separator: "_" }
    }

    /// Gives the first of `candidates` that is free, or the first with a number.
    pub(crate) fn give(&mut self, candidates: &[&str]) -> String {
        let numbered = (2_u32..).map(|number| {
            let first = candidates.first().copied().unwrap_or_default();
            format!(
                "{}{}{number}",
                first.strip_suffix('_').unwrap_or_else(|| unraw(first)),
                self.separator
            )
        });
        let all = candidates.iter().map(|&name| name.to_owned()).chain(numbered);
        let free = all.into_iter().find(|name| !self.given.contains(name)).unwrap_or_default();
        self.given.insert(free.clone());
        free
    }

    /// Takes a name, and returns `true` if it was free.
    pub(crate) fn take(&mut self, name: &str) -> bool {
        self.given.insert(name.to_owned())
    }
}
