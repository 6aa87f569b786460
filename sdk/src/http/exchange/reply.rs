//! One reply, before anything is made of it.

use std::fmt;

use bytes::Bytes;
use lightlike_core::bsatn::Decode;
use lightlike_core::json;
use lightlike_core::schema::Sats;
use lightlike_core::secret::{Secret, check_token, hide};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::Deserialize;

use crate::http::error::{Error, excerpt};

/// A whole reply.
#[derive(Clone)]
#[non_exhaustive]
pub struct Reply {
    /// Of [`Http::send`](crate::http::Http::send) a success, of [`Http::route`](crate::http::Http::route) any.
    pub status: StatusCode,
    /// What the server says of the reply.
    pub headers: HeaderMap,
    /// The reply itself.
    pub body: Bytes,
    /// Method and path, for errors.
    pub(crate) request: Box<str>,
    /// The token that was presented, which no error shows though the reply may quote it.
    pub(crate) presented: Option<Secret>,
}

impl Reply {
    /// The body as text.
    ///
    /// # Errors
    ///
    /// [`Content`](crate::http::ErrorKind::Content) if it is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        let text = std::str::from_utf8(&self.body);
        text.map_err(|source| self.unexpected("the reply is not UTF-8", source))
    }

    /// The body as JSON of the server's own, which is not SATS-JSON.
    pub(crate) fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|source| {
            let found = self.headers.get(CONTENT_TYPE).and_then(|ty| ty.to_str().ok());
            self.wrong(format_args!(
                "the reply ({}) is not what a SpacetimeDB server says here: {source}",
                found.unwrap_or("of no type")
            ))
        })
    }

    /// The body as SATS-JSON.
    pub(crate) fn sats<T: Sats + for<'a> Decode<'a>>(&self) -> Result<T, Error> {
        let value = json::from_slice(&self.body);
        value.map_err(|source| {
            self.unexpected(format_args!("the reply is no `{}`", T::TYPE), source)
        })
    }

    pub(crate) fn unexpected(
        &self,
        what: impl fmt::Display,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Error {
        self.wrong(format_args!("{what}: {source}"))
    }

    /// An error of its content. What it quotes of the reply is cut short, and never the token.
    pub(crate) fn wrong(&self, what: impl fmt::Display) -> Error {
        let what = what.to_string();
        let presented = self.presented.as_ref().map(Secret::expose);
        Error::content(&self.request, excerpt(&hide(&what, presented)), None)
    }

    /// A token that the reply gives, if it can be one.
    pub(crate) fn token(&self, token: String) -> Result<String, Error> {
        match check_token(&token) {
            Ok(()) => Ok(token),
            Err(source) => {
                Err(self.unexpected("the reply has no token that could be used", source))
            }
        }
    }

    /// A header that is a number.
    pub(crate) fn number<T: std::str::FromStr>(&self, header: &str) -> Option<T> {
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
