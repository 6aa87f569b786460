//! A database of the project's files, with everything that it has and inherits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::{Map, Value};

use super::layer::{Layer, Sourced, text};
use crate::failure::{Exit, Failure};

/// A database of the project.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Its name or identity; none if the files leave that to the command.
    pub(crate) database: Option<Sourced<String>>,
    /// The server, an address or a nickname.
    pub(crate) server: Option<Sourced<String>>,
    /// The module: a `.wasm` file, or the folder of its source.
    pub(crate) module: Option<Sourced<PathBuf>>,
    /// Environment variables for the module.
    pub(crate) env: BTreeMap<String, Sourced<String>>,
    /// `true` if publishing goes on though clients of the old module will not understand the new one.
    pub(crate) break_clients: bool,
    /// `true` if no token is presented.
    pub(crate) anonymous: bool,
    /// Settings of the declarations that are generated for Rust.
    pub(crate) generate: Vec<Sourced<Rust>>,
}

/// Declarations that are generated for Rust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rust {
    /// Where the module of declarations is: `src/bindings` for `src/bindings.rs`, or the folder of that name.
    pub(crate) out: Option<PathBuf>,
    /// `true` for what only the owner can read, too.
    pub(crate) private: bool,
}

impl Target {
    /// Reads a database's fields. Paths are relative to `folder`.
    pub(super) fn new(layer: &Layer, folder: &Path) -> Result<Self, Failure> {
        Ok(Self {
            database: layer.text("database")?,
            server: layer.text("server")?,
            module: module(layer, folder)?,
            env: layer.env(),
            break_clients: layer.flag("break-clients")?,
            anonymous: layer.flag("anonymous")?,
            generate: generate(layer, folder)?,
        })
    }

    /// Name of the database, to show it.
    pub(crate) fn name(&self) -> &str {
        self.database.as_ref().map_or("without a name", |database| &database.value)
    }
}

/// The module, of which one of several fields may tell.
fn module(layer: &Layer, folder: &Path) -> Result<Option<Sourced<PathBuf>>, Failure> {
    let (file, source) = (layer.text("bin-path")?, layer.text("module-path")?);
    if let Some(script) = layer.text("js-path")?.filter(|_| file.is_none() && source.is_none()) {
        let message = format!("{}: `js-path` names a module in JavaScript", script.file);
        return Err(Failure::new(Exit::Usage, message)
            .tip("this command publishes WebAssembly: `bin-path` or `module-path` names it"));
    }
    let named = match (file, source) {
        (Some(file), Some(_)) => {
            let message = format!("{}: both `bin-path` and `module-path` are given", file.file);
            return Err(Failure::new(Exit::Usage, message).tip("give one of them"));
        }
        (file, source) => file.or(source),
    };
    Ok(named.map(|named| named.map(|path| folder.join(path))))
}

fn generate(layer: &Layer, folder: &Path) -> Result<Vec<Sourced<Rust>>, Failure> {
    let mut all = Vec::new();
    for Sourced { value, file } in layer.objects("generate")? {
        if let Some(rust) = rust(&value, folder, &file)? {
            all.push(Sourced { value: rust, file: Rc::clone(&file) });
        }
    }
    Ok(all)
}

/// An entry of `generate`; none if it is of another language.
fn rust(entry: &Map<String, Value>, folder: &Path, file: &str) -> Result<Option<Rust>, Failure> {
    let field = |key: &str| match entry.get(key) {
        Some(value) => text(value, &format!("`{key}` in `generate`"), file).map(Some),
        None => Ok(None),
    };
    if field("language")?.is_none_or(|language| !language.eq_ignore_ascii_case("rust")) {
        return Ok(None);
    }
    let private = matches!(entry.get("include-private"), Some(Value::Bool(true)));
    Ok(Some(Rust { out: field("out-dir")?.map(|out| folder.join(out)), private }))
}
