//! Errors: the [`Error`] of the crate, and the details that it and a [`CloseReason`]
//! carry.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::fmt;

use lightlike_core::conn::{AnswerOrigin, CannotSwitch, CloseReason, Lost};
use lightlike_core::driver::{Busy, InvalidToken, RouteError, TlsError};
use lightlike_core::guard::Panic;
use lightlike_core::journal::{LoadError, StoreError};
#[cfg(feature = "http")]
use lightlike_core::schema::Difference;
use lightlike_core::whole::Whole;

#[doc(inline)]
pub use lightlike_core::cache::{
    OutOfSync, OutOfSyncKind, RegisterError, RowMismatch, SetFailure, SetId, TableId,
};
#[doc(inline)]
pub use lightlike_core::conn::{DialError, EndpointError};
#[doc(inline)]
pub use lightlike_core::driver::{InvalidHeader, ProxyError};
#[doc(inline)]
pub use lightlike_core::limits::LimitError;
#[doc(inline)]
pub use lightlike_core::wire::{FrameError, WireError, WireErrorKind};

use crate::calls::{CallError, CallErrorKind, words};
use crate::untyped::UntypedError;

pub use crate::tables::reads::NotOneRow;

/// Anything that can go wrong.
///
/// [`kind`](Self::kind) is for matching, `Display` for people: it says all on one line, what happened and what the peer or the
/// system said, so that nothing is lost where it becomes a `Box<dyn Error>`. What is behind it is had by its type
/// ([`lost`](Self::lost), [`cause`](Self::cause)), and not as a [`source`](std::error::Error::source), which would say it twice.
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Repr>);

