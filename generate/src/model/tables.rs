//! Tables and views: which struct has whose rows.
//!
//! A row type with one table is that table's struct. Each further table or view with the same rows, key and indexes is a
//! marker that names it; one that differs in them gets a struct of its own.

use std::collections::BTreeMap;

use lightlike_core::schema::{
    IndexAlgorithm, Scalar, ServerField, ServerIndex, ServerSchema, ServerTable, ServerType,
    ServerView, natural_order,
};

use super::types::Types;
use super::{Column, Derives, Index, Kind, Rows, Table, Ty};
use crate::error::GenerateError;
use crate::generator::Generator;
use crate::names::{self, Scope};

/// The most columns that an index can have here.
const MAX_INDEX_COLUMNS: usize = 4;

/// Attributes of a row's struct for its columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Keys {
    primary_key: Option<u16>,
    unique: Vec<u16>,
    indexes: Vec<(Vec<u16>, &'static str)>,
}

/// The struct that has the columns of a row type.
struct RowStruct {
    ident: String,
    keys: Keys,
    /// The fields' Rust names.
    fields: Vec<String>,
}

pub(super) fn tables(
    schema: &ServerSchema,
    options: &Generator,
    types: &mut Types<'_>,
) -> Result<(Vec<Table>, Vec<Table>), GenerateError> {
    let mut tables: Vec<_> =
        schema.tables.iter().filter(|table| table.public || options.private).collect();
    // The table that is called as its row comes first among those with the same rows.
    tables.sort_by_key(|table| (table.row, !is_named_as_row(schema, table), &*table.name));
    let mut views: Vec<_> =
        schema.views.iter().filter(|view| view.public || options.private).collect();
    views.sort_by_key(|view| (view.primary_key.is_none(), &*view.name));

    // All rows are known before the first type is written: a row may be the type of another's column.
    tables.iter().for_each(|table| types.is_row(table.row));
    views.iter().filter_map(|view| row_of(view)).for_each(|row| types.is_row(row));

    let mut rows = BTreeMap::new();
    let mut written = Vec::new();
    for table in tables {
        written.push(write_table(table, types, &mut rows)?);
    }
    written.sort_by(|a, b| natural_order(&a.name, &b.name));
    let mut written_views = Vec::new();
    for view in views {
        written_views.push(write_view(view, types, &mut rows)?);
    }
    written_views.sort_by(|a, b| natural_order(&a.name, &b.name));
    Ok((written, written_views))
}

fn is_named_as_row(schema: &ServerSchema, table: &ServerTable) -> bool {
    schema.type_name(table.row).is_some_and(|row| names::snake(row) == *table.name)
}

fn write_table(
    table: &ServerTable,
    types: &mut Types<'_>,
    rows: &mut BTreeMap<u32, RowStruct>,
) -> Result<Table, GenerateError> {
    let kind = if table.event == Some(true) { Kind::Event } else { Kind::Table };
    let keys = table_keys(table);
    let hint = names::ty(&table.source_name);
    let own = || names::ty(&table.name.replace('.', "_"));
    let (ident, shared) = match rows.get(&table.row) {
        None => (types.name_of(table.row, &hint), None),
        Some(row) => {
            let shared = (row.keys == keys).then(|| row.ident.clone());
            (types.name(&[&own(), &(own() + "Row")]), shared)
        }
    };
    let rows = match shared {
        Some(row) => Rows::Of { row, primary_key: None },
        None => {
            let what = format!("the table `{}`", table.name);
            let (written, fields) = own_rows(
                types,
                &table.columns,
                &ident,
                &what,
                &keys,
                &table.auto_inc,
                &table.indexes,
            )?;
            rows.entry(table.row).or_insert_with(|| RowStruct {
                ident: ident.clone(),
                keys,
                fields,
            });
            written
        }
    };
    let name = &table.name;
    let mut docs = vec![match kind {
        Kind::Event => {
            format!("A row of the event table `{name}`: it is delivered once and never stored.")
        }
        _ => format!("A row of the table `{name}`."),
    }];
    if let Rows::Of { row, .. } = &rows {
        docs = vec![match kind {
            Kind::Event => format!(
                "The event table `{name}`: its rows are [`{row}`]s, delivered once and never stored."
            ),
            _ => format!("The table `{name}`: its rows are [`{row}`]s."),
        }];
    }
    if let Some(function) = &table.schedule {
        docs.push(format!("Each row makes the database call `{function}` when its time has come."));
    }
    if let Some(reducer) = &table.outbox {
        docs.push(format!(
            "An outbox: the database calls `{reducer}` of another one with each row."
        ));
    }
    if !table.public {
        docs.push("Only the database's owner can read it.".to_owned());
    }
    let is_keyed = kind == Kind::Table && key(types, &table.columns, table.primary_key).is_some();
    Ok(Table {
        ident,
        name: name.to_string(),
        kind,
        docs,
        rows,
        is_keyed,
        takes_arguments: false,
        arguments: Vec::new(),
    })
}

