//! Context of a command: the server, the user, and clients for both.

use std::error::Error;
use std::io::Read as _;
use std::sync::Arc;

use lightlike::http::Http;
use lightlike::schema::ServerSchema;
use lightlike::untyped::Untyped;
use lightlike::{Client, FileTokens, SchemaCheck, TokenStore as _};
use lightlike_core::conn::Server;

use crate::args::Global;
use crate::failure::{Exit, Failure, Presented, note};

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
    /// With the token that was given, or else the one that is kept.
    pub(crate) fn new(global: &Global) -> Result<Self, Failure> {
        let mut context = Self::without_store(global)?;
        if context.token.is_none() && !global.anonymous {
            context.token = context.kept()?;
        }
        if let Some(token) = &context.token {
            context.http = context.http.with_token(token);
            context.warn_of_plain_text()?;
        }
        Ok(context)
    }

    /// Without a look at what is kept. The token that was given is not presented yet.
    pub(crate) fn without_store(global: &Global) -> Result<Self, Failure> {
        let server = match &*global.server {
            "local" => "http://127.0.0.1:3000",
            "maincloud" => "https://maincloud.spacetimedb.com",
            server => server,
        };
        let parsed = Server::parse(server).map_err(|error| Failure::new(Exit::Usage, error))?;
        let name = global.name.clone().unwrap_or_else(|| parsed.authority().to_owned());
        let token = match global.token.as_deref().filter(|_| !global.anonymous) {
            Some("-") => Some(from_stdin()?),
            token => token.map(|token| token.trim().to_owned()),
        };
        let server = server.trim_end_matches('/').to_owned();
        let http = Http::new(&server);
        let presented = Presented::Nothing;
        let mut http =
            http.map_err(|error| Failure::http(&error, "connect", &server, &presented))?;
        if let Some(timeout) = global.timeout {
            http = http.with_timeout(timeout);
        }
        let (global, tokens) = (global.clone(), FileTokens::new(&name));
        Ok(Self { global, server, tokens, token, http })
    }

    /// The token that is kept.
    pub(crate) fn kept(&self) -> Result<Option<String>, Failure> {
        self.tokens.load().map_err(|error| {
            store("read", &*error).tip(
                "`lightlike login` makes a new identity in its place, `lightlike logout` forgets it, `--anonymous` presents none",
            )
        })
    }

    /// Which user of the command line it is, after "logged in" and the like.
    pub(crate) fn place(&self) -> String {
        match &self.global.name {
            Some(name) => format!("as `{name}`"),
            None => format!("at {}", self.server),
        }
    }

    /// The server's HTTP API, in our name.
    pub(crate) fn http(&self) -> Http {
        self.http.clone()
    }

    /// Says that a request failed: `what` was asked for.
    pub(crate) fn refused(&self, what: &str) -> impl FnOnce(lightlike::http::Error) -> Failure {
        let (what, server, presented) = (what.to_owned(), self.server.clone(), self.presented());
        move |error| Failure::http(&error, &what, &server, &presented)
    }

    /// The same of an error that is not ours to take.
    pub(crate) fn failed(&self, error: &lightlike::http::Error, what: &str) -> Failure {
        Failure::http(error, what, &self.server, &self.presented())
    }

    /// Where the token came from.
    pub(crate) fn presented(&self) -> Presented {
        match &self.token {
            None => Presented::Nothing,
            Some(_) if self.global.token.is_some() => Presented::Given,
            Some(_) => Presented::Kept(self.tokens.path().to_owned()),
        }
    }

    /// The token, for what only an owner may do.
    pub(crate) fn needs_login(&self) -> Result<(), Failure> {
        if self.token.is_some() || self.global.anonymous {
            return Ok(());
        }
        Err(self.nobody())
    }

    /// Nobody is logged in, and somebody has to be.
    pub(crate) fn nobody(&self) -> Failure {
        Failure::new(Exit::Auth, format_args!("nobody is logged in {}", self.place()))
            .tip("`lightlike login` makes an identity and keeps it")
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
        let client = builder.connect().await;
        let client = client.map_err(|error| Failure::client(&error, &self.presented()))?;
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

    /// Says that the token travels in the open, where it does.
    pub(crate) fn warn_of_plain_text(&self) -> Result<(), Failure> {
        let server =
            Server::parse(&self.server).map_err(|error| Failure::new(Exit::Usage, error))?;
        if !server.is_secure() && !server.is_this_machine() {
            self.note(format_args!(
                "the token goes to {} without encryption, and whoever sees it can be you: use https",
                self.server
            ));
        }
        Ok(())
    }
}

/// The token store failed.
pub(crate) fn store(verb: &str, error: &(dyn Error + Send + Sync + 'static)) -> Failure {
    Failure::new(Exit::File, format_args!("cannot {verb} the token")).because(error)
}

fn from_stdin() -> Result<String, Failure> {
    let mut token = String::new();
    let read = std::io::stdin().take(1 << 16).read_to_string(&mut token);
    read.map_err(|error| Failure::new(Exit::File, "cannot read the token").because(&error))?;
    match token.trim() {
        "" => Err(Failure::new(Exit::Usage, "there is no token on standard input")),
        token => Ok(token.to_owned()),
    }
}
