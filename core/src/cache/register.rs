//! Giving a table its Rust type, at its first mention.

use std::sync::Arc;

use super::error::{RegisterError, SetFailure};
use super::membership::sets::SetId;
use super::registration::Registration;
use super::{Cache, TableId};
use crate::guard;
use crate::schema::{ClientIndex, Table, TableDef};

/// Result of a first mention: see [`Cache::register`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The table.
    pub table: TableId,
    /// The sets that ended, because rows of theirs that were there already are not what the Rust type says.
    pub failed: Vec<SetFailure>,
}

impl Cache {
    /// The names of the tables that have their types, but for views with arguments, which have no rows without.
    pub fn registered(&self) -> impl Iterator<Item = &'static str> {
        self.tables.registered()
    }

    /// Gives the table of `T` its row type, or looks up that it has it. To be called at each mention.
    ///
    /// Rows that came before move over, which no transaction reports. Where some are not what the type says, the sets that hold
    /// them fail: they hold nothing of this table any more, and later parts of theirs are ignored. The caller ends
    /// them with a [`DropSet`](super::Part::DropSet), or with [`end_failed`](Self::end_failed), which takes their rows out of
    /// other tables.
    ///
    /// Takes time in proportion to the rows that move; a change under way starts from its beginning.
    ///
    /// # Errors
    ///
    /// [`RegisterError`] if the table has another row type, or another marker says that its key or kind is different.
    pub fn register<T: Table>(&mut self) -> Result<Registered, RegisterError> {
        self.register_without::<T>(&[])
    }

    /// Registers as [`register`](Self::register), except that rows which only the `outdated` sets hold do not move over:
    /// they are of another type. These sets keep their rows of other tables, and no transaction reports it.
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register); then no rows are dropped.
    pub fn register_without<T: Table>(
        &mut self,
        outdated: &[SetId],
    ) -> Result<Registered, RegisterError> {
        self.register_as(&Registration::of::<T>(), outdated)
    }

    pub(super) fn register_as(
        &mut self,
        registration: &Registration,
        outdated: &[SetId],
    ) -> Result<Registered, RegisterError> {
        if let Some(table) = self.tables.of_type(registration.marker()) {
            return Ok(Registered { table, failed: Vec::new() });
        }
        let name = registration.def().name;
        let table = self.tables.named(name);
        let failed = match self.tables[table].def() {
            Some(def) => {
                let same_rows = self.tables[table].row_type() == registration.row_type();
                agree(def, registration.def(), same_rows)?;
                Vec::new()
            }
            None => {
                self.tables.mention(name);
                self.give_type(registration, table, outdated)
            }
        };
        self.tables.set_type(registration.marker(), table, registration.has_arguments());
        self.publish_late();
        Ok(Registered { table, failed })
    }

    /// Lets a set that failed at [registering](Self::register) go on with its rows of other tables. Those of the table that
    /// it failed in are gone.
    pub fn readmit(&mut self, set: SetId) {
        self.sets.readmit(set);
    }

    /// Gives the table of `T` an index of the client's own, with the rows that are there. Registers the table.
    ///
    /// Does nothing if it has this index.
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register).
    pub fn add_index<T: Table, V: Ord + 'static>(
        &mut self,
        index: ClientIndex<T::Row, V>,
    ) -> Result<Registered, RegisterError> {
        let registered = self.register::<T>()?;
        if let Some(store) = self.tables.typed_mut::<T::Row>(registered.table) {
            let compare = Arc::new(move |a: &_, b: &_| index.compare(a, b));
            // Nothing of the table is changed before all of its rows were compared.
            let declared = guard::catch(|| store.declare(index.column(), compare));
            declared.map_err(|message| RegisterError::Panicked { table: T::DEF.name, message })?;
            self.tables.touch(registered.table);
            self.publish_late();
        }
        Ok(registered)
    }

    fn give_type(
        &mut self,
        registration: &Registration,
        table: TableId,
        outdated: &[SetId],
    ) -> Vec<SetFailure> {
        let suspended = self.suspend();
        let mut store = registration.make(table, Arc::clone(self.tables[table].name()));
        let (raw, version) = (&self.tables[table], self.versions.current());
        // A table that was adopted by half is not used.
        let failed = match guard::catch(|| store.adopt(raw, version, outdated)) {
            Ok(failed) => failed,
            Err(message) => {
                store = store.afresh();
                self.not_adopted(&*store, table, message)
            }
        };
        self.tables.replace(table, store);
        for failure in &failed {
            self.sets.fail(failure.set);
        }
        self.resume(suspended);
        failed
    }
}

/// Checks that a second marker of a table agrees with the first.
fn agree(registered: &TableDef, other: &TableDef, same_rows: bool) -> Result<(), RegisterError> {
    let table = other.name;
    if !same_rows {
        let (registered, refused) = (registered.row.name, other.row.name);
        return Err(RegisterError::RowType { table, registered, refused });
    }
    let what = if registered.kind != other.kind {
        "kinds"
    } else if registered.primary_key != other.primary_key {
        "primary keys"
    } else if registered.unique != other.unique {
        "unique columns"
    } else if registered.indexes != other.indexes {
        "indexes"
    } else {
        return Ok(());
    };
    Err(RegisterError::Definition { table, what })
}
