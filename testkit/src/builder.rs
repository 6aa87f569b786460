//! Builder of servers.

use lightlike_core::schema::{Procedure, Reducer, Table, TableKind};
use lightlike_core::types::{Identity, Timestamp};

use crate::accounts::Accounts;
use crate::clock::Clock;
use crate::database::{Database, Tx};
use crate::module::Module;
use crate::procedure::ProcedureCtx;
use crate::server::state::Shared;
use crate::server::{Server, StartError};

/// Makes a [`Server`]: give it the tables and functions that the tested program uses, and start it.
///
/// # Panics
///
/// The methods panic where a test would be wrong: when a table or a function is given twice, or a view as a table. They
/// say what to do.
#[derive(Debug, Default)]
#[must_use = "a server does nothing before it is started"]
pub struct Builder {
    database: Database,
    module: Module,
    name: Option<String>,
    clock: Clock,
}

impl Builder {
    /// Adds the table `T`: a table or an event table. Views are added with [`view`](Self::view).
    pub fn table<T: Table>(mut self) -> Self {
        self.add_table::<T>(false);
        self
    }

    /// Adds the table `T` as one that clients cannot see.
    pub fn private_table<T: Table>(mut self) -> Self {
        self.add_table::<T>(true);
        self
    }

    /// Adds committed rows to a table that was given before.
    ///
    /// # Panics
    ///
    /// If the table was not given, or if two rows have the same value in a unique column.
    pub fn rows<T: Table>(mut self, rows: impl IntoIterator<Item = T::Row>) -> Self {
        self.database.seed::<T>(rows);
        self
    }

    /// Shows clients only those rows of a table for which `visible` says so, given who looks: row-level security. A
    /// row over which it panics is not shown.
    ///
    /// # Panics
    ///
    /// If the table was not given, or has a filter already.
    pub fn row_filter<T: Table>(
        mut self,
        visible: impl Fn(Identity, &T::Row) -> bool + Send + Sync + 'static,
    ) -> Self {
        let position = self.database.position::<T>();
        self.module.add_row_filter::<T>(position, visible);
        self
    }

    /// Adds the view `V`, whose rows `rows` computes.
    ///
    /// It is called for each identity that is subscribed to the view, after each transaction; [`Tx::sender`] is that
    /// identity. A view sees tables and no other views. One that panics fails the transaction that it looks at.
    ///
    /// ```
    /// # use lightlike::{Bsatn, Table, types::Identity};
    /// # use lightlike_testkit::Server;
    /// # #[derive(Bsatn, Table)]
    /// # #[table(name = "user")]
    /// # struct User { #[primary_key] identity: Identity, name: String }
    /// #[derive(Table)]
    /// #[table(name = "me", view, row = User)]
    /// struct Me;
    ///
    /// let server = Server::builder()
    ///     .table::<User>()
    ///     .view::<Me>(|tx| tx.find(User::IDENTITY, &tx.sender()).into_iter().collect())
    ///     .start_blocking();
    /// ```
    pub fn view<V: Table>(
        mut self,
        rows: impl Fn(&Tx) -> Vec<V::Row> + Send + Sync + 'static,
    ) -> Self {
        let name = V::DEF.name;
        assert!(
            V::DEF.kind == TableKind::View,
            "`{name}` is no view: add it with `.table::<..>()`"
        );
        let position = self.database.add::<V>(false);
        self.module.add_view::<V>(position, rows);
        self
    }

