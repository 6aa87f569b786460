//! Files of stores: making, locking, replacing, and keeping the damaged ones.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::at;
use crate::guard::log;
use crate::journal::{StoreError, StoreErrorKind};

/// How often opening is tried again when somebody replaces the file meanwhile.
const OPENS_MAX: usize = 16;

/// The file that a path leads to, whatever the working directory is later.
pub(super) fn resolve(path: &Path) -> io::Result<PathBuf> {
    // A rename onto a link would replace the link.
    if path.is_symlink() { fs::canonicalize(path) } else { std::path::absolute(path) }
}

/// Opens a file and locks it. `None` if there is none.
pub(super) fn open_locked(path: &Path) -> Result<Option<File>, StoreError> {
    for _ in 0..OPENS_MAX {
        let file = match private().open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at("open", path, error)),
        };
        lock(path, &file)?;
        close_to_others(path, &file);
        // Whoever had the lock may have put another file in its place.
        if leads_to(path, &file) {
            return Ok(Some(file));
        }
    }
    Err(at("open", path, "it is replaced again and again"))
}

fn lock(path: &Path, file: &File) -> Result<(), StoreError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(fs::TryLockError::WouldBlock) => Err(in_use(path)),
        Err(fs::TryLockError::Error(error)) => Err(at("lock", path, error)),
    }
}

/// The error of a file that somebody else has open.
pub(super) fn in_use(path: &Path) -> StoreError {
    at("open", path, "it is locked").of_kind(StoreErrorKind::InUse)
}

/// Whether a path still leads to an open file.
pub(super) fn leads_to(path: &Path, file: &File) -> bool {
    match (fs::metadata(path), file.metadata()) {
        (Ok(there), Ok(open)) => is_same(&there, &open),
        _ => false,
    }
}

#[cfg(unix)]
fn is_same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Elsewhere an open file can neither be deleted nor replaced, or there is no way to tell.
#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

/// The error of a file that is not at its path any more.
pub(super) fn gone(verb: &'static str, path: &Path) -> StoreError {
    at(verb, path, "its path leads elsewhere").of_kind(StoreErrorKind::Gone)
}

/// Keeps what is at a path under a name that nothing has, for somebody to look at. It stays at its path too.
pub(super) fn keep_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1.. {
        let aside = beside(path, &format!(".damaged-{number}"));
        match fs::hard_link(path, &aside) {
            Ok(()) => (),
            Err(_) if is_kept(path, &aside) => return Ok(aside),
            Err(_) if aside.symlink_metadata().is_ok() => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
            // Not every file system has links.
            Err(_) => copy(path, &aside)?,
        }
        sync_folder(path)?;
        log!(error, path = %path.display(), aside = %aside.display(), "a damaged store was put aside");
        return Ok(aside);
    }
    unreachable!("a folder has fewer files than there are numbers")
}

/// Whether an earlier run kept this very file, and did not get further.
fn is_kept(path: &Path, aside: &Path) -> bool {
    let (Ok(file), Ok(kept)) = (fs::metadata(path), fs::symlink_metadata(aside)) else {
        return false;
    };
    cfg!(unix) && is_same(&file, &kept)
}

fn copy(path: &Path, aside: &Path) -> io::Result<()> {
    let mut copy = private().create_new(true).open(aside)?;
    io::copy(&mut File::open(path)?, &mut copy)?;
    copy.sync_all()
}

/// A new file beside another one, which is to take its place. Nothing is left of it if it does not.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    file: File,
    is_placed: bool,
}

impl Draft {
    /// An empty file, locked. Whoever has the lock of the draft has its name.
    pub(super) fn beside(path: &Path) -> Result<Self, StoreError> {
        make_folder(path).map_err(|error| at("make the folder of", path, error))?;
        let draft = beside(path, ".new");
        for _ in 0..OPENS_MAX {
            let file = private().create(true).truncate(false).open(&draft);
            let file = file.map_err(|error| at("make", &draft, error))?;
            // A crash may have left one, empty or not, or as another name of the file itself.
            if cfg!(unix) && leads_to(path, &file) {
                let _ = fs::remove_file(&draft);
                continue;
            }
            lock(path, &file)?;
            if leads_to(&draft, &file) {
                file.set_len(0).map_err(|error| at("empty", &draft, error))?;
                return Ok(Self { path: draft, file, is_placed: false });
            }
        }
        Err(in_use(path))
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Puts the file, which is whole now, where nothing is. `None` if something is there.
    pub(super) fn place(self, path: &Path) -> io::Result<Option<File>> {
        self.file.sync_all()?;
        match fs::hard_link(&self.path, path) {
            Ok(()) => (),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(_) if path.try_exists()? => return Ok(None),
            // Not every file system has links.
            Err(_) => return self.replace(path).map(Some),
        }
        sync_folder(path)?;
        // The draft's name goes; the file stays.
        if leads_to(path, &self.file) { self.file.try_clone().map(Some) } else { Ok(None) }
    }

    /// Puts the file, which is whole now, in the place of another one.
    pub(super) fn replace(mut self, path: &Path) -> io::Result<File> {
        self.file.sync_all()?;
        let file = self.file.try_clone()?;
        fs::rename(&self.path, path)?;
        self.is_placed = true;
        sync_folder(path)?;
        Ok(file)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_placed && leads_to(&self.path, &self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Options to open a file that only its owner can read: it holds a token.
fn private() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Takes a file that others can read, as an older version or a copy may have left it, from all but its owner.
fn close_to_others(path: &Path, file: &File) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata().map_or(0, |metadata| metadata.permissions().mode());
        if mode & 0o077 != 0
            && let Err(error) = file.set_permissions(fs::Permissions::from_mode(mode & 0o700))
        {
            log!(warn, path = %path.display(), %error, "others can read the offline store, in which there is a token");
        }
    }
    #[cfg(not(unix))]
    let _ = (path, file);
}

/// Makes a file's folder, and those that it is in. What is new is on the disk.
fn make_folder(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let new: Vec<&Path> = folder.ancestors().take_while(is_new).collect();
    fs::create_dir_all(folder)?;
    new.into_iter().try_for_each(sync_folder)
}

/// A new name in a folder is on the disk when the folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
