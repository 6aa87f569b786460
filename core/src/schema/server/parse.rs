//! From a reply about a module's schema to the schema.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;

use super::raw::{
    RawLifecycle, RawNames, RawOutbox, RawProcedure, RawProduct, RawReducer, RawSchedule,
    RawSubmodule, RawTable, RawTypeName, RawTypespace, RawUnique, RawV9, RawV10, RawVariable,
    RawView, RawViewKey,
};
use super::{
    IndexAlgorithm, ServerField, ServerIndex, ServerProcedure, ServerReducer, ServerSchema,
    ServerTable, ServerType, ServerTypeName, ServerVariable, ServerView,
};

/// A reply that is not the schema of a module.
#[derive(Debug, thiserror::Error)]
#[error("this is not the schema of a module: {0}")]
pub struct SchemaError(Box<str>);

impl SchemaError {
    fn new(what: impl Into<Box<str>>) -> Self {
        Self(what.into())
    }
}

impl From<serde_json::Error> for SchemaError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string().into())
    }
}

/// Reads the columns of a reply to SQL.
///
/// # Errors
///
/// [`SchemaError`] if `json` is not a product type.
pub fn parse_columns(json: &str) -> Result<Vec<ServerField>, SchemaError> {
    Ok(serde_json::from_str::<RawProduct>(json)?.into_fields())
}

impl ServerSchema {
    /// Reads a reply to `GET /v1/database/:name/schema`, of version 10 or 9. What a newer server adds is skipped.
    ///
    /// # Errors
    ///
    /// [`SchemaError`] if it is not one: not JSON, without what every schema has, or with a type that this client does not
    /// know.
    pub fn parse(json: &str) -> Result<Self, SchemaError> {
        let value: serde_json::Value = serde_json::from_str(json)?;
        let schema = if value.get("sections").is_some() {
            parse_v10(serde_json::from_value(value)?)?
        } else if value.get("typespace").is_some() {
            parse_v9(serde_json::from_value(value)?)?
        } else {
            return Err(SchemaError::new("it has neither `sections` nor a `typespace`"));
        };
        Ok(schema)
    }
}

fn parse_v9(raw: RawV9) -> Result<ServerSchema, SchemaError> {
    let mut parts = Parts::new(9);
    parts.typespace = raw.typespace;
    parts.tables = raw.tables;
    parts.reducers = raw.reducers;
    parts.types = raw.types;
    for export in raw.misc_exports {
        for (kind, value) in export {
            match &*kind {
                "Procedure" => parts.procedures.push(serde_json::from_value(value)?),
                "View" => parts.views.push(serde_json::from_value(value)?),
                _ => (),
            }
        }
    }
    let mut schema = parts.into_schema()?;
    schema.sort();
    Ok(schema)
}

fn parse_v10(raw: RawV10) -> Result<ServerSchema, SchemaError> {
    let mut parts = Parts::new(10);
    let mut submodules: Vec<RawSubmodule> = Vec::new();
    for (kind, section) in raw.sections.into_iter().flatten() {
        match &*kind {
            "Typespace" => parts.typespace = section_of(&kind, section)?,
            "Types" => parts.types = section_of(&kind, section)?,
            "Tables" => parts.tables = section_of(&kind, section)?,
            "Reducers" => parts.reducers = section_of(&kind, section)?,
            "Procedures" => parts.procedures = section_of(&kind, section)?,
            "Views" => parts.views = section_of(&kind, section)?,
            "Schedules" => parts.schedules = section_of(&kind, section)?,
            "ViewPrimaryKeys" => parts.view_keys = section_of(&kind, section)?,
            "LifeCycleReducers" => {
                let lifecycle: Vec<RawLifecycle> = section_of(&kind, section)?;
                parts.lifecycle = lifecycle.into_iter().map(|entry| entry.function_name).collect();
            }
            "ExplicitNames" => parts.names = Names::new(section_of(&kind, section)?),
            "Submodules" => submodules = section_of(&kind, section)?,
            "Environment" => parts.environment = section_of(&kind, section)?,
            "Outboxes" => parts.outboxes = section_of(&kind, section)?,
            // A newer server's.
            _ => (),
        }
    }
    // The section has the name in the module's source; the one on the wire is among the explicit names.
    let submodules: Vec<_> = submodules
        .into_iter()
        .map(|it| (Names::of(&parts.names.namespaces, &it.namespace), it.module))
        .collect();
    let mut schema = parts.into_schema()?;
    for (namespace, module) in submodules {
        schema.absorb(&namespace, parse_v10(module)?);
    }
    schema.sort();
    Ok(schema)
}

fn section_of<T: DeserializeOwned>(
    kind: &str,
    section: serde_json::Value,
) -> Result<T, SchemaError> {
    serde_json::from_value(section)
        .map_err(|error| SchemaError::new(format!("section {kind}: {error}")))
}

