//! Declarations of what a program uses.

use lightlike_core::cache::RegisterError;
use lightlike_core::conn::Connection;
use lightlike_core::schema::{FunctionDef, Procedure, Reducer, Table};

use crate::client::builder::ClientBuilder;
use crate::query::Register;

/// Tables and functions that the builder was told of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Declared {
    pub(crate) tables: Vec<Register>,
    pub(crate) functions: Vec<FunctionDef>,
}

impl Declared {
    pub(crate) fn register(&self, connection: &mut Connection) -> Result<(), RegisterError> {
        self.tables.iter().try_for_each(|register| register(connection).map(drop))
    }
}

/// Declarations of what the program uses. All of it can be mentioned later as well.
impl ClientBuilder {
    /// Declares a table or a view.
    ///
    /// A declared table is known before its rows come, so they are decoded as they arrive, and it is among those that
    /// a [schema check](crate::ClientBuilder#method.schema_check) compares at connect.
    ///
    /// ```
    /// use lightlike::prelude::*;
    ///
    /// #[derive(Bsatn, Table)]
    /// #[table(name = "user")]
    /// struct User {
    ///     #[primary_key]
    ///     identity: Identity,
    /// }
    ///
    /// #[reducer]
    /// fn set_name(name: String);
    ///
    /// let builder = Client::builder("http://127.0.0.1:3000", "chat")
    ///     .table::<User>()
    ///     .reducer::<SetName>();
    /// # let _ = builder;
    /// ```
    pub fn table<T: Table>(mut self) -> Self {
        self.declared.tables.push(|connection| connection.register::<T>());
        self
    }

    /// Declares a reducer, by the type of its calls.
    ///
    /// Calls of it that an earlier version of the program [kept](Self::offline) with other arguments are
    /// [held](crate::offline::QueuedState::NeedsMigration), not sent. A reducer that is called is known from then on; this is for
    /// those whose calls may be sent before. What the server takes is compared as well where the schema is
    /// [checked](Self#method.schema_check).
    pub fn reducer<R: Reducer>(mut self) -> Self {
        self.declared.functions.push(R::DEF);
        self
    }

    /// Declares a procedure, by the type of its calls.
    pub fn procedure<P: Procedure>(mut self) -> Self {
        self.declared.functions.push(P::DEF);
        self
    }
}
