//! Predicted effects of calls, shown until the server answers.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use lightlike_core::bsatn;
use lightlike_core::cache::{Mutation, NewIds};
use lightlike_core::conn::NamedArgs;
use lightlike_core::guard::Fenced;
use lightlike_core::named_ids::{NamedId, replace_ids};
use lightlike_core::schema::{Reducer, Table};

#[doc(inline)]
pub use lightlike_core::cache::{
    AnyId, LocalTable, LocalTableMut, LocalTx, MutationError, MutationId, RowStatus, TempId,
};

use crate::calls::Call;
use crate::client::Client;
use crate::client::builder::ClientBuilder;
use crate::sync::lock;
use crate::tables::handle::TableHandle;

/// Return value of a mutator: nothing, or a `Result` of nothing. An error makes it contribute nothing until it runs
/// again.
pub trait MutatorOutcome: sealed::Sealed {
    #[doc(hidden)]
    fn settle(self, tx: &mut LocalTx);
}

mod sealed {
    #[expect(unnameable_types, reason = "nobody else implements it")]
    pub trait Sealed {}
    impl Sealed for () {}
    impl<E> Sealed for Result<(), E> {}
}

impl MutatorOutcome for () {
    fn settle(self, _: &mut LocalTx) {}
}

impl<E: Display> MutatorOutcome for Result<(), E> {
    fn settle(self, tx: &mut LocalTx) {
        if let Err(error) = self {
            tx.fail(error.to_string());
        }
    }
}

/// Predicted effect of a call, when its arguments are handed over.
pub(crate) type Expected<R> = Box<dyn FnOnce(R, NamedArgs) -> Box<dyn Mutation> + Send>;

/// Predicted effect of a call that names temporary ids: with the server's ids it is the same with other arguments.
struct Naming<R, F> {
    args: R,
    encoded: Bytes,
    names: Vec<NamedId>,
    /// One thread at a time runs it; what it comes to with other arguments shares it.
    run: Arc<Mutex<F>>,
}

impl<R: Reducer, F: Fn(&mut LocalTx, &R) + Send + 'static> Mutation for Naming<R, F> {
    fn run(&self, tx: &mut LocalTx) {
        let run = lock(&self.run);
        run(tx, &self.args);
    }

    fn names_ids(&self) -> bool {
        !self.names.is_empty()
    }

    fn with_ids(&self, ids: &NewIds) -> Option<Box<dyn Mutation>> {
        let (encoded, names) = replace_ids(&self.encoded, &self.names, |id| ids.get(id));
        if names.len() == self.names.len() {
            return None;
        }
        let args = bsatn::from_slice(&encoded).ok()?;
        Some(Box::new(Self { args, encoded, names, run: Arc::clone(&self.run) }))
    }
}

impl<R: Reducer> Call<R> {
    /// Shows what the call is expected to do, from now until its answer.
    ///
    /// `run` is run at once, so that its rows are visible when the call is made, and again over every change of the
    /// server's that has to do with what it read or wrote. It sees the server's rows and what earlier calls that are
    /// pending made of them. When the call is answered, its own rows go in the same transaction in which the server's
    /// come: a row that is as expected stays as it is, and of a refused call no trace is left. Where the outcome is
    /// unknown they stay until the rows have been resynced.
    ///
    /// Others may delete a row that it changes while the call is pending. Then a prediction by
    /// [`update`](LocalTx::update) fails, and the row vanishes, as with a reducer that refuses; one by
    /// [`upsert`](LocalTx::upsert) keeps the row in view until the answer, as with a reducer that inserts it again.
    ///
    /// A row that it inserts under a [temporary id](LocalTx::temp_id) may be named in calls that are made before the
    /// answer, by that id: those wait, and are sent with the id that the server gives. So a note can be renamed and
    /// deleted before the server knows of it, without a network and over restarts of the program, and what these calls are
    /// expected to do is seen all the while. They end as [`NotSent::TempId`](crate::calls::NotSent::TempId) if the call that
    /// inserts the row fails.
    ///
    /// The transactions that come of this have the causes [`Cause::Optimistic`](crate::events::Cause::Optimistic) and
    /// [`Cause::Reverted`](crate::events::Cause::Reverted).
    ///
    /// `run` must depend on nothing but its arguments and what it reads through `tx`, and be quick: it runs under a lock,
    /// on this thread and on the one that applies what the server says. A panic in it, commanding the client in it among them, is
    /// caught, and it then contributes nothing; so it is with an error that it returns, and with
    /// [`tx.fail`](LocalTx::fail).
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[derive(Bsatn, Table, Clone)] #[table(name = "note")]
    /// # struct Note { #[primary_key] id: u64, title: String }
    /// # #[reducer] struct AddNote { title: String }
    /// # async fn add(db: Client) -> Result<(), lightlike::Error> {
    /// let call = db.call(AddNote { title: "milk".into() }).optimistic(|tx, args| {
    ///     let id = tx.temp_id();
    ///     tx.insert(Note { id, title: args.title.clone() });
    /// });
    /// call.await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A row that is deleted before the server has given it an id:
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[derive(Bsatn, Table, Clone)] #[table(name = "note")]
    /// # struct Note { #[primary_key] id: u64, title: String }
    /// # #[reducer] struct AddNote { title: String }
    /// # #[reducer] struct DeleteNote { id: u64 }
    /// # fn add_and_delete(db: Client) {
    /// db.call(AddNote { title: "milk".into() })
    ///     .optimistic(|tx, args| {
    ///         let id = tx.temp_id();
    ///         tx.insert(Note { id, title: args.title.clone() });
    ///     })
    ///     .forget();
    /// let note = db.table::<Note>().iter().find(|note| note.title == "milk").expect("it is seen at once");
    /// assert!(note.id.is_temp_id());
    /// // Sent when the server has answered the first call, with the id that it gave.
    /// db.call(DeleteNote { id: note.id })
    ///     .optimistic(|tx, args| {
    ///         tx.delete_by(Note::ID, &args.id);
    ///     })
    ///     .forget();
    /// # }
    /// ```
    pub fn optimistic<O: MutatorOutcome>(
        mut self,
        run: impl Fn(&mut LocalTx, &R) -> O + Send + 'static,
    ) -> Self {
        self.expected = Some(Box::new(move |args, named| {
            let run = move |tx: &mut LocalTx, args: &R| run(tx, args).settle(tx);
            let NamedArgs { args: encoded, is_changed, names } = named;
            // They were encoded from this type a moment ago, and differ in the values of ids.
            let changed = if is_changed { bsatn::from_slice(&encoded).ok() } else { None };
            let args = changed.unwrap_or(args);
            if names.is_empty() {
                return Box::new(move |tx: &mut LocalTx| run(tx, &args));
            }
            Box::new(Naming { args, encoded, names, run: Arc::new(Mutex::new(run)) })
        }));
        self
    }
}

