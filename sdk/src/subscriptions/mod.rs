//! Subscriptions: query sets whose rows the cache holds, progress of their rows, and verification against the server.

pub(crate) mod first_batch;
mod receiving;
pub(crate) mod sets;
pub(crate) mod verify;

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;

use lightlike_core::cache::RegisterError;
use lightlike_core::conn::SetEnd;
use lightlike_core::query::QueryError;
#[cfg(feature = "http")]
use lightlike_core::schema::Difference;

#[doc(inline)]
pub use lightlike_core::cache::Drift;
#[doc(inline)]
pub use lightlike_core::conn::{StaleReason, SubscriptionId, Verification};

use crate::error::{Error, Repr};
use crate::events::watches::{Source, Watch};
use crate::hub::Hub;
use crate::query::QueryList;

/// A query set: its rows are in the cache, and kept in step, while this is held. Dropping it unsubscribes;
/// [`keep`](Self::keep) leaves the set for as long as the connection lives.
///
/// The server is asked to end a set, and until it has answered the set goes on: what it tells of the rows is applied and told
/// to callbacks, in its order with other sets', and then the rows leave in one transaction
/// ([`Unsubscribed`](crate::events::Cause::Unsubscribed)). [`unsubscribe_now`](Self::unsubscribe_now) does not wait for that.
///
/// Await it, by value or by reference, for the set's first rows or the reason why there are none.
#[must_use = "dropping a subscription ends it; `keep` it to leave it for as long as the connection lives"]
pub struct Subscription {
    hub: Arc<Hub>,
    /// None if the set was never asked for: a table of its is known with another row type, or a query cannot be written.
    set: Option<SubscriptionId>,
    list: QueryList,
    stage: Watch<Stage>,
    ends_on_drop: bool,
}

/// Stage of a query set.
#[derive(Debug, Clone)]
pub(crate) enum Stage {
    Pending,
    Applied,
    /// As it was when the connection was lost: the server would not resync it.
    Stale(StaleReason),
    Ended(End),
}

/// Reason for which a query set is over.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Set(SetEnd),
    Register(RegisterError),
    Unwritable(QueryError),
    NoTables,
    /// A table of its differs from the module's, which the check of the schema does not let pass.
    #[cfg(feature = "http")]
    Differs(Arc<[Difference]>),
}

impl Subscription {
    pub(crate) fn new(
        hub: Arc<Hub>,
        set: SubscriptionId,
        list: QueryList,
        stage: Watch<Stage>,
    ) -> Self {
        Self { hub, set: Some(set), list, stage, ends_on_drop: true }
    }

    /// A subscription that was over before it began.
    pub(crate) fn refused(hub: Arc<Hub>, list: QueryList, end: End) -> Self {
        let stage = Source::new(Stage::Ended(end)).subscribe();
        Self { hub, set: None, list, stage, ends_on_drop: false }
    }

    /// Returns `true` if the set's rows are in the cache.
    pub fn is_applied(&self) -> bool {
        matches!(*self.stage.borrow(), Stage::Applied)
    }

    /// Reason for which the set is not in step with the server though the connection is: after a reconnect the server
    /// refused it, did not answer in time, or sent more of other sets first than is kept. Its rows are as they were; it is
    /// asked for again at the next reconnect.
    pub fn stale(&self) -> Option<StaleReason> {
        match &*self.stage.borrow() {
            Stage::Stale(reason) => Some(reason.clone()),
            Stage::Pending | Stage::Applied | Stage::Ended(_) => None,
        }
    }

    /// Returns `true` if the set is over: ended, refused, failed, or the connection is closed.
    pub fn is_ended(&self) -> bool {
        matches!(*self.stage.borrow(), Stage::Ended(_))
    }

    /// Id of the set, as [`Cause`](crate::events::Cause) names it; `None` if it was never asked for.
    pub fn id(&self) -> Option<SubscriptionId> {
        self.set
    }

    /// The set's queries, as SQL.
    pub fn queries(&self) -> impl ExactSizeIterator<Item = &str> {
        self.list.queries.iter().map(|query| &**query)
    }

    /// Leaves the set in place for as long as the connection lives.
    pub fn keep(mut self) {
        self.ends_on_drop = false;
    }

