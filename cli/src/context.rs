//! Context of a command: the server, the user, and clients for both.

use std::sync::Arc;

use lightlike::http::Http;
use lightlike::schema::ServerSchema;
use lightlike::untyped::Untyped;
use lightlike::{Client, FileTokens, SchemaCheck, TokenStore as _};
use lightlike_core::conn::Server;

use crate::args::Global;
use crate::failure::{Exit, Failure, note};

/// The server, and who asks.
pub(crate) struct Context {
    pub(crate) global: Global,
    /// The address, with `local` and `maincloud` resolved.
    pub(crate) server: String,
    pub(crate) tokens: FileTokens,
    /// Token to present; none for a new user.
    pub(crate) token: Option<String>,
    http: Http,
}

impl Context {
    pub(crate) fn new(global: &Global) -> Result<Self, Failure> {
        let server = match &*global.server {
            "local" => "http://127.0.0.1:3000",
            "maincloud" => "https://maincloud.spacetimedb.com",
            server => server,
        };
        let parsed = Server::parse(server).map_err(|error| Failure::new(Exit::Usage, error))?;
        let name = global.name.clone().unwrap_or_else(|| parsed.authority().to_owned());
        let tokens = FileTokens::new(&name);
        let token = match &global.token {
            _ if global.anonymous => None,
            Some(token) => Some(token.trim().to_owned()),
            None => tokens.load().map_err(|error| store("read", &*error))?,
        };
        let server = server.trim_end_matches('/').to_owned();
        let mut http =
            Http::new(&server).map_err(|error| Failure::http(&error, "connect", &server))?;
        if let Some(timeout) = global.timeout {
            http = http.with_timeout(timeout);
        }
        if let Some(token) = &token {
            http = http.with_token(token);
        }
        Ok(Self { global: global.clone(), server, tokens, token, http })
    }

    /// The server's HTTP API, in our name.
    pub(crate) fn http(&self) -> Http {
        self.http.clone()
    }

    /// Says that a request failed: `what` was asked for.
    pub(crate) fn refused(&self, what: &str) -> impl FnOnce(lightlike::http::Error) -> Failure {
        let (what, server) = (what.to_owned(), self.server.clone());
        move |error| Failure::http(&error, &what, &server)
    }

    /// The token, for what only an owner may do.
    pub(crate) fn needs_login(&self) -> Result<(), Failure> {
        if self.token.is_some() || self.global.anonymous {
            return Ok(());
        }
        let message = format!("nobody is logged in at {}", self.server);
        Err(Failure::new(Exit::Auth, message)
            .tip("`lightlike login` makes an identity and keeps it"))
    }

    pub(crate) async fn schema(&self, database: &str) -> Result<ServerSchema, Failure> {
        let what = format!("read the schema of `{database}`");
        self.http().schema(database).await.map_err(self.refused(&what))
    }

    /// Connects.
    pub(crate) async fn connect(&self, database: &str) -> Result<Client, Failure> {
        // Nothing here has a type that could differ from the module's.
        let mut builder = Client::builder(&self.server, database).schema_check(SchemaCheck::Off);
        if let Some(token) = &self.token {
            builder = builder.token(token);
        }
        if let Some(timeout) = self.global.timeout {
            builder = builder.connect_timeout(timeout);
        }
        let client = builder.connect().await?;
        if self.token.is_none()
            && !self.global.anonymous
            && let Some(identity) = client.identity()
        {
            self.note(format_args!(
                "nobody is logged in: this is {}, an identity of the moment",
                identity.abbreviated()
            ));
        }
        Ok(client)
    }

    /// Connects, with the schema.
    pub(crate) async fn connect_untyped(
        &self,
        database: &str,
    ) -> Result<(Client, Untyped, Arc<ServerSchema>), Failure> {
        let schema = Arc::new(self.schema(database).await?);
        let client = self.connect(database).await?;
        let untyped = client.untyped(Arc::clone(&schema));
        Ok((client, untyped, schema))
    }

    /// Says something on the way, unless nothing is to be said.
    pub(crate) fn note(&self, text: impl std::fmt::Display) {
        if !self.global.quiet {
            note(text);
        }
    }
}

/// The token store failed.
pub(crate) fn store(verb: &str, error: &dyn std::error::Error) -> Failure {
    Failure::new(Exit::File, format_args!("cannot {verb} the token")).because(error)
}
