//! A row by its schema.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use lightlike_core::bsatn::{self, Bsatn};
use lightlike_core::schema::{SatsValue, ServerField};

use super::error::UntypedError;
use super::shape::Shape;

/// A row of a table without a struct: its encoding, and the columns that the schema says it has.
///
/// Cheap to move and not to clone: it has a copy of the row's bytes. Values are decoded when they are asked for. Two rows are
/// equal if they are of one table and their encodings are.
#[derive(Clone)]
pub struct UntypedRow {
    shape: Arc<Shape>,
    bytes: Box<[u8]>,
}

impl UntypedRow {
    pub(super) fn new(shape: Arc<Shape>, bytes: &[u8]) -> Self {
        Self { shape, bytes: bytes.into() }
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.shape.name
    }

    /// The columns, in order; none of a table that the schema does not have.
    pub fn columns(&self) -> &[ServerField] {
        self.shape.columns()
    }

    /// The row's encoding, in BSATN.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The values, one a column.
    ///
    /// # Errors
    ///
    /// [`UntypedError::Row`] if the row does not fit the schema, [`UntypedError::UnknownTable`] if the schema does not have
    /// its table.
    pub fn values(&self) -> Result<Vec<SatsValue>, UntypedError> {
        self.shape.values(&self.bytes)
    }

    /// The value of one column.
    ///
    /// # Errors
    ///
    /// As [`values`](Self::values), and [`UntypedError::UnknownColumn`].
    pub fn get(&self, column: &str) -> Result<SatsValue, UntypedError> {
        let mut values = self.values()?;
        match self.shape.position(column) {
            Some(at) if at < values.len() => Ok(values.swap_remove(at)),
            _ => {
                let table = Arc::clone(&self.shape.name);
                Err(UntypedError::UnknownColumn { table, column: column.into() })
            }
        }
    }

    /// The value of the primary key; none if the table has no key, or the row does not fit the schema.
    pub fn key(&self) -> Option<SatsValue> {
        let ty = &self.columns().get(self.shape.key?)?.ty;
        SatsValue::from_slice(self.shape.schema.resolve(ty), self.key_bytes()?).ok()
    }

    pub(crate) fn into_bytes(self) -> bytes::Bytes {
        self.bytes.into()
    }

    pub(super) fn key_bytes(&self) -> Option<&[u8]> {
        self.shape.key_of(&self.bytes)
    }

    /// The row as a Rust type that has its columns in order.
    ///
    /// # Errors
    ///
    /// [`UntypedError::Row`] if it is of another type.
    pub fn decode<R: Bsatn>(&self) -> Result<R, UntypedError> {
        bsatn::from_slice(&self.bytes)
            .map_err(|source| UntypedError::Row { table: Arc::clone(&self.shape.name), source })
    }

    /// The row as a JSON object, its columns by name: [SATS-JSON](crate::json) with names.
    ///
    /// # Errors
    ///
    /// [`UntypedError::Json`] if the row does not fit the schema or has a float that JSON has no number for, and
    /// [`UntypedError::UnknownTable`].
    #[cfg(feature = "json")]
    pub fn to_json(&self) -> Result<String, UntypedError> {
        use lightlike_core::json::{Form, from_bsatn};
        let Some(row) = &self.shape.row else { return self.values().map(|_| String::new()) };
        from_bsatn(self.shape.schema.resolve(row), &self.bytes, Form::Named)
            .map_err(UntypedError::Json)
    }
}

impl PartialEq for UntypedRow {
    fn eq(&self, other: &Self) -> bool {
        self.shape.name == other.shape.name && self.bytes == other.bytes
    }
}

impl Eq for UntypedRow {}

impl Hash for UntypedRow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.shape.name.hash(state);
        self.bytes.hash(state);
    }
}

/// The values by their names: `(name: some("Ada"), online: true)`; of a row that does not fit the schema, its bytes.
impl fmt::Display for UntypedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(values) = self.values() else {
            f.write_str("0x")?;
            return self.bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"));
        };
        f.write_str("(")?;
        for (at, (column, value)) in self.columns().iter().zip(values).enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            match &column.name {
                Some(name) => write!(f, "{separator}{name}: {value}")?,
                None => write!(f, "{separator}{value}")?,
            }
        }
        f.write_str(")")
    }
}

impl fmt::Debug for UntypedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{self}", self.shape.name)
    }
}
