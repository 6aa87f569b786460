//! The server's HTTP API: everything that needs no live connection.
//!
//! [`Http`] is a cheap handle on one server; each of its methods is one request and its typed reply. Arguments and rows are
//! the types that a connection uses too, or untyped values with the schema that came with them.
//!
//! ```no_run
//! use lightlike::http::{Http, LogOptions, Publish};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let http = Http::new("http://127.0.0.1:3000")?;
//! let account = http.create_identity().await?;
//! let http = http.with_token(account.token);
//!
//! let wasm = std::fs::read("module.wasm")?;
//! http.publish("chat", wasm, Publish::default().clear(true)).await?;
//! http.call("chat", "set_name", ("Ada",)).await?;
//!
//! let users: Vec<(lightlike::types::Identity, Option<String>)> =
//!     http.sql("chat", "SELECT identity, name FROM user").await?.rows()?;
//! println!("{users:?}");
//!
//! let mut logs = http.logs("chat", LogOptions::default().follow(true)).await?;
//! while let Some(line) = logs.next().await.transpose()? {
//!     println!("{} {}", line.level, line.message);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! Every method returns [`Error`], whose [`kind`](Error::kind) is for matching. What cannot be sent (an address, a name, a
//! token, arguments) is an error before anything is sent. A reply is read up to
//! [`Limits::max_http_reply_bytes`](crate::connection::Limits::max_http_reply_bytes).
//!
//! A method returns `Ok` for what the server answers when it did what was asked, and for nothing else: its one status (200;
//! 204 of [`verify_identity`](Http::verify_identity)) with the body that the route gives. A redirect is an error with its
//! [location](Error::location) and is never followed; a web page, which a proxy or a network that wants a login answers
//! with, is [`ErrorKind::Content`], and so is a body where there should be none. The token that is presented is in no
//! error, also where the server quotes it.
//!
//! # Timeouts, proxies, certificates
//!
//! A whole exchange may take [`Http::TIMEOUT`], publishing [`Http::PUBLISH_TIMEOUT`], or what
//! [`with_timeout`](Http::with_timeout) says. For all else make a [`reqwest::Client`] and give it to
//! [`with_client`](Http::with_client).

mod call;
mod client;
mod database;
mod error;
mod exchange;
mod identity;
mod logs;
mod publish;
mod schema;
mod server;
mod short;
mod sql;

#[doc(inline)]
pub use lightlike_core::json::{self, Form, JsonError};
pub use reqwest;

pub use self::call::{Arguments, CallReply, Json};
pub use self::client::Http;
pub use self::database::DatabaseInfo;
pub use self::error::{Error, ErrorKind};
pub use self::exchange::reply::Reply;
pub use self::exchange::request::Request;
#[cfg(feature = "auth")]
pub(crate) use self::exchange::transport::post_form;
pub use self::identity::Account;
pub use self::logs::{LogLevel, LogLine, LogOptions, LogStream};
pub use self::publish::stored::{EnvironmentChange, StoredEnvironment};
pub use self::publish::{MigrationPlan, Publish, PublishOp, Published};
pub use self::server::Health;
pub(crate) use self::short::ShortTokens;
pub use self::sql::{IntoStatements, SqlOptions, SqlReply, SqlStats, StatementReply};
