//! Token and identity of a connection, over all its sockets.

use crate::conn::event::{Dial, Greeting};
use crate::conn::lifecycle::state::Lost;
use crate::secret::{InvalidToken, Secret, check_token};

/// Token to present, and identity that the server gave for it.
pub(in crate::conn) struct Credentials {
    token: Option<Secret>,
    /// The token to keep in place of the next greeting's, which is a stand-in.
    stand_in_for: Option<Secret>,
    /// The token was set since the last dial.
    is_new: bool,
    session_id: u128,
    greeting: Option<Greeting>,
}

impl Credentials {
    pub(in crate::conn) fn new(token: Option<Box<str>>, session_id: u128) -> Self {
        let token = token.map(Secret::from);
        Self { token, stand_in_for: None, is_new: false, session_id, greeting: None }
    }

    pub(in crate::conn) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Returns `true` if the token was set since the last dial.
    pub(in crate::conn) fn is_new(&self) -> bool {
        self.is_new
    }

    /// The token that is presented next, once the server has greeted.
    pub(in crate::conn) fn token(&self) -> Option<Box<str>> {
        self.greeting.as_ref().and_then(|_| self.token.clone().map(Secret::into_exposed))
    }

    /// The last greeting.
    pub(in crate::conn) fn greeting(&self) -> Option<&Greeting> {
        self.greeting.as_ref()
    }

    /// Presents another token from the next dial on.
    pub(in crate::conn) fn set_token(&mut self, token: Box<str>) {
        self.token = Some(token.into());
        self.is_new = true;
    }

    /// Presents a token of an earlier run, where there is no other.
    pub(in crate::conn) fn restore_token(&mut self, token: Option<Box<str>>) {
        if self.token.is_none() {
            self.token = token.map(Secret::from);
        }
    }

    /// The open socket's token stands in for another, which is the one to keep.
    pub(in crate::conn) fn stand_in_for(&mut self, token: Box<str>) {
        self.stand_in_for = Some(token.into());
    }

    /// Parameters of one more attempt: with the session's current token, not the one that it began with.
    pub(in crate::conn) fn dial(&mut self, attempt: u32) -> Dial {
        self.stand_in_for = None;
        self.is_new = false;
        let token = self.token.clone().map(Secret::into_exposed);
        Dial { token, session_id: self.session_id, attempt }
    }

    /// The token of a greeting, or the one that it stands in for. What cannot be a token is not copied: it may be as large
    /// as a message.
    pub(in crate::conn) fn token_to_keep(
        &mut self,
        greeted: &str,
    ) -> Result<Box<str>, InvalidToken> {
        match self.stand_in_for.take() {
            Some(token) => Ok(token.into_exposed()),
            None => check_token(greeted).map(|()| greeted.into()),
        }
    }

    /// Checks that the identity is the one of earlier greetings.
    pub(in crate::conn) fn check(&self, greeting: &Greeting) -> Result<(), Lost> {
        match &self.greeting {
            Some(before) if before.identity != greeting.identity => {
                Err(Lost::IdentityChanged { before: before.identity, now: greeting.identity })
            }
            _ => Ok(()),
        }
    }

    /// The server has greeted.
    pub(in crate::conn) fn greeted(&mut self, greeting: Greeting) {
        // One that was set meanwhile is for the next connection.
        if !self.is_new {
            self.token = Some(greeting.token.clone().into());
        }
        self.greeting = Some(greeting);
    }

    /// Becomes another user.
    pub(in crate::conn) fn switch_user(&mut self, token: Option<Box<str>>) {
        self.greeting = None;
        self.stand_in_for = None;
        self.token = token.map(Secret::from);
        // The server tells the sockets of one client by it, and this is another one.
        self.session_id = self.session_id.wrapping_add(1);
    }
}
