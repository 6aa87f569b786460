//! The project's files: `spacetime.json` of the folder or of one above it, and those that are laid over it.
//!
//! They say what a command is not told: the database, its server, its module and environment, and what is generated. What is
//! said on the command line or by a variable of the environment counts more.
//!
//! # Source
//!
//! The reference of `spacetime.json` in the official documentation of 2.x, and that of environment variables of 2.13: names and
//! precedence of the files, fields, inheritance.

mod layer;
mod target;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use self::layer::Layer;
pub(crate) use self::layer::Sourced;
pub(crate) use self::target::{Rust, Target};
use crate::failure::{Exit, Failure};

/// Word for the project's one database, in the place of a name.
pub(crate) const HERE: &str = ".";

/// Largest file that is read.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The project's databases.
#[derive(Debug)]
pub(crate) struct Project {
    /// Path of `spacetime.json`, as it is shown.
    file: Rc<str>,
    folder: PathBuf,
    /// The files' root, then its children, each before its own.
    targets: Vec<Target>,
}

impl Project {
    /// Finds the files of a folder, or of the nearest one above it that has `spacetime.json`. With an overlay, those of that
    /// name are laid over it too.
    pub(crate) fn find(folder: &Path, overlay: Option<&str>) -> Result<Option<Self>, Failure> {
        let Some((folder, shown)) = nearest(folder) else {
            return match overlay {
                Some(_) => {
                    Err(Failure::new(Exit::NotFound, "`--overlay`: there is no spacetime.json")
                        .tip("run it in the project's folder, or leave `--overlay` out"))
                }
                None => Ok(None),
            };
        };
        let mut names = vec!["spacetime.json".to_owned(), "spacetime.local.json".to_owned()];
        let mut root = Layer::default();
        names.extend(overlay.map(|name| format!("spacetime.{name}.json")));
        names.extend(overlay.map(|name| format!("spacetime.{name}.local.json")));
        let mut overlays = 0;
        for (at, name) in names.iter().enumerate() {
            let file: Rc<str> = shown.join(name).display().to_string().into();
            if let Some(value) = read(&folder.join(name), &file)? {
                root.lay(value, &file)?;
                overlays += usize::from(at > 1);
            }
        }
        if let (Some(overlay), 0) = (overlay, overlays) {
            let message = format!("`--overlay {overlay}`: there is no spacetime.{overlay}.json");
            return Err(Failure::new(Exit::NotFound, message)
                .tip(format_args!("it would be beside {}", shown.join(&names[0]).display())));
        }
        let mut targets = Vec::new();
        flatten(root, &folder, &mut targets)?;
        Ok(Some(Self { file: shown.join(&names[0]).display().to_string().into(), folder, targets }))
    }

    /// Path of `spacetime.json`, as it is shown.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// The folder that its paths are relative to.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files' root, whose server is the project's.
    pub(crate) fn root(&self) -> &Target {
        &self.targets[0]
    }

    /// The databases, parents first.
    pub(crate) fn databases(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(|target| target.database.is_some())
    }

    /// The database of a name.
    pub(crate) fn database(&self, name: &str) -> Option<&Target> {
        self.databases().find(|target| target.name() == name)
    }

    /// The one database.
    pub(crate) fn only(&self) -> Result<&Target, Failure> {
        let all: Vec<_> = self.databases().collect();
        match all[..] {
            [one] => Ok(one),
            [] => Err(Failure::new(Exit::Usage, format_args!("{} names no database", self.file))
                .tip("name one here, or as `\"database\": \"NAME\"` there")),
            [..] => {
                let names: Vec<_> = all.iter().map(|target| target.name()).collect();
                let message =
                    format!("{} has {} databases: {}", self.file, names.len(), names.join(", "));
                Err(Failure::new(Exit::Usage, message).tip("name the one that is meant"))
            }
        }
    }
}

/// The nearest folder with a `spacetime.json`, and how it is shown from here.
fn nearest(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut shown = PathBuf::new();
    for folder in folder.ancestors() {
        if folder.join("spacetime.json").is_file() {
            return Some((folder.to_owned(), shown));
        }
        shown.push("..");
    }
    None
}

/// Reads a file; none if there is none.
fn read(path: &Path, shown: &Rc<str>) -> Result<Option<serde_json::Value>, Failure> {
    let unreadable = |error| Failure::file("read", Path::new(&**shown), &error);
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
        Ok(found) if found.len() > MAX_FILE_BYTES => {
            let message = format!("{shown} has {} bytes, more than {MAX_FILE_BYTES}", found.len());
            return Err(Failure::new(Exit::Content, message));
        }
        Ok(_) => (),
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    match json5::from_str(&text) {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            Err(Failure::new(Exit::Content, format_args!("{shown} is not JSON5: {error}"))
                .tip("mend it, or `--no-config` goes without the project's files"))
        }
    }
}

/// A database and its children, each with what it inherits.
fn flatten(mut layer: Layer, folder: &Path, targets: &mut Vec<Target>) -> Result<(), Failure> {
    targets.push(Target::new(&layer, folder)?);
    for mut child in std::mem::take(&mut layer.children) {
        child.inherit(&layer);
        flatten(child, folder, targets)?;
    }
    Ok(())
}
