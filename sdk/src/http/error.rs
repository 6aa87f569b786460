//! Errors of requests.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use lightlike_core::conn::EndpointError;
use lightlike_core::driver::InvalidToken;
use lightlike_core::json::JsonError;
use lightlike_core::whole::Whole;
use reqwest::StatusCode;

/// A request that did not do what it was made for.
///
/// [`kind`](Self::kind) is for matching, `Display` for people: it names the request, has the server's own words, and says what is
/// behind it, which is had by its type by [`cause`](Self::cause) and is no [`source`](std::error::Error::source) too.
pub struct Error(Box<Inner>);

struct Inner {
    /// Method and path, or what was being prepared.
    request: Box<str>,
    repr: Repr,
}

/// Kind of a request's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The address, a name, the token or arguments cannot be sent. Nothing was sent.
    InvalidInput,
    /// The server cannot be reached. Nothing was sent.
    Connect,
    /// No reply in time. The request may have been carried out, or may yet be.
    Timeout,
    /// The exchange broke off. The request may have been carried out.
    Interrupted,
    /// The server does not accept the token, or does not allow this to its identity (401, 403).
    Auth,
    /// No such database, reducer, procedure or route (404).
    NotFound,
    /// The reducer rejected the call, or panicked (530 of a call): [`text`](Error::text) is its error. Nothing was changed.
    Rejected,
    /// The database is out of energy (402).
    OutOfEnergy,
    /// The server refused the request for another reason (4xx): SQL that it does not take, arguments of other types.
    Refused,
    /// The server failed (5xx): a procedure that panicked, a module that does not load, a host that is down.
    Server,
    /// Something between here and the server, or the server, redirects to another address (3xx), which is not followed:
    /// [`location`](Error::location). The request was not carried out there.
    Redirected,
    /// The reply, or a line of a log, is longer than [`Limits`](crate::connection::Limits) allow.
    TooLarge,
    /// The reply is not what the route gives (a web page, another status of success, a body where there is none), or does
    /// not fit the Rust type that was asked for. The request may have been carried out.
    Content,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidInput => "it cannot be sent",
            Self::Connect => "the server cannot be reached",
            Self::Timeout => "no reply in time",
            Self::Interrupted => "the exchange broke off",
            Self::Auth => "the token is not accepted, or does not allow it",
            Self::NotFound => "no such database, function or route",
            Self::Rejected => "the reducer refused or panicked",
            Self::OutOfEnergy => "the database is out of energy",
            Self::Refused => "the server refused the request",
            Self::Server => "the server failed",
            Self::Redirected => "redirected to another address",
            Self::TooLarge => "the reply is longer than the limits allow",
            Self::Content => "the reply is not what was asked for",
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Repr {
    #[error(transparent)]
    Endpoint(EndpointError),
    #[error(transparent)]
    Token(InvalidToken),
    #[error("{0}")]
    Input(Box<str>),
    #[error("the arguments have no JSON: {0}")]
    Arguments(JsonError),
    #[error("no HTTP client can be made: {}", Whole(&**.0))]
    Client(Box<dyn std::error::Error + Send + Sync>),
    #[error("the server cannot be reached: {}", Whole(.0))]
    Connect(reqwest::Error),
    #[error("no reply in time")]
    Timeout,
    #[error("the exchange broke off: {}", Whole(.0))]
    Interrupted(reqwest::Error),
    #[error("the reducer refused: {0}")]
    Rejected(Box<str>),
    #[error("{}{}{}", status_line(*.status), separated(.text), advice(*.status, .text))]
    Status { status: u16, text: Box<str> },
    #[error(
        "{}: a redirect {}, which is not followed; give the address of the server itself, and log in where a proxy or a \
         network wants that first",
        status_line(.status.as_u16()), to(.location.as_deref())
    )]
    Redirect { status: StatusCode, location: Option<Box<str>> },
    #[error(
        "the client given to `with_client` followed a redirect to {location}, whose reply is nobody's answer; build it \
         with `redirect(Policy::none())`"
    )]
    Followed { location: Box<str> },
    #[error("more than {limit} bytes, which is the limit `max_http_reply_bytes`")]
    TooLarge { limit: usize },
    #[error("{what}{}", behind(.error.as_deref()))]
    Content { what: Box<str>, error: Option<Box<dyn std::error::Error + Send + Sync>> },
}

fn status_line(status: u16) -> String {
    let reason = StatusCode::from_u16(status).ok();
    match reason.and_then(|status| status.canonical_reason()) {
        Some(reason) => format!("{status} {reason}"),
        None => status.to_string(),
    }
}

/// What can be done about a refusal, where its words do not say so.
fn advice(status: u16, text: &str) -> &'static str {
    match status {
        401 if denies(text) => "; only the owner of the database may",
        401 => "; present a token that this server gave, or none",
        404 if text.is_empty() => "; is it a SpacetimeDB 2.x server?",
        407 => "; the proxy on the way wants to know who asks",
        408 | 429 | 502 | 503 | 504 => "; the same request may succeed later",
        _ => "",
    }
}

/// Returns `true` if the body of a 401 says that the token is good and its identity may not: routes of names answer so.
fn denies(text: &str) -> bool {
    text.contains("PermissionDenied")
}

fn to(location: Option<&str>) -> String {
    location.map_or_else(|| "without a location".to_owned(), |location| format!("to {location}"))
}

