//! Databases of which a program has no structs: rows, events and calls by the server's schema.
//!
//! Tools, bridges and scripts learn what a module has when they run. [`Client::untyped`] takes a schema and gives its tables
//! by name, their rows as named values or JSON, what happens to them, and calls whose arguments are JSON or named values. It
//! works beside structs, on the same connection and the same cache.
//!
//! ```no_run
//! # #[cfg(feature = "http")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use lightlike::http::Http;
//! use lightlike::untyped::Args;
//! use lightlike::Client;
//! use lightlike::events::Change;
//!
//! let schema = Http::new("http://127.0.0.1:3000")?.schema("chat").await?;
//! let db = Client::builder("http://127.0.0.1:3000", "chat").connect().await?;
//! let chat = db.untyped(schema);
//!
//! let _all = db.subscribe(["SELECT * FROM user", "SELECT * FROM message"]).await?;
//! let users = chat.table("user")?;
//! for user in users.rows() {
//!     println!("{}", user.to_json()?); // {"identity":"c200..","name":{"some":"Ada"},"online":true}
//! }
//! users.on_change(|_, change| {
//!     if let Change::Updated(user) = change {
//!         println!("{} -> {}", user.old, user.new);
//!     }
//! });
//! chat.call("send_message", Args::json(r#"{"text": "hello"}"#))?.await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What to know
//!
//! - **Rows stay encoded** in the cache until something reads their values, and a row keeps its bytes: one that does not fit
//!   the schema (the module was published anew) is an error where its values are asked for, and harms nothing else.
//! - **An update is a row replaced by one with the same primary key**, as the schema says, also where no struct says so.
//! - **A table without a struct has no indexes**: [`UntypedTable::get`] looks at every row.

mod call;
mod changes;
mod error;
mod row;
mod shape;
mod table;
mod value;

use std::fmt;
use std::sync::Arc;

use lightlike_core::conn::{CallRequest, Reply};
use lightlike_core::schema::ServerSchema;
use lightlike_core::wire::Text;

use crate::client::Client;
use crate::error::{Error, Repr};
use crate::events::changes::Changes;
use crate::hub::Hub;

pub use self::call::{Args, RawCall, UntypedCall};
pub use self::changes::UntypedChange;
pub(crate) use self::changes::changes_of_table;
pub use self::error::UntypedError;
pub use self::row::UntypedRow;
pub use self::table::UntypedTable;
pub use self::value::UntypedValue;

use self::shape::Shape;

/// A database by its schema: see the [module](self). Cheap to clone, and keeps nothing open.
#[derive(Clone)]
pub struct Untyped {
    hub: Arc<Hub>,
    schema: Arc<ServerSchema>,
}

impl Client {
    /// The database as a schema describes it, for programs without structs of its tables: see [`untyped`](crate::untyped).
    ///
    /// The schema is that of the server (`http::Http::schema`), or one that was saved
    /// ([`ServerSchema::parse`](crate::schema::ServerSchema), both with feature `json`).
    pub fn untyped(&self, schema: impl Into<Arc<ServerSchema>>) -> Untyped {
        Untyped { hub: Arc::clone(self.hub()), schema: schema.into() }
    }

    /// A call of a reducer by its name, with arguments that are encoded already (BSATN, one after the other): await it for
    /// the encoding of what it returns or refuses with.
    pub fn call_raw(&self, reducer: &str, args: impl Into<bytes::Bytes>) -> RawCall {
        let (name, args) = (Text::from(reducer), args.into());
        RawCall::new(Arc::clone(self.hub()), CallRequest::Reducer { name, args })
    }

    /// As [`call_raw`](Self::call_raw), of a procedure.
    pub fn call_procedure_raw(&self, procedure: &str, args: impl Into<bytes::Bytes>) -> RawCall {
        let (name, args) = (Text::from(procedure), args.into());
        RawCall::new(Arc::clone(self.hub()), CallRequest::Procedure { name, args })
    }
}

impl Untyped {
    /// Schema of the module.
    pub fn schema(&self) -> &ServerSchema {
        &self.schema
    }

    /// A table or a view by its name on the wire.
    ///
    /// # Errors
    ///
    /// [`UntypedError::UnknownTable`] if the schema has no such table.
    pub fn table(&self, name: &str) -> Result<UntypedTable, UntypedError> {
        let shape = Shape::find(&self.schema, name)?;
        Ok(UntypedTable::new(Arc::clone(&self.hub), Arc::new(shape)))
    }

    /// All tables and views of the schema, in its order.
    pub fn tables(&self) -> impl Iterator<Item = UntypedTable> {
        let tables = self.schema.tables.iter().map(|table| &*table.name);
        let names = tables.chain(self.schema.views.iter().map(|view| &*view.name));
        names.filter_map(|name| self.table(name).ok())
    }

    /// A call of a reducer or a procedure: await it for what it returns.
    ///
    /// # Errors
    ///
    /// [`UntypedError`] if the schema has no such function or only the server calls it, or the arguments are not of its
    /// types. Nothing is sent then.
    pub fn call(&self, function: &str, args: impl Into<Args>) -> Result<UntypedCall, UntypedError> {
        UntypedCall::new(&self.hub, &self.schema, function, args.into())
    }

    /// Asks the server for rows once, without a subscription and without the cache: `SELECT * FROM ..`.
    ///
    /// # Errors
    ///
    /// [`Query`](crate::ErrorKind::Query) if the server refuses the query or the connection is lost before the answer.
    pub async fn query(&self, sql: &str) -> Result<Vec<UntypedRow>, Error> {
        let sql = Text::from(sql);
        let answer = self.hub.call(CallRequest::Query { sql }, None).await;
        let rows = match answer {
            Ok(Reply::Rows(rows)) => rows,
            Ok(Reply::QueryRefused(why)) => return Err(Repr::Query(why).into()),
            Ok(Reply::NotSent(why)) => return Err(Repr::NotSent(why).into()),
            Ok(_) | Err(_) => return Err(Repr::Unanswered(crate::calls::Unanswered::Lost).into()),
        };
        let tables = rows.tables.iter().flat_map(|table| {
            let shape = Arc::new(Shape::of(&self.schema, table.table.as_str()));
            table.rows.iter().map(move |row| UntypedRow::new(Arc::clone(&shape), row))
        });
        Ok(tables.collect())
    }

    /// Changes of a transaction, in all tables: by table in the server's order, and within one as
    /// [`UntypedTable::on_change`] has it.
    ///
    /// With [`Client::on_transaction`] and [`Client::transactions`], this is a feed of everything that the subscriptions
    /// bring. Rows of a table that the schema does not have come too, without columns.
    pub fn changes(&self, transaction: &Changes) -> Vec<UntypedChange> {
        changes::of_transaction(&self.schema, transaction)
    }
}

impl fmt::Debug for Untyped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Untyped").field("tables", &self.schema.tables.len()).finish_non_exhaustive()
    }
}
