//! Watches of whole tables.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use lightlike_core::schema::Table;

use crate::events::watches::{Gone, Watch};
use crate::hub::Hub;
use crate::tables::view::{TableView, View};

/// One table, of which only the latest state counts: transactions in between may be missed, the latest never is.
///
/// It is also a `Stream` of views, one after each change that was seen. It keeps nothing open, and no rows: a view is
/// taken when it is asked for.
#[must_use = "a watch does nothing unless it is asked"]
pub struct TableWatch<T> {
    hub: Arc<Hub>,
    changed: Watch<()>,
    table: PhantomData<fn() -> T>,
}

impl<T: Table> TableWatch<T> {
    pub(crate) fn new(hub: Arc<Hub>, changed: Watch<()>) -> Self {
        Self { hub, changed, table: PhantomData }
    }

    /// All tables as they are now: [`View::table`] has this one.
    pub fn view(&self) -> View {
        self.hub.read()
    }

    /// Waits until a row came, left or changed since this was made or last returned; for an event table, until an
    /// event came.
    ///
    /// # Errors
    ///
    /// [`Gone`] if the connection is closed for good.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn changed(&mut self) -> Result<(), Gone> {
        self.changed.changed().await
    }

    /// Waits as [`changed`](Self::changed) does, and returns all tables as they are then; `None` if the connection is
    /// closed for good.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn next(&mut self) -> Option<View> {
        self.changed().await.ok().map(|()| self.view())
    }

    /// Waits until `predicate` holds of the table, which may be at once, and returns the view that it holds of.
    ///
    /// # Errors
    ///
    /// [`Gone`] if it never will: the connection is closed for good.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn wait_for(
        &mut self,
        mut predicate: impl FnMut(TableView<'_, T>) -> bool,
    ) -> Result<View, Gone> {
        loop {
            let view = self.view();
            if predicate(view.table::<T>()) {
                return Ok(view);
            }
            drop(view);
            self.changed().await?;
        }
    }
}

impl<T: Table> Stream for TableWatch<T> {
    type Item = View;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<View>> {
        self.changed.poll_changed(cx).map(|changed| changed.ok().map(|()| self.view()))
    }
}

impl<T> Clone for TableWatch<T> {
    fn clone(&self) -> Self {
        let (hub, changed) = (Arc::clone(&self.hub), self.changed.clone());
        Self { hub, changed, table: PhantomData }
    }
}

impl<T: Table> fmt::Debug for TableWatch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableWatch").field("table", &T::DEF.name).finish_non_exhaustive()
    }
}