/// Wire names by the names in the module's source.
#[derive(Default)]
struct Names {
    tables: BTreeMap<Box<str>, Box<str>>,
    functions: BTreeMap<Box<str>, Box<str>>,
    namespaces: BTreeMap<Box<str>, Box<str>>,
}

impl Names {
    fn new(raw: RawNames) -> Self {
        let mut names = Self::default();
        for (kind, name) in raw.entries.into_iter().flatten() {
            let map = match &*kind {
                "Table" => &mut names.tables,
                "Function" => &mut names.functions,
                "Namespace" => &mut names.namespaces,
                _ => continue,
            };
            map.insert(name.source_name, name.canonical_name);
        }
        names
    }

    fn of(map: &BTreeMap<Box<str>, Box<str>>, source: &str) -> Box<str> {
        map.get(source).cloned().unwrap_or_else(|| source.into())
    }
}

/// Parts of a schema, in either version.
struct Parts {
    version: u8,
    typespace: RawTypespace,
    types: Vec<RawTypeName>,
    tables: Vec<RawTable>,
    reducers: Vec<RawReducer>,
    procedures: Vec<RawProcedure>,
    views: Vec<RawView>,
    view_keys: Vec<RawViewKey>,
    schedules: Vec<RawSchedule>,
    lifecycle: BTreeSet<Box<str>>,
    names: Names,
    environment: Vec<RawVariable>,
    outboxes: Vec<RawOutbox>,
}

impl Parts {
    fn new(version: u8) -> Self {
        Self {
            version,
            typespace: RawTypespace { types: Vec::new() },
            types: Vec::new(),
            tables: Vec::new(),
            reducers: Vec::new(),
            procedures: Vec::new(),
            views: Vec::new(),
            view_keys: Vec::new(),
            schedules: Vec::new(),
            lifecycle: BTreeSet::new(),
            names: Names::default(),
            environment: Vec::new(),
            outboxes: Vec::new(),
        }
    }

    fn into_schema(self) -> Result<ServerSchema, SchemaError> {
        let Self { names, lifecycle, view_keys, schedules, outboxes, .. } = self;
        let mut schema = ServerSchema {
            version: self.version,
            typespace: self.typespace.types.into_iter().map(ServerType::from).collect(),
            types: self.types.into_iter().map(type_name).collect(),
            tables: Vec::new(),
            views: Vec::new(),
            reducers: self
                .reducers
                .into_iter()
                .map(|raw| reducer(raw, &names, &lifecycle))
                .collect(),
            procedures: self.procedures.into_iter().map(|raw| procedure(raw, &names)).collect(),
            environment: self.environment.into_iter().map(variable).collect(),
        };
        for raw in self.tables {
            let name = Names::of(&names.tables, &raw.name);
            let schedule = schedules.iter().find(|schedule| schedule.table_name == raw.name);
            let mut table = table(raw, name, &schema.typespace)?;
            if let Some(schedule) = schedule {
                table.schedule = Some(schedule.function_name.clone());
            }
            let outbox = outboxes.iter().find(|outbox| outbox.table_name == table.source_name);
            table.outbox = outbox.map(|outbox| outbox.remote_reducer.clone());
            schema.tables.push(table);
        }
        for raw in self.views {
            let key = view_keys.iter().find(|key| key.view_source_name == raw.name);
            let key = key.and_then(|key| key.columns.first());
            schema.views.push(view(raw, &names, key.map(|key| &**key), &schema)?);
        }
        Ok(schema)
    }
}

fn type_name(raw: RawTypeName) -> ServerTypeName {
    ServerTypeName { scope: raw.name.scope, name: raw.name.name, ty: raw.ty }
}

fn reducer(raw: RawReducer, names: &Names, lifecycle: &BTreeSet<Box<str>>) -> ServerReducer {
    let by_the_server = lifecycle.contains(&raw.name) || raw.lifecycle.into_option().is_some();
    let private = raw.visibility.is_some_and(|visibility| !visibility.is("ClientCallable"));
    ServerReducer {
        name: Names::of(&names.functions, &raw.name),
        source_name: raw.name,
        params: raw.params.into_fields(),
        callable: !by_the_server && !private,
        returns: raw.ok_return_type.map(ServerType::from),
        error: raw.err_return_type.map(ServerType::from),
    }
}

fn procedure(raw: RawProcedure, names: &Names) -> ServerProcedure {
    ServerProcedure {
        name: Names::of(&names.functions, &raw.name),
        source_name: raw.name,
        params: raw.params.into_fields(),
        callable: raw.visibility.is_none_or(|visibility| visibility.is("ClientCallable")),
        returns: raw.return_type.into(),
    }
}

