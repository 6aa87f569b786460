//! Differences between the constants of a program and a server's schema.

mod types;

use core::fmt;

use self::types::{difference, same_name};
use super::{ServerField, ServerReducer, ServerSchema, ServerType};
use crate::schema::{
    FieldDef, FunctionDef, ProductDef, RowDef, SatsType, TableDef, TableKind, TypeRef,
};

/// One thing in which a program differs from the server, as a line to read:
/// `table message, column 3: server has sent: Timestamp, struct has sent: u64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    item: Item,
    kind: DifferenceKind,
    text: Box<str>,
}

/// Item that differs: a table, a view, a reducer or a procedure, by its name on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names say it")]
pub enum Item {
    Table(&'static str),
    View(&'static str),
    Reducer(&'static str),
    Procedure(&'static str),
}

/// In what something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DifferenceKind {
    /// The server has no such thing.
    Missing,
    /// It is of another kind: a view and not a table, an event table and not one whose rows stay.
    Kind,
    /// A column, or a parameter, has another name or type, or stands elsewhere, or is on one side only.
    Field,
    /// The primary key.
    PrimaryKey,
    /// A column is not unique on the server.
    Unique,
    /// An index is not on the server.
    Index,
    /// Clients cannot read or call it.
    Visibility,
    /// Return type of a function.
    Returns,
}

impl fmt::Display for DifferenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing on the server",
            Self::Kind => "of another kind",
            Self::Field => "another column or parameter",
            Self::PrimaryKey => "another primary key",
            Self::Unique => "a column that is not unique on the server",
            Self::Index => "an index that the server has not",
            Self::Visibility => "not for clients",
            Self::Returns => "another return type",
        })
    }
}

impl Difference {
    fn new(item: Item, kind: DifferenceKind, text: impl fmt::Display) -> Self {
        Self { item, kind, text: text.to_string().into() }
    }

    /// Item that differs.
    pub fn item(&self) -> Item {
        self.item
    }

    /// In what.
    pub fn kind(&self) -> DifferenceKind {
        self.kind
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.item, self.text)
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(name) => write!(f, "table {name}"),
            Self::View(name) => write!(f, "view {name}"),
            Self::Reducer(name) => write!(f, "reducer {name}"),
            Self::Procedure(name) => write!(f, "procedure {name}"),
        }
    }
}

/// Compares tables and functions of a program with the server's schema, in the order in which they are given. What the
/// server has beyond them is no difference.
///
/// A function with an error type is a reducer, one without a procedure.
pub fn compare(
    schema: &ServerSchema,
    tables: &[TableDef],
    functions: &[FunctionDef],
) -> Vec<Difference> {
    let tables = tables.iter().flat_map(|table| compare_table(schema, table));
    let functions = functions.iter().flat_map(|function| match function.error {
        Some(_) => compare_reducer(schema, function),
        None => compare_procedure(schema, function),
    });
    tables.chain(functions).collect()
}

/// Compares a table or a view of a program with the server's.
pub fn compare_table(schema: &ServerSchema, ours: &TableDef) -> Vec<Difference> {
    if ours.kind == TableKind::View { view(schema, ours) } else { table(schema, ours) }
}

fn table(schema: &ServerSchema, ours: &TableDef) -> Vec<Difference> {
    let mut found = Found::new(schema, Item::Table(ours.name));
    let Some(theirs) = schema.table(ours.name) else {
        if schema.view(ours.name).is_some() {
            found.add(DifferenceKind::Kind, ": server has a view, struct has a table");
        } else {
            found.add(DifferenceKind::Missing, ": server has no such table");
        }
        return found.differences;
    };
    let event = ours.kind == TableKind::Event;
    if theirs.event.is_some_and(|theirs| theirs != event) {
        found.add(
            DifferenceKind::Kind,
            match event {
                true => ": server has a table whose rows stay, struct has an event table",
                false => ": server has an event table, struct has a table whose rows stay",
            },
        );
    }
    if !theirs.public {
        found
            .add(DifferenceKind::Visibility, ": private on the server, only its owner can read it");
    }
    found.row(&theirs.columns, ours.row);
    found.primary_key(&theirs.columns, theirs.primary_key, ours);
    // Columns that stand elsewhere were spoken of.
    let at = |column: &u16| counterpart(&theirs.columns, ours.row, *column);
    for unique in ours.unique {
        if !theirs.unique.contains(&at(unique)) && ours.primary_key != Some(*unique) {
            let names = column_names(ours.row, &[*unique]);
            let text =
                format!(", column {}: struct has {names} unique, server has not", unique + 1);
            found.add(DifferenceKind::Unique, text);
        }
    }
    for index in ours.indexes {
        let columns: Vec<_> = index.columns.iter().map(at).collect();
        if !theirs.indexes.iter().any(|theirs| theirs.columns == columns) {
            let names = column_names(ours.row, index.columns);
            let text = format!(", index: struct has one over {names}, server has none");
            found.add(DifferenceKind::Index, text);
        }
    }
    found.differences
}

