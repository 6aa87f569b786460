//! Predicted effects of calls, shown until the server answers.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use lightlike_core::bsatn;
use lightlike_core::cache::{LocalTx, Mutation, RowStatus};
use lightlike_core::schema::{Reducer, Table};

use crate::builder::ClientBuilder;
use crate::call::Call;
use crate::table::TableHandle;

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
pub(crate) type Expected<R> = Box<dyn FnOnce(R) -> Box<dyn Mutation> + Send>;

impl<R: Reducer> Call<R> {
    /// Shows what the call is expected to do, from now until its answer.
    ///
    /// `run` is run at once, so that its rows are visible when the call is made, and again over every change of the
    /// server's that has to do with what it read or wrote. It sees the server's rows and what earlier calls that are
    /// pending made of them. When the call is answered, its own rows go in the same transaction in which the server's
    /// come: a row that is as expected stays as it is, and of a refused call no trace is left. Where the outcome is
    /// unknown they stay until the rows have been resynced.
    ///
    /// The transactions that come of this have the causes [`Cause::Optimistic`](crate::Cause::Optimistic) and
    /// [`Cause::Reverted`](crate::Cause::Reverted).
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
    pub fn optimistic<O: MutatorOutcome>(
        mut self,
        run: impl Fn(&mut LocalTx, &R) -> O + Send + 'static,
    ) -> Self {
        self.expected = Some(Box::new(move |args| {
            Box::new(move |tx: &mut LocalTx| {
                let outcome = run(tx, &args);
                outcome.settle(tx);
            })
        }));
        self
    }
}

type Mutator = dyn Fn(&mut LocalTx, &[u8]) + Send + Sync;

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
        self.by_name.insert(R::DEF.name, Arc::new(mutator));
    }

    /// Predicted effect of a call with these encoded arguments.
    pub(crate) fn mutation(&self, reducer: &str, args: &Bytes) -> Option<Box<dyn Mutation>> {
        let (mutator, args) = (Arc::clone(self.by_name.get(reducer)?), args.clone());
        Some(Box::new(move |tx: &mut LocalTx| mutator(tx, &args)))
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

impl<T: Table> TableHandle<T> {
    /// Origin of the row with its primary key, or of this very row where there is none: the server's, the server's when
    /// it was last heard, or that of calls that are not answered. `None` if there is no such row now.
    pub fn status(&self, row: &T::Row) -> Option<RowStatus> {
        self.hub().shared.read(|connection| connection.row_status::<T>(row))
    }
}
