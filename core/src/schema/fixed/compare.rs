//! Two types side by side, while a program is compiled.

use super::text::Text;
use super::{StaticType, StaticTypes, UnknownVariants};

/// Compares a type of a schema with one of the program.
///
/// # Panics
///
/// At compile time, if they differ: with `message`, and where in the types the difference is.
#[track_caller]
pub const fn check_type(theirs: &StaticType, ours: &StaticType, message: &str) {
    let mut walk = Walk { path: Text::new(), found: Text::new() };
    if !walk.differ(theirs, ours) {
        return;
    }
    let mut text = Text::new();
    text.push(message);
    if walk.path.len() > 0 {
        text.push("; in ");
        text.push(walk.path.as_str());
        text.push(": ");
        text.push(walk.found.as_str());
    }
    panic!("{}", text.as_str())
}

/// Compares a primary key of a schema with that of a row that stands elsewhere.
///
/// # Panics
///
/// At compile time, if they differ, with `message`.
#[track_caller]
pub const fn check_key(theirs: Option<u16>, ours: Option<u16>, message: &str) {
    let same = match (theirs, ours) {
        (None, None) => true,
        (Some(theirs), Some(ours)) => theirs == ours,
        _ => false,
    };
    if !same {
        panic!("{}", message)
    }
}

/// Goes through two types until they differ.
struct Walk {
    /// Current path.
    path: Text,
    /// Text of the difference.
    found: Text,
}

impl Walk {
    const fn differ(&mut self, theirs: &StaticType, ours: &StaticType) -> bool {
        match (theirs, ours) {
            (StaticType::Scalar(a), StaticType::Scalar(b)) if *a as usize == *b as usize => false,
            (StaticType::Array(a), StaticType::Array(b))
            | (StaticType::Option(a), StaticType::Option(b)) => self.differ(a, b),
            (StaticType::Result(ok_a, err_a), StaticType::Result(ok_b, err_b)) => {
                self.differ(ok_a, ok_b) || self.differ(err_a, err_b)
            }
            (
                StaticType::Product { names: a_names, types: a, .. },
                StaticType::Product { names: b_names, types: b, .. },
            ) => self.parts("field", (a_names, a), (b_names, b)),
            (
                StaticType::Sum { names: a_names, types: a, .. },
                StaticType::Sum { names: b_names, types: b, unknown, .. },
            ) => match unknown {
                UnknownVariants::Refused => self.parts("variant", (a_names, a), (b_names, b)),
                _ if count(a) < count(b) => self.parts("variant", (a_names, a), (b_names, b)),
                UnknownVariants::Tag => {
                    self.known_parts((a_names, a), (b_names, b))
                        || self.unknown_values(a_names, a, count(b))
                }
                UnknownVariants::Value => self.known_parts((a_names, a), (b_names, b)),
            },
            _ => {
                self.found = Text::new();
                self.found.push("server has ");
                write(&mut self.found, theirs);
                self.found.push(", struct has ");
                write(&mut self.found, ours);
                true
            }
        }
    }

    const fn parts(
        &mut self,
        what: &str,
        (a_names, a): (&[&str], &StaticTypes),
        (b_names, b): (&[&str], &StaticTypes),
    ) -> bool {
        if count(a) != count(b) {
            if self.path.len() == 0 {
                self.path.push("it");
            }
            self.found = Text::new();
            self.found.push("server has ");
            self.counted(count(a), what);
            self.found.push(", struct has ");
            self.counted(count(b), what);
            return true;
        }
        self.known_parts((a_names, a), (b_names, b))
    }

    /// Compares as many parts as ours has.
    const fn known_parts(
        &mut self,
        (a_names, a): (&[&str], &StaticTypes),
        (b_names, b): (&[&str], &StaticTypes),
    ) -> bool {
        let (mut a, mut b) = (a, b);
        let mut at = 0;
        while let (Some((a_type, a_rest)), Some((b_type, b_rest))) = (a.first, b.first) {
            let before = self.path.len();
            self.step(a_names, at);
            let named = at < a_names.len() && at < b_names.len();
            if named && !same_name(a_names[at], b_names[at]) {
                self.found = Text::new();
                self.found.push("server has ");
                self.found.push(a_names[at]);
                self.found.push(", struct has ");
                self.found.push(b_names[at]);
                return true;
            }
            if self.differ(a_type, b_type) {
                return true;
            }
            self.path.truncate(before);
            (a, b) = (a_rest, b_rest);
            at += 1;
        }
        false
    }

    /// Looks for a variant of theirs behind the first `known` that has a value.
    const fn unknown_values(&mut self, names: &[&str], types: &StaticTypes, known: usize) -> bool {
        let mut types = types;
        let mut at = 0;
        while let Some((ty, rest)) = types.first {
            if at >= known && !is_unit(ty) {
                self.step(names, at);
                self.found = Text::new();
                self.found.push("server has ");
                write(&mut self.found, ty);
                self.found.push(", struct has an `other` that keeps no value");
                return true;
            }
            types = rest;
            at += 1;
        }
        false
    }

    /// One level deeper: to a part with a name, or else at a position.
    const fn step(&mut self, names: &[&str], at: usize) {
        if self.path.len() > 0 {
            self.path.push(".");
        }
        if at < names.len() {
            self.path.push(names[at]);
        } else {
            self.path.number(at);
        }
    }

    const fn counted(&mut self, count: usize, what: &str) {
        self.found.number(count);
        self.found.push(" ");
        self.found.push(what);
        if count != 1 {
            self.found.push("s");
        }
    }
}

const fn is_unit(ty: &StaticType) -> bool {
    matches!(ty, StaticType::Product { types: StaticTypes { first: None }, .. })
}

const fn count(types: &StaticTypes) -> usize {
    let mut types = types;
    let mut count = 0;
    while let Some((_, rest)) = types.first {
        types = rest;
        count += 1;
    }
    count
}

/// As the type would be written in Rust.
const fn write(text: &mut Text, ty: &StaticType) {
    match ty {
        StaticType::Scalar(scalar) => text.push(scalar.name()),
        StaticType::Array(element) => around(text, "Vec<", element),
        StaticType::Option(some) => around(text, "Option<", some),
        StaticType::Result(ok, err) => {
            text.push("Result<");
            write(text, ok);
            text.push(", ");
            write(text, err);
            text.push(">");
        }
        StaticType::Product { name: Some(name), .. } | StaticType::Sum { name: Some(name), .. } => {
            text.push(name);
        }
        StaticType::Product { types, .. } => {
            text.push("(");
            let mut types = types;
            let mut at = 0;
            while let Some((ty, rest)) = types.first {
                text.push(if at == 0 { "" } else { ", " });
                write(text, ty);
                types = rest;
                at += 1;
            }
            text.push(if at == 1 { ",)" } else { ")" });
        }
        StaticType::Sum { .. } => text.push("an enum"),
    }
}

const fn around(text: &mut Text, open: &str, inner: &StaticType) {
    text.push(open);
    write(text, inner);
    text.push(">");
}

/// Returns `true` if two names differ at most in how words are told apart, which the server changes.
const fn same_name(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let (mut i, mut j) = (0, 0);
    loop {
        while i < a.len() && a[i] == b'_' {
            i += 1;
        }
        while j < b.len() && b[j] == b'_' {
            j += 1;
        }
        if i == a.len() || j == b.len() {
            return i == a.len() && j == b.len();
        }
        if !a[i].eq_ignore_ascii_case(&b[j]) {
            return false;
        }
        i += 1;
        j += 1;
    }
}
