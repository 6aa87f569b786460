//! Shape of one table's rows, by the schema.

use std::fmt;
use std::sync::Arc;

use lightlike_core::bsatn::{DecodeError, Reader};
use lightlike_core::schema::{SatsValue, ServerField, ServerSchema, ServerType};

use super::error::{UntypedError, nearest};

/// One table or view of a schema.
pub(super) struct Shape {
    pub(super) schema: Arc<ServerSchema>,
    pub(super) name: Arc<str>,
    /// The row's type: a product of the columns. None for a table that the schema does not have.
    pub(super) row: Option<ServerType>,
    /// The position of the primary key.
    pub(super) key: Option<usize>,
}

impl Shape {
    /// The table or view with this name.
    pub(super) fn find(schema: &Arc<ServerSchema>, name: &str) -> Result<Self, UntypedError> {
        let shape = Self::of(schema, name);
        if shape.row.is_some() {
            return Ok(shape);
        }
        let tables = schema.tables.iter().map(|table| &*table.name);
        let known = tables.chain(schema.views.iter().map(|view| &*view.name));
        Err(UntypedError::UnknownTable { table: name.into(), nearest: nearest(name, known) })
    }

    /// The same, of a table that there may not be.
    pub(super) fn of(schema: &Arc<ServerSchema>, name: &str) -> Self {
        let table = schema.table(name).map(|table| (&table.columns, table.primary_key));
        let view = || schema.view(name).map(|view| (&view.columns, view.primary_key));
        let (row, key) = match table.or_else(view) {
            Some((columns, key)) => (Some(ServerType::Product(columns.clone())), key),
            None => (None, None),
        };
        Self { schema: Arc::clone(schema), name: name.into(), row, key: key.map(usize::from) }
    }

    pub(super) fn columns(&self) -> &[ServerField] {
        match &self.row {
            Some(ServerType::Product(columns)) => columns,
            _ => &[],
        }
    }

    pub(super) fn position(&self, column: &str) -> Option<usize> {
        self.columns().iter().position(|field| field.name.as_deref() == Some(column))
    }

    /// The encoding of a row's primary key; none if it has none, or the row does not fit.
    pub(super) fn key_of<'r>(&self, row: &'r [u8]) -> Option<&'r [u8]> {
        let key = self.key?;
        let mut reader = Reader::new(row);
        for column in self.columns().get(..key)? {
            self.column(column, &mut reader).ok()?;
        }
        let start = reader.offset();
        self.column(self.columns().get(key)?, &mut reader).ok()?;
        row.get(start..reader.offset())
    }

    pub(super) fn values(&self, row: &[u8]) -> Result<Vec<SatsValue>, UntypedError> {
        let unfit = |source| UntypedError::Row { table: Arc::clone(&self.name), source };
        if self.row.is_none() {
            let table = Box::from(&*self.name);
            return Err(UntypedError::UnknownTable { table, nearest: None });
        }
        let mut reader = Reader::new(row);
        let values = self.columns().iter().map(|column| self.column(column, &mut reader));
        let values = values.collect::<Result<_, _>>().map_err(unfit)?;
        reader.finish("row").map_err(unfit)?;
        Ok(values)
    }

    fn column(
        &self,
        column: &ServerField,
        reader: &mut Reader<'_>,
    ) -> Result<SatsValue, DecodeError> {
        SatsValue::decode(self.schema.resolve(&column.ty), reader)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shape").field(&self.name).finish()
    }
}
