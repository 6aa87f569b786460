//! A token in a file.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lightlike_core::limits::MAX_TOKEN_BYTES;
use lightlike_core::secret::check_token;

use super::TokenStore;
use super::error::TokenFileError;
use super::private_file::{self, Owner};

/// Bytes that a file may have around its token: a line break, and what editors leave.
const MAX_SPACE_BYTES: usize = 1 << 10;

/// Keeps a token in a file that only its owner can read (mode 0600 on Unix), replaced whole or not at all.
///
/// Any number of clients, threads and programs may use one file at once: each sees a whole token, and the last that was
/// saved counts. A file that others can read is closed to them when it is loaded. Saving and clearing do not read what is
/// there, so they work on a damaged file too; loading it is a [`TokenFileError`].
#[derive(Debug, Clone)]
pub struct FileTokens {
    path: PathBuf,
    folder: Folder,
}

/// Whose the folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Folder {
    /// Made by us, for nothing but tokens.
    Ours,
    /// The application's choice, which stays as it is.
    Given,
    /// There is none.
    Missing,
}

impl FileTokens {
    /// The file for `name` in the user's own data folder: `$XDG_DATA_HOME/lightlike` or `~/.local/share/lightlike`
    /// on Unix, `%APPDATA%\lightlike` on Windows. Characters that file names cannot have are escaped.
    ///
    /// Two programs with the same `name` share an identity: use the program's name, or the database's.
    ///
    /// Where the environment names no such folder (an absolute `XDG_DATA_HOME` or `HOME`), loading and saving fail with
    /// [`TokenFileError::NoHome`], and [`path`](Self::path) is what would have been added to it.
    pub fn new(name: &str) -> Self {
        let file = Path::new("lightlike").join(format!("{}.token", file_name(name)));
        match data_folder() {
            Some(data) => Self { path: data.join(file), folder: Folder::Ours },
            None => Self { path: file, folder: Folder::Missing },
        }
    }

    /// A file of your own choice. Its folder is made when the token is saved.
    ///
    /// Choose a folder that only the user can write to. The file of another user is not read.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), folder: Folder::Given }
    }

    /// Where the token is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn check_folder(&self) -> Result<(), TokenFileError> {
        if self.folder == Folder::Missing { Err(TokenFileError::NoHome) } else { Ok(()) }
    }

    fn read(&self) -> Result<Option<String>, TokenFileError> {
        self.check_folder()?;
        let path = || self.path.clone();
        let unreadable = |source| TokenFileError::Unreadable { path: path(), source };
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
            // Opening a pipe would wait for whoever writes to it.
            Ok(metadata) if !metadata.is_file() => {
                return Err(TokenFileError::NotAFile { path: path() });
            }
            Ok(_) => (),
        }
        let file = match private_file::open(&self.path) {
            Ok(Ok(file)) => file,
            Ok(Err(Owner(owner))) => return Err(TokenFileError::Foreign { path: path(), owner }),
            // Removed since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let contents = private_file::read(file, MAX_TOKEN_BYTES + MAX_SPACE_BYTES);
        let Some(contents) = contents.map_err(unreadable)? else {
            return Err(TokenFileError::TooLarge { path: path() });
        };
        let text = std::str::from_utf8(&contents);
        let token = text.map_err(|_| TokenFileError::NotText { path: path() })?.trim();
        if token.is_empty() {
            return Ok(None);
        }
        check_token(token).map_err(|source| TokenFileError::Invalid { path: path(), source })?;
        Ok(Some(token.to_owned()))
    }

    fn write(&self, token: &str) -> Result<(), TokenFileError> {
        self.check_folder()?;
        let path = || self.path.clone();
        check_token(token).map_err(|source| TokenFileError::Invalid { path: path(), source })?;
        let written = self
            .prepare_folder()
            .and_then(|()| private_file::replace(&self.path, token.as_bytes()));
        written.map_err(|source| TokenFileError::Unwritable { path: path(), source })
    }

    fn prepare_folder(&self) -> io::Result<()> {
        let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty())
        else {
            return Ok(());
        };
        private_file::create_folder(folder)?;
        if self.folder == Folder::Ours {
            private_file::tighten_folder(folder);
        }
        Ok(())
    }

    fn remove(&self) -> Result<(), TokenFileError> {
        self.check_folder()?;
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(TokenFileError::Unwritable { path: self.path.clone(), source }),
            Ok(()) => Ok(()),
        }
    }
}

