//! Tables that are named where the client is made: to ask for all of them, and to give them indexes of the client's own.

use std::fmt;

use lightlike_core::cache::{RegisterError, TableId};
use lightlike_core::conn::Connection;
use lightlike_core::schema::{ClientIndex, Table};

use crate::builder::ClientBuilder;
use crate::client::Client;
use crate::hub::Hub;
use crate::query::{QueryList, Tables};
use crate::subscription::{End, Subscription};

type AddIndex = Box<dyn FnOnce(&mut Connection) -> Result<TableId, RegisterError> + Send + Sync>;

/// What a builder was told of tables.
#[derive(Default)]
pub(crate) struct Declared {
    all: QueryList,
    indexes: Vec<AddIndex>,
}

impl Declared {
    /// Tells the machine.
    pub(crate) fn apply(self, hub: &std::sync::Arc<Hub>) -> Result<(), RegisterError> {
        let Self { all, indexes } = self;
        hub.command(|connection, _| {
            for register in &all.tables {
                register(connection)?;
            }
            indexes.into_iter().try_for_each(|add| add(connection).map(drop))
        })?;
        // This is the first time, and the only one.
        let _ = hub.all_tables.set(all);
        Ok(())
    }
}

impl fmt::Debug for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Declared").field("all", &self.all).finish_non_exhaustive()
    }
}

/// Tables.
impl ClientBuilder {
    /// Names tables, for [`Client::subscribe_to_all_tables`]. Their rows are decoded as they come, which they otherwise
    /// are from the first mention of their type on.
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
        T::add_to(&mut self.declared.all);
        self
    }

    /// Gives the table of `T` an ordered index that the module does not have, for reads: see [`ClientIndex`].
    ///
    /// ```no_run
    /// # use lightlike::ClientIndex;
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
        self.declared.indexes.push(Box::new(move |connection| connection.add_index::<T, _>(index)));
        self
    }
}

/// All tables.
impl Client {
    /// Asks for all rows of the tables that [`ClientBuilder::tables`] named, as one set.
    ///
    /// Views with arguments are left out. Where nothing was named the set is refused
    /// ([`Configuration`](crate::ErrorKind::Configuration)): this client does not know what the database has. The query
    /// `SELECT * FROM *` asks for whatever it has.
    pub fn subscribe_to_all_tables(&self) -> Subscription {
        let all = self.hub().all_tables.get().cloned().unwrap_or_default();
        if all.queries.is_empty() {
            return Subscription::refused(self.hub().clone(), all, End::NoTables);
        }
        self.hub().subscribe(all)
    }
}
