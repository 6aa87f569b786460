//! Tokens of a minute in place of real ones, for addresses.

use std::io;
use std::sync::Arc;

use lightlike_core::conn::{Dial, DialError};
use lightlike_core::driver::{Dialer, Dialing};

use super::client::Http;
use super::error::Error;

/// Opens sockets with a token that the server gives in exchange for the real one.
#[derive(Clone)]
pub(crate) struct ShortTokens {
    dialer: Arc<dyn Dialer>,
    http: Http,
}

impl ShortTokens {
    pub(crate) fn new(dialer: Arc<dyn Dialer>, http: Http) -> Self {
        Self { dialer, http }
    }
}

impl Dialer for ShortTokens {
    fn dial(&self, dial: &Dial) -> Dialing {
        let Some(token) = dial.token.clone() else { return self.dialer.dial(dial) };
        let (this, mut dial) = (self.clone(), dial.clone());
        Box::pin(async move {
            let http = this.http.with_token(&token);
            let short = http.websocket_token().await.map_err(|error| failure(&http, error))?;
            dial.token = Some(short.into());
            let mut opened = this.dialer.dial(&dial).await?;
            opened.token = Some(token);
            Ok(opened)
        })
    }
}

/// The same as if the handshake had failed so.
fn failure(http: &Http, error: Error) -> DialError {
    match error.status() {
        Some(status) => DialError::status(status, error.to_string()),
        None => DialError::Io {
            authority: http.authority().into(),
            source: Arc::new(io::Error::other(error)),
        },
    }
}
