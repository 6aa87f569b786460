//! Errors of SATS-JSON.

use core::fmt;

use crate::bsatn::{DecodeError, EncodeError};

/// Error of reading JSON as a type, or of writing a value as JSON.
#[derive(Debug, thiserror::Error)]
#[error("{path}{repr}")]
pub struct JsonError {
    path: Path,
    repr: Repr,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Repr {
    #[error("{0}")]
    Read(serde_json::Error),
    #[error("JSON has no number for {0}")]
    NotANumber(f64),
    #[error("{0}")]
    Decode(DecodeError),
    #[error("{0}")]
    Encode(EncodeError),
}

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Name(Box<str>),
    Position(usize),
}

/// Path within a value: `[3].name`.
#[derive(Debug, Default)]
pub(super) struct Path(pub(super) Vec<Step>);

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        f.write_str("at `")?;
        self.write(f)?;
        f.write_str("`: ")
    }
}

impl Path {
    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Name(name) if at == 0 => out.write_str(name)?,
                Step::Name(name) => write!(out, ".{name}")?,
                Step::Position(position) => write!(out, "[{position}]")?,
            }
        }
        Ok(())
    }
}

impl JsonError {
    pub(super) fn new(path: Path, repr: Repr) -> Self {
        Self { path, repr }
    }

    /// Path within the value, such as `[3].name`; empty if it is the whole.
    pub fn path(&self) -> String {
        let mut path = String::new();
        // A `String` takes whatever is written to it.
        let _ = self.path.write(&mut path);
        path
    }
}

impl From<DecodeError> for JsonError {
    fn from(error: DecodeError) -> Self {
        Self::new(Path::default(), Repr::Decode(error))
    }
}

impl From<EncodeError> for JsonError {
    fn from(error: EncodeError) -> Self {
        Self::new(Path::default(), Repr::Encode(error))
    }
}
