//! Tokens: their storage, renewal and claims, and OpenID Connect sign-in.
//!
//! A token says who a client is. It comes from the server itself, which makes a new identity for a client without one, or
//! from an identity provider that the server trusts. It is kept between runs in a [`TokenStore`]. With feature `auth`, a
//! `Refresh` renews it, `Claims` reads it, and `Provider::sign_in` obtains one for a person.
//!
//! Nothing here asks the network for anything, but what a method says that it sends.

#[cfg(feature = "auth")]
mod claims;
#[cfg(feature = "auth")]
mod error;
#[cfg(feature = "auth")]
mod form;
#[cfg(feature = "auth")]
mod refresh;
#[cfg(feature = "auth")]
mod renew;
#[cfg(feature = "auth")]
mod sign_in;
pub(crate) mod token;

#[doc(inline)]
pub use lightlike_core::secret::InvalidToken;

#[cfg(feature = "auth")]
pub use self::claims::{Claims, InvalidClaims};
#[cfg(feature = "auth")]
pub use self::error::SignInError;
#[cfg(feature = "auth")]
pub use self::refresh::{Refresh, RefreshReason, Wanted};
#[cfg(feature = "auth")]
pub(crate) use self::renew::with_renewal;
#[cfg(feature = "auth")]
pub use self::sign_in::{Code, Provider, SignIn, Tokens, token_in_callback};
pub use self::token::{FileTokens, MemoryTokens, TokenFileError, TokenStore};
