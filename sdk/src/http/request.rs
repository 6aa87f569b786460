//! One request and its reply, before anything is made of them.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use lightlike_core::bsatn::Decode;
use lightlike_core::json;
use lightlike_core::schema::Sats;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::error::Error;
use super::upload::OnUpload;

/// A request for [`Http::send`](super::Http::send) and [`Http::route`](super::Http::route).
///
/// ```
/// use lightlike::http::Request;
/// use lightlike::http::reqwest::Method;
///
/// let request = Request::new(Method::POST, "/hello").json(r#"{"name": "Ada"}"#);
/// assert_eq!(request.to_string(), "POST /hello");
/// ```
#[derive(Clone)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) timeout: Option<Duration>,
    pub(super) on_upload: Option<OnUpload>,
}

impl Request {
    /// A request without a body. `path` starts with a slash and may have a query.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Self { method, path: path.into(), headers, body, timeout: None, on_upload: None }
    }

    /// Adds a header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to JSON, and its type.
    pub fn json(mut self, json: impl Into<Bytes>) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body(json)
    }

    /// How long the whole exchange may take, in place of what [`Http`](super::Http) says.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// Method and path.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Without its headers, of which one may be a secret, and the contents of its body.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

/// A whole reply.
#[derive(Clone)]
#[non_exhaustive]
pub struct Reply {
    /// Of [`Http::send`](super::Http::send) a success, of [`Http::route`](super::Http::route) any.
    pub status: StatusCode,
    /// What the server says of the reply.
    pub headers: HeaderMap,
    /// The reply itself.
    pub body: Bytes,
    /// Method and path, for errors.
    pub(super) request: Box<str>,
}

impl Reply {
    /// The body as text.
    ///
    /// # Errors
    ///
    /// [`Content`](super::ErrorKind::Content) if it is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        let text = std::str::from_utf8(&self.body);
        text.map_err(|source| self.unexpected("the reply is not UTF-8", source))
    }

    /// The body as JSON of the server's own, which is not SATS-JSON.
    pub(super) fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|source| {
            let found = self.headers.get(CONTENT_TYPE).and_then(|ty| ty.to_str().ok());
            let what = format!(
                "the reply ({}) is not what a SpacetimeDB server says here: {source}",
                found.unwrap_or("of no type")
            );
            Error::content(&self.request, what, None)
        })
    }

    /// The body as SATS-JSON.
    pub(super) fn sats<T: Sats + for<'a> Decode<'a>>(&self) -> Result<T, Error> {
        let value = json::from_slice(&self.body);
        value.map_err(|source| {
            self.unexpected(format_args!("the reply is no `{}`", T::TYPE), source)
        })
    }

    pub(super) fn unexpected(
        &self,
        what: impl fmt::Display,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Error {
        Error::content(&self.request, format_args!("{what}: {source}"), None)
    }

    /// A header that is a number.
    pub(super) fn number<T: std::str::FromStr>(&self, header: &str) -> Option<T> {
        self.headers.get(header)?.to_str().ok()?.parse().ok()
    }
}

/// The headers may have a new token.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

/// Escapes a text as one segment of a path, or as a value of a query.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
