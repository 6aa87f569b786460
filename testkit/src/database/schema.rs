//! Descriptors of the server's tables at run time.

use std::fmt;

use lightlike_core::bsatn::Reader;
use lightlike_core::schema::{SatsType, SatsValue, TableDef, TableKind};

/// A table or view, its columns' types resolved.
#[derive(Debug)]
pub(crate) struct TableSchema {
    pub(crate) name: &'static str,
    pub(crate) kind: TableKind,
    /// Definition that it was made from.
    #[cfg(feature = "http")]
    pub(crate) def: TableDef,
    pub(crate) columns: Vec<ColumnSchema>,
    /// Columns whose values are unique, the primary key's first.
    pub(crate) unique: Vec<u16>,
    pub(crate) primary_key: Option<u16>,
    /// Single columns that have an index, which a join needs.
    indexed: Vec<u16>,
    /// `true` if clients must not see it.
    pub(crate) private: bool,
}

#[derive(Debug)]
pub(crate) struct ColumnSchema {
    pub(crate) name: &'static str,
    pub(crate) ty: SatsType,
}

impl TableSchema {
    pub(crate) fn new(def: TableDef, private: bool) -> Self {
        let columns = def
            .row
            .columns
            .iter()
            .map(|column| ColumnSchema { name: column.name, ty: column.ty.get() });
        let mut unique: Vec<u16> = def.primary_key.into_iter().collect();
        unique.extend(def.unique.iter().copied().filter(|column| Some(*column) != def.primary_key));
        let single = def.indexes.iter().filter_map(|index| match index.columns {
            [column] => Some(*column),
            _ => None,
        });
        let indexed = unique.iter().copied().chain(single).collect();
        Self {
            name: def.name,
            kind: def.kind,
            #[cfg(feature = "http")]
            def,
            columns: columns.collect(),
            unique,
            primary_key: def.primary_key,
            indexed,
            private,
        }
    }

    /// The position of the column named `name`.
    pub(crate) fn column(&self, name: &str) -> Option<u16> {
        let position = self.columns.iter().position(|column| column.name == name)?;
        u16::try_from(position).ok()
    }

    /// Returns `true` if a join can look rows up by this column: views are small and computed, and are never refused.
    pub(crate) fn is_indexed(&self, column: u16) -> bool {
        self.kind == TableKind::View || self.indexed.contains(&column)
    }

    /// Calls `visit` with the value and the encoding of each column of `row`, in order.
    ///
    /// # Panics
    ///
    /// If `row` is no encoding of this table's row type: stored rows are, unless the type's own codec is wrong.
    pub(crate) fn for_each_column<'r>(
        &self,
        row: &'r [u8],
        mut visit: impl FnMut(u16, SatsValue, &'r [u8]),
    ) {
        let mut reader = Reader::new(row);
        for (column, position) in self.columns.iter().zip(0..) {
            let start = reader.offset();
            match SatsValue::decode(column.ty, &mut reader) {
                Ok(value) => visit(position, value, &row[start..reader.offset()]),
                Err(error) => panic!(
                    "the row type of `{}` encodes `{}` wrongly: {error}",
                    self.name, column.name
                ),
            }
        }
    }
}

/// Writes a type as the server does in its error messages.
///
/// # Source
///
/// `spacetimedb-sats` 2.14.0, `algebraic_type/fmt.rs`.
pub(crate) struct TypeName(pub(crate) SatsType);

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_type(f, self.0, 0)
    }
}

/// Types can contain themselves; the server writes a reference there.
const MAX_SHOWN_DEPTH: u32 = 8;

fn write_type(f: &mut fmt::Formatter<'_>, ty: SatsType, depth: u32) -> fmt::Result {
    if depth > MAX_SHOWN_DEPTH {
        return f.write_str("&");
    }
    let deeper = depth + 1;
    match ty {
        SatsType::Identity => f.write_str("(__identity__: U256)"),
        SatsType::ConnectionId => f.write_str("(__connection_id__: U128)"),
        SatsType::Timestamp => f.write_str("(__timestamp_micros_since_unix_epoch__: I64)"),
        SatsType::TimeDuration => f.write_str("(__time_duration_micros__: I64)"),
        SatsType::Uuid => f.write_str("(__uuid__: U128)"),
        SatsType::ScheduleAt => f.write_str(
            "(Interval: (__time_duration_micros__: I64) | Time: (__timestamp_micros_since_unix_epoch__: I64))",
        ),
        SatsType::Array(element) => {
            f.write_str("Array<")?;
            write_type(f, element.get(), deeper)?;
            f.write_str(">")
        }
        SatsType::Option(some) => write_sum(f, [("some", Some(some.get())), ("none", None)], deeper),
        SatsType::Result(ok, err) => write_sum(f, [("ok", Some(ok.get())), ("err", Some(err.get()))], deeper),
        SatsType::Sum(sum) => {
            write_sum(f, sum.variants.iter().map(|v| (v.name, v.payload.map(|payload| payload.get()))), deeper)
        }
        SatsType::Product(product) => {
            f.write_str("(")?;
            for (i, field) in product.fields.iter().enumerate() {
                f.write_str(if i > 0 { ", " } else { "" })?;
                match field.name {
                    Some(name) => write!(f, "{name}: ")?,
                    None => write!(f, "{i}: ")?,
                }
                write_type(f, field.ty.get(), deeper)?;
            }
            f.write_str(")")
        }
        primitive => fmt::Debug::fmt(&primitive, f),
    }
}

fn write_sum(
    f: &mut fmt::Formatter<'_>,
    variants: impl IntoIterator<Item = (&'static str, Option<SatsType>)>,
    depth: u32,
) -> fmt::Result {
    f.write_str("(")?;
    for (i, (name, payload)) in variants.into_iter().enumerate() {
        write!(f, "{}{name}: ", if i > 0 { " | " } else { "" })?;
        match payload {
            Some(payload) => write_type(f, payload, depth)?,
            None => f.write_str("()")?,
        }
    }
    f.write_str(")")
}
