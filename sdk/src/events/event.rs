//! Events for callbacks and streams.

use std::cell::Cell;
use std::fmt;

use lightlike_core::bsatn;
use lightlike_core::conn::{CallRequest, Cause};
use lightlike_core::schema::Reducer;

use crate::client::Client;
use crate::events::callbacks::Keep;
use crate::tables::view::View;

/// Event beside the rows of a callback: their cause, and the client, to do anything with.
///
/// From inside a callback everything is allowed: reading, calling, subscribing, registering and removing callbacks,
/// this one too, disconnecting. Callbacks added or removed take effect from the next transaction; a removed one runs
/// no more from now on.
pub struct Event<'a> {
    pub(crate) client: &'a Client,
    pub(crate) cause: &'a Cause,
    pub(crate) after: &'a View,
    pub(crate) before: &'a View,
    /// The callback that runs asked to be removed.
    pub(crate) unregister: Cell<bool>,
}

impl<'a> Event<'a> {
    pub(crate) fn new(
        client: &'a Client,
        cause: &'a Cause,
        before: &'a View,
        after: &'a View,
    ) -> Self {
        Self { client, cause, after, before, unregister: Cell::new(false) }
    }

    /// The same event for whoever hears of it before its rows leave.
    pub(crate) fn before_it(&self) -> Self {
        Self::new(self.client, self.cause, self.before, self.before)
    }

    /// Decision of the callback that ran last to run again.
    pub(crate) fn keep(&self) -> Keep {
        if self.unregister.take() { Keep::No } else { Keep::Yes }
    }

    /// The client. Do not keep a clone in a callback: it would keep the connection open; see
    /// [`Client::downgrade`].
    pub fn db(&self) -> &'a Client {
        self.client
    }

    /// Cause of the rows' change.
    pub fn cause(&self) -> &'a Cause {
        self.cause
    }

    /// Returns `true` if a reducer call of this client made the change, or is expected to, or was.
    pub fn is_mine(&self) -> bool {
        matches!(self.cause, Cause::Call { .. } | Cause::Optimistic(_) | Cause::Reverted(_))
    }

    /// Returns `true` if the rows are the predicted effect of a call of this client, and not the server's.
    pub fn is_optimistic(&self) -> bool {
        matches!(self.cause, Cause::Optimistic(_))
    }

    /// The arguments of the call of the reducer `R` that made the change; `None` if it was another reducer's, or no call
    /// of this client's.
    ///
    /// That it is expected to make, too: [`Cause::Optimistic`].
    pub fn call<R: Reducer>(&self) -> Option<R> {
        let Cause::Optimistic(call) = self.cause else { return self.cause.call() };
        match self.client.hub().calls.request_of(*call)? {
            CallRequest::Reducer { name, args } if name.as_str() == R::DEF.name => {
                bsatn::from_slice(&args).ok()
            }
            _ => None,
        }
    }

    /// Removes the callback that is running: it runs no more after this.
    pub fn unregister(&self) {
        self.unregister.set(true);
    }

    /// All tables as they are after the transaction, and before the next one; for a callback
    /// [before a delete](crate::TableHandle::on_before_delete), as they were before it.
    pub fn view(&self) -> &'a View {
        self.after
    }

    /// All tables as they were before the transaction.
    pub fn before(&self) -> &'a View {
        self.before
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("cause", &self.cause).finish_non_exhaustive()
    }
}

/// A row that came. Rows of event tables come and are never there.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Inserted<R> {
    /// The row.
    pub row: R,
    /// Cause.
    pub cause: Cause,
}

/// A row that left.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Deleted<R> {
    /// The row.
    pub row: R,
    /// Cause.
    pub cause: Cause,
}

/// A row that changed: same primary key, one transaction.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Updated<R> {
    /// The row before.
    pub old: R,
    /// The row after.
    pub new: R,
    /// Cause.
    pub cause: Cause,
}

/// Change of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Change<R> {
    /// It came.
    Inserted(Inserted<R>),
    /// It changed.
    Updated(Updated<R>),
    /// It left.
    Deleted(Deleted<R>),
}

/// A stream was not read fast enough: this many events, the oldest, were dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} events went by unread; read faster, or give the stream more room")]
pub struct Lagged(pub u64);