type Mutator = Fenced<Box<dyn Fn(&mut LocalTx, &[u8]) + Send + Sync>>;

/// Predicted effect of a call by its reducer's mutator.
struct Mutated {
    mutator: Arc<Mutator>,
    args: Bytes,
    names: Vec<NamedId>,
}

impl Mutation for Mutated {
    fn run(&self, tx: &mut LocalTx) {
        self.mutator.get().into_iter().for_each(|mutator| mutator(tx, &self.args));
    }

    fn names_ids(&self) -> bool {
        !self.names.is_empty()
    }

    fn with_ids(&self, ids: &NewIds) -> Option<Box<dyn Mutation>> {
        let (args, names) = replace_ids(&self.args, &self.names, |id| ids.get(id));
        let mutator = Arc::clone(&self.mutator);
        (names.len() < self.names.len())
            .then(|| Box::new(Self { mutator, args, names }) as Box<dyn Mutation>)
    }
}

/// Predicted effects of some reducers' calls, by the reducers' names.
#[derive(Default, Clone)]
pub(crate) struct Mutators {
    by_name: HashMap<&'static str, Arc<Mutator>>,
}

impl Mutators {
    fn add<R: Reducer, O: MutatorOutcome>(
        &mut self,
        run: impl Fn(&mut LocalTx, &R) -> O + Send + Sync + 'static,
    ) {
        let mutator = move |tx: &mut LocalTx, args: &[u8]| match bsatn::from_slice::<R>(args) {
            Ok(args) => run(tx, &args).settle(tx),
            Err(error) => tx.fail(format!("its arguments do not decode: {error}")),
        };
        self.by_name.insert(R::DEF.name, Arc::new(Fenced::new("mutator", Box::new(mutator))));
    }

    /// Predicted effect of a call with these encoded arguments.
    pub(crate) fn mutation(
        &self,
        reducer: &str,
        args: Bytes,
        names: Vec<NamedId>,
    ) -> Option<Box<dyn Mutation>> {
        let mutator = Arc::clone(self.by_name.get(reducer)?);
        Some(Box::new(Mutated { mutator, args, names }))
    }
}

impl ClientBuilder {
    /// Shows what every call of the reducer `R` is expected to do: as [`Call::optimistic`], which comes before it.
    ///
    /// Calls that were kept while offline are shown with it after a restart, too.
    pub fn mutator<R: Reducer, O: MutatorOutcome>(
        mut self,
        run: impl Fn(&mut LocalTx, &R) -> O + Send + Sync + 'static,
    ) -> Self {
        self.mutators.add(run);
        self
    }
}

impl Client {
    /// The id that the server gave in the place of a [temporary one](LocalTx::temp_id), once that is known: the row under
    /// the temporary id is gone then. The last 65,536 ids of this run of the program are known.
    ///
    /// Arguments of calls need not be looked up so: a call that is made with a temporary id is sent with the server's.
    pub fn server_id<K: TempId>(&self, temporary: &K) -> Option<K> {
        self.hub().shared.read(|connection| connection.server_id(temporary))
    }
}

impl<T: Table> TableHandle<T> {
    /// Origin of the row with its primary key, or of this very row where there is none: the server's, the server's when
    /// it was last heard, or that of calls that are not answered. `None` if there is no such row now.
    pub fn status(&self, row: &T::Row) -> Option<RowStatus> {
        self.hub().shared.read(|connection| connection.row_status::<T>(row))
    }
}
