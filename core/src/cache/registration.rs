//! Type-erased description of a table, taken from its marker type.

use core::any::TypeId;
use std::sync::Arc;

use super::TableId;
use super::table::TableStore;
use super::table::any::AnyTable;
use crate::schema::{Table, TableDef};

/// Definition of a table by its marker type, and a way to make it.
pub(super) struct Registration {
    marker: TypeId,
    row_type: TypeId,
    def: TableDef,
    has_arguments: bool,
    make: fn(TableId, Arc<str>) -> Box<dyn AnyTable>,
}

impl Registration {
    pub(super) fn of<T: Table>() -> Self {
        Self {
            marker: TypeId::of::<T>(),
            row_type: TypeId::of::<T::Row>(),
            def: T::DEF,
            has_arguments: !T::ARGUMENTS.is_empty(),
            make: |id, name| Box::new(TableStore::<T::Row>::new(id, name, Some(T::DEF))),
        }
    }

    pub(super) fn marker(&self) -> TypeId {
        self.marker
    }

    pub(super) fn row_type(&self) -> TypeId {
        self.row_type
    }

    pub(super) fn def(&self) -> &TableDef {
        &self.def
    }

    /// Returns `true` for a view that has no rows without arguments.
    pub(super) fn has_arguments(&self) -> bool {
        self.has_arguments
    }

    /// An empty table of this definition.
    pub(super) fn make(&self, id: TableId, name: Arc<str>) -> Box<dyn AnyTable> {
        (self.make)(id, name)
    }
}
