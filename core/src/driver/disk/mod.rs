//! Where journals are kept, and the thread that writes them.

mod coded;
mod file;
#[cfg(feature = "redb")]
mod redb;
mod thread;

pub use self::coded::{Coded, RecordCodec};
pub use self::file::FileStore;
#[cfg(feature = "redb")]
pub use self::redb::RedbStore;
pub(super) use self::thread::{Disk, has_room};

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::journal::StoreError;

/// An error of a file's, that names it.
fn at(verb: &'static str, path: &Path, error: impl Into<BoxError>) -> StoreError {
    StoreError::new(verb, path.display().to_string(), error)
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Moves a file out of the way, under a name that nothing has.
fn put_file_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1.. {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        let aside = PathBuf::from(name);
        if !aside.try_exists()? {
            fs::rename(path, &aside)?;
            tracing::error!(path = %path.display(), aside = %aside.display(), "a damaged store was put aside");
            return Ok(aside);
        }
    }
    unreachable!("a folder has fewer files than there are numbers")
}

/// Opens a file for reading and writing, made if there is none, that only its owner can read: it holds a token.
fn open_private(path: &Path) -> io::Result<fs::File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
