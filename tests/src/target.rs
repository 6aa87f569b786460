//! A database for one test: on the embedded server, or, where `SPACETIMEDB_URI` names one, on a real one.

use lightlike::{Client, ClientBuilder};
use lightlike_testkit::Server;

use crate::real::{self, Module, Real};

/// A database that a test has for itself.
pub enum Target {
    /// On a server in this process.
    Embedded(Server),
    /// On a real server.
    Real(real::Database),
}

impl Target {
    /// A fresh database of the chat module.
    ///
    /// # Panics
    ///
    /// If the real server does not take the module.
    pub async fn chat() -> Self {
        match Real::from_env() {
            Some(real) => Self::Real(real.publish(Module::Chat).await.expect("the chat module")),
            None => Self::Embedded(crate::chat::embedded().await),
        }
    }

    /// A fresh database of the conformance module.
    ///
    /// # Panics
    ///
    /// If the real server does not take the module.
    pub async fn conformance() -> Self {
        match Real::from_env() {
            Some(real) => {
                let database = real.publish(Module::Conformance).await;
                Self::Real(database.expect("the conformance module"))
            }
            None => Self::Embedded(crate::conformance::embedded().await),
        }
    }

    /// A fresh database of the notes module.
    ///
    /// # Panics
    ///
    /// If the real server does not take the module.
    pub async fn notes() -> Self {
        match Real::from_env() {
            Some(real) => Self::Real(real.publish(Module::Notes).await.expect("the notes module")),
            None => Self::Embedded(crate::notes::embedded().await),
        }
    }

    /// A fresh database of the submodules module.
    ///
    /// # Panics
    ///
    /// If the real server does not take the module.
    pub async fn submodules() -> Self {
        match Real::from_env() {
            Some(real) => {
                let database = real.publish(Module::Submodules).await;
                Self::Real(database.expect("the submodules module"))
            }
            None => Self::Embedded(crate::submodules::embedded().await),
        }
    }

    /// The database of the notes module, with the later version of it: the same one on a real server, a fresh one on an
    /// embedded server.
    ///
    /// # Panics
    ///
    /// If the real server does not take the module.
    pub async fn into_changed_notes(self) -> Self {
        match self {
            Self::Real(database) => {
                database.update(Module::NotesChanged).await.expect("the changed notes module");
                Self::Real(database)
            }
            Self::Embedded(_) => Self::Embedded(crate::notes::embedded_changed().await),
        }
    }

    /// A fresh database of a module on the real server; `None` if there is no real one.
    ///
    /// # Panics
    ///
    /// If the real server does not take the module.
    pub async fn real(module: Module) -> Option<Self> {
        let database = Real::from_env()?.publish(module).await;
        Some(Self::Real(database.expect("a module that the server takes")))
    }

    /// The server's address.
    pub fn uri(&self) -> String {
        match self {
            Self::Embedded(server) => server.uri(),
            Self::Real(database) => database.uri().to_owned(),
        }
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Embedded(server) => server.database(),
            Self::Real(database) => database.name(),
        }
    }

    /// A client that is not made yet.
    pub fn builder(&self) -> ClientBuilder {
        Client::builder(self.uri(), self.name())
    }

    /// A client with a new identity.
    ///
    /// # Panics
    ///
    /// If it cannot connect.
    pub async fn connect(&self) -> Client {
        self.builder().connect().await.expect("a connection")
    }
}
