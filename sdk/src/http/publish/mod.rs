//! Making and updating databases.

pub(crate) mod environment;
pub(crate) mod stored;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use lightlike_core::types::Identity;
use reqwest::Method;
use serde::Deserialize;

use self::environment::Environment;
use crate::http::client::Http;
use crate::http::error::Error;
use crate::http::exchange::Success;
use crate::http::exchange::reply::Reply;
use crate::http::exchange::request::{Request, escape};
use crate::http::exchange::upload::OnUpload;
use crate::http::identity::parse_identity;

/// Options of publishing a module.
///
/// ```
/// use lightlike::http::Publish;
///
/// let publish = Publish::default().clear(true);
/// # let _ = publish;
/// ```
#[derive(Clone, Default)]
#[must_use = "options do nothing until they are given to `publish`"]
pub struct Publish {
    clear: bool,
    break_clients: Option<Box<str>>,
    environment: Environment,
    on_upload: Option<OnUpload>,
}

impl Publish {
    /// Deletes all rows of an existing database first.
    pub fn clear(mut self, clear: bool) -> Self {
        self.clear = clear;
        self
    }

    /// Goes through with a plan of [`Http::pre_publish`] that breaks clients. The server refuses it if the plan is not that
    /// of the module being published.
    pub fn break_clients(mut self, plan_token: &str) -> Self {
        self.break_clients = Some(plan_token.into());
        self
    }

    /// Sets an environment variable of the module, in place of an earlier value. Since 2.13.
    ///
    /// Variables that are not named keep what they had. A name has letters, digits and `_`, at most 256 bytes, a value at most
    /// 8 KiB, a database at most 256 variables: beyond that publishing fails before anything is sent. Values are shown by no
    /// error and no `Debug`.
    ///
    /// ```
    /// use lightlike::http::Publish;
    ///
    /// let publish = Publish::default().environment("API_KEY", "abc123").remove_environment("OLD_KEY");
    /// # let _ = publish;
    /// ```
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.set(name, value);
        self
    }

    /// Forgets an environment variable of the module.
    pub fn remove_environment(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Forgets all environment variables that are not [set](Self::environment) anew.
    pub fn clear_environment(mut self) -> Self {
        self.environment.remove_all();
        self
    }

    /// Calls `on_upload` with the number of bytes that were sent, as they are: for a progress bar. When all are, the server
    /// compiles the module, which takes the longer part.
    pub fn on_upload(mut self, on_upload: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.on_upload = Some(Arc::new(on_upload));
        self
    }

    fn query(&self) -> String {
        let mut parameters = Vec::new();
        if self.clear {
            parameters.push("clear=true".to_owned());
        }
        if let Some(token) = &self.break_clients {
            parameters.push(format!("policy=BreakClients&token={}", escape(token)));
        }
        let separator = if parameters.is_empty() { "" } else { "?" };
        format!("{separator}{}", parameters.join("&"))
    }
}

impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publish")
            .field("clear", &self.clear)
            .field("break_clients", &self.break_clients.is_some())
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

/// Result of publishing a module.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The database's identity.
    pub identity: Identity,
    /// Its name, if it was published under one.
    pub name: Option<String>,
    /// Operation: the database is new, or was updated.
    pub op: PublishOp,
}

/// Operation of publishing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PublishOp {
    /// Made a database.
    Created,
    /// Updated one, with its rows migrated or cleared.
    Updated,
}

impl fmt::Display for PublishOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Updated => "updated",
        })
    }
}

/// Plan of publishing a module over the database that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MigrationPlan {
    /// The server can do it by itself.
    Auto {
        /// The steps, for people.
        text: String,
        /// `true` if clients of the old module would break; publishing then needs [`Publish::break_clients`].
        breaks_clients: bool,
        /// Names the plan for [`Publish::break_clients`].
        token: String,
        /// `true` if the module is built for the server's next major version.
        major_version_upgrade: bool,
    },
    /// The server cannot: the rows have to be [cleared](Publish::clear), or the module changed.
    Manual {
        /// Reason.
        reason: String,
        /// `true` if the module is built for the server's next major version.
        major_version_upgrade: bool,
    },
}

#[derive(Deserialize)]
enum PublishReply {
    Success { domain: Option<String>, database_identity: String, op: PublishOp },
}

#[derive(Deserialize)]
enum PlanReply {
    AutoMigrate {
        migrate_plan: String,
        break_clients: bool,
        token: String,
        #[serde(default)]
        major_version_upgrade: bool,
    },
    ManualMigrate {
        reason: String,
        #[serde(default)]
        major_version_upgrade: bool,
    },
}

