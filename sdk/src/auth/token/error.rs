//! What can go wrong with a file that has a token.

use std::io;
use std::path::PathBuf;

use lightlike_core::limits::MAX_TOKEN_BYTES;
use lightlike_core::secret::InvalidToken;

/// Error of [`FileTokens`](super::FileTokens): each names the file and what to do, and none shows what is in it.
///
/// It comes boxed, as the errors of all stores do: `error.downcast_ref::<TokenFileError>()`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFileError {
    /// The user has no folder for data. Shared folders such as `/tmp` are not used instead: a token there would be
    /// somebody else's to take, or to plant.
    #[error(
        "there is no folder for the token: neither XDG_DATA_HOME nor HOME names one (APPDATA on Windows); set one, or name a \
         file with `FileTokens::at`"
    )]
    NoHome,
    /// The file cannot be read.
    #[error("cannot read the token file {}: {source}; saving a token replaces it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        r#source: io::Error,
    },
    /// The file, or its folder, cannot be written.
    #[error("cannot write the token file {}: {source}; may its folder be written, and is it a folder?", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        r#source: io::Error,
    },
    /// The path names a folder, a device or the like.
    #[error("{} is no file; remove it, or name another with `FileTokens::at`", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file is another user's, who would know what this program does with the token.
    #[error(
        "the token file {} belongs to another user (uid {owner}); remove it, or name a file in a folder of your own", path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// The file is larger than a token can be.
    #[error(
        "the token file {} is larger than {MAX_TOKEN_BYTES} bytes, which no token is; {REMEDY}", path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not UTF-8.
    #[error("the token file {} is not text; {REMEDY}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// What is in the file cannot be a token.
    #[error("the token file {} has no token in it: {source}; {REMEDY}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why.
        r#source: InvalidToken,
    },
}

const REMEDY: &str =
    "remove it or save a token in its place; without it the next connection is a new identity";

impl TokenFileError {
    /// Whether the file has something in it that is no token: nothing is lost by replacing it.
    pub fn is_damaged(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::NotText { .. } | Self::Invalid { .. })
    }
}
