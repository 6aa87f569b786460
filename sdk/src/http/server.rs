//! The server itself.

use reqwest::Method;
use serde::Deserialize;

use super::client::Http;
use super::error::Error;
use super::exchange::Success;
use crate::http::exchange::request::Request;

/// Health of a server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Health {
    /// The server's version, such as `2.8.3`.
    pub version: String,
    /// The package that serves the API.
    #[serde(default)]
    pub package_name: Option<String>,
    /// `true` if databases can be placed on it.
    #[serde(default)]
    pub schedulable: Option<bool>,
}

impl Http {
    /// Asks whether the server is there. A token, if there is one, is checked.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind); [`Auth`](super::ErrorKind::Auth) if the token is not accepted.
    ///
    /// # Source
    ///
    /// `GET /v1/ping`.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// http.ping().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn ping(&self) -> Result<(), Error> {
        self.ask(Request::new(Method::GET, "/v1/ping"), Success::Unit).await.map(drop)
    }

    /// Asks how the server is, and which version.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind); [`NotFound`](super::ErrorKind::NotFound) from servers that have no such route.
    ///
    /// # Source
    ///
    /// `GET /v1/health`.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// println!("SpacetimeDB {}", http.health().await?.version);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn health(&self) -> Result<Health, Error> {
        self.ask(Request::new(Method::GET, "/v1/health"), Success::Content).await?.parse()
    }
}
