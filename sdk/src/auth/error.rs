//! Errors of signing in.

use lightlike_core::conn::EndpointError;
use lightlike_core::secret::InvalidToken;
use lightlike_core::whole::Whole;

/// Signing in did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// An address is none.
    #[error(transparent)]
    Uri(#[from] EndpointError),
    /// The system has no randomness, without which anybody could guess.
    #[error("the system has no randomness")]
    NoRandomness,
    /// The callback has neither a code nor a token.
    #[error("the callback's address has no {wanted}; is it the whole of it?")]
    Nothing {
        /// Part that it should have.
        wanted: &'static str,
    },
    /// The callback answers another attempt at signing in than this one: a stale one, or a forged one.
    #[error("the callback's `state` is not the one of this attempt at signing in")]
    State,
    /// The provider says no, in its words.
    #[error("the provider refused: {error}{}", behind(.description))]
    Refused {
        /// The code of the error, as RFC 6749 lists them.
        error: Box<str>,
        /// Description of the provider, perhaps nothing.
        description: Box<str>,
    },
    /// The callback's token cannot be one.
    #[error(transparent)]
    Token(#[from] InvalidToken),
    /// The provider answers with another status than 200, and not with a refusal. No redirect is followed: it would carry
    /// the code, or the refresh token, to another address.
    #[error(
        "the provider answered with HTTP status {status}{}; is its address for tokens right, and does nothing on the way want \
         a login?", to(.location.as_deref())
    )]
    Status {
        /// The status.
        status: u16,
        /// Where it redirects to, without user, password and secrets.
        location: Option<Box<str>>,
    },
    /// The provider's reply to a code is not one.
    #[error("the provider's reply is not what a provider says here: {}", Whole(&**.0))]
    Reply(Box<dyn std::error::Error + Send + Sync>),
    /// The provider cannot be asked.
    #[error("cannot ask the provider: {}", Whole(&**.0))]
    Network(Box<dyn std::error::Error + Send + Sync>),
}

fn behind(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

fn to(location: Option<&str>) -> String {
    let redirect = |it| format!(", a redirect to {it}, which is not followed");
    location.map_or_else(String::new, redirect)
}