fn write_view(
    view: &ServerView,
    types: &mut Types<'_>,
    rows: &mut BTreeMap<u32, RowStruct>,
) -> Result<Table, GenerateError> {
    let name = &view.name;
    let hint = names::ty(&name.replace('.', "_"));
    let known = row_of(view).and_then(|row| rows.get(&row));
    let primary_key = key(types, &view.columns, view.primary_key);
    let marker = known.and_then(|row| {
        let primary_key = match primary_key {
            None => None,
            Some(key) if row.keys.primary_key == Some(key) => {
                Some(row.fields.get(usize::from(key))?.clone())
            }
            Some(_) => return None,
        };
        Some(Rows::Of { row: row.ident.clone(), primary_key })
    });
    let own = [hint.clone(), format!("{hint}View"), format!("{hint}Row")];
    let own: Vec<_> = own.iter().map(String::as_str).collect();
    let ident = match row_of(view) {
        Some(row) if known.is_none() => types.name_of(row, &hint),
        _ => types.name(&own),
    };
    let rows = match marker {
        Some(marker) => marker,
        None => {
            let keys = Keys { primary_key, ..Keys::default() };
            let what = format!("the view `{name}`");
            let (written, fields) = own_rows(types, &view.columns, &ident, &what, &keys, &[], &[])?;
            if let Some(row) = row_of(view) {
                let ident = ident.clone();
                rows.entry(row).or_insert_with(|| RowStruct { ident, keys, fields });
            }
            written
        }
    };
    let whose = if view.anonymous { "the same for everybody" } else { "computed for each caller" };
    let mut docs = vec![match &rows {
        Rows::Own { .. } => format!("A row of the view `{name}`, {whose}."),
        Rows::Of { row, .. } => {
            format!("The view `{name}`, {whose}: its rows are [`{row}`]s.")
        }
    }];
    let params = view_params(view, types, &hint)?;
    let shown: Vec<_> = params.iter().map(|(param, ty)| format!("{param}: {ty}")).collect();
    let arguments = if view.params.iter().all(|param| has_literals(&param.ty)) {
        let names: Vec<_> = params.iter().map(|(param, _)| param.as_str()).collect();
        if !names.is_empty() {
            docs.push(format!("`{ident}::with({})` asks for its rows.", names.join(", ")));
        }
        params
    } else {
        docs.push(format!(
            "It takes arguments that no query can pass, so that nobody can ask for it: `{name}({})`.",
            shown.join(", ")
        ));
        Vec::new()
    };
    if !view.public {
        docs.push("Only the database's owner can read it.".to_owned());
    }
    Ok(Table {
        ident,
        name: name.to_string(),
        kind: Kind::View,
        docs,
        rows,
        is_keyed: primary_key.is_some(),
        takes_arguments: !view.params.is_empty(),
        arguments,
    })
}

/// The primary key, if its values have an order and equal themselves, as a key's do here.
fn key(types: &Types<'_>, columns: &[ServerField], primary_key: Option<u16>) -> Option<u16> {
    let ordered =
        |at: &u16| columns.get(usize::from(*at)).is_some_and(|column| !types.has_float(&column.ty));
    primary_key.filter(ordered)
}

/// The names and types of what a view takes.
fn view_params(
    view: &ServerView,
    types: &mut Types<'_>,
    hint: &str,
) -> Result<Vec<(String, Ty)>, GenerateError> {
    let mut names = Scope::of_values();
    let params = view.params.iter().enumerate().map(|(at, param)| {
        let numbered = format!("arg{at}");
        let name = names::given(&param.name).unwrap_or(&numbered);
        let ident = names.give(&[&names::value(name.trim_start_matches('_'))]);
        let what = format!("`{name}` of the view `{}`", view.name);
        Ok((ident, types.ty(&param.ty, &what, &format!("{hint}{}", names::ty(name)))?))
    });
    params.collect()
}

