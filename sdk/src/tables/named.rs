//! Tables that are named where the client is made: to ask for all of them, and to give them indexes of the client's own.

use std::fmt;
use std::sync::Arc;

use lightlike_core::cache::{RegisterError, TableId};
use lightlike_core::conn::Connection;
use lightlike_core::query::push_name;
use lightlike_core::schema::{ClientIndex, Table};

use crate::client::Client;
use crate::client::builder::ClientBuilder;
use crate::hub::Hub;
use crate::query::{QueryList, Tables};
use crate::subscriptions::{End, Subscription};

type AddIndex = Box<dyn FnOnce(&mut Connection) -> Result<TableId, RegisterError> + Send + Sync>;

/// The client's own indexes, as a builder was told of them.
#[derive(Default)]
pub(crate) struct ClientIndexes(Vec<AddIndex>);

impl ClientIndexes {
    /// Tells the machine.
    pub(crate) fn add_to(self, hub: &Arc<Hub>) -> Result<(), RegisterError> {
        hub.command(|connection, _| {
            self.0.into_iter().try_for_each(|add| add(connection).map(drop))
        })
    }
}

impl fmt::Debug for ClientIndexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIndexes").finish_non_exhaustive()
    }
}

/// Tables.
impl ClientBuilder {
    /// Declares tables, as [`table`](Self::table) does one. They are known from the start: their rows are decoded as they come, and
    /// [`subscribe_to_all_tables`](Client::subscribe_to_all_tables) asks for them. Others are known from the first mention
    /// of their type on.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[derive(Bsatn, Table)]
    /// # #[table(name = "user")]
    /// # struct User { name: String }
    /// # #[derive(Bsatn, Table)]
    /// # #[table(name = "message")]
    /// # struct Message { text: String }
    /// # async fn run() -> Result<(), lightlike::Error> {
    /// let db = Client::builder("http://127.0.0.1:3000", "chat")
    ///     .tables::<(User, Message)>()
    ///     .connect()
    ///     .await?;
    /// let _everything = db.subscribe_to_all_tables().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn tables<T: Tables>(mut self) -> Self {
        T::add_to(&mut self.declared.tables);
        self
    }

    /// Gives the table of `T` an ordered index that the module does not have, for reads: see [`ClientIndex`].
    ///
    /// ```no_run
    /// # use lightlike::schema::ClientIndex;
    /// # use lightlike::prelude::*;
    /// # #[derive(Bsatn, Table, Clone, Debug)]
    /// # #[table(name = "user")]
    /// # struct User { name: String }
    /// const BY_NAME: ClientIndex<User, String> = ClientIndex::on(User::NAME);
    ///
    /// # async fn run() -> Result<(), lightlike::Error> {
    /// let db = Client::builder("http://127.0.0.1:3000", "chat").index::<User>(BY_NAME).connect().await?;
    /// for user in db.read().table::<User>().range(BY_NAME, "A".to_owned().."B".to_owned()) {
    ///     println!("{user:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn index<T: Table>(
        mut self,
        index: ClientIndex<T::Row, impl Ord + Send + Sync + 'static>,
    ) -> Self {
        self.indexes.0.push(Box::new(move |connection| connection.add_index::<T, _>(index)));
        self
    }
}

/// All tables.
impl Client {
    /// Asks for all rows of all tables that this client knows by their types, as one set: those that
    /// [`ClientBuilder::tables`] named, and those that were mentioned since.
    ///
    /// Views with arguments are left out. Where no table is known the set is refused
    /// ([`Configuration`](crate::ErrorKind::Configuration)). For whatever the database has, known or not, ask for
    /// `SELECT * FROM *`.
    pub fn subscribe_to_all_tables(&self) -> Subscription {
        let names = self.hub().shared.read(Connection::registered_tables);
        let queries = names.iter().map(|name| {
            let mut sql = String::from("SELECT * FROM ");
            push_name(&mut sql, name);
            sql.into()
        });
        let all = QueryList {
            queries: queries.collect(),
            #[cfg(feature = "http")]
            definitions: self.hub().shared.read(crate::schema_check::definitions),
            ..QueryList::default()
        };
        if all.queries.is_empty() {
            return Subscription::refused(Arc::clone(self.hub()), all, End::NoTables);
        }
        self.hub().subscribe(all)
    }
}