impl Http {
    /// Publishes a module under a name: makes the database, or updates it and migrates its rows. For its owner; without a
    /// token it belongs to an identity that nobody can be again.
    ///
    /// # Errors
    ///
    /// Any [kind](crate::http::ErrorKind): [`Refused`](crate::http::ErrorKind::Refused) if the rows cannot be migrated, or clients would
    /// break, or an environment variable that it requires is missing ([`InvalidInput`](crate::http::ErrorKind::InvalidInput) if one
    /// cannot be sent), [`Auth`](crate::http::ErrorKind::Auth) if it is somebody else's, [`Server`](crate::http::ErrorKind::Server) if it is no
    /// module or does not start.
    ///
    /// # Source
    ///
    /// `PUT /v1/database/:name` with the module as body.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), Box<dyn std::error::Error>> {
    /// use lightlike::http::{Publish, PublishOp};
    ///
    /// let published = http.publish("chat", std::fs::read("chat.wasm")?, Publish::default()).await?;
    /// if published.op == PublishOp::Created {
    ///     println!("{}", published.identity);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn publish(
        &self,
        database: &str,
        module: impl Into<Bytes>,
        options: Publish,
    ) -> Result<Published, Error> {
        let path = self.database_path(database)? + &options.query();
        let request = Request::new(Method::PUT, path);
        options.environment.check().map_err(Error::invalid)?;
        let mut request = options.environment.write_to(request);
        request.on_upload = options.on_upload;
        self.publish_to(request, module.into()).await
    }

    /// Publishes a module as a new database without a name.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    ///
    /// # Source
    ///
    /// `POST /v1/database` with the module as body.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), Box<dyn std::error::Error>> {
    /// let database = http.publish_unnamed(std::fs::read("chat.wasm")?).await?.identity.to_hex();
    /// http.call(&database, "set_name", ("Ada",)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn publish_unnamed(&self, module: impl Into<Bytes>) -> Result<Published, Error> {
        self.publish_to(Request::new(Method::POST, "/v1/database"), module.into()).await
    }

    async fn publish_to(&self, request: Request, module: Bytes) -> Result<Published, Error> {
        let reply = self.send_module(request, module, Success::Content).await;
        let reply = reply.map_err(|error| error.in_words(environment::refusal))?;
        let PublishReply::Success { domain: name, database_identity, op } = reply.parse()?;
        Ok(Published { identity: parse_identity(&reply, &database_identity)?, name, op })
    }

    async fn send_module(
        &self,
        request: Request,
        module: Bytes,
        success: Success,
    ) -> Result<Reply, Error> {
        let timeout = self.timeout.unwrap_or(Self::PUBLISH_TIMEOUT);
        self.ask(request.body(module).timeout(timeout), success).await
    }

    /// Plans publishing a module over the database that is there. Nothing is changed.
    ///
    /// # Errors
    ///
    /// Any [kind](crate::http::ErrorKind).
    ///
    /// # Source
    ///
    /// `POST /v1/database/:name/pre_publish?style=NoColor` with the module as body.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), Box<dyn std::error::Error>> {
    /// use lightlike::http::{MigrationPlan, Publish};
    ///
    /// let module = std::fs::read("chat.wasm")?;
    /// match http.pre_publish("chat", module.clone()).await? {
    ///     MigrationPlan::Auto { text, token, .. } => {
    ///         println!("{text}");
    ///         http.publish("chat", module, Publish::default().break_clients(&token)).await?;
    ///     }
    ///     MigrationPlan::Manual { reason, .. } => println!("not by itself: {reason}"),
    ///     _ => {}
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn pre_publish(
        &self,
        database: &str,
        module: impl Into<Bytes>,
    ) -> Result<MigrationPlan, Error> {
        let path = self.path(database, "/pre_publish?style=NoColor")?;
        let request = Request::new(Method::POST, path);
        let reply = self.send_module(request, module.into(), Success::Content).await?;
        Ok(match reply.parse()? {
            PlanReply::AutoMigrate {
                migrate_plan,
                break_clients,
                token,
                major_version_upgrade,
            } => MigrationPlan::Auto {
                text: migrate_plan,
                breaks_clients: break_clients,
                token,
                major_version_upgrade,
            },
            PlanReply::ManualMigrate { reason, major_version_upgrade } => {
                MigrationPlan::Manual { reason, major_version_upgrade }
            }
        })
    }

    /// Deletes all rows of a database and starts it again, with another module or, if `module` is empty, with the one that
    /// it has. For its owner. Servers up to 2.8 need the module.
    ///
    /// # Errors
    ///
    /// Any [kind](crate::http::ErrorKind).
    ///
    /// # Source
    ///
    /// `PUT /v1/database/:name/reset`, with the module as body.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), Box<dyn std::error::Error>> {
    /// http.reset("chat", std::fs::read("chat.wasm")?).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reset(&self, database: &str, module: impl Into<Bytes>) -> Result<(), Error> {
        let path = self.path(database, "/reset")?;
        let request = Request::new(Method::PUT, path);
        self.send_module(request, module.into(), Success::Unit).await.map(drop)
    }
}
