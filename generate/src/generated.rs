//! Generated files, and their comparison with a folder's.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The files that were made of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "nothing is written until `write_to`"]
pub struct Generated {
    files: Vec<GeneratedFile>,
}

/// A file that was made, and lies nowhere yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GeneratedFile {
    /// Path below the folder of the Rust module's parent.
    pub path: PathBuf,
    /// Contents.
    pub text: String,
    /// `true` if it is only a beginning: it is not written where there is one, and never stale.
    pub once: bool,
}

/// A file or a folder that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {}: {source}", path.display())]
pub struct WriteError {
    verb: &'static str,
    path: PathBuf,
    r#source: io::Error,
}

impl WriteError {
    /// What the system said, or that a file was not generated ([`AlreadyExists`](io::ErrorKind::AlreadyExists)). Its text is in
    /// this error's own.
    pub fn cause(&self) -> &io::Error {
        &self.source
    }
}

/// Files that are not what the schema makes now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not what the schema makes now: {}", list(files))]
pub struct Stale {
    /// Each with what is wrong with it.
    pub files: Vec<StaleFile>,
}

/// A file that is not what the schema makes now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StaleFile {
    /// The file.
    pub path: PathBuf,
    /// The first line that differs, from 1; none if there is no file.
    pub line: Option<usize>,
}

impl fmt::Display for StaleFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} from line {line}", self.path.display()),
            None => write!(f, "{} does not exist", self.path.display()),
        }
    }
}

fn list(files: &[StaleFile]) -> String {
    files.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Generated {
    pub(crate) fn new(files: Vec<GeneratedFile>) -> Self {
        Self { files }
    }

    /// The files, the one with the declarations first.
    pub fn files(&self) -> &[GeneratedFile] {
        &self.files
    }

    /// Contents of the first file.
    pub fn text(&self) -> &str {
        self.files.first().map_or("", |file| &file.text)
    }

    /// Writes the files below `folder`, which is made if it is not there, and returns those that changed. A file that is
    /// right already is not touched, so that nothing is built again for it. One that does not say at its start that it was
    /// generated is somebody's work, and stays: then nothing is written.
    ///
    /// # Errors
    ///
    /// [`WriteError`] names the file.
    pub fn write_to(&self, folder: impl AsRef<Path>) -> Result<Vec<PathBuf>, WriteError> {
        let mut stale = Vec::new();
        for file in &self.files {
            let path = folder.as_ref().join(&file.path);
            match read(&path)? {
                Some(found) if file.once || found == file.text => (),
                Some(found) if !is_generated(&found) => {
                    let source = io::Error::new(io::ErrorKind::AlreadyExists, NOT_GENERATED);
                    return Err(WriteError { verb: "write over", path, source });
                }
                _ => stale.push((path, file)),
            }
        }
        let mut changed = Vec::new();
        for (path, file) in stale {
            let error = |verb, path: &Path| {
                let path = path.to_owned();
                move |source| WriteError { verb, path, source }
            };
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(error("make the folder", parent))?;
            }
            fs::write(&path, &file.text).map_err(error("write", &path))?;
            changed.push(path);
        }
        Ok(changed)
    }

    /// Checks that the files below `folder` are these: for CI. Ends of lines may be those of any system.
    ///
    /// # Errors
    ///
    /// [`WriteError`] if one is there and cannot be read. The inner error names what is stale.
    pub fn check_in(&self, folder: impl AsRef<Path>) -> Result<Result<(), Stale>, WriteError> {
        let mut files = Vec::new();
        for file in self.files.iter().filter(|file| !file.once) {
            let path = folder.as_ref().join(&file.path);
            let line = match read(&path)? {
                None => None,
                Some(found) => match first_difference(&file.text, &found) {
                    None => continue,
                    line => line,
                },
            };
            files.push(StaleFile { path, line });
        }
        Ok(if files.is_empty() { Ok(()) } else { Err(Stale { files }) })
    }
}

fn first_difference(ours: &str, theirs: &str) -> Option<usize> {
    let (mut ours, mut theirs) = (ours.lines(), theirs.lines());
    (1..).find_map(|line| match (ours.next(), theirs.next()) {
        (None, None) => Some(None),
        (ours, theirs) if ours == theirs => None,
        _ => Some(Some(line)),
    })?
}

/// Beginning of every generated file, in every version.
pub(crate) const GENERATED: &str = "// @generated by lightlike";

const NOT_GENERATED: &str = "it was not generated, or does not say so in its first line";

fn is_generated(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').starts_with(GENERATED)
}

fn read(path: &Path) -> Result<Option<String>, WriteError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(WriteError { verb: "read", path: path.to_owned(), source }),
    }
}
