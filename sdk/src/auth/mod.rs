//! Tokens that are renewed, what a token claims, and signing in with a provider of identities. Feature `auth`.
//!
//! A token says who a client is. It comes from the server itself, which makes a new identity for whoever has none, or from
//! a provider of identities that the server trusts. Where it is kept between runs is a [`TokenStore`](crate::TokenStore);
//! how it is renewed is a [`Refresh`]; how a person gets one in the first place is [`Provider::sign_in`].
//!
//! ```no_run
//! use lightlike::auth::{Provider, Refresh};
//! use lightlike::prelude::*;
//!
//! # fn open_in_a_browser(_: &str) {}
//! # async fn wait_for_the_callback() -> String { String::new() }
//! # async fn renewed() -> Result<String, std::io::Error> { Ok(String::new()) }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // A person signs in ..
//! let provider = Provider::spacetime_auth("client_0123456789");
//! let sign_in = provider.sign_in("http://127.0.0.1:8400/callback")?;
//! open_in_a_browser(sign_in.url());
//! let code = sign_in.callback(&wait_for_the_callback().await)?;
//! // .. what is to be sent for a token is told; with feature `http`, `code.exchange().await` sends it.
//! println!("POST {} {}", code.token_uri(), code.form());
//!
//! // A client asks for another token before the one at hand expires, and when it is refused.
//! let db = Client::builder("https://maincloud.spacetimedb.com", "chat")
//!     .token_store(FileTokens::new("chat"))
//!     .refresh_token(Refresh::new(|_| renewed()))
//!     .connect()
//!     .await?;
//! # Ok(())
//! # }
//! ```
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