/// Whether a view can take values of a type: SQL has literals for them, and they are no floats.
fn has_literals(ty: &ServerType) -> bool {
    use Scalar::{F32, F64, ScheduleAt, TimeDuration};
    match ty {
        ServerType::Scalar(scalar) => !matches!(scalar, TimeDuration | ScheduleAt | F32 | F64),
        ServerType::Array(element) => matches!(**element, ServerType::Scalar(Scalar::U8)),
        _ => false,
    }
}

/// The row type of a view in the typespace.
fn row_of(view: &ServerView) -> Option<u32> {
    match &view.returns {
        ServerType::Ref(row) => Some(*row),
        ServerType::Array(row) | ServerType::Option(row) => match &**row {
            ServerType::Ref(row) => Some(*row),
            _ => None,
        },
        ServerType::Product(fields) => match &fields[..] {
            [ServerField { name: Some(name), ty: ServerType::Ref(row) }]
                if &**name == "__query__" =>
            {
                Some(*row)
            }
            _ => None,
        },
        _ => None,
    }
}

/// The columns of a struct that is a row, and its fields' names.
fn own_rows(
    types: &mut Types<'_>,
    columns: &[ServerField],
    ident: &str,
    what: &str,
    keys: &Keys,
    auto_inc: &[u16],
    indexes: &[ServerIndex],
) -> Result<(Rows, Vec<String>), GenerateError> {
    let orders: Vec<_> = columns.iter().map(|column| !types.has_float(&column.ty)).collect();
    let exact = orders.iter().all(|exact| *exact);
    let fields = types.fields(columns, ident, what)?;
    let idents: Vec<_> = fields.iter().map(|field| field.ident.clone()).collect();
    let columns = fields.into_iter().zip(&orders).zip(0_u16..).map(|((field, &can_be_key), at)| {
        // What has no order and no equality can be no key, whatever the schema says.
        let index = keys.indexes.iter().find(|(columns, _)| columns[..] == [at]);
        Column {
            field,
            primary_key: can_be_key && keys.primary_key == Some(at),
            unique: can_be_key && keys.unique.contains(&at),
            auto_inc: auto_inc.contains(&at),
            index: index.filter(|_| can_be_key).map(|(_, algorithm)| *algorithm),
        }
    });
    let columns: Vec<_> = columns.collect();
    let mut scope = Scope::of_values();
    idents.iter().for_each(|ident| {
        scope.take(&constant(ident));
    });
    let several = keys.indexes.iter().filter(|(columns, _)| columns.len() > 1);
    let indexes = several.filter_map(|(positions, algorithm)| {
        // As with keys: what has no order has no ordered index.
        let ordered = |at: &u16| orders.get(usize::from(*at)).copied().unwrap_or(false);
        let names: Option<Vec<_>> =
            positions.iter().map(|at| idents.get(usize::from(*at)).cloned()).collect();
        let names = names.filter(|_| positions.iter().all(ordered))?;
        let own = indexes.iter().find(|index| index.columns == *positions);
        let own = own.and_then(|index| index.accessor.as_deref()).map(names::value);
        let by = names.iter().map(|name| name.strip_prefix("r#").unwrap_or(name));
        let by = format!("by_{}", by.collect::<Vec<_>>().join("_and_"));
        let free = |name: &String| scope.take(&constant(name));
        let ident = own.into_iter().chain([by]).find(free)?;
        Some(Index { ident, algorithm, columns: names })
    });
    let indexes = indexes.collect();
    let derives = Derives { copy: false, eq: exact, hash: false, ord: false };
    Ok((Rows::Own { derives, columns, indexes }, idents))
}

/// The macros' constant for a field or an index, as far as clashes go.
fn constant(ident: &str) -> String {
    ident.strip_prefix("r#").unwrap_or(ident).to_uppercase()
}

fn table_keys(table: &ServerTable) -> Keys {
    let unique = table.unique.iter().copied().filter(|at| Some(*at) != table.primary_key);
    let mut keys =
        Keys { primary_key: table.primary_key, unique: unique.collect(), indexes: Vec::new() };
    for ServerIndex { algorithm, columns, .. } in &table.indexes {
        let algorithm = match algorithm {
            IndexAlgorithm::BTree => "btree",
            IndexAlgorithm::Hash => "hash",
            IndexAlgorithm::Direct => "direct",
            _ => continue,
        };
        // What is unique has an index for that.
        let implied = matches!(columns[..], [column] if table.unique.contains(&column));
        if !implied && (1..=MAX_INDEX_COLUMNS).contains(&columns.len()) {
            keys.indexes.push((columns.clone(), algorithm));
        }
    }
    keys.indexes.sort();
    keys.indexes.dedup_by(|a, b| a.0 == b.0);
    keys
}