/// What is quoted of a peer's words: more would bury the rest.
pub(super) fn excerpt(text: &str) -> Cow<'_, str> {
    const MAX_BYTES: usize = 64 << 10;
    match text.char_indices().find(|(at, letter)| at + letter.len_utf8() > MAX_BYTES - 3) {
        Some((at, _)) if text.len() > MAX_BYTES => Cow::Owned(format!("{}…", &text[..at])),
        _ => Cow::Borrowed(text),
    }
}

/// The text of what is behind an error, if something is.
fn behind(error: Option<&(dyn std::error::Error + Send + Sync + 'static)>) -> String {
    error.map_or_else(String::new, |error| format!(": {}", Whole(error)))
}

fn separated(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

impl Error {
    pub(super) fn new(request: impl fmt::Display, repr: Repr) -> Self {
        Self(Box::new(Inner { request: request.to_string().into(), repr }))
    }

    pub(crate) fn invalid(what: impl fmt::Display) -> Self {
        Self::new("cannot be sent", Repr::Input(what.to_string().into()))
    }

    /// A reply that is not what was expected.
    pub(super) fn content(
        request: impl fmt::Display,
        what: impl fmt::Display,
        error: Option<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::new(request, Repr::Content { what: what.to_string().into(), error })
    }

    /// Replaces the server's text, where `words` knows better ones for it.
    pub(super) fn in_words(mut self, words: impl FnOnce(&str) -> Option<String>) -> Self {
        if let Repr::Status { text, .. } = &mut self.0.repr
            && let Some(better) = words(text)
        {
            *text = better.into();
        }
        self
    }

    pub(super) fn transport(request: impl fmt::Display, error: reqwest::Error) -> Self {
        // The address is in `request`, without what it may have of secrets.
        let error = error.without_url();
        let repr = match () {
            () if error.is_timeout() => Repr::Timeout,
            () if error.is_connect() => Repr::Connect(error),
            () if error.is_builder() => Repr::Input(error.to_string().into()),
            () => Repr::Interrupted(error),
        };
        Self::new(request, repr)
    }

    /// Kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match &self.0.repr {
            Repr::Endpoint(_)
            | Repr::Token(_)
            | Repr::Input(_)
            | Repr::Arguments(_)
            | Repr::Client(_) => ErrorKind::InvalidInput,
            Repr::Connect(_) => ErrorKind::Connect,
            Repr::Timeout => ErrorKind::Timeout,
            Repr::Interrupted(_) => ErrorKind::Interrupted,
            Repr::Rejected(_) => ErrorKind::Rejected,
            Repr::Status { status, .. } => match status {
                401 | 403 => ErrorKind::Auth,
                402 => ErrorKind::OutOfEnergy,
                404 => ErrorKind::NotFound,
                500.. => ErrorKind::Server,
                _ => ErrorKind::Refused,
            },
            Repr::Redirect { .. } | Repr::Followed { .. } => ErrorKind::Redirected,
            Repr::TooLarge { .. } => ErrorKind::TooLarge,
            Repr::Content { .. } => ErrorKind::Content,
        }
    }

    /// The error behind this one, whose words are among its own: to be asked for its type, by `downcast_ref`.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        match &self.0.repr {
            Repr::Endpoint(error) => Some(error),
            Repr::Token(error) => Some(error),
            Repr::Arguments(error) => Some(error),
            Repr::Client(error) => Some(&**error),
            Repr::Connect(error) | Repr::Interrupted(error) => Some(error),
            Repr::Content { error, .. } => error.as_deref().map(|error| error as _),
            _ => None,
        }
    }

    /// Returns `true` if the same request may succeed later without anything being changed. It may have been carried
    /// out already, unless the kind says otherwise.
    pub fn is_retryable(&self) -> bool {
        match &self.0.repr {
            Repr::Connect(_) | Repr::Timeout | Repr::Interrupted(_) => true,
            Repr::Status { status, .. } => matches!(status, 408 | 429 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// Returns `true` if the server does not accept the token: another one is needed. A 401 by which it denies something to
    /// the token's identity is none.
    pub fn refuses_token(&self) -> bool {
        matches!(&self.0.repr, Repr::Status { status: 401, text } if !denies(text))
    }

    /// The status with which the server refused the request, if it did.
    pub fn status(&self) -> Option<u16> {
        match &self.0.repr {
            Repr::Status { status, .. } => Some(*status),
            Repr::Redirect { status, .. } => Some(status.as_u16()),
            Repr::Rejected(_) => Some(530),
            _ => None,
        }
    }

    /// Where a redirect leads, without user, password and token; none if it does not say, or is no redirect.
    pub fn location(&self) -> Option<&str> {
        match &self.0.repr {
            Repr::Redirect { location, .. } => location.as_deref(),
            Repr::Followed { location } => Some(location),
            _ => None,
        }
    }

    /// The server's own words, if it refused the request: of a rejected call, the reducer's error.
    /// Of a web page, which is not the server's, its title.
    pub fn text(&self) -> Option<&str> {
        match &self.0.repr {
            Repr::Status { text, .. } | Repr::Rejected(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.request, self.0.repr)
    }
}

impl std::error::Error for Error {}

/// As `Display`: what `fn main() -> Result<(), Error>` prints.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<EndpointError> for Error {
    fn from(error: EndpointError) -> Self {
        Self::new("cannot be sent", Repr::Endpoint(error))
    }
}

impl From<InvalidToken> for Error {
    fn from(error: InvalidToken) -> Self {
        Self::new("cannot be sent", Repr::Token(error))
    }
}
