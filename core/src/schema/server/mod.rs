//! A module's schema as the server tells it at run time: owned, where the derives' descriptors are constants.

mod compare;
mod order;
#[cfg(feature = "json")]
mod parse;
#[cfg(feature = "json")]
mod raw;
mod types;

use core::fmt;

pub use compare::{
    Difference, DifferenceKind, Item, compare, compare_procedure, compare_reducer, compare_table,
    compare_types, takes_arguments,
};
pub use order::natural_order;
#[cfg(feature = "json")]
pub use parse::{SchemaError, parse_columns};
use types::Named;
pub use types::{ServerField, ServerType, ServerVariant};

use crate::schema::any::AnyType;

/// Schema of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerSchema {
    /// The version of the reply: 10, or 9, which does not tell event tables, keys of views and return types of reducers.
    pub version: u8,
    /// Types that [`ServerType::Ref`] points into.
    pub typespace: Vec<ServerType>,
    /// The names of types.
    pub types: Vec<ServerTypeName>,
    /// The tables, private ones too.
    pub tables: Vec<ServerTable>,
    /// The views.
    pub views: Vec<ServerView>,
    /// The reducers, those too that only the server calls.
    pub reducers: Vec<ServerReducer>,
    /// The procedures.
    pub procedures: Vec<ServerProcedure>,
    /// The environment variables that the module declares, its submodules' too; since 2.13.
    pub environment: Vec<ServerVariable>,
}

/// Declaration of an environment variable, whose value is given when the module is published.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerVariable {
    /// Its name.
    pub name: Box<str>,
    /// The values that it takes, or none if it takes any text.
    pub values: Option<Vec<Box<str>>>,
    /// `true` if the module does without it.
    pub optional: bool,
}

/// Its values and whether it must be given: `one of "dev", "prod"; optional`.
impl fmt::Display for ServerVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.values.as_deref() {
            None => f.write_str("any text")?,
            Some([value]) => write!(f, "{value:?}")?,
            Some(values) => {
                f.write_str("one of ")?;
                for (at, value) in values.iter().enumerate() {
                    write!(f, "{}{value:?}", if at == 0 { "" } else { ", " })?;
                }
            }
        }
        f.write_str(if self.optional { "; optional" } else { "; required" })
    }
}

/// The name of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerTypeName {
    /// The module's modules that it is in.
    pub scope: Vec<Box<str>>,
    /// Its name there.
    pub name: Box<str>,
    /// Its position in the typespace.
    pub ty: u32,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerTable {
    /// The name on the wire.
    pub name: Box<str>,
    /// The name in the module's source.
    pub source_name: Box<str>,
    /// The row type's position in the typespace.
    pub row: u32,
    /// The columns, in wire order.
    pub columns: Vec<ServerField>,
    /// The column that identifies a row, if one does.
    pub primary_key: Option<u16>,
    /// Columns whose values are unique, the primary key's among them.
    pub unique: Vec<u16>,
    /// The indexes.
    pub indexes: Vec<ServerIndex>,
    /// Columns that the server numbers itself where a row comes with 0.
    pub auto_inc: Vec<u16>,
    /// The function that the server calls with each row when its time has come, by its name in the module's source.
    pub schedule: Option<Box<str>>,
    /// `true` if its rows are delivered once and never stored; unknown in version 9.
    pub event: Option<bool>,
    /// `true` if others than its owner can read it.
    pub public: bool,
    /// The reducer of another database that the server calls with each row, if this is an outbox: nothing for clients.
    pub outbox: Option<Box<str>>,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerIndex {
    /// Algorithm.
    pub algorithm: IndexAlgorithm,
    /// Name in the module's source, if it is known.
    pub accessor: Option<Box<str>>,
    /// Its columns, in its order.
    pub columns: Vec<u16>,
}

/// Algorithm of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IndexAlgorithm {
    /// By order.
    BTree,
    /// By equality.
    Hash,
    /// By position.
    Direct,
    /// In a way that this client does not know.
    Unknown,
}

/// A view.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerView {
    /// The name on the wire.
    pub name: Box<str>,
    /// The name in the module's source.
    pub source_name: Box<str>,
    /// The columns of its rows, in wire order.
    pub columns: Vec<ServerField>,
    /// The column that identifies a row, if one does; unknown in version 9.
    pub primary_key: Option<u16>,
    /// Its parameters.
    pub params: Vec<ServerField>,
    /// `true` if others than the module's owner can read it.
    pub public: bool,
    /// `true` if its rows are the same for every client.
    pub anonymous: bool,
    /// Type that the module's function returns.
    pub returns: ServerType,
}

