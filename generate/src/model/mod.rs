//! Model of the source to be written, with all names found: between a schema and its source.

mod functions;
mod tables;
mod traits;
mod types;

use lightlike_core::schema::ServerSchema;

use self::types::Types;
use crate::error::GenerateError;
use crate::generator::Generator;
use crate::names::Scope;

/// Everything that is written, in its order.
#[derive(Debug)]
pub(crate) struct Model {
    /// By the names of tables.
    pub(crate) tables: Vec<Table>,
    /// By the names of views.
    pub(crate) views: Vec<Table>,
    /// By their Rust names.
    pub(crate) types: Vec<Type>,
    /// By their names.
    pub(crate) reducers: Vec<Function>,
    /// By their names.
    pub(crate) procedures: Vec<Function>,
}

/// A table or a view.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) ident: String,
    /// The name on the wire.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Lines of documentation.
    pub(crate) docs: Vec<String>,
    pub(crate) rows: Rows,
    /// `true` if a row can be updated, and not only replaced by another.
    pub(crate) is_keyed: bool,
    /// `true` if its rows cannot be asked for by its name alone.
    pub(crate) takes_arguments: bool,
    /// Parameters, where SQL has literals for all of them.
    pub(crate) arguments: Vec<(String, Ty)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Table,
    Event,
    View,
}

/// Place of a table's columns.
#[derive(Debug)]
pub(crate) enum Rows {
    /// Here: the struct is the row.
    Own { derives: Derives, columns: Vec<Column>, indexes: Vec<Index> },
    /// In another struct.
    Of { row: String, primary_key: Option<String> },
}

#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) field: Field,
    pub(crate) primary_key: bool,
    pub(crate) unique: bool,
    pub(crate) auto_inc: bool,
    /// The algorithm of an index over this column alone.
    pub(crate) index: Option<&'static str>,
}

/// A field of a struct.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) ident: String,
    /// The name on the wire, where the macros would not find it.
    pub(crate) name: Option<String>,
    pub(crate) ty: Ty,
}

/// An index over several columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) ident: String,
    pub(crate) algorithm: &'static str,
    pub(crate) columns: Vec<String>,
}

/// A struct or an enum that is no row.
#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) ident: String,
    pub(crate) docs: Vec<String>,
    pub(crate) derives: Derives,
    pub(crate) body: TypeBody,
}

#[derive(Debug)]
pub(crate) enum TypeBody {
    Struct(Vec<Field>),
    Enum(Vec<Variant>),
}

#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) ident: String,
    /// The name on the wire, where the macros would not find it.
    pub(crate) name: Option<String>,
    pub(crate) payload: Option<Ty>,
    /// It stands for the variants that the program does not know.
    pub(crate) keeps_unknown: bool,
}

/// Usual traits that a type derives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Derives {
    pub(crate) copy: bool,
    pub(crate) eq: bool,
    pub(crate) hash: bool,
    pub(crate) ord: bool,
}

/// A reducer or a procedure.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) ident: String,
    /// The name on the wire, where the macro would not find it.
    pub(crate) name: Option<String>,
    pub(crate) params: Vec<(String, Ty)>,
    pub(crate) returns: Option<Ty>,
}

/// A type as it stands in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ty {
    Unit,
    /// By its name: one of Rust's, of `lightlike`'s, or one that is written.
    Named(String),
    Vec(Box<Self>),
    Option(Box<Self>),
    Result(Box<Self>, Box<Self>),
    Tuple(Vec<Self>),
}

impl Ty {
    /// Calls `visit` with each name in it.
    pub(crate) fn names<'t>(&'t self, visit: &mut impl FnMut(&'t str)) {
        match self {
            Self::Unit => (),
            Self::Named(name) => visit(name),
            Self::Vec(inner) | Self::Option(inner) => inner.names(visit),
            Self::Result(ok, err) => {
                ok.names(visit);
                err.names(visit);
            }
            Self::Tuple(fields) => fields.iter().for_each(|field| field.names(visit)),
        }
    }
}

impl std::fmt::Display for Ty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unit => f.write_str("()"),
            Self::Named(name) => f.write_str(name),
            Self::Vec(element) => write!(f, "Vec<{element}>"),
            Self::Option(some) => write!(f, "Option<{some}>"),
            Self::Result(ok, err) => write!(f, "Result<{ok}, {err}>"),
            Self::Tuple(fields) => {
                f.write_str("(")?;
                for (at, field) in fields.iter().enumerate() {
                    let separator = if at == 0 { "" } else { ", " };
                    write!(f, "{separator}{field}")?;
                }
                f.write_str(if fields.len() == 1 { ",)" } else { ")" })
            }
        }
    }
}

impl Model {
    pub(crate) fn new(schema: &ServerSchema, options: &Generator) -> Result<Self, GenerateError> {
        check_names(schema)?;
        let mut types = Types::new(schema, options.open_enums);
        let (tables, views) = tables::tables(schema, options, &mut types)?;
        let mut functions = Scope::of_values();
        let reducers = functions::reducers(schema, &mut types, &mut functions)?;
        let procedures = functions::procedures(schema, &mut types, &mut functions)?;
        let mut model = Self { tables, views, types: types.into_items(), reducers, procedures };
        traits::complete(&mut model);
        Ok(model)
    }
}

fn check_names(schema: &ServerSchema) -> Result<(), GenerateError> {
    let tables = schema.tables.iter().map(|table| ("table", &table.name));
    let views = schema.views.iter().map(|view| ("view", &view.name));
    let reducers = schema.reducers.iter().map(|reducer| ("reducer", &reducer.name));
    let procedures = schema.procedures.iter().map(|procedure| ("procedure", &procedure.name));
    let mut all = tables.chain(views).chain(reducers).chain(procedures);
    match all.find(|(_, name)| name.is_empty()) {
        Some((what, _)) => Err(GenerateError::Unnamed { what }),
        None => Ok(()),
    }
}
