//! Environments of databases, read and changed without publishing a module.
//!
//! # Source
//!
//! `GET`, `PUT` and `PATCH /v1/database/:name/environment` of servers since 2.13.

use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::http::client::Http;
use crate::http::error::Error;
use crate::http::exchange::Success;
use crate::http::exchange::request::{Request, escape};
use crate::http::publish::environment::{self, Environment};

/// Environment variables that a database has. Their values are told by no route.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredEnvironment {
    /// The names that have a value, whether the module declares them or not, in order.
    pub names: Vec<String>,
    /// Name of the module as [`EnvironmentChange::of_module`] takes it: a hash in a form of the server's own.
    pub module_hash: String,
}

/// Change to the environment of a database. No `Debug` shows a value.
///
/// ```
/// use lightlike::http::EnvironmentChange;
///
/// let change = EnvironmentChange::default().set("API_KEY", "abc123").remove("OLD_KEY");
/// assert!(!format!("{change:?}").contains("abc123"));
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "changes nothing until it is given to `change_environment`"]
pub struct EnvironmentChange {
    environment: Environment,
    module_hash: Option<Box<str>>,
}

impl EnvironmentChange {
    /// Sets a variable, in place of an earlier value. The limits are those of
    /// [`Publish::environment`](crate::http::Publish::environment).
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.set(name, value);
        self
    }

    /// Forgets a variable. One that the module requires cannot be forgotten.
    pub fn remove(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Forgets all variables that are not [set](Self::set).
    pub fn remove_others(mut self) -> Self {
        self.environment.remove_all();
        self
    }

    /// Goes through only if the database still has this module: the [`module_hash`](StoredEnvironment::module_hash) of an
    /// environment that was read before. Without, it is the module that is there when the change begins.
    pub fn of_module(mut self, module_hash: &str) -> Self {
        self.module_hash = Some(module_hash.into());
        self
    }
}

#[derive(Deserialize)]
struct Metadata {
    module_hash: String,
    stored_keys: Vec<String>,
}

/// Reply to a change that was made.
#[derive(Deserialize)]
enum Changed {
    Ok(#[expect(dead_code, reason = "it is `null`")] Option<IgnoredAny>),
}

impl Http {
    /// Reads which environment variables a database has. For its owner.
    ///
    /// # Errors
    ///
    /// Any [kind](crate::http::ErrorKind): [`NotFound`](crate::http::ErrorKind::NotFound) also of servers before 2.13.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// println!("{}", http.environment("chat").await?.names.join(", "));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn environment(&self, database: &str) -> Result<StoredEnvironment, Error> {
        let path = self.path(database, "/environment")?;
        let reply = self.ask(Request::new(Method::GET, path), Success::Content).await?;
        let Metadata { module_hash, stored_keys: mut names } = reply.parse()?;
        names.sort_unstable();
        Ok(StoredEnvironment { names, module_hash })
    }

    /// Changes the environment of a database, whose module stays and reads the new values from then on. For its owner.
    ///
    /// # Errors
    ///
    /// Any [kind](crate::http::ErrorKind): [`Refused`](crate::http::ErrorKind::Refused) if a variable that the module requires would be
    /// missing, if a value is none of those that it takes, or if another module was published meanwhile (409): then nothing
    /// was changed. [`InvalidInput`](crate::http::ErrorKind::InvalidInput) beyond the limits, before anything is sent.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// use lightlike::http::EnvironmentChange;
    ///
    /// http.change_environment("chat", EnvironmentChange::default().set("MODE", "prod")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn change_environment(
        &self,
        database: &str,
        change: EnvironmentChange,
    ) -> Result<(), Error> {
        let EnvironmentChange { environment, module_hash } = change;
        environment.check().map_err(Error::invalid)?;
        let module_hash = match module_hash {
            Some(hash) => hash,
            None => self.environment(database).await?.module_hash.into(),
        };
        let route = format!("/environment?expected_module_hash={}", escape(&module_hash));
        let path = self.path(database, &route)?;
        // The one route replaces everything, the other adds and takes away.
        let request = if environment.is_whole() {
            Request::new(Method::PUT, path)
        } else {
            environment.write_removals_to(Request::new(Method::PATCH, path))
        };
        let reply = self.ask(request.json(environment.json()), Success::Content).await;
        let reply = reply.map_err(|error| error.in_words(environment::refusal))?;
        let Changed::Ok(_) = reply.parse()?;
        Ok(())
    }
}
