//! Files that only their owner can read, replaced whole or not at all.
//!
//! A replacement is written as a draft beside the file and renamed over it, so a reader sees the old contents or the new
//! ones. Every draft has a name of its own: any number of threads and processes may replace one file, or neighbours, at
//! once, and the last rename counts.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use lightlike_core::driver::random_seed;

use crate::observe::panics::log;

/// Owner of a file that is another user's.
pub(super) struct Owner(pub(super) u32);

/// Replaces a file. A link at its path is replaced, and not what it leads to.
pub(super) fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut draft = Draft::new(path)?;
    draft.file.write_all(contents)?;
    draft.file.sync_all()?;
    draft.rename_to(path)
}

/// Opens a file for reading, after seeing to it that nobody but its owner can read it from now on.
///
/// `Ok(Err(_))` if it is another user's. On a file system that takes no changes it is read as it is.
pub(super) fn open(path: &Path) -> io::Result<Result<File, Owner>> {
    let file = File::open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let metadata = file.metadata()?;
        if user().is_some_and(|user| ![user, ROOT].contains(&metadata.uid())) {
            return Ok(Err(Owner(metadata.uid())));
        }
        let mode = metadata.permissions().mode();
        if mode & 0o077 != 0 {
            let tightened = file.set_permissions(fs::Permissions::from_mode(mode & 0o700));
            match tightened {
                // Only the owner may: without knowing who we are, this tells.
                Err(error)
                    if error.kind() == io::ErrorKind::PermissionDenied && user().is_none() =>
                {
                    return Ok(Err(Owner(metadata.uid())));
                }
                Err(error) => log!(
                    warn,
                    path = %path.display(),
                    %error,
                    "others can read the token file, and that cannot be changed"
                ),
                Ok(()) => (),
            }
        }
    }
    Ok(Ok(file))
}

/// Reads at most `limit` bytes of a file; none if it has more.
pub(super) fn read(file: File, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut contents = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut contents)?;
    Ok((contents.len() <= limit).then_some(contents))
}

/// Makes a folder, and those above it, for their owner alone.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Takes a folder from everybody but its owner. One that is another's stays as it is: writing into it will tell.
pub(super) fn tighten_folder(folder: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder).map_or(0, |metadata| metadata.permissions().mode());
        if mode & 0o077 != 0 {
            let _ = fs::set_permissions(folder, fs::Permissions::from_mode(mode & 0o700));
        }
    }
    #[cfg(not(unix))]
    let _ = folder;
}

#[cfg(unix)]
const ROOT: u32 = 0;

/// Whose files are ours, where the system says so without being called.
#[cfg(unix)]
fn user() -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").ok().map(|process| process.uid())
}

/// A file on its way. It is removed unless it is renamed.
struct Draft {
    path: PathBuf,
    file: File,
    is_renamed: bool,
}

impl Draft {
    /// Makes one beside `target`, of the whole name of that: neighbours whose names begin alike have their own.
    fn new(target: &Path) -> io::Result<Self> {
        // Two of the same random number are hardly thinkable, and a name that is there is none to write to.
        const ATTEMPTS: usize = 8;
        let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
        for _ in 0..ATTEMPTS {
            let path = target.with_file_name(draft_name(target));
            match create(&path) {
                Ok(file) => return Ok(Self { path, file, is_renamed: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = error,
                Err(error) => return Err(error),
            }
        }
        Err(taken)
    }

    fn rename_to(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.is_renamed = true;
        // So that the new name outlives a crash too, where the system can be asked for that.
        #[cfg(unix)]
        if let Some(folder) = target.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_renamed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn draft_name(target: &Path) -> String {
    // Names have 255 bytes at most, and letters up to four.
    const MAX_LETTERS: usize = 48;
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.chars().take(MAX_LETTERS).collect();
    format!(".{name}.{:032x}.draft", random_seed())
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // A new file follows no link.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
