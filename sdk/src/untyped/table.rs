//! A table by its schema.

use std::fmt;
use std::sync::Arc;

use lightlike_core::schema::{SatsValue, ServerField};

use super::changes::of_table;
use super::row::UntypedRow;
use super::shape::Shape;
use crate::events::callbacks::CallbackId;
use crate::events::changes::Changes;
use crate::events::event::{Change, Deleted, Event, Inserted, Updated};
use crate::events::stream::EventStream;
use crate::hub::Hub;
use crate::tables::view::View;

/// A table without a struct. Cheap to clone, and keeps nothing open.
///
/// Its rows are those that subscriptions brought into the cache; [`Client::subscribe`](crate::Client::subscribe) takes SQL as text.
#[derive(Clone)]
pub struct UntypedTable {
    hub: Arc<Hub>,
    shape: Arc<Shape>,
}

impl UntypedTable {
    pub(super) fn new(hub: Arc<Hub>, shape: Arc<Shape>) -> Self {
        Self { hub, shape }
    }

    /// The name on the wire.
    pub fn name(&self) -> &str {
        &self.shape.name
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[ServerField] {
        self.shape.columns()
    }

    /// The column that identifies a row, if one does.
    pub fn primary_key(&self) -> Option<&ServerField> {
        self.columns().get(self.shape.key?)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        let view = self.hub.read();
        view.view.untyped(self.name()).map_or(0, |table| table.len())
    }

    /// Returns `true` if there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies of all rows, in no order.
    pub fn rows(&self) -> Vec<UntypedRow> {
        self.rows_in(&self.hub.read())
    }

    /// Copies of all rows in a view, which shows several tables at one moment.
    pub fn rows_in(&self, view: &View) -> Vec<UntypedRow> {
        let mut rows = Vec::new();
        if let Some(table) = view.view.untyped(self.name()) {
            table.for_each(|row| rows.push(UntypedRow::new(Arc::clone(&self.shape), row)));
        }
        rows
    }

    /// The row with this primary key; none if there is none, or the table has no key. Looks at every row.
    pub fn get(&self, key: &SatsValue) -> Option<UntypedRow> {
        let key = lightlike_core::bsatn::to_vec(key).ok()?;
        let (view, mut found) = (self.hub.read(), None);
        view.view.untyped(self.name())?.for_each(|row| {
            if found.is_none() && self.shape.key_of(row) == Some(&key) {
                found = Some(UntypedRow::new(Arc::clone(&self.shape), row));
            }
        });
        found
    }

    /// Runs `callback` for whatever happens to rows: those that came and those that were replaced in the server's order, then
    /// those that left. [`CallbackId::remove`] removes it.
    ///
    /// It runs among the [callbacks of whole transactions](crate::Client::on_transaction): after those of typed rows.
    pub fn on_change(
        &self,
        mut callback: impl FnMut(&Event<'_>, &Change<UntypedRow>) + Send + 'static,
    ) -> CallbackId {
        let shape = Arc::clone(&self.shape);
        let on_transaction = move |event: &Event<'_>, transaction: &Changes| {
            for change in changes_of(&shape, transaction) {
                callback(event, &change);
            }
        };
        self.hub.hooks.transactions.register(Box::new(on_transaction))
    }

    /// A stream of what [`on_change`](Self::on_change) sees.
    pub fn changes(&self) -> EventStream<Change<UntypedRow>> {
        let shape = Arc::clone(&self.shape);
        self.hub.hooks.read_transactions(move |transaction, feed| {
            for change in changes_of(&shape, transaction) {
                let bytes = change_bytes(&change);
                feed.push(change, bytes);
            }
        })
    }
}

fn changes_of(shape: &Arc<Shape>, transaction: &Changes) -> Vec<Change<UntypedRow>> {
    let mut diffs = transaction.diffs().iter();
    let diff = diffs.find(|diff| diff.name() == &*shape.name);
    diff.map(|diff| of_table(shape, transaction, diff)).unwrap_or_default()
}

/// Bytes that the rows of a change take.
fn change_bytes(change: &Change<UntypedRow>) -> usize {
    match change {
        Change::Inserted(Inserted { row, .. }) | Change::Deleted(Deleted { row, .. }) => {
            row.bytes().len()
        }
        Change::Updated(Updated { old, new, .. }) => old.bytes().len() + new.bytes().len(),
    }
}

impl fmt::Debug for UntypedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntypedTable").field("name", &self.name()).finish_non_exhaustive()
    }
}