/// A reducer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerReducer {
    /// The name on the wire.
    pub name: Box<str>,
    /// The name in the module's source.
    pub source_name: Box<str>,
    /// The parameters, in wire order.
    pub params: Vec<ServerField>,
    /// `true` if clients can call it.
    pub callable: bool,
    /// Type that it returns when it commits; unknown in version 9.
    pub returns: Option<ServerType>,
    /// Type that it returns when it rejects a call; unknown in version 9.
    pub error: Option<ServerType>,
}

/// A procedure.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerProcedure {
    /// The name on the wire.
    pub name: Box<str>,
    /// The name in the module's source.
    pub source_name: Box<str>,
    /// The parameters, in wire order.
    pub params: Vec<ServerField>,
    /// `true` if clients can call it.
    pub callable: bool,
    /// Type that it returns.
    pub returns: ServerType,
}

impl ServerSchema {
    /// The table with a name on the wire.
    pub fn table(&self, name: &str) -> Option<&ServerTable> {
        self.tables.iter().find(|table| &*table.name == name)
    }

    /// The view with a name on the wire.
    pub fn view(&self, name: &str) -> Option<&ServerView> {
        self.views.iter().find(|view| &*view.name == name)
    }

    /// The reducer with a name on the wire.
    pub fn reducer(&self, name: &str) -> Option<&ServerReducer> {
        self.reducers.iter().find(|reducer| &*reducer.name == name)
    }

    /// The procedure with a name on the wire.
    pub fn procedure(&self, name: &str) -> Option<&ServerProcedure> {
        self.procedures.iter().find(|procedure| &*procedure.name == name)
    }

    /// The name of the type at a position of the typespace, if it has one.
    pub fn type_name(&self, at: u32) -> Option<&str> {
        self.types.iter().find(|name| name.ty == at).map(|name| &*name.name)
    }

    /// A type of this schema's, to decode values of.
    pub fn resolve<'t>(&'t self, ty: &'t ServerType) -> AnyType<'t> {
        ty.within(&self.typespace)
    }

    /// A type as it would be written in Rust, with the names of this schema.
    pub fn display<'t>(&'t self, ty: &'t ServerType) -> impl fmt::Display + 't {
        Named(ty, |at| self.type_name(at))
    }

    /// Orders everything by name: the server lists tables in the order of a hash map, another each time.
    #[cfg(feature = "json")]
    fn sort(&mut self) {
        self.tables.sort_by(|a, b| natural_order(&a.name, &b.name));
        self.views.sort_by(|a, b| natural_order(&a.name, &b.name));
        self.reducers.sort_by(|a, b| natural_order(&a.name, &b.name));
        self.procedures.sort_by(|a, b| natural_order(&a.name, &b.name));
        self.environment.sort_by(|a, b| natural_order(&a.name, &b.name));
    }

    /// Adds a submodule, whose names begin with its namespace on the wire, and whose types come behind ours.
    #[cfg(feature = "json")]
    fn absorb(&mut self, namespace: &str, module: Self) {
        let shift = u32::try_from(self.typespace.len()).unwrap_or(u32::MAX);
        let renamed = |name: &str| Box::from(format!("{namespace}.{name}"));
        let Self { typespace, types, tables, views, reducers, procedures, environment, .. } =
            module;
        self.environment.extend(environment);
        let shifted = |mut ty: ServerType| {
            ty.shift(shift);
            ty
        };
        let fields = |mut fields: Vec<ServerField>| {
            fields.iter_mut().for_each(|field| field.ty.shift(shift));
            fields
        };
        self.typespace.extend(typespace.into_iter().map(shifted));
        self.types.extend(types.into_iter().map(|mut name| {
            name.scope.insert(0, namespace.into());
            ServerTypeName { ty: name.ty.saturating_add(shift), ..name }
        }));
        self.tables.extend(tables.into_iter().map(|table| ServerTable {
            name: renamed(&table.name),
            row: table.row.saturating_add(shift),
            columns: fields(table.columns),
            ..table
        }));
        self.views.extend(views.into_iter().map(|view| ServerView {
            name: renamed(&view.name),
            columns: fields(view.columns),
            params: fields(view.params),
            returns: shifted(view.returns),
            ..view
        }));
        self.reducers.extend(reducers.into_iter().map(|reducer| ServerReducer {
            name: renamed(&reducer.name),
            params: fields(reducer.params),
            returns: reducer.returns.map(shifted),
            error: reducer.error.map(shifted),
            ..reducer
        }));
        self.procedures.extend(procedures.into_iter().map(|procedure| ServerProcedure {
            name: renamed(&procedure.name),
            params: fields(procedure.params),
            returns: shifted(procedure.returns),
            ..procedure
        }));
    }
}
