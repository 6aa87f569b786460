//! One request, before it is sent.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use lightlike_core::secret::mask_uri;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::http::exchange::upload::OnUpload;

/// A request for [`Http::send`](crate::http::Http::send) and [`Http::route`](crate::http::Http::route).
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
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) timeout: Option<Duration>,
    pub(crate) on_upload: Option<OnUpload>,
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

    /// Limits the time of the whole exchange, in place of that of [`Http`](crate::http::Http).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// Method and path, without the values of parameters that name a secret.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, mask_uri(&self.path))
    }
}

/// Without its headers, of which one may be a secret, and the contents of its body.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &mask_uri(&self.path))
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

/// Escapes a text as one segment of a path, or as a value of a query.
pub(crate) fn escape(text: &str) -> String {
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
