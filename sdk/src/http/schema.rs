//! The module's schema.

use lightlike_core::schema::ServerSchema;
use reqwest::Method;

use super::client::Http;
use super::error::{Error, ErrorKind};
use super::exchange::Success;
use crate::http::exchange::request::Request;

impl Http {
    /// Schema of the module: its tables, views, reducers, procedures and types.
    ///
    /// [`compare`](crate::schema::compare) says how the structs of a program differ from it. Version 10 is asked for, then
    /// 9, which servers before 2.0.4 have.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind); [`Content`](super::ErrorKind::Content) if the reply is no schema, or has a type that
    /// this client does not know.
    ///
    /// # Source
    ///
    /// `GET /v1/database/:name/schema?version=10`.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// use lightlike::prelude::*;
    /// use lightlike::schema::compare;
    ///
    /// #[derive(Bsatn, Table)]
    /// #[table(name = "user")]
    /// struct User {
    ///     #[primary_key]
    ///     identity: Identity,
    ///     name: Option<String>,
    ///     online: bool,
    /// }
    ///
    /// let schema = http.schema("chat").await?;
    /// for difference in compare(&schema, &[User::DEF], &[]) {
    ///     println!("{difference}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn schema(&self, database: &str) -> Result<ServerSchema, Error> {
        match self.schema_version(database, 10).await {
            Err(error) if error.kind() == ErrorKind::Refused => {
                self.schema_version(database, 9).await
            }
            schema => schema,
        }
    }

    async fn schema_version(&self, database: &str, version: u8) -> Result<ServerSchema, Error> {
        let path = self.path(database, &format!("/schema?version={version}"))?;
        let reply = self.ask(Request::new(Method::GET, path), Success::Content).await?;
        ServerSchema::parse(reply.text()?).map_err(|source| reply.wrong(source))
    }
}
