//! A real server beside the client under test: publishes modules to it, and acts on a database as somebody else.
//!
//! Everything goes over plain HTTP, by a client that knows nothing of this project, so that a mistake of ours cannot hide
//! itself. `tests/engine/run` starts such a server; any other that speaks `http://` does as well.

use serde_json::Value;
use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;
use ureq::Agent;
use ureq::http::{Request, StatusCode};

/// A server answers in milliseconds, and compiles a module in seconds.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A module of `tests/modules`, which says what each has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    /// Users and messages.
    Chat,
    /// Everything that a client can meet.
    Conformance,
    /// Notes, for clients that work offline.
    Notes,
    /// A later version of that, whose reducers take something else.
    NotesChanged,
    /// Submodules, with other names in the source than on the wire.
    Submodules,
    /// Calls that the database makes by itself.
    Timers,
}

impl Module {
    fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Conformance => "conformance",
            Self::Notes => "notes",
            Self::NotesChanged => "notes_changed",
            Self::Submodules => "submodules",
            Self::Timers => "timers",
        }
    }

    fn wasm(self) -> Result<Vec<u8>, Failure> {
        let file = format!("modules/{}.wasm", self.name());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        fs::read(&path)
            .map_err(|source| Failure::NoModule { path: path.display().to_string(), source })
    }
}

/// Reason for which a server did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It answered, with another status than 200.
    #[error("{method} {path} was answered with {status}: {body}")]
    Refused {
        /// The method of the request.
        method: String,
        /// The path of the request.
        path: String,
        /// The status of the answer. 530 is a reducer that failed.
        status: StatusCode,
        /// The text of the answer: for a reducer that failed, its error.
        body: String,
    },
    /// It could not be asked.
    #[error("cannot reach the server")]
    Unreachable(#[from] ureq::Error),
    /// It answered with what is not the JSON expected.
    #[error("cannot read the server's answer: {0}")]
    Unreadable(String),
    /// The built module is not where it should be.
    #[error("cannot read {path}, which `tests/modules/build` makes")]
    NoModule {
        /// The file.
        path: String,
        /// Error of the system.
        source: std::io::Error,
    },
}

/// An identity of the server, and the token that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// 64 hex digits.
    pub identity: String,
    /// Token that proves this identity.
    pub token: String,
}

/// A server that runs somewhere.
#[derive(Debug, Clone)]
pub struct Real {
    uri: String,
    agent: Agent,
}

impl Real {
    /// The server that the environment names, or `None`: then there is none to test against.
    pub fn from_env() -> Option<Self> {
        env::var("SPACETIMEDB_URI").ok().filter(|uri| !uri.is_empty()).map(|uri| Self::at(&uri))
    }

    /// The server at a base URI, such as `http://127.0.0.1:3000`.
    pub fn at(uri: &str) -> Self {
        let config =
            Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT));
        Self { uri: uri.trim_end_matches('/').to_owned(), agent: config.build().new_agent() }
    }

    /// The base URI, without a slash at its end.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Makes somebody new.
    ///
    /// # Errors
    ///
    /// [`Failure::Unreachable`], [`Failure::Refused`] or [`Failure::Unreadable`], as for every request here.
    pub async fn new_identity(&self) -> Result<Account, Failure> {
        let reply = parse(&self.ask("POST", "/v1/identity", None, "", Vec::new()).await?)?;
        let text = |field: &str| reply[field].as_str().map(str::to_owned);
        let account = || Some(Account { identity: text("identity")?, token: text("token")? });
        account().ok_or_else(|| Failure::Unreadable(reply.to_string()))
    }

    /// Publishes a module as a database that nobody else has, under a name and an owner of its own.
    ///
    /// With `tests/engine` this takes 0.06 s for `chat` and 0.4 s for `conformance`, after the first of each in a run: a
    /// database for each test is affordable.
    ///
    /// # Errors
    ///
    /// Also [`Failure::NoModule`].
    pub async fn publish(&self, module: Module) -> Result<Database, Failure> {
        let wasm = module.wasm()?;
        let owner = self.new_identity().await?;
        let name = format!("{}-{:016x}", module.name(), random());
        self.ask("PUT", &format!("/v1/database/{name}"), Some(&owner), "application/wasm", wasm)
            .await?;
        Ok(Database { server: self.clone(), module, name, owner })
    }

    /// Sends a request and returns the text of an answer with status 200.
    async fn ask(
        &self,
        method: &str,
        path: &str,
        who: Option<&Account>,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<String, Failure> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.uri));
        if let Some(account) = who {
            request = request.header("authorization", format!("Bearer {}", account.token));
        }
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        let request = request.body(body).map_err(ureq::Error::from)?;
        let (agent, method, path) = (self.agent.clone(), method.to_owned(), path.to_owned());
        let exchange = move || {
            let mut response = agent.run(request)?;
            let (status, body) = (response.status(), response.body_mut().read_to_string()?);
            match status {
                StatusCode::OK => Ok(body),
                _ => Err(Failure::Refused { method, path, status, body }),
            }
        };
        // The client under test may live on the thread of the test: keep it free.
        tokio::task::spawn_blocking(exchange).await.expect("an exchange does not panic")
    }
}

