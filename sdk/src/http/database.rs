//! Databases: what they are, their names, their end.

use lightlike_core::conn::check_database_name;
use lightlike_core::json;
use lightlike_core::types::{Identity, Timestamp};
use reqwest::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::Http;
use super::error::Error;
use super::exchange::{Success, succeeded};
use super::identity::parse_identity;
use crate::http::exchange::request::Request;

/// Description of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatabaseInfo {
    /// The database's own identity, which it keeps when its names change.
    pub identity: Identity,
    /// Identity that published it.
    pub owner: Identity,
    /// Host of its module, such as `Wasm`.
    pub host_type: String,
    /// The hash of the module that it was made with, in hex.
    pub initial_program: String,
}

impl Http {
    /// Describes a database, by its name or its identity in hex.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind); [`NotFound`](super::ErrorKind::NotFound) if there is none.
    ///
    /// # Source
    ///
    /// `GET /v1/database/:name`.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// println!("published by {}", http.database("chat").await?.owner);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn database(&self, database: &str) -> Result<DatabaseInfo, Error> {
        #[derive(Deserialize)]
        struct Info<'a> {
            #[serde(borrow)]
            database_identity: &'a RawValue,
            #[serde(borrow)]
            owner_identity: &'a RawValue,
            host_type: serde_json::Value,
            initial_program: String,
        }
        let reply = self
            .ask(Request::new(Method::GET, self.database_path(database)?), Success::Content)
            .await?;
        let info: Info<'_> = reply.parse()?;
        let identity = |json: &RawValue| {
            json::from_str(json.get()).map_err(|source| reply.unexpected("no identity", source))
        };
        let host_type = match &info.host_type {
            serde_json::Value::Object(variant) => variant.keys().next().cloned(),
            other => other.as_str().map(str::to_owned),
        };
        Ok(DatabaseInfo {
            identity: identity(info.database_identity)?,
            owner: identity(info.owner_identity)?,
            host_type: host_type.unwrap_or_default(),
            initial_program: info.initial_program,
        })
    }

    /// The identity of a database with a name.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind); [`NotFound`](super::ErrorKind::NotFound) if there is none.
    ///
    /// # Source
    ///
    /// `GET /v1/database/:name/identity`.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// println!("{}", http.database_identity("chat").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn database_identity(&self, database: &str) -> Result<Identity, Error> {
        let path = self.path(database, "/identity")?;
        let reply = self.ask(Request::new(Method::GET, path), Success::Content).await?;
        parse_identity(&reply, reply.text()?)
    }

    /// The names of a database.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind); [`NotFound`](super::ErrorKind::NotFound) if there is no such database.
    ///
    /// # Source
    ///
    /// `GET /v1/database/:name/names`.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// println!("{}", http.names("chat").await?.join(", "));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn names(&self, database: &str) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Names {
            names: Vec<String>,
        }
        let path = self.path(database, "/names")?;
        let reply = self.ask(Request::new(Method::GET, path), Success::Content).await?;
        reply.parse().map(|Names { names }| names)
    }

    /// Gives a database one more name. For its owner.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind); [`Refused`](super::ErrorKind::Refused) if the name is taken,
    /// [`Auth`](super::ErrorKind::Auth) if it, or the database, is somebody else's.
    ///
    /// # Source
    ///
    /// `POST /v1/database/:name/names` with the name as text.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// http.add_name("chat", "lobby").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn add_name(&self, database: &str, name: &str) -> Result<(), Error> {
        check_database_name(name)?;
        let path = self.path(database, "/names")?;
        let request = Request::new(Method::POST, path).body(name.to_owned());
        succeeded(&self.ask(request, Success::Content).await?)
    }

    /// Replaces all names of a database. For its owner.
    ///
    /// # Errors
    ///
    /// As [`add_name`](Self::add_name). Servers refuse a name that is taken also when it is this database's own.
    ///
    /// # Source
    ///
    /// `PUT /v1/database/:name/names` with a JSON list.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// http.set_names("chat", &["lobby", "hall"]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn set_names(&self, database: &str, names: &[&str]) -> Result<(), Error> {
        names.iter().try_for_each(|name| check_database_name(name))?;
        let path = self.path(database, "/names")?;
        let names = serde_json::to_string(names).map_err(Error::invalid)?;
        let request = Request::new(Method::PUT, path).json(names);
        succeeded(&self.ask(request, Success::Content).await?)
    }

    /// Ends a database with all its rows and connections. For its owner. One that does not exist is as good as ended.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind); [`Auth`](super::ErrorKind::Auth) if it is somebody else's, or locked.
    ///
    /// # Source
    ///
    /// `DELETE /v1/database/:name`.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// http.delete("chat").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn delete(&self, database: &str) -> Result<(), Error> {
        let path = self.database_path(database)?;
        self.ask(Request::new(Method::DELETE, path), Success::Unit).await.map(drop)
    }

    /// Locks a database, so that it cannot be deleted until it is [unlocked](Self::unlock). For its owner.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind).
    ///
    /// # Source
    ///
    /// `POST /v1/database/:name/lock`.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// http.lock("chat").await?;
    /// assert!(http.delete("chat").await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn lock(&self, database: &str) -> Result<(), Error> {
        let path = self.path(database, "/lock")?;
        self.ask(Request::new(Method::POST, path), Success::Unit).await.map(drop)
    }

    /// Takes back a [lock](Self::lock). For the database's owner.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind).
    ///
    /// # Source
    ///
    /// `POST /v1/database/:name/unlock`.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// http.unlock("chat").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn unlock(&self, database: &str) -> Result<(), Error> {
        let path = self.path(database, "/unlock")?;
        self.ask(Request::new(Method::POST, path), Success::Unit).await.map(drop)
    }

    /// The server's time. Its route may change.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind).
    ///
    /// # Source
    ///
    /// `GET /v1/database/:name/unstable/timestamp`.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// println!("{}", http.timestamp("chat").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn timestamp(&self, database: &str) -> Result<Timestamp, Error> {
        let path = self.path(database, "/unstable/timestamp")?;
        self.ask(Request::new(Method::GET, path), Success::Content).await?.sats()
    }
}
