//! Identities and their tokens.

use std::fmt;

use lightlike_core::types::Identity;
use reqwest::Method;
use serde::Deserialize;

use super::client::Http;
use super::error::Error;
use super::exchange::Success;
use crate::http::exchange::reply::Reply;
use crate::http::exchange::request::Request;

/// An identity, and the token that proves it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Identity.
    pub identity: Identity,
    /// Whoever has it is that identity: keep it secret, and keep it.
    pub token: String,
}

/// Without the token.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("identity", &self.identity).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

impl Http {
    /// Makes a new identity and its token.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind).
    ///
    /// # Source
    ///
    /// `POST /v1/identity`.
    ///
    /// ```no_run
    /// # async fn example(http: lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// let account = http.create_identity().await?;
    /// println!("{}", account.identity);
    /// let http = http.with_token(account.token);
    /// # let _ = http;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_identity(&self) -> Result<Account, Error> {
        #[derive(Deserialize)]
        struct Created {
            identity: String,
            token: String,
        }
        let reply = self.ask(Request::new(Method::POST, "/v1/identity"), Success::Content).await?;
        let Created { identity, token } = reply.parse()?;
        Ok(Account { identity: parse_identity(&reply, &identity)?, token: reply.token(token)? })
    }

    /// Returns `true` if the token that is presented is that of `identity`.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind); [`Auth`](super::ErrorKind::Auth) if there is no token, or one that is not accepted.
    ///
    /// # Source
    ///
    /// `GET /v1/identity/:identity/verify`: 204, or 400 for another's.
    ///
    /// ```no_run
    /// # async fn example(http: lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// let account = http.create_identity().await?;
    /// assert!(http.with_token(account.token).verify_identity(account.identity).await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn verify_identity(&self, identity: Identity) -> Result<bool, Error> {
        let path = format!("/v1/identity/{}/verify", identity.to_hex());
        match self.ask(Request::new(Method::GET, path), Success::NoContent).await {
            Ok(_) => Ok(true),
            Err(error) if error.status() == Some(400) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A token of a minute for the address of a WebSocket, where headers cannot be set, in place of the one presented.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind); [`Auth`](super::ErrorKind::Auth) if there is no token, or one that is not accepted.
    ///
    /// # Source
    ///
    /// `POST /v1/identity/websocket-token`.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// let uri = format!("wss://host/v1/database/chat/subscribe?token={}", http.websocket_token().await?);
    /// # let _ = uri;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn websocket_token(&self) -> Result<String, Error> {
        let request = Request::new(Method::POST, "/v1/identity/websocket-token");
        let reply = self.ask(request, Success::Content).await?;
        let Token { token } = reply.parse()?;
        reply.token(token)
    }

    /// The key with which the server's tokens can be verified, as PEM.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind).
    ///
    /// # Source
    ///
    /// `GET /v1/identity/public-key`.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// assert!(http.public_key().await?.starts_with("-----BEGIN PUBLIC KEY-----"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn public_key(&self) -> Result<String, Error> {
        let reply = self
            .ask(Request::new(Method::GET, "/v1/identity/public-key"), Success::Content)
            .await?;
        let text = reply.text()?;
        if text.starts_with("-----BEGIN") {
            return Ok(text.to_owned());
        }
        Err(reply.wrong("the reply is no key in PEM"))
    }

    /// The databases that an identity owns.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind).
    ///
    /// # Source
    ///
    /// `GET /v1/identity/:identity/databases`.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// # let identity = lightlike::types::Identity::ZERO;
    /// for database in http.databases(identity).await? {
    ///     println!("{}", http.names(&database.to_hex()).await?.join(", "));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn databases(&self, identity: Identity) -> Result<Vec<Identity>, Error> {
        #[derive(Deserialize)]
        struct Databases {
            identities: Vec<String>,
        }
        let path = format!("/v1/identity/{}/databases", identity.to_hex());
        let reply = self.ask(Request::new(Method::GET, path), Success::Content).await?;
        let Databases { identities } = reply.parse()?;
        identities.iter().map(|identity| parse_identity(&reply, identity)).collect()
    }
}

/// An identity in hex, as most routes give it.
pub(super) fn parse_identity(reply: &Reply, hex: &str) -> Result<Identity, Error> {
    Identity::from_hex(hex.trim())
        .map_err(|source| reply.unexpected(format_args!("`{}` is no identity", hex.trim()), source))
}