/// A database on a real server.
#[derive(Debug, Clone)]
pub struct Database {
    server: Real,
    module: Module,
    name: String,
    owner: Account,
}

impl Database {
    /// The base URI of its server.
    pub fn uri(&self) -> &str {
        self.server.uri()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Owner, who published it, and alone may read private tables and write by SQL.
    pub fn owner(&self) -> &Account {
        &self.owner
    }

    /// Calls a reducer or a procedure with an array of arguments, over a connection of its own that ends with it. Returns what
    /// a procedure returns, `null` for a reducer.
    ///
    /// Arguments are SATS-JSON: structs as objects or arrays, enums as `{"variant": payload}`, options as `{"some": x}`
    /// and `{"none": []}`.
    ///
    /// # Errors
    ///
    /// A reducer that failed is [`Failure::Refused`] with status 530 and its error as the body.
    pub async fn call(
        &self,
        who: &Account,
        function: &str,
        arguments: Value,
    ) -> Result<Value, Failure> {
        let body = arguments.to_string().into_bytes();
        let reply = self
            .ask("POST", &format!("/call/{function}"), Some(who), "application/json", body)
            .await?;
        if reply.is_empty() { Ok(Value::Null) } else { parse(&reply) }
    }

    /// Runs one SQL statement and returns its rows, each an array of columns as SATS-JSON.
    ///
    /// # Errors
    ///
    /// A statement that is refused is [`Failure::Refused`] with status 400.
    pub async fn sql(&self, who: &Account, statement: &str) -> Result<Vec<Value>, Failure> {
        let reply = self.ask("POST", "/sql", Some(who), "text/plain", statement.into()).await?;
        match parse(&reply)?[0]["rows"].take() {
            Value::Array(rows) => Ok(rows),
            _ => Err(Failure::Unreadable(reply)),
        }
    }

    /// The schema, as `/schema` gives it in version 9 or 10.
    ///
    /// # Errors
    ///
    /// A version that the server does not know is [`Failure::Refused`] with status 400.
    pub async fn schema(&self, version: u8) -> Result<Value, Failure> {
        parse(&self.ask("GET", &format!("/schema?version={version}"), None, "", Vec::new()).await?)
    }

    /// Publishes the module over the database, as another program that does the same: it has one more section, which nobody
    /// reads. Asked to clear, the server throws the rows away.
    ///
    /// # Errors
    ///
    /// As [`Real::publish`].
    pub async fn publish_again(&self, clear: bool) -> Result<(), Failure> {
        let mut wasm = self.module.wasm()?;
        // A custom section: its kind, its size, and a name with its length.
        wasm.extend_from_slice(&[0, 9, 8]);
        wasm.extend_from_slice(&random().to_le_bytes().map(|byte| b'a' + byte % 26));
        let route = format!("?clear={clear}");
        self.ask("PUT", &route, Some(&self.owner), "application/wasm", wasm).await.map(drop)
    }

    /// Makes a module that of this database, whose rows it takes over.
    ///
    /// # Errors
    ///
    /// As [`Real::publish`].
    pub async fn update(&self, module: Module) -> Result<(), Failure> {
        let wasm = module.wasm()?;
        self.ask("PUT", "", Some(&self.owner), "application/wasm", wasm).await.map(drop)
    }

    /// Ends the database and, with it, every connection to it.
    ///
    /// # Errors
    ///
    /// As for every request.
    pub async fn delete(&self) -> Result<(), Failure> {
        self.ask("DELETE", "", Some(&self.owner), "", Vec::new()).await.map(drop)
    }

    async fn ask(
        &self,
        method: &str,
        route: &str,
        who: Option<&Account>,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<String, Failure> {
        self.server
            .ask(method, &format!("/v1/database/{}{route}", self.name), who, content_type, body)
            .await
    }
}

fn parse(reply: &str) -> Result<Value, Failure> {
    serde_json::from_str(reply)
        .map_err(|error| Failure::Unreadable(format!("{error} in {reply:?}")))
}

fn random() -> u64 {
    getrandom::u64().expect("the system has randomness")
}
