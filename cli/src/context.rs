//! Context of a command: the server, the user, and clients for both.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::io::Read as _;
use std::rc::Rc;
use std::sync::Arc;

use lightlike::Client;
use lightlike::auth::{FileTokens, TokenStore as _};
use lightlike::connection::SchemaCheck;
use lightlike::http::Http;
use lightlike::schema::ServerSchema;
use lightlike::untyped::Untyped;
use lightlike_core::conn::Server;

use crate::failure::{Exit, Failure, Presented, note};
use crate::global::Global;
use crate::project::{HERE, Project, Sourced, Target};

/// The server, and who asks.
pub(crate) struct Context {
    pub(crate) global: Global,
    /// The address, with `local` and `maincloud` resolved.
    pub(crate) server: String,
    pub(crate) tokens: FileTokens,
    /// Token to present; none for a new user.
    pub(crate) token: Option<String>,
    /// The project's files, and the database of theirs that the command is about.
    pub(crate) project: Option<Rc<Project>>,
    pub(crate) target: Option<Target>,
    /// Values of the project's files that are used, each with where it is from.
    used: RefCell<Vec<String>>,
    anonymous: bool,
    http: Http,
}

impl Context {
    /// For a command about a database, which may be [`HERE`], or about none: with the token that was given, or else the one
    /// that is kept.
    pub(crate) fn new(global: &Global, database: Option<&str>) -> Result<Self, Failure> {
        let project = project(global)?;
        let target = match (&project, database) {
            (Some(project), Some(HERE)) => Some(project.only()?.clone()),
            (Some(project), Some(name)) => project.database(name).cloned(),
            (None, Some(HERE)) => return Err(no_project()),
            _ => None,
        };
        Self::of(global, project, target)?.with_store()
    }

    /// One for each database that a command is about: all of the project's for [`HERE`].
    pub(crate) fn all(global: &Global, database: &str) -> Result<Vec<Self>, Failure> {
        let several = project(global)?.filter(|it| database == HERE && it.databases().count() > 1);
        let Some(project) = several else { return Ok(vec![Self::new(global, Some(database))?]) };
        let mut global = global.clone();
        if global.token.as_deref() == Some("-") {
            // It is there once.
            global.token = Some(from_stdin()?);
        }
        let of = |target: &Target| {
            Self::of(&global, Some(Rc::clone(&project)), Some(target.clone()))?.with_store()
        };
        project.databases().map(of).collect()
    }

    /// Without a look at what is kept. The token that was given is not presented yet.
    pub(crate) fn without_store(global: &Global) -> Result<Self, Failure> {
        Self::of(global, project(global)?, None)
    }