    /// Adds the reducer whose arguments are an `R`.
    ///
    /// What it did is undone if it returns an error, which the caller gets, or panics, of which the caller learns only
    /// that it failed.
    ///
    /// ```
    /// # use lightlike::{Bsatn, Table, reducer};
    /// # use lightlike_testkit::Server;
    /// #[derive(Bsatn, Table)]
    /// #[table(name = "note")]
    /// struct Note {
    ///     #[primary_key]
    ///     id: u64,
    ///     text: String,
    /// }
    ///
    /// #[reducer]
    /// fn add_note(text: String) -> Result<(), String>;
    ///
    /// let server = Server::builder()
    ///     .table::<Note>()
    ///     .reducer(|tx, AddNote { text }| {
    ///         let id = tx.next_id::<Note>();
    ///         tx.try_insert(Note { id, text }).map_err(|error| error.to_string())
    ///     })
    ///     .start_blocking();
    /// ```
    pub fn reducer<R: Reducer>(
        mut self,
        run: impl Fn(&mut Tx, R) -> Result<R::Ok, R::Error> + Send + Sync + 'static,
    ) -> Self {
        self.module.add_reducer(run);
        self
    }

    /// Adds the procedure whose arguments are a `P`. It has no transaction, and runs as many as it likes.
    ///
    /// ```
    /// # use lightlike::{Bsatn, Table, procedure};
    /// # use lightlike_testkit::Server;
    /// # #[derive(Bsatn, Table)]
    /// # #[table(name = "note")]
    /// # struct Note { text: String }
    /// #[procedure]
    /// fn import(texts: Vec<String>) -> u32;
    ///
    /// let server = Server::builder()
    ///     .table::<Note>()
    ///     .procedure(|ctx, Import { texts }| {
    ///         for text in texts {
    ///             ctx.with_tx(|tx| tx.insert(Note { text: text.clone() }));
    ///         }
    ///         ctx.with_tx(|tx| tx.len::<Note>() as u32)
    ///     })
    ///     .start_blocking();
    /// ```
    pub fn procedure<P: Procedure>(
        mut self,
        run: impl Fn(&mut ProcedureCtx, P) -> P::Output + Send + Sync + 'static,
    ) -> Self {
        self.module.add_procedure(run);
        self
    }

    /// Runs a reducer whenever a client connects. One that it refuses, by an error or a panic, finds its socket ended.
    pub fn on_connect(
        mut self,
        run: impl Fn(&mut Tx) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.module.on_connect = Some(Box::new(run));
        self
    }

    /// Runs a reducer whenever a client has gone. What it did is undone if it panics, and that is all that comes of it.
    pub fn on_disconnect(mut self, run: impl Fn(&mut Tx) + Send + Sync + 'static) -> Self {
        self.module.on_disconnect = Some(Box::new(run));
        self
    }

    /// Names the database; `app` if this is not called. Its identity, in hex, is a name for it too.
    pub fn database(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Stops the server's clock at `now`: it stands until [`Server::set_time`] moves it.
    pub fn time(mut self, now: Timestamp) -> Self {
        self.clock = Clock::Manual(now);
        self
    }

    /// Starts the server, on a free port of the loopback address.
    ///
    /// It runs on a thread of its own, so a test may block. It needs no runtime, and is asynchronous only to be called
    /// where tests are.
    ///
    /// # Panics
    ///
    /// If the system has no port or no thread for it: see [`try_start`](Self::try_start).
    #[expect(
        clippy::unused_async,
        reason = "what the server waits for is an implementation's affair"
    )]
    pub async fn start(self) -> Server {
        self.start_blocking()
    }

    /// Starts the server from outside asynchronous code: as [`start`](Self::start).
    ///
    /// # Panics
    ///
    /// If the system has no port or no thread for it.
    pub fn start_blocking(self) -> Server {
        match self.try_start() {
            Ok(server) => server,
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts the server.
    ///
    /// # Errors
    ///
    /// [`StartError`] if the system has no port or no thread for it.
    pub fn try_start(self) -> Result<Server, StartError> {
        let name = self.name.unwrap_or_else(|| "app".to_owned());
        Server::start(Shared::new(
            self.module,
            self.database,
            name,
            Accounts::default(),
            self.clock,
        ))
    }

    fn add_table<T: Table>(&mut self, private: bool) {
        let name = T::DEF.name;
        assert!(
            T::DEF.kind != TableKind::View,
            "`{name}` is a view: add it with `.view::<..>(|tx| rows)`"
        );
        self.database.add::<T>(private);
    }
}
