//! Another token before the one at hand ends, and when it is refused.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lightlike_core::conn::{Dial, DialError};
use lightlike_core::driver::{Dialer, Dialing, check_token};
use lightlike_core::guard::{self, Fenced, Panic};
use lightlike_core::types::Timestamp;

use super::claims::Claims;
use crate::observe::panics::log;

type Failure = Box<dyn StdError + Send + Sync>;
type Provider = dyn Fn(Wanted) -> Asking + Send + Sync;
type Asking = Pin<Box<dyn Future<Output = Result<String, Failure>> + Send>>;

/// Source of another token for a client.
///
/// It is asked
/// - for the first one, if the client has none: a client with this is never anonymous;
/// - before one is presented, and while a connection lives, when it ends within the [leeway](Self::leeway);
/// - when the server does not accept one (401, 403): once an attempt, and if the next is not accepted either the connection
///   [needs another](crate::ConnectionState::NeedsAuth). A client that was connected before tries again after
///   [`Reconnect::auth_pause`](crate::connection::Reconnect::auth_pause), so a provider that cannot be reached for a while is asked
///   again; what a captive portal answers in the server's place is no reason to ask.
///
/// The client presents what it gives, keeps it in the token store, and shows it as [`Client::token`](crate::Client::token).
/// The identity must stay the same.
#[derive(Clone)]
pub struct Refresh {
    provider: Arc<Fenced<Box<Provider>>>,
    leeway: Duration,
}

/// Request to a [`Refresh`].
#[derive(Clone)]
#[non_exhaustive]
pub struct Wanted {
    /// Reason for which another token is wanted.
    pub reason: RefreshReason,
    /// The one at hand.
    pub token: Option<String>,
}

/// Reason for which another token is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshReason {
    /// There is none yet.
    Missing,
    /// The one at hand ends soon, or has ended.
    Expiring,
    /// The server did not accept the one at hand.
    Refused,
}

impl fmt::Display for RefreshReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is no token yet",
            Self::Expiring => "the token ends soon, or has ended",
            Self::Refused => "the server did not accept the token",
        })
    }
}

impl Refresh {
    /// Time before its end at which a token is renewed, unless [`leeway`](Self::leeway) says otherwise: a minute.
    pub const LEEWAY: Duration = Duration::from_secs(60);

    /// Asks `provider`, whose future runs where the client does its I/O. While a connection is being made it has what
    /// is left of [`connect_timeout`](crate::ClientBuilder::connect_timeout). If it needs a person, let it fail: the
    /// state becomes [`NeedsAuth`](crate::ConnectionState::NeedsAuth), until
    /// [`set_token`](crate::Client::set_token) is called.
    pub fn new<F, E>(provider: impl Fn(Wanted) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let provider = move |wanted| -> Asking {
            let asking = provider(wanted);
            Box::pin(async move { asking.await.map_err(Into::into) })
        };
        let provider: Box<Provider> = Box::new(provider);
        Self { provider: Arc::new(Fenced::new(PROVIDER, provider)), leeway: Self::LEEWAY }
    }

    /// How long before its end a token is renewed. Zero: when it has ended. One that is longer than the token lives: a
    /// token is asked for at every connection, and every ten seconds while it lasts.
    #[must_use]
    pub fn leeway(self, leeway: Duration) -> Self {
        Self { leeway, ..self }
    }

    /// Opens sockets as `dialer` does, with good tokens.
    pub(crate) fn around(self, dialer: Arc<dyn Dialer>) -> impl Dialer {
        Refreshing { refresh: self, dialer }
    }

    /// Time until the token should be renewed; `None` for one that does not end, or does not say when.
    pub(crate) fn due_in(&self, token: &str) -> Option<Duration> {
        let ends = Claims::read(token).ok()?.expires_at?;
        let left = ends.since(now()?)?;
        let micros = u64::try_from(left.as_micros()).unwrap_or(0);
        Some(Duration::from_micros(micros).saturating_sub(self.leeway))
    }

    /// Asks for another token.
    pub(crate) async fn ask(
        &self,
        reason: RefreshReason,
        token: Option<&str>,
    ) -> Result<Box<str>, Failure> {
        log!(debug, ?reason, "another token is asked for");
        let wanted = Wanted { reason, token: token.map(str::to_owned) };
        let fresh = self.ask_provider(wanted).await.unwrap_or_else(|message| {
            guard::note(PROVIDER, message.clone());
            Err(Panic::new(PROVIDER, message).into())
        })?;
        check_token(&fresh)?;
        Ok(fresh.into())
    }

    /// The provider's answer, or its panic as an error.
    async fn ask_provider(&self, wanted: Wanted) -> Result<Result<String, Failure>, Box<str>> {
        let asking = guard::catch(|| self.provider.get().map(|provider| provider(wanted)))?;
        match asking {
            Some(asking) => guard::catch_future(PROVIDER, asking).await,
            None => Err("it is gone".into()),
        }
    }
}

/// The name of a provider's panics.
const PROVIDER: &str = "token provider";

impl fmt::Debug for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresh").field("leeway", &self.leeway).finish_non_exhaustive()
    }
}

/// Without the token.
impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted").field("reason", &self.reason).finish_non_exhaustive()
    }
}

/// The time of day, which is what tokens end by.
#[expect(clippy::disallowed_methods, reason = "a token says when it ends by the time of day")]
fn now() -> Option<Timestamp> {
    Timestamp::from_system_time(SystemTime::now())
}

#[derive(Clone)]
struct Refreshing {
    refresh: Refresh,
    dialer: Arc<dyn Dialer>,
}

impl Dialer for Refreshing {
    fn dial(&self, dial: &Dial) -> Dialing {
        let (this, mut dial) = (self.clone(), dial.clone());
        Box::pin(async move {
            let asked = this.renew_in_time(&mut dial).await?;
            match this.dialer.dial(&dial).await {
                Err(refused) if refused.refuses_token() && !asked => {
                    log!(debug, %refused, "the server does not accept the token");
                    let fresh = this.refresh.ask(RefreshReason::Refused, dial.token.as_deref());
                    dial.token = Some(fresh.await.map_err(no_token)?);
                    this.dialer.dial(&dial).await
                }
                outcome => outcome,
            }
        })
    }
}

impl Refreshing {
    /// Sees to it that there is a token which does not end at once; whether it asked for one.
    async fn renew_in_time(&self, dial: &mut Dial) -> Result<bool, DialError> {
        let reason = match &dial.token {
            None => RefreshReason::Missing,
            Some(token) if self.refresh.due_in(token) == Some(Duration::ZERO) => {
                RefreshReason::Expiring
            }
            Some(_) => return Ok(false),
        };
        match self.refresh.ask(reason, dial.token.as_deref()).await {
            Ok(fresh) => dial.token = Some(fresh),
            Err(error) if dial.token.is_none() => return Err(no_token(error)),
            // The one at hand may still do.
            Err(error) => {
                log!(warn, %error, "the token could not be renewed");
            }
        }
        Ok(true)
    }
}

fn no_token(error: Failure) -> DialError {
    DialError::NoToken(Arc::from(error))
}
