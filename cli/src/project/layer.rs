//! The objects of the project's files, laid over each other key by key, with the file that each value is from.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::failure::{Exit, Failure};

/// A value, and the file that it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sourced<T> {
    pub(crate) value: T,
    /// Path of the file, as it is shown.
    pub(crate) file: Rc<str>,
}

impl<T> Sourced<T> {
    pub(super) fn map<U>(self, map: impl FnOnce(T) -> U) -> Sourced<U> {
        Sourced { value: map(self.value), file: self.file }
    }
}

/// A database of the files: its fields, and its children.
#[derive(Debug, Default)]
pub(super) struct Layer {
    fields: BTreeMap<String, Sourced<Value>>,
    env: BTreeMap<String, Sourced<String>>,
    pub(super) children: Vec<Self>,
}

impl Layer {
    /// Lays an object over this one. A key replaces the one below, but for `env`, which is laid over by its own keys, and
    /// `children`, which are laid over one by one; children that are not below are left out, as the official command does.
    pub(super) fn lay(&mut self, object: Value, file: &Rc<str>) -> Result<(), Failure> {
        for (key, value) in members(object, "the file", file)? {
            match &*key {
                "env" => self.lay_env(value, file)?,
                "children" => self.lay_children(value, file)?,
                _ => {
                    self.fields.insert(key, Sourced { value, file: Rc::clone(file) });
                }
            }
        }
        Ok(())
    }

    fn lay_env(&mut self, value: Value, file: &Rc<str>) -> Result<(), Failure> {
        for (name, value) in members(value, "`env`", file)? {
            let value = match value {
                Value::String(text) => text,
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                other => {
                    let place = format!("`{name}` in `env`");
                    return Err(wrong(file, &place, kind(&other), "a text, a number or a boolean"));
                }
            };
            self.env.insert(name, Sourced { value, file: Rc::clone(file) });
        }
        Ok(())
    }

    fn lay_children(&mut self, value: Value, file: &Rc<str>) -> Result<(), Failure> {
        let Value::Array(children) = value else {
            return Err(wrong(file, "`children`", kind(&value), "an array"));
        };
        if self.children.is_empty() {
            self.children.resize_with(children.len(), Self::default);
        }
        for (child, value) in self.children.iter_mut().zip(children) {
            child.lay(value, file)?;
        }
        Ok(())
    }

    /// Takes over what a child has from its parent and does not say itself.
    pub(super) fn inherit(&mut self, parent: &Self) {
        /// The module's sources: whoever names one, names the module.
        const SOURCES: [&str; 3] = ["bin-path", "module-path", "js-path"];
        let has_source = SOURCES.iter().any(|source| self.fields.contains_key(*source));
        for (key, value) in &parent.fields {
            let is_own = matches!(&**key, "database" | "generate" | "dev")
                || (has_source && SOURCES.contains(&&**key));
            if !is_own {
                self.fields.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        for (name, value) in &parent.env {
            self.env.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }

    /// The environment variables, in the order of their names.
    pub(super) fn env(&self) -> BTreeMap<String, Sourced<String>> {
        self.env.clone()
    }

    /// A field that is a text.
    pub(super) fn text(&self, key: &str) -> Result<Option<Sourced<String>>, Failure> {
        let Some(Sourced { value, file }) = self.fields.get(key) else { return Ok(None) };
        Ok(Some(Sourced { value: text(value, &format!("`{key}`"), file)?, file: Rc::clone(file) }))
    }

    /// A field that is `true` or `false`, which it is by default.
    pub(super) fn flag(&self, key: &str) -> Result<bool, Failure> {
        match self.fields.get(key) {
            None => Ok(false),
            Some(Sourced { value: Value::Bool(flag), .. }) => Ok(*flag),
            Some(Sourced { value, file }) => {
                Err(wrong(file, &format!("`{key}`"), kind(value), "`true` or `false`"))
            }
        }
    }

    /// A field that is an array of objects.
    pub(super) fn objects(&self, key: &str) -> Result<Vec<Sourced<Map<String, Value>>>, Failure> {
        let Some(Sourced { value, file }) = self.fields.get(key) else { return Ok(Vec::new()) };
        let Value::Array(objects) = value else {
            return Err(wrong(file, &format!("`{key}`"), kind(value), "an array of objects"));
        };
        let object = |value: &Value| -> Result<_, Failure> {
            let value = members(value.clone(), &format!("an entry of `{key}`"), file)?;
            Ok(Sourced { value, file: Rc::clone(file) })
        };
        objects.iter().map(object).collect()
    }
}

pub(super) fn text(value: &Value, place: &str, file: &str) -> Result<String, Failure> {
    match value {
        Value::String(text) => Ok(text.clone()),
        other => Err(wrong(file, place, kind(other), "a text")),
    }
}

fn members(value: Value, place: &str, file: &str) -> Result<Map<String, Value>, Failure> {
    match value {
        Value::Object(members) => Ok(members),
        other => Err(wrong(file, place, kind(&other), "an object")),
    }
}

/// A value of another kind. It is not shown: those of `env` may be secrets.
fn wrong(file: &str, place: &str, is: &str, wanted: &str) -> Failure {
    Failure::new(Exit::Content, format_args!("{file}: {place} is {is}, and must be {wanted}"))
        .tip("`--no-config` goes without the project's files")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