fn view(schema: &ServerSchema, ours: &TableDef) -> Vec<Difference> {
    let mut found = Found::new(schema, Item::View(ours.name));
    let Some(theirs) = schema.view(ours.name) else {
        if schema.table(ours.name).is_some() {
            found.add(DifferenceKind::Kind, ": server has a table, struct has a view");
        } else {
            found.add(DifferenceKind::Missing, ": server has no such view");
        }
        return found.differences;
    };
    if !theirs.public {
        found
            .add(DifferenceKind::Visibility, ": private on the server, only its owner can read it");
    }
    found.row(&theirs.columns, ours.row);
    // Version 9 does not tell the keys of views.
    if schema.version > 9 {
        found.primary_key(&theirs.columns, theirs.primary_key, ours);
    }
    found.differences
}

/// Compares a reducer of a program with the server's.
pub fn compare_reducer(schema: &ServerSchema, ours: &FunctionDef) -> Vec<Difference> {
    let mut found = Found::new(schema, Item::Reducer(ours.name));
    let Some(theirs) = schema.reducer(ours.name) else {
        if schema.procedure(ours.name).is_some() {
            found.add(DifferenceKind::Kind, ": server has a procedure, struct has a reducer");
        } else {
            found.add(DifferenceKind::Missing, ": server has no such reducer");
        }
        return found.differences;
    };
    if !theirs.callable {
        found.add(DifferenceKind::Visibility, ": clients cannot call it");
    }
    found.params(&theirs.params, ours.params);
    if let Some(returns) = &theirs.returns {
        found.returns("return type", returns, ours.returns);
    }
    if let (Some(theirs), Some(ours)) = (&theirs.error, ours.error) {
        found.returns("error type", theirs, ours);
    }
    found.differences
}

/// Returns `true` if a call of a program's reducer is one of the server's: its arguments have the same types. They may
/// have other names, unless the same ones stand elsewhere.
pub fn takes_arguments(schema: &ServerSchema, theirs: &ServerReducer, ours: &FunctionDef) -> bool {
    let name_of = |at| schema.type_name(at);
    let same_type = |(theirs, ours): (&ServerField, &FieldDef)| {
        difference(ours.ty.get(), schema.resolve(&theirs.ty), &name_of).is_none()
    };
    let mut theirs_first = theirs.params.iter().zip(ours.params).enumerate();
    let moved = theirs_first.any(|(at, (theirs, _))| {
        let Some(name) = theirs.name.as_deref() else { return false };
        let is = |ours: &FieldDef| ours.name.is_some_and(|ours| same_name(name, ours));
        ours.params.iter().position(is).is_some_and(|ours| ours != at)
    });
    theirs.params.len() == ours.params.len()
        && theirs.params.iter().zip(ours.params).all(same_type)
        && !moved
}

/// Compares a procedure of a program with the server's.
pub fn compare_procedure(schema: &ServerSchema, ours: &FunctionDef) -> Vec<Difference> {
    let mut found = Found::new(schema, Item::Procedure(ours.name));
    let Some(theirs) = schema.procedure(ours.name) else {
        if schema.reducer(ours.name).is_some() {
            found.add(DifferenceKind::Kind, ": server has a reducer, struct has a procedure");
        } else {
            found.add(DifferenceKind::Missing, ": server has no such procedure");
        }
        return found.differences;
    };
    if !theirs.callable {
        found.add(DifferenceKind::Visibility, ": clients cannot call it");
    }
    found.params(&theirs.params, ours.params);
    found.returns("return type", &theirs.returns, ours.returns);
    found.differences
}

/// Compares a Rust type with the columns of a reply to SQL, by position: returns a text without the item. Names are not
/// compared.
pub fn compare_types(columns: &[ServerField], ours: SatsType) -> Option<String> {
    let SatsType::Product(ProductDef { fields, .. }) = ours else {
        return Some(format!("a row is a tuple or a struct, and not a `{ours}`"));
    };
    if fields.len() != columns.len() {
        let (theirs, ours) = (columns.len(), fields.len());
        return Some(format!("the rows have {theirs} columns, and {ours} were asked for"));
    }
    columns.iter().zip(fields).enumerate().find_map(|(at, (column, field))| {
        let ours = field.ty.get();
        let inner = difference(ours, column.ty.within(&[]), &|_| None)?;
        let name = column.name.as_deref().unwrap_or("_");
        let at = at + 1;
        Some(format!("column {at}: server has {name}: {}, asked for {ours}{inner}", column.ty))
    })
}