/// Kind of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The builder was given something that cannot work: an address, a name, a token.
    Configuration,
    /// The program is not in a tokio runtime that the client could run on.
    NoRuntime,
    /// The client cannot be driven in this way: it is driven in another, or the system has no thread for it.
    Driver,
    /// The connection could not be made.
    Connect,
    /// The server does not accept the token, or does not allow this.
    Auth,
    /// The server has no such database: it answered with 404. HTML in its place is something else's answer, which is
    /// [`Connect`](Self::Connect).
    NotFound,
    /// The connection is lost or closed.
    Disconnected,
    /// The server refused a query set, or ended it later.
    Subscription,
    /// A Rust type differs from what the server sends.
    Schema,
    /// A call was not committed; see [`CallErrorKind`].
    Call,
    /// A one-off query was refused.
    Query,
    /// The token store failed.
    TokenStore,
    /// The offline store failed.
    Storage,
    /// The time given ran out before what was waited for.
    TimedOut,
    /// Code of the application panicked where the client runs it: a row type's, which ends the query sets with that table, or
    /// something else that the client cannot go on without.
    Panicked,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configuration => "a setting that cannot work",
            Self::NoRuntime => "no tokio runtime to run in",
            Self::Driver => "a client that cannot be driven in this way",
            Self::Connect => "no connection could be made",
            Self::Auth => "the token is not accepted, or does not allow it",
            Self::NotFound => "no such database",
            Self::Disconnected => "the connection is lost or closed",
            Self::Subscription => "a query set was refused or ended",
            Self::Schema => "a Rust type differs from the module's",
            Self::Call => "a call was not committed",
            Self::Query => "a query was refused",
            Self::TokenStore => "the token store failed",
            Self::Storage => "the offline store failed",
            Self::TimedOut => "it took too long",
            Self::Panicked => "code of the application panicked",
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Repr {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Limit(#[from] LimitError),
    #[error(transparent)]
    Token(#[from] InvalidToken),
    #[error(transparent)]
    Header(#[from] InvalidHeader),
    #[error(
        "there is no tokio runtime here: call this inside one, or use `start_thread`, `run` or `build_manual`"
    )]
    NoRuntime,
    #[error(
        "the tokio runtime here has no timers: build it with `enable_all`, or use `start_thread` or `build_manual`"
    )]
    NoTimers,
    #[error("the client was started before: one driver is enough")]
    AlreadyDriven,
    #[error("only a client that was made by `build_manual` is driven by ticks")]
    NotManual,
    #[error(transparent)]
    Busy(#[from] Busy),
    #[error("the system has no thread for the client: {0}")]
    NoThread(std::io::Error),
    #[error("a callback cannot wait for the end of the thread that runs it")]
    JoinsItself,
    #[error("the client's thread panicked: {0}")]
    DriverPanicked(Box<str>),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Route(#[from] RouteError),
    #[error(transparent)]
    CannotSwitch(#[from] CannotSwitch),
    #[error("this build has no {0:?}: build `lightlike` with its feature `brotli`")]
    NotBuilt(lightlike_core::wire::Compression),
    #[error(
        "cannot connect to `{database}` at {server}: {lost}{}", refused_token(.stored.as_deref(), .lost)
    )]
    Connect {
        database: Box<str>,
        server: Box<str>,
        /// Where the token is kept that was presented, if it came from a store.
        stored: Option<Box<str>>,
        lost: Lost,
    },
    #[error("the connection is closed")]
    Closed,
    #[error("the connection is lost: {0}")]
    Lost(Lost),
    #[error("the server refused the query set {queries:?}: {message}")]
    Refused { queries: Box<[Box<str>]>, message: Box<str> },
    #[error("rows of the query set {queries:?} do not decode: {failure}")]
    Undecodable { queries: Box<[Box<str>]>, failure: SetFailure },
    #[error("code of a row type in the query set {queries:?} panicked: {failure}")]
    RowPanicked { queries: Box<[Box<str>]>, failure: SetFailure },
    #[error("the connection is closed, because {0}")]
    Panicked(Panic),
    #[error("the query set was ended before it was applied")]
    Unsubscribed,
    #[error(transparent)]
    Register(#[from] RegisterError),
    #[cfg(feature = "http")]
    #[error("the program differs from the module: {}", differences(.0))]
    SchemaDrift(std::sync::Arc<[Difference]>),
    #[cfg(feature = "http")]
    #[error("cannot compare the program with the module: {0}")]
    NoSchema(crate::http::Error),
    #[error("the reducer refused{}", behind(.message))]
    Rejected { message: Box<str> },
    #[error("a call failed: {error}")]
    CallFailed { kind: CallErrorKind, error: CallError<Infallible> },
    #[error("the server refused the query: {0}")]
    Query(Box<str>),
    #[error(
        "no tables are registered: name them with `ClientBuilder::tables`, or ask for `SELECT * FROM *`"
    )]
    NoTables,
    #[error(transparent)]
    Unwritable(lightlike_core::query::QueryError),
    #[error("row {row} of the answer does not decode: {error}")]
    QueryRow { row: usize, error: lightlike_core::bsatn::DecodeError },
    #[error(transparent)]
    NotSent(#[from] lightlike_core::conn::NotSent),
    #[error("the query was not answered: {0}")]
    Unanswered(crate::calls::Unanswered),
    #[cfg(feature = "http")]
    #[error("the server's HTTP API cannot be used, which short-lived tokens are from: {0}")]
    Http(crate::http::Error),
    #[error("the offline store cannot be used: {0}")]
    Load(LoadError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the offline store's thread cannot be started: {0}")]
    DiskThread(std::io::Error),
    #[error(transparent)]
    Untyped(#[from] UntypedError),
    #[error("it did not come within {0:?}")]
    TimedOut(std::time::Duration),
    #[error(
        "what is kept in {location} cannot be a token: {error}; clear it (`TokenStore::clear`), or save another"
    )]
    StoredToken { location: Box<str>, error: InvalidToken },
    #[error("cannot {verb} the token: {}", Whole(&**.error))]
    TokenStore { verb: &'static str, error: Box<dyn std::error::Error + Send + Sync> },
}

impl Error {
    /// Kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Repr::Endpoint(_)
            | Repr::Limit(_)
            | Repr::Token(_)
            | Repr::Header(_)
            | Repr::Tls(_)
            | Repr::Route(_)
            | Repr::NotBuilt(_)
            | Repr::CannotSwitch(CannotSwitch::Offline)
            | Repr::NoTables => ErrorKind::Configuration,
            #[cfg(feature = "http")]
            Repr::Http(_) => ErrorKind::Configuration,
            Repr::NoRuntime | Repr::NoTimers => ErrorKind::NoRuntime,
            Repr::AlreadyDriven
            | Repr::NotManual
            | Repr::Busy(_)
            | Repr::NoThread(_)
            | Repr::JoinsItself
            | Repr::DriverPanicked(_) => ErrorKind::Driver,
            Repr::Connect { lost, .. } => refusal(lost).unwrap_or(ErrorKind::Connect),
            Repr::Lost(lost) => refusal(lost).unwrap_or(ErrorKind::Disconnected),
            Repr::Closed | Repr::NotSent(_) | Repr::CannotSwitch(_) => ErrorKind::Disconnected,
            Repr::Refused { .. } | Repr::Unsubscribed => ErrorKind::Subscription,
            #[cfg(feature = "http")]
            Repr::SchemaDrift(_) => ErrorKind::Schema,
            #[cfg(feature = "http")]
            Repr::NoSchema(error) => match error.kind() {
                crate::http::ErrorKind::Auth => ErrorKind::Auth,
                _ => ErrorKind::Connect,
            },
            Repr::Undecodable { .. }
            | Repr::Register(_)
            | Repr::QueryRow { .. }
            | Repr::Untyped(_) => ErrorKind::Schema,
            Repr::Rejected { .. } | Repr::CallFailed { .. } => ErrorKind::Call,
            Repr::Query(_) | Repr::Unwritable(_) | Repr::Unanswered(_) => ErrorKind::Query,
            Repr::TokenStore { .. } | Repr::StoredToken { .. } => ErrorKind::TokenStore,
            Repr::Load(_) | Repr::Store(_) | Repr::DiskThread(_) => ErrorKind::Storage,
            Repr::TimedOut(_) => ErrorKind::TimedOut,
            Repr::RowPanicked { .. } | Repr::Panicked(_) => ErrorKind::Panicked,
        }
    }

    /// Returns `true` if the same thing may succeed later without anything being changed.
    pub fn is_retryable(&self) -> bool {
        match &*self.0 {
            Repr::Connect { lost, .. } | Repr::Lost(lost) => lost.is_retryable(),
            Repr::Unanswered(_) | Repr::TimedOut(_) => true,
            _ => false,
        }
    }

    /// The HTTP status with which the server refused the connection, if it did.
    pub fn http_status(&self) -> Option<u16> {
        match &*self.0 {
            Repr::Connect { lost, .. } | Repr::Lost(lost) => lost.http_status(),
            _ => None,
        }
    }

    /// The error behind this one, whose words are among its own: to be asked for its type, by `downcast_ref`.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        Some(match &*self.0 {
            Repr::Endpoint(error) => error,
            Repr::Limit(error) => error,
            Repr::Token(error) | Repr::StoredToken { error, .. } => error,
            Repr::Header(error) => error,
            Repr::Busy(error) => error,
            Repr::Tls(error) | Repr::Route(RouteError::Tls(error)) => error,
            Repr::Route(RouteError::Proxy(error)) => error,
            Repr::CannotSwitch(error) => error,
            Repr::NoThread(error) | Repr::DiskThread(error) => error,
            Repr::Connect { lost, .. } | Repr::Lost(lost) => lost,
            Repr::Undecodable { failure, .. } | Repr::RowPanicked { failure, .. } => failure,
            Repr::Panicked(error) => error,
            Repr::Register(error) => error,
            Repr::CallFailed { error, .. } => error,
            Repr::Unwritable(error) => error,
            Repr::QueryRow { error, .. } => error,
            Repr::NotSent(error) => error,
            Repr::Unanswered(error) => error,
            #[cfg(feature = "http")]
            Repr::NoSchema(error) | Repr::Http(error) => error,
            Repr::Load(error) => error,
            Repr::Store(error) => error,
            Repr::Untyped(error) => error,
            Repr::TokenStore { error, .. } => &**error,
            _ => return None,
        })
    }

    /// Reason for which the connection could not be made or was lost, if that is what went wrong.
    pub fn lost(&self) -> Option<&Lost> {
        match &*self.0 {
            Repr::Connect { lost, .. } | Repr::Lost(lost) => Some(lost),
            _ => None,
        }
    }

    /// In what the program differs from the module, if that is what went wrong.
    #[cfg(feature = "http")]
    pub fn schema_differences(&self) -> &[Difference] {
        match &*self.0 {
            Repr::SchemaDrift(differences) => differences,
            _ => &[],
        }
    }

    /// Kind of the call's error, if a call is what went wrong.
    pub fn call(&self) -> Option<CallErrorKind> {
        match &*self.0 {
            Repr::Rejected { .. } => Some(CallErrorKind::Rejected),
            Repr::CallFailed { kind, .. } => Some(*kind),
            _ => None,
        }
    }
}

