//! Where a token is kept, so that the same user comes back.

use std::error::Error;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Keeps the token that stands for an identity. Whoever has the token is that user: keep it secret.
///
/// The client loads it before it connects and saves it when the server has greeted.
pub trait TokenStore: Send + Sync + 'static {
    /// The token kept, if there is one.
    ///
    /// # Errors
    ///
    /// Whatever the store's own are; connecting then fails, for a new identity is not what the user asked for.
    fn load(&self) -> Result<Option<String>, Box<dyn Error + Send + Sync>>;

    /// Keeps a token in place of any other.
    ///
    /// # Errors
    ///
    /// Whatever the store's own are.
    fn save(&self, token: &str) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// Forgets the token.
    ///
    /// # Errors
    ///
    /// Whatever the store's own are.
    fn clear(&self) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// Several clients, or a client and the application, may share a store.
impl<T: TokenStore + ?Sized> TokenStore for Arc<T> {
    fn load(&self) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
        (**self).load()
    }

    fn save(&self, token: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        (**self).save(token)
    }

    fn clear(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        (**self).clear()
    }
}

/// Keeps a token for as long as the program runs.
#[derive(Default)]
pub struct MemoryTokens(Mutex<Option<String>>);

impl MemoryTokens {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl std::fmt::Debug for MemoryTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryTokens").finish_non_exhaustive()
    }
}

impl TokenStore for MemoryTokens {
    fn load(&self) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn save(&self, token: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.to_owned());
        Ok(())
    }

    fn clear(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

/// Keeps a token in a file that only its owner can read (mode 0600 on Unix), replaced whole or not at all.
#[derive(Debug, Clone)]
pub struct FileTokens {
    path: PathBuf,
}

impl FileTokens {
    /// The file for `name` in the user's own data folder: `$XDG_DATA_HOME/lightlike` or `~/.local/share/lightlike`
    /// on Unix, `%APPDATA%\lightlike` on Windows. Characters that file names cannot have are escaped.
    ///
    /// Two programs with the same `name` share an identity: use the program's name, or the database's.
    pub fn new(name: &str) -> Self {
        Self::at(data_folder().join("lightlike").join(format!("{}.token", file_name(name))))
    }

    /// A file of your own choice. Its folder is made when the token is saved.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where the token is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl TokenStore for FileTokens {
    fn load(&self) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(Some(text.trim()).filter(|token| !token.is_empty()).map(str::to_owned)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(&self.path, error)),
        }
    }

    fn save(&self, token: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(|error| at(folder, error))?;
        }
        // A reader sees the old token or the new one, never half of one.
        let draft = self.path.with_extension(format!("{}.new", std::process::id()));
        let written = write_private(&draft, token).and_then(|()| fs::rename(&draft, &self.path));
        written.map_err(|error| {
            let _ = fs::remove_file(&draft);
            at(&self.path, error)
        })
    }

    fn clear(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&self.path, error)),
            _ => Ok(()),
        }
    }
}

/// A file's error that names the file.
fn at(path: &Path, error: io::Error) -> Box<dyn Error + Send + Sync> {
    io::Error::new(error.kind(), format!("{}: {error}", path.display())).into()
}

fn write_private(path: &Path, token: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // A draft that a crash left behind is of this name only if the process id came round again.
    let _ = fs::remove_file(path);
    let mut file = options.open(path)?;
    file.write_all(token.as_bytes())?;
    file.sync_all()
}

fn data_folder() -> PathBuf {
    let folder = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    folder("XDG_DATA_HOME")
        .or_else(|| folder("APPDATA"))
        .or_else(|| folder("HOME").map(|home| home.join(".local/share")))
        .unwrap_or_else(std::env::temp_dir)
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

    #[test]
    fn a_saved_token_comes_back_until_it_is_cleared() {
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

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let tokens = FileTokens::at(folder.path().join("token"));
        tokens.save("secret").unwrap();
        assert_eq!(fs::metadata(tokens.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_name_cannot_leave_the_folder() {
        let tokens = FileTokens::new("../../etc/passwd");
        assert!(tokens.path().ends_with("lightlike/%2e%2e%2f%2e%2e%2fetc%2fpasswd.token"));
    }

    #[test]
    fn an_error_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = FileTokens::at(folder.path());
        assert!(
            tokens.load().unwrap_err().to_string().contains(&folder.path().display().to_string())
        );
    }
}