/// The differences of one item.
struct Found<'s> {
    schema: &'s ServerSchema,
    item: Item,
    differences: Vec<Difference>,
}

impl<'s> Found<'s> {
    fn new(schema: &'s ServerSchema, item: Item) -> Self {
        Self { schema, item, differences: Vec::new() }
    }

    fn add(&mut self, kind: DifferenceKind, text: impl fmt::Display) {
        self.differences.push(Difference::new(self.item, kind, text));
    }

    fn row(&mut self, theirs: &[ServerField], ours: RowDef) {
        let known = if ours.lenient { theirs.len().min(ours.columns.len()) } else { theirs.len() };
        let theirs = &theirs[..known];
        let ours: Vec<_> =
            ours.columns.iter().map(|column| (Some(column.name), column.ty)).collect();
        self.fields("column", theirs, &ours, |theirs, ours| theirs == ours);
    }

    fn params(&mut self, theirs: &[ServerField], ours: &'static [FieldDef]) {
        let ours: Vec<_> = ours.iter().map(|param| (param.name, param.ty)).collect();
        // Their names are as in the module's source, and count for nothing on the wire; but two that have changed places
        // are a mistake.
        self.fields("argument", theirs, &ours, same_name);
    }

    fn fields(
        &mut self,
        what: &str,
        theirs: &[ServerField],
        ours: &[(Option<&'static str>, TypeRef)],
        same_name: fn(&str, &str) -> bool,
    ) {
        for at in 0..theirs.len().max(ours.len()) {
            let (theirs, ours) = (theirs.get(at), ours.get(at));
            let mut inner = String::new();
            if let (Some(theirs), Some((name, ty))) = (theirs, ours) {
                let same_name = match (theirs.name.as_deref(), name) {
                    (Some(theirs), Some(ours)) => same_name(theirs, ours),
                    _ => true,
                };
                let schema = self.schema;
                let name_of = |at| schema.type_name(at);
                match difference(ty.get(), schema.resolve(&theirs.ty), &name_of) {
                    None if same_name => continue,
                    None => (),
                    Some(difference) => inner = difference,
                }
            }
            let theirs = theirs.map_or_else(
                || format!("no {what}"),
                |theirs| named(theirs.name.as_deref(), self.schema.display(&theirs.ty)),
            );
            let ours =
                ours.map_or_else(|| format!("no {what}"), |(name, ty)| named(*name, ty.get()));
            let at = at + 1;
            let text = format!(", {what} {at}: server has {theirs}, struct has {ours}{inner}");
            self.add(DifferenceKind::Field, text);
        }
    }

    fn returns(&mut self, what: &str, theirs: &ServerType, ours: TypeRef) {
        let (schema, ours) = (self.schema, ours.get());
        let name_of = |at| schema.type_name(at);
        if let Some(inner) = difference(ours, schema.resolve(theirs), &name_of) {
            let theirs = schema.display(theirs);
            let text = format!(", {what}: server has {theirs}, struct has {ours}{inner}");
            self.add(DifferenceKind::Returns, text);
        }
    }

    fn primary_key(&mut self, columns: &[ServerField], theirs: Option<u16>, ours: &TableDef) {
        if theirs == ours.primary_key.map(|key| counterpart(columns, ours.row, key)) {
            return;
        }
        let name = |at: u16| columns.get(usize::from(at))?.name.as_deref();
        let theirs = theirs.and_then(name).unwrap_or("none");
        let ours = ours.primary_key.map(|key| column_names(ours.row, &[key]));
        let ours = ours.as_deref().unwrap_or("none");
        let text = format!(", primary key: server has {theirs}, struct has {ours}");
        self.add(DifferenceKind::PrimaryKey, text);
    }
}

fn named(name: Option<&str>, ty: impl fmt::Display) -> String {
    match name {
        Some(name) => format!("{name}: {ty}"),
        None => ty.to_string(),
    }
}

/// Position of a column of ours on the server: at the place of its name, or else at ours.
fn counterpart(theirs: &[ServerField], ours: RowDef, column: u16) -> u16 {
    let name = ours.columns.get(usize::from(column)).map(|column| column.name);
    let at = theirs.iter().position(|theirs| theirs.name.as_deref() == name);
    at.and_then(|at| u16::try_from(at).ok()).unwrap_or(column)
}

fn column_names(row: RowDef, columns: &[u16]) -> String {
    let names = columns.iter().map(|column| {
        row.columns
            .get(usize::from(*column))
            .map_or("a column that it has not", |column| column.name)
    });
    names.collect::<Vec<_>>().join(", ")
}