/// Kind of a refused handshake: for what is asked for, or for who asks.
fn refusal(lost: &Lost) -> Option<ErrorKind> {
    match lost {
        lost if lost.needs_auth() => Some(ErrorKind::Auth),
        Lost::Dial(DialError::Status { status: 404, origin, .. })
            if *origin != AnswerOrigin::Elsewhere =>
        {
            Some(ErrorKind::NotFound)
        }
        _ => None,
    }
}

/// Says which kept token the server does not accept: of a program that ran before, nobody remembers where it is.
/// What somebody said, behind a colon; nothing if nothing was said.
fn behind(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

fn refused_token(stored: Option<&str>, lost: &Lost) -> String {
    match stored {
        // Something on the way may answer so too, and an application's provider of tokens may have none.
        Some(stored) if lost.needs_auth() && lost.http_status().is_some() => format!(
            "; it does not accept the token in {stored}, which another server gave, or this one before its data was reset; \
             remove it to be a new identity (`TokenStore::clear`), or give another token"
        ),
        _ => String::new(),
    }
}

#[cfg(feature = "http")]
fn differences(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// As `Display`: what `fn main() -> Result<(), Error>` prints.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Repr> for Error {
    fn from(repr: Repr) -> Self {
        Self(Box::new(repr))
    }
}

impl From<RegisterError> for Error {
    fn from(error: RegisterError) -> Self {
        Repr::Register(error).into()
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Repr::Store(error).into()
    }
}

impl From<UntypedError> for Error {
    fn from(error: UntypedError) -> Self {
        Repr::Untyped(error).into()
    }
}

/// Keeps what a reducer rejected a call with as text: match on the [`CallError`] for the value.
impl<E: fmt::Debug + 'static> From<CallError<E>> for Error {
    fn from(error: CallError<E>) -> Self {
        let kind = error.kind();
        match error {
            CallError::Rejected(why) => {
                Repr::Rejected { message: words(&why).unwrap_or_default().into() }
            }
            CallError::Failed(why) => Repr::CallFailed { kind, error: CallError::Failed(why) },
            CallError::Unknown => Repr::CallFailed { kind, error: CallError::Unknown },
            CallError::Abandoned { sent, reason } => {
                Repr::CallFailed { kind, error: CallError::Abandoned { sent, reason } }
            }
            CallError::Dropped => Repr::CallFailed { kind, error: CallError::Dropped },
            CallError::Expired => Repr::CallFailed { kind, error: CallError::Expired },
            CallError::Cancelled => Repr::CallFailed { kind, error: CallError::Cancelled },
            CallError::Kept => Repr::CallFailed { kind, error: CallError::Kept },
            CallError::TimedOut { sent } => {
                Repr::CallFailed { kind, error: CallError::TimedOut { sent } }
            }
            CallError::NotSent(why) => Repr::CallFailed { kind, error: CallError::NotSent(why) },
            CallError::Arguments(why) => {
                Repr::CallFailed { kind, error: CallError::Arguments(why) }
            }
            CallError::Undecodable { committed, source } => {
                Repr::CallFailed { kind, error: CallError::Undecodable { committed, source } }
            }
        }
        .into()
    }
}

impl From<CloseReason> for Repr {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::Lost(lost) => Self::Lost(lost),
            CloseReason::Panicked(panic) => Self::Panicked(panic),
            _ => Self::Closed,
        }
    }
}