    /// Waits until the set's rows are in the cache and their callbacks have run.
    ///
    /// # Errors
    ///
    /// - [`Subscription`](crate::ErrorKind::Subscription): the server refuses the queries, in its words, or the set was
    ///   unsubscribed first.
    /// - [`Schema`](crate::ErrorKind::Schema): rows do not decode as their Rust type, or a table is known with another, or
    ///   differs from the module's under a [strict check](crate::ClientBuilder#method.schema_check).
    /// - [`Panicked`](crate::ErrorKind::Panicked): code of a row type panicked over a row of the set.
    /// - [`Query`](crate::ErrorKind::Query): a query cannot be written as SQL.
    /// - [`Disconnected`](crate::ErrorKind::Disconnected): the connection is closed.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn applied(&self) -> Result<(), Error> {
        let mut stage = self.stage.clone();
        let settled = stage.wait_for(|stage| !matches!(stage, Stage::Pending)).await;
        match settled {
            Ok(Stage::Applied | Stage::Stale(_)) => Ok(()),
            Ok(Stage::Ended(end)) => Err(self.error(&end)),
            // The sender lives in the hub, which this holds.
            Ok(Stage::Pending) | Err(_) => Err(Error::from(Repr::Closed)),
        }
    }

    /// Waits until the set is over. `Ok` if it was unsubscribed.
    ///
    /// # Errors
    ///
    /// As [`applied`](Self::applied); [`Subscription`](crate::ErrorKind::Subscription) also if the server ends the set
    /// later.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn ended(&self) -> Result<(), Error> {
        let mut stage = self.stage.clone();
        let ended = stage.wait_for(|stage| matches!(stage, Stage::Ended(_))).await;
        match ended {
            Ok(Stage::Ended(End::Set(SetEnd::Unsubscribed))) => Ok(()),
            Ok(Stage::Ended(end)) => Err(self.error(&end)),
            Ok(_) | Err(_) => Err(Error::from(Repr::Closed)),
        }
    }

    /// Ends the set and waits until its rows are gone, except those that other sets hold. Until the server has answered, what
    /// it tells of them is still told to callbacks.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[derive(Bsatn, Table, Clone, Debug)]
    /// # #[table(name = "user")]
    /// # struct User {
    /// #     #[primary_key]
    /// #     id: u64,
    /// #     name: String,
    /// #     #[index(btree)]
    /// #     level: u32,
    /// # }
    /// # async fn example(db: &Client) -> Result<(), lightlike::Error> {
    /// let users = db.subscribe(User::all()).await?;
    /// users.unsubscribe().await?;
    /// assert!(db.table::<User>().is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`ended`](Self::ended), if the set was over for another reason.
    ///
    /// # Cancel safety
    ///
    /// Once polled, the set ends even if this is dropped.
    pub async fn unsubscribe(self) -> Result<(), Error> {
        self.end();
        self.ended().await
    }

    /// Ends the set at once. When this returns its rows are gone from the cache, except those that other sets hold, and nothing
    /// more of the set is applied, whatever has come or will. Callbacks hear of what was applied before, and then of the rows
    /// that left, in one transaction ([`Unsubscribed`](crate::events::Cause::Unsubscribed)), and then of no more.
    ///
    /// This takes time in proportion to the set's rows, where it is called; of a client for ticks too, between two of them.
    /// Does nothing if the set is over.
    pub fn unsubscribe_now(self) {
        if let Some(set) = self.set {
            self.hub.command(|connection, _| connection.unsubscribe_now(set));
        }
    }

    /// Asks for the set again if it is over, such as after an error whose reason is gone; does nothing otherwise.
    ///
    /// What waits on [`applied`](Self::applied) from here on waits for the new answer. A set that is stale needs no
    /// help: it is asked for at the next reconnect.
    pub fn resubscribe(&mut self) {
        if self.is_ended() {
            *self = self.hub.subscribe(self.list.clone());
        }
    }

    fn end(&self) {
        if let Some(set) = self.set {
            self.hub.command(|connection, _| connection.unsubscribe(set));
        }
    }

    fn error(&self, end: &End) -> Error {
        let queries = || self.list.queries.clone().into();
        Error::from(match end.clone() {
            End::Register(error) => Repr::Register(error),
            End::Unwritable(error) => Repr::Unwritable(error),
            End::NoTables => Repr::NoTables,
            #[cfg(feature = "http")]
            End::Differs(differences) => Repr::SchemaDrift(differences),
            End::Set(SetEnd::Refused(message)) => Repr::Refused { queries: queries(), message },
            End::Set(SetEnd::Undecodable(failure)) => {
                Repr::Undecodable { queries: queries(), failure }
            }
            End::Set(SetEnd::Panicked(failure)) => {
                Repr::RowPanicked { queries: queries(), failure }
            }
            End::Set(SetEnd::NotSent(why)) => Repr::NotSent(why),
            End::Set(SetEnd::Unsubscribed) => Repr::Unsubscribed,
            End::Set(_) => self.hub.status.closed(),
        })
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.ends_on_drop {
            self.end();
        }
    }
}

impl IntoFuture for Subscription {
    type Output = Result<Self, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.applied().await.map(|()| self) })
    }
}

impl<'a> IntoFuture for &'a Subscription {
    type Output = Result<(), Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.applied())
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = self.stage.borrow();
        f.debug_struct("Subscription")
            .field("queries", &self.list.queries)
            .field("stage", &*stage)
            .finish_non_exhaustive()
    }
}
