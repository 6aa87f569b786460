//! Stores of tokens, so that the same user comes back.

mod error;
mod file;
mod private_file;

use std::error::Error;
use std::sync::{Arc, Mutex};

use crate::sync::lock;

pub use self::error::TokenFileError;
pub use self::file::FileTokens;

/// Keeps the token that stands for an identity. Whoever has the token is that user: keep it secret.
///
/// The client loads it before it connects and saves it when the server has greeted. It neither presents nor saves what
/// cannot be a token, such as text with a line break. Saving and clearing do not depend on what is kept: a store whose
/// contents are damaged is mended by either.
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

    /// Name of the place, for errors about the token: a path, the name of an entry. None by default.
    fn location(&self) -> Option<String> {
        None
    }
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

    fn location(&self) -> Option<String> {
        (**self).location()
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
        Ok(lock(&self.0).clone())
    }

    fn save(&self, token: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        *lock(&self.0) = Some(token.to_owned());
        Ok(())
    }

    fn clear(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        *lock(&self.0) = None;
        Ok(())
    }
}