impl TokenStore for FileTokens {
    /// # Errors
    ///
    /// [`TokenFileError`], boxed.
    fn load(&self) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
        Ok(self.read()?)
    }

    /// # Errors
    ///
    /// [`TokenFileError`], boxed.
    fn save(&self, token: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.write(token)?)
    }

    /// # Errors
    ///
    /// [`TokenFileError`], boxed.
    fn clear(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.remove()?)
    }

    fn location(&self) -> Option<String> {
        Some(self.path.display().to_string())
    }
}

/// The user's own folder for data, if the environment names one. A relative path is none (XDG Base Directory
/// Specification), and neither is a folder that users share.
fn data_folder() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let windows = || cfg!(windows).then(|| folder("APPDATA")).flatten();
    folder("XDG_DATA_HOME")
        .or_else(windows)
        .or_else(|| folder("HOME").map(|home| home.join(".local/share")))
}

/// `name` with everything but letters, digits, `-` and `_` written as `%` and two hex digits.
fn file_name(name: &str) -> String {
    let mut file = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            file.push(byte.into());
        } else {
            file.push_str(&format!("%{byte:02x}"));
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_folder() -> (tempfile::TempDir, FileTokens) {
        let folder = tempfile::tempdir().unwrap();
        let tokens = FileTokens::at(folder.path().join("token"));
        (folder, tokens)
    }

    fn refused(tokens: &FileTokens) -> TokenFileError {
        let error = *tokens.load().unwrap_err().downcast::<TokenFileError>().unwrap();
        assert!(error.to_string().contains(&tokens.path().display().to_string()), "{error}");
        error
    }

    #[test]
    fn saved_token_loads_until_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = FileTokens::at(folder.path().join("deep/er/token"));
        assert_eq!(tokens.load().unwrap(), None);
        tokens.save("one").unwrap();
        tokens.save("two").unwrap();
        assert_eq!(tokens.load().unwrap().as_deref(), Some("two"));
        assert_eq!(
            fs::read_dir(folder.path().join("deep/er")).unwrap().count(),
            1,
            "no draft is left"
        );
        tokens.clear().unwrap();
        tokens.clear().unwrap();
        assert_eq!(tokens.load().unwrap(), None);
    }

    #[test]
    fn concurrent_saves_all_succeed_and_never_mix() {
        const THREADS: usize = 16;
        const SAVES: usize = 50;
        let folder = tempfile::tempdir().unwrap();
        let start = std::sync::Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let user = if thread % 2 == 0 { "ada" } else { "bob" };
                let (start, tokens) =
                    (&start, FileTokens::at(folder.path().join(format!("db.{user}"))));
                scope.spawn(move || {
                    start.wait();
                    for save in 0..SAVES {
                        tokens.save(&format!("{user}.{thread}.{save}")).unwrap();
                        let kept = tokens.load().unwrap().unwrap();
                        assert!(kept.starts_with(user), "{user} has {kept}");
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no draft is left");
    }

    #[test]
    fn a_long_name_has_room_for_its_draft() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = FileTokens::at(folder.path().join("n".repeat(255)));
        tokens.save("one").unwrap();
        assert_eq!(tokens.load().unwrap().as_deref(), Some("one"));
    }

    #[test]
    fn damaged_files_fail_load_and_are_mended_by_save() {
        let large = vec![b'x'; MAX_TOKEN_BYTES + MAX_SPACE_BYTES + 1];
        let long = vec![b'x'; MAX_TOKEN_BYTES + 1];
        for contents in
            [&b"\xff\xfe"[..], b"a.b.c\nX-Evil: 1", b"two words", b"a\0b", &large, &long]
        {
            let (_folder, tokens) = in_folder();
            fs::write(tokens.path(), contents).unwrap();
            let error = refused(&tokens);
            assert!(
                error.is_damaged() && error.to_string().contains("remove it or save"),
                "{error}"
            );
            tokens.save("good").unwrap();
            assert_eq!(tokens.load().unwrap().as_deref(), Some("good"));
            fs::write(tokens.path(), contents).unwrap();
            tokens.clear().unwrap();
            assert_eq!(tokens.load().unwrap(), None);
        }
        let (_folder, tokens) = in_folder();
        for contents in ["", " \n"] {
            fs::write(tokens.path(), contents).unwrap();
            assert_eq!(tokens.load().unwrap(), None);
        }
    }

    #[test]
    fn what_cannot_be_a_token_is_not_saved() {
        let (_folder, tokens) = in_folder();
        tokens.save("good").unwrap();
        for token in ["", "a\nb", "a b", &"x".repeat(MAX_TOKEN_BYTES + 1)] {
            assert!(tokens.save(token).is_err());
        }
        assert_eq!(tokens.load().unwrap().as_deref(), Some("good"));
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = FileTokens::at(folder.path());
        assert!(matches!(refused(&tokens), TokenFileError::NotAFile { .. }));
        assert!(tokens.save("one").is_err() && tokens.clear().is_err());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = tempfile::tempdir().unwrap();
        let tokens = FileTokens::at(folder.path().join("new/token"));
        tokens.save("secret").unwrap();
        assert_eq!(mode(tokens.path()), 0o600);
        assert_eq!(mode(tokens.path().parent().unwrap()), 0o700);
        // One that an older version, or somebody's editor, left open.
        for open in [0o644, 0o666, 0o640] {
            fs::set_permissions(tokens.path(), fs::Permissions::from_mode(open)).unwrap();
            assert_eq!(tokens.load().unwrap().as_deref(), Some("secret"));
            assert_eq!(mode(tokens.path()), 0o600);
            fs::set_permissions(tokens.path(), fs::Permissions::from_mode(open)).unwrap();
            tokens.save("secret").unwrap();
            assert_eq!(mode(tokens.path()), 0o600);
        }
        // A folder that was chosen stays as it is; our own does not.
        let given = tokens.path().parent().unwrap().to_owned();
        fs::set_permissions(&given, fs::Permissions::from_mode(0o755)).unwrap();
        tokens.save("secret").unwrap();
        assert_eq!(mode(&given), 0o755);
        FileTokens { folder: Folder::Ours, ..tokens }.save("secret").unwrap();
        assert_eq!(mode(&given), 0o700);
    }

    #[cfg(unix)]
    #[test]
    fn saving_replaces_a_link_and_not_its_target() {
        let (folder, tokens) = in_folder();
        let target = folder.path().join("target");
        fs::write(&target, "theirs").unwrap();
        std::os::unix::fs::symlink(&target, tokens.path()).unwrap();
        tokens.save("ours").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");
        assert_eq!(tokens.load().unwrap().as_deref(), Some("ours"));
        // A link that leads nowhere is no token.
        fs::remove_file(tokens.path()).unwrap();
        std::os::unix::fs::symlink(folder.path().join("nothing"), tokens.path()).unwrap();
        assert_eq!(tokens.load().unwrap(), None);
        tokens.clear().unwrap();
        assert!(fs::symlink_metadata(tokens.path()).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_of_another_user_is_not_read() {
        let (_folder, tokens) = in_folder();
        tokens.save("planted").unwrap();
        // Only root can give files away.
        if std::os::unix::fs::chown(tokens.path(), Some(12_345), None).is_err() {
            return;
        }
        assert!(matches!(refused(&tokens), TokenFileError::Foreign { owner: 12_345, .. }));
        tokens.save("ours").unwrap();
        assert_eq!(tokens.load().unwrap().as_deref(), Some("ours"));
    }

    #[test]
    fn a_name_cannot_leave_the_folder() {
        let tokens = FileTokens::new("../../etc/passwd");
        assert!(tokens.path().ends_with("lightlike/%2e%2e%2f%2e%2e%2fetc%2fpasswd.token"));
    }
}
