//! Warning that a token travels without encryption.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lightlike_core::conn::{Dial, Server};
use lightlike_core::driver::{Dialer, Dialing};

use crate::observe::panics::log;

/// Tells once, for all that share it, that a token is sent to another machine where everybody on the way can read it.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlainText(Arc<AtomicBool>);

impl PlainText {
    /// A token is about to be sent.
    pub(crate) fn token_sent_to(&self, server: &Server) {
        if server.is_secure() || server.is_this_machine() || self.0.swap(true, Ordering::Relaxed) {
            return;
        }
        log!(
            warn,
            name: "lightlike.token.plain_text",
            address = server.http_uri(""),
            "the token is sent without encryption, and whoever sees it can be this user: use https"
        );
    }
}

/// A dialer whose tokens are watched.
pub(crate) struct Watched {
    dialer: Arc<dyn Dialer>,
    server: Server,
    plain_text: PlainText,
}

impl Watched {
    pub(crate) fn new(dialer: Arc<dyn Dialer>, server: Server, plain_text: PlainText) -> Self {
        Self { dialer, server, plain_text }
    }
}

impl Dialer for Watched {
    fn dial(&self, dial: &Dial) -> Dialing {
        if dial.token.is_some() {
            self.plain_text.token_sent_to(&self.server);
        }
        self.dialer.dial(dial)
    }
}
