//! The token of a client, from its store and back.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::client::Client;
use crate::error::{Error, Repr};
use crate::token::TokenStore;

/// Keeps the store in step with what the server says our token is.
#[derive(Default)]
pub(crate) struct Session {
    store: Option<Arc<dyn TokenStore>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What is in the store.
    kept: Option<Box<str>>,
    /// Nothing is to be kept any more.
    forgotten: bool,
    /// Why the last token could not be kept, until somebody asks.
    failure: Option<Box<dyn StdError + Send + Sync>>,
}

impl Session {
    /// Loads the token.
    pub(crate) fn load(
        store: Option<Arc<dyn TokenStore>>,
    ) -> Result<(Self, Option<Box<str>>), Error> {
        let loaded = store.as_ref().map_or(Ok(None), |store| store.load());
        let kept = loaded.map_err(|source| Repr::TokenStore { verb: "load", source })?;
        let kept = kept.map(Box::from);
        let state = State { kept: kept.clone(), ..State::default() };
        Ok((Self { store, state: Mutex::new(state) }, kept))
    }

    /// This is our token now.
    pub(crate) fn keep(&self, token: &str) {
        let Some(store) = &self.store else { return };
        let mut state = self.lock();
        if state.forgotten || state.kept.as_deref() == Some(token) {
            return;
        }
        match store.save(token) {
            Ok(()) => state.kept = Some(token.into()),
            Err(error) => {
                tracing::error!(%error, "the token could not be kept: the next run will be somebody else");
                state.failure = Some(error);
            }
        }
    }

    /// Whether the last token could be kept. Told once.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.lock().failure.take() {
            Some(source) => Err(Repr::TokenStore { verb: "save", source }.into()),
            None => Ok(()),
        }
    }

    /// Forgets the token, and keeps none from now on.
    fn forget(&self) -> Result<(), Error> {
        let mut state = self.lock();
        state.forgotten = true;
        state.kept = None;
        let cleared = self.store.as_ref().map_or(Ok(()), |store| store.clear());
        cleared.map_err(|source| Repr::TokenStore { verb: "forget", source }.into())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logging out.
impl Client {
    /// Forgets the token in the store, and closes the connection as [`disconnect`](Self::disconnect) does. The next
    /// client with that store is somebody new.
    ///
    /// The server still takes the token: it is as good as before for whoever has a copy.
    ///
    /// # Errors
    ///
    /// [`TokenStore`](crate::ErrorKind::TokenStore) if the store does not forget it. The connection is closed then too.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the token is forgotten and the connection closes even if this is dropped.
    pub async fn logout(&self) -> Result<(), Error> {
        let forgotten = self.hub().session.forget();
        self.disconnect().await;
        forgotten
    }
}