    fn of(
        global: &Global,
        project: Option<Rc<Project>>,
        target: Option<Target>,
    ) -> Result<Self, Failure> {
        let of_file = match (&target, &project) {
            (Some(target), _) => target.server.clone(),
            (None, Some(project)) => project.root().server.clone(),
            (None, None) => None,
        };
        let of_file = of_file.filter(|_| global.server.is_none());
        let named: &str = match (&global.server, &of_file) {
            (Some(server), _) => server,
            (None, Some(server)) => &server.value,
            (None, None) => "local",
        };
        if let Some(of_file) = of_file.as_ref().filter(|it| is_nickname(&it.value)) {
            let error = format!("`{}` is not an address", of_file.value);
            return Err(no_address(error, Some(of_file)));
        }
        let server = address(named);
        let parsed = Server::parse(server).map_err(|error| no_address(error, of_file.as_ref()))?;
        if let Some(of_file) = &of_file {
            is_for_server(global, of_file, &parsed)?;
        }
        let anonymous = global.anonymous
            || (global.token.is_none() && target.as_ref().is_some_and(|target| target.anonymous));
        let name = global.name.clone().unwrap_or_else(|| parsed.authority().to_owned());
        let token = match global.token.as_deref().filter(|_| !anonymous) {
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
        let (global, tokens, used) = (global.clone(), FileTokens::new(&name), RefCell::default());
        let context =
            Self { global, server, tokens, token, project, target, used, anonymous, http };
        if let Some(Sourced { value, file }) = of_file {
            context.uses(format_args!("the server {value}"), &file);
        }
        Ok(context)
    }

    /// Presents the token that was given, or else the one that is kept.
    fn with_store(mut self) -> Result<Self, Failure> {
        if self.token.is_none() && !self.anonymous {
            self.token = self.kept()?;
        }
        if let Some(token) = &self.token {
            self.http = self.http.with_token(token);
            self.warn_of_plain_text()?;
        }
        Ok(self)
    }

    /// The token that is kept.
    pub(crate) fn kept(&self) -> Result<Option<String>, Failure> {
        self.tokens.load().map_err(|error| {
            store("read", &*error).tip(
                "`lightlike login` makes a new identity in its place, `lightlike logout` forgets it, `--anonymous` presents none",
            )
        })
    }

    /// The selected user, as text to stand after "logged in" and the like.
    pub(crate) fn place(&self) -> String {
        match &self.global.name {
            Some(name) => format!("as `{name}`"),
            None => format!("at {}", self.server),
        }
    }

    /// Name of the database that a command is about, where [`HERE`] is the project's.
    pub(crate) fn database<'c>(&'c self, database: &'c str) -> &'c str {
        let of_file = self.target.as_ref().and_then(|target| target.database.as_ref());
        match of_file.filter(|_| database == HERE) {
            Some(Sourced { value, file }) => {
                self.uses(format_args!("the database {value}"), file);
                value
            }
            None => database,
        }
    }

    /// Notes that a value of the project's files is used.
    pub(crate) fn uses(&self, what: impl fmt::Display, file: &str) {
        let line = format!("{what} is from {file}");
        let mut used = self.used.borrow_mut();
        if used.contains(&line) {
            return;
        }
        if self.global.verbose {
            note(&line);
        }
        used.push(line);
    }

    /// Values of the project's files that were used, each with where it is from.
    pub(crate) fn used(&self) -> Vec<String> {
        self.used.take()
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

    /// Source of the token.
    pub(crate) fn presented(&self) -> Presented {
        match &self.token {
            None => Presented::Nothing,
            Some(_) if self.global.token.is_some() => Presented::Given,
            Some(_) => Presented::Kept(self.tokens.path().to_owned()),
        }
    }

    /// The token, for what only an owner may do.
    pub(crate) fn needs_login(&self) -> Result<(), Failure> {
        if self.token.is_some() || self.anonymous {
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
            && !self.anonymous
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
    pub(crate) fn note(&self, text: impl fmt::Display) {
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

/// The files of the project that this is run in.
fn project(global: &Global) -> Result<Option<Rc<Project>>, Failure> {
    if global.no_config {
        return Ok(None);
    }
    let here = std::env::current_dir().map_err(|error| {
        Failure::new(Exit::File, "cannot tell which folder this is run in").because(&error)
    })?;
    Ok(Project::find(&here, global.overlay.as_deref())?.map(Rc::new))
}

fn no_project() -> Failure {
    Failure::new(Exit::Usage, "no database is named, and there is no spacetime.json here or above")
        .tip("name the database, or run this in a project's folder")
}

/// The address of a server.
fn address(server: &str) -> &str {
    match server {
        "local" => "http://127.0.0.1:3000",
        "maincloud" => "https://maincloud.spacetimedb.com",
        server => server,
    }
}

/// Returns `true` for what may be a nickname of the official command's own configuration. One word can be a host, too, which is
/// then written with its port.
fn is_nickname(server: &str) -> bool {
    !server.contains(['.', ':']) && !matches!(server, "local" | "maincloud" | "localhost")
}

/// The failure of a server that is no address.
fn no_address(error: impl fmt::Display, of_file: Option<&Sourced<String>>) -> Failure {
    let failure = Failure::new(Exit::Usage, error);
    match of_file {
        Some(Sourced { file, .. }) => failure.at(format_args!("`server` in {file}")).tip(
            "nicknames are `local` and `maincloud`; any other server has an address, there or as `--server URL`",
        ),
        None => failure,
    }
}

/// Refuses to present a token that was given by hand to a server that a file names: whoever wrote the file would have it. Tokens
/// that `login` keeps belong to one server.
fn is_for_server(
    global: &Global,
    of_file: &Sourced<String>,
    server: &Server,
) -> Result<(), Failure> {
    let Sourced { value, file } = of_file;
    let is_by_hand = !global.anonymous && (global.token.is_some() || global.name.is_some());
    if !is_by_hand || server.is_this_machine() || value == "maincloud" {
        return Ok(());
    }
    let message = format!("{file} names the server {value}, and the token was given by hand");
    Err(Failure::new(Exit::Auth, message)
        .tip(format_args!("if it is for that server, say so: --server {value}")))
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