fn variable(raw: RawVariable) -> ServerVariable {
    let values = raw.ty.into_iter().find_map(|(kind, value)| match &*kind {
        "StringLiteral" => serde_json::from_value(value).ok().map(|value| vec![value]),
        "Union" => serde_json::from_value(value).ok(),
        _ => None,
    });
    ServerVariable { name: raw.name, values, optional: raw.optional }
}

fn table(
    raw: RawTable,
    name: Box<str>,
    typespace: &[ServerType],
) -> Result<ServerTable, SchemaError> {
    let row = ServerType::Ref(raw.product_type_ref);
    let columns = columns(&row, typespace)
        .ok_or_else(|| SchemaError::new(format!("the row of the table `{name}` is no product")))?;
    let primary_key = match raw.primary_key[..] {
        [] => None,
        [column, ..] => Some(column),
    };
    let mut unique: BTreeSet<u16> = primary_key.into_iter().collect();
    for mut constraint in raw.constraints {
        let Some(constraint) = constraint.data.remove("Unique") else { continue };
        let RawUnique { columns } = serde_json::from_value(constraint)?;
        if let [column] = columns[..] {
            unique.insert(column);
        }
    }
    let indexes = raw.indexes.into_iter().flat_map(|raw| {
        let accessor = raw.accessor_name.into_option();
        let index =
            move |(algorithm, columns): (String, _)| index(&algorithm, accessor.clone(), columns);
        raw.algorithm.into_iter().map(index)
    });
    Ok(ServerTable {
        name,
        source_name: raw.name,
        row: raw.product_type_ref,
        columns,
        primary_key,
        unique: unique.into_iter().collect(),
        indexes: indexes.collect(),
        auto_inc: raw.sequences.iter().map(|sequence| sequence.column).collect(),
        schedule: raw.schedule.into_option().map(|schedule| schedule.reducer_name),
        event: raw.is_event,
        public: raw.table_access.is("Public"),
        outbox: None,
    })
}

fn index(algorithm: &str, accessor: Option<Box<str>>, columns: serde_json::Value) -> ServerIndex {
    // Of a direct index the one column; of one that we do not know, what looks like columns.
    let columns = match serde_json::from_value::<u16>(columns.clone()) {
        Ok(column) => vec![column],
        Err(_) => serde_json::from_value(columns).unwrap_or_default(),
    };
    let algorithm = match algorithm {
        "BTree" => IndexAlgorithm::BTree,
        "Hash" => IndexAlgorithm::Hash,
        "Direct" => IndexAlgorithm::Direct,
        _ => IndexAlgorithm::Unknown,
    };
    ServerIndex { algorithm, accessor, columns }
}

fn view(
    raw: RawView,
    names: &Names,
    key: Option<&str>,
    schema: &ServerSchema,
) -> Result<ServerView, SchemaError> {
    let name = Names::of(&names.functions, &raw.name);
    let returns = ServerType::from(raw.return_type);
    let (row, query) = match &returns {
        ServerType::Array(row) | ServerType::Option(row) => (&**row, false),
        ServerType::Product(fields) => match &fields[..] {
            [field] if field.name.as_deref() == Some("__query__") => (&field.ty, true),
            _ => (&returns, false),
        },
        _ => (&returns, false),
    };
    let columns = columns(row, &schema.typespace)
        .ok_or_else(|| SchemaError::new(format!("the row of the view `{name}` is no product")))?;
    let params = raw.params.into_fields();
    let inherited = || {
        let ServerType::Ref(row) = row else { return None };
        let table = schema.tables.iter().find(|table| table.row == *row)?;
        table.primary_key.filter(|_| query)
    };
    let named = key.and_then(|key| position(&columns, key));
    // Rows for different arguments may have the same key, so a view with parameters has none, whatever is said.
    let primary_key = named.or_else(inherited).filter(|_| params.is_empty());
    Ok(ServerView {
        name,
        source_name: raw.name,
        primary_key,
        columns,
        params,
        public: raw.is_public,
        anonymous: raw.is_anonymous,
        returns,
    })
}

/// The columns of a row type.
fn columns(row: &ServerType, typespace: &[ServerType]) -> Option<Vec<ServerField>> {
    let row = match row {
        ServerType::Ref(at) => typespace.get(*at as usize)?,
        row => row,
    };
    match row {
        ServerType::Product(fields) => Some(fields.clone()),
        // A row of one column, called like the field of a special type.
        ServerType::Scalar(_) => Some(vec![ServerField { name: None, ty: row.clone() }]),
        _ => None,
    }
}

fn position(columns: &[ServerField], name: &str) -> Option<u16> {
    let at = columns.iter().position(|column| column.name.as_deref() == Some(name))?;
    u16::try_from(at).ok()
}
