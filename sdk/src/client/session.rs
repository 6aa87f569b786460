//! The token of a client, from its store and back.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, MutexGuard};

use lightlike_core::guard::{self, Fenced, Panic};
use lightlike_core::secret::{Secret, check_token};

use crate::auth::token::TokenStore;
use crate::client::Client;
use crate::error::{Error, Repr};
use crate::observe::panics::log;
use crate::sync::lock;

/// Keeps the store in step with what the server says our token is.
pub(crate) struct Session {
    store: Option<Fenced<Arc<dyn TokenStore>>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Token in the store.
    kept: Option<Secret>,
    /// Whether that is what is presented.
    presents_kept: bool,
    /// Nothing is to be kept any more.
    forgotten: bool,
    /// Reason for which the last token could not be kept, until it is asked for.
    failure: Option<Box<dyn StdError + Send + Sync>>,
}

impl Session {
    /// Loads the token, unless `given` is one that is presented in its place: then what the store has does not matter, and is
    /// replaced when the server has greeted. What cannot be a token is an error.
    pub(crate) fn load(
        store: Option<Arc<dyn TokenStore>>,
        given: Option<Secret>,
    ) -> Result<(Self, Option<Box<str>>), Error> {
        let store = store.map(|store| Fenced::new(TOKEN_STORE, store));
        if let Some(given) = given {
            check_token(given.expose()).map_err(Repr::Token)?;
            return Ok((Self { store, state: Mutex::default() }, Some(given.into_exposed())));
        }
        let loaded = guarded(|| of(&store).map_or(Ok(None), |store| store.load()));
        let kept = loaded.map_err(|error| Repr::TokenStore { verb: "load", error })?;
        let (presents_kept, secret) = (kept.is_some(), kept.clone().map(Secret::from));
        let state = State { kept: secret, presents_kept, ..State::default() };
        let session = Self { store, state: Mutex::new(state) };
        match kept.as_deref().map(check_token) {
            Some(Err(error)) => {
                let location = session.presented().unwrap_or_default();
                Err(Repr::StoredToken { location, error }.into())
            }
            _ => Ok((session, kept.map(Box::from))),
        }
    }

    /// Place of the token that is presented, for errors; none if it did not come from the store, and is not in it.
    pub(crate) fn presented(&self) -> Option<Box<str>> {
        let store = of(&self.store).filter(|_| self.lock().presents_kept)?;
        let location = guard::catch(|| store.location().map(Box::from)).ok().flatten();
        Some(location.unwrap_or_else(|| "the token store".into()))
    }

    /// Another token than the store's is presented from now on.
    pub(crate) fn presents_another(&self) {
        self.lock().presents_kept = false;
    }

    /// This is our token now.
    pub(crate) fn keep(&self, token: &str) {
        let Some(store) = of(&self.store) else { return };
        let mut state = self.lock();
        state.presents_kept = state.kept.as_ref().is_some_and(|kept| kept.expose() == token);
        if state.forgotten || state.presents_kept {
            return;
        }
        match guarded(|| store.save(token)) {
            Ok(()) => {
                state.kept = Some(token.into());
                state.presents_kept = true;
            }
            Err(error) => {
                log!(
                    error,
                    %error,
                    "the token could not be kept: the next run will be somebody else"
                );
                state.failure = Some(error);
            }
        }
    }

    /// Checks that the last token could be kept. Reported once.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.lock().failure.take() {
            Some(error) => Err(Repr::TokenStore { verb: "save", error }.into()),
            None => Ok(()),
        }
    }

    /// Forgets the token, and keeps none from now on.
    fn forget(&self) -> Result<(), Error> {
        let mut state = self.lock();
        state.forgotten = true;
        state.kept = None;
        let cleared = guarded(|| of(&self.store).map_or(Ok(()), |store| store.clear()));
        cleared.map_err(|error| Repr::TokenStore { verb: "forget", error }.into())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn of(store: &Option<Fenced<Arc<dyn TokenStore>>>) -> Option<&Arc<dyn TokenStore>> {
    store.as_ref()?.get()
}

/// Asks the store for something. A panic of its own is an error of its own.
fn guarded<T>(
    ask: impl FnOnce() -> Result<T, Box<dyn StdError + Send + Sync>>,
) -> Result<T, Box<dyn StdError + Send + Sync>> {
    guard::catch(ask).unwrap_or_else(|message| {
        guard::note(TOKEN_STORE, message.clone());
        Err(Panic::new(TOKEN_STORE, message).into())
    })
}

/// The name of its panics.
const TOKEN_STORE: &str = "token store";

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
