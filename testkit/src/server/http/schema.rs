//! The database's schema, as the server's reply of version 10.
//!
//! It has what the tables' and functions' descriptors say. Schedules, defaults and sequences are not among that. What has a
//! dot in its name is in a submodule.

use std::collections::{BTreeSet, HashMap};

use lightlike_core::schema::{
    FieldDef, FunctionDef, ProductDef, RowDef, SatsType, SumDef, TableKind,
};
use serde_json::{Value, json};

use crate::database::schema::TableSchema;
use crate::module::Module;
use crate::server::http::{Request, Response};
use crate::server::state::{Shared, State};

/// Answers a request for the schema.
///
/// # Source
///
/// `tests/fixtures/http` 44 to 47, but for version 9, which is an older server's.
pub(crate) fn answer(shared: &Shared, request: &Request) -> Response {
    let refused =
        |why: String| Response::text(400, format!("Failed to deserialize query string: {why}"));
    match request.query("version") {
        Some("10") => Response::json(shared.look(reply).to_string()),
        Some(version) => refused(format!("unknown variant `{version}`, expected `10`")),
        None => refused("missing field `version`".to_owned()),
    }
}

fn reply(state: &State) -> Value {
    module(state, "")
}

/// The module that is mounted at a namespace, with its submodules. Each has types of its own.
fn module(state: &State, namespace: &str) -> Value {
    let mut types = Typespace::default();
    let own = |name: &'static str| local(name, namespace).filter(|name| !name.contains('.'));
    let schemas = || {
        let all = state.database.schemas.iter();
        all.filter_map(move |schema| Some((own(schema.name)?, schema)))
    };
    let tables: Vec<_> = schemas()
        .filter(|(_, schema)| schema.kind != TableKind::View)
        .map(|(name, schema)| table(name, schema, &mut types))
        .collect();
    let views: Vec<_> = schemas()
        .filter(|(_, schema)| schema.kind == TableKind::View)
        .map(|(name, schema)| view(name, schema, &mut types))
        .collect();
    let view_keys: Vec<_> = schemas().filter_map(|(name, schema)| view_key(name, schema)).collect();
    let Module { reducer_defs, procedure_defs, .. } = &*state.module;
    let reducers: Vec<_> = reducer_defs
        .iter()
        .filter_map(|def| Some(reducer(own(def.name)?, def, &mut types)))
        .collect();
    let procedures: Vec<_> = procedure_defs
        .iter()
        .filter_map(|def| Some(procedure(own(def.name)?, def, &mut types)))
        .collect();
    let Typespace { types, names, .. } = types;
    json!({"sections": [
        {"Typespace": {"types": types}},
        {"Types": names},
        {"Tables": tables},
        {"Reducers": reducers},
        {"Procedures": procedures},
        {"Views": views},
        {"ViewPrimaryKeys": view_keys},
        {"Submodules": submodules(state, namespace)},
    ]})
}

/// The submodules right below a namespace: a dot in a name on the wire ends a namespace.
fn submodules(state: &State, namespace: &str) -> Vec<Value> {
    let tables = state.database.schemas.iter().map(|schema| schema.name);
    let Module { reducer_defs, procedure_defs, .. } = &*state.module;
    let functions = reducer_defs.iter().chain(procedure_defs).map(|def| def.name);
    let below = |name| Some(local(name, namespace)?.split_once('.')?.0);
    let names: BTreeSet<&str> = tables.chain(functions).filter_map(below).collect();
    let mounted = |name: &str| match namespace {
        "" => name.to_owned(),
        namespace => format!("{namespace}.{name}"),
    };
    names
        .into_iter()
        .map(|name| json!({"namespace": name, "module": module(state, &mounted(name))}))
        .collect()
}

/// A name without the namespace that it is in, if it is in that one.
fn local(name: &'static str, namespace: &str) -> Option<&'static str> {
    match namespace {
        "" => Some(name),
        namespace => name.strip_prefix(namespace)?.strip_prefix('.'),
    }
}

/// The columns of a table's rows, as the reply to SQL has them: without references.
pub(crate) fn columns(schema: &TableSchema) -> Value {
    let columns = schema.columns.iter().map(|column| (Some(column.name), column.ty));
    json!({"elements": fields(columns, &mut inline)})
}

fn table(name: &str, schema: &TableSchema, types: &mut Typespace) -> Value {
    let def = schema.def;
    let unique = schema.unique.iter().map(
        |column| json!({"source_name": {"none": []}, "data": {"Unique": {"columns": [column]}}}),
    );
    let indexes = def
        .indexes
        .iter()
        .map(|index| json!({"source_name": {"none": []}, "algorithm": {"BTree": index.columns}}));
    let access = if schema.private { json!({"Private": []}) } else { json!({"Public": []}) };
    json!({
        "source_name": name,
        "product_type_ref": types.row(def.row),
        "primary_key": schema.primary_key.as_slice(),
        "indexes": indexes.collect::<Vec<_>>(),
        "constraints": unique.collect::<Vec<_>>(),
        "table_access": access,
        "is_event": schema.kind == TableKind::Event,
    })
}

fn view(name: &str, schema: &TableSchema, types: &mut Typespace) -> Value {
    json!({
        "source_name": name,
        "is_public": !schema.private,
        "is_anonymous": false,
        "params": {"elements": []},
        "return_type": {"Array": {"Ref": types.row(schema.def.row)}},
    })
}

fn view_key(name: &str, schema: &TableSchema) -> Option<Value> {
    let key = schema.primary_key.filter(|_| schema.kind == TableKind::View)?;
    let column = schema.columns.get(usize::from(key))?.name;
    Some(json!({"view_source_name": name, "columns": [column]}))
}

fn reducer(name: &str, def: &FunctionDef, types: &mut Typespace) -> Value {
    let unit = SatsType::Product(ProductDef { name: None, fields: &[] });
    json!({
        "source_name": name,
        "params": {"elements": params(def.params, types)},
        "visibility": {"ClientCallable": []},
        "ok_return_type": types.reference(def.returns.get()),
        "err_return_type": types.reference(def.error.map_or(unit, |error| error.get())),
    })
}

fn procedure(name: &str, def: &FunctionDef, types: &mut Typespace) -> Value {
    json!({
        "source_name": name,
        "params": {"elements": params(def.params, types)},
        "visibility": {"ClientCallable": []},
        "return_type": types.reference(def.returns.get()),
    })
}

fn params(params: &[FieldDef], types: &mut Typespace) -> Vec<Value> {
    let params = params.iter().map(|param| (param.name, param.ty.get()));
    fields(params, &mut |ty| types.reference(ty))
}

/// The user's own types, to which all others refer.
#[derive(Default)]
struct Typespace {
    types: Vec<Value>,
    names: Vec<Value>,
    /// By name and by where the definition lies, which two types of one name do not share.
    known: HashMap<(&'static str, usize), usize>,
}

impl Typespace {
    /// Position of the row type.
    fn row(&mut self, row: RowDef) -> usize {
        let columns = row.columns.iter().map(|column| (Some(column.name), column.ty.get()));
        self.named(row.name, row.columns.as_ptr() as usize, |types| {
            json!({"Product": {"elements": fields(columns, &mut |ty| types.reference(ty))}})
        })
    }

    /// A type; a named one is a reference to it.
    fn reference(&mut self, ty: SatsType) -> Value {
        let (name, address) = match ty {
            SatsType::Product(ProductDef { name: Some(name), fields }) => {
                (name, fields.as_ptr() as usize)
            }
            SatsType::Sum(SumDef { name, variants, .. }) => (name, variants.as_ptr() as usize),
            ty => return written(ty, &mut |ty| self.reference(ty)),
        };
        let at = self.named(name, address, |types| written(ty, &mut |ty| types.reference(ty)));
        json!({"Ref": at})
    }

    fn named(
        &mut self,
        name: &'static str,
        address: usize,
        write: impl FnOnce(&mut Self) -> Value,
    ) -> usize {
        if let Some(at) = self.known.get(&(name, address)) {
            return *at;
        }
        // Known before it is written: a type may contain itself.
        let at = self.types.len();
        self.known.insert((name, address), at);
        self.types.push(Value::Null);
        self.names.push(json!({"source_name": {"scope": [], "source_name": name}, "ty": at}));
        let ty = write(self);
        if let Some(place) = self.types.get_mut(at) {
            *place = ty;
        }
        at
    }
}

/// A type with all that is in it.
fn inline(ty: SatsType) -> Value {
    written(ty, &mut inline)
}

/// A type, its parts written by `part`.
fn written(ty: SatsType, part: &mut dyn FnMut(SatsType) -> Value) -> Value {
    let unit = json!({"Product": {"elements": []}});
    match ty {
        SatsType::Identity => special("__identity__", "U256"),
        SatsType::ConnectionId => special("__connection_id__", "U128"),
        SatsType::Timestamp => special("__timestamp_micros_since_unix_epoch__", "I64"),
        SatsType::TimeDuration => special("__time_duration_micros__", "I64"),
        SatsType::Uuid => special("__uuid__", "U128"),
        SatsType::ScheduleAt => sum([
            ("Interval", special("__time_duration_micros__", "I64")),
            ("Time", special("__timestamp_micros_since_unix_epoch__", "I64")),
        ]),
        SatsType::Array(element) => json!({"Array": part(element.get())}),
        SatsType::Option(some) => sum([("some", part(some.get())), ("none", unit)]),
        SatsType::Result(ok, err) => sum([("ok", part(ok.get())), ("err", part(err.get()))]),
        SatsType::Product(product) => {
            let all = product.fields.iter().map(|field| (field.name, field.ty.get()));
            json!({"Product": {"elements": fields(all, part)}})
        }
        SatsType::Sum(SumDef { variants, .. }) => sum(variants.iter().map(|variant| {
            let payload = variant.payload.map(|payload| part(payload.get()));
            (variant.name, payload.unwrap_or_else(|| unit.clone()))
        })),
        // The others are called as their variants are.
        scalar => json!({format!("{scalar:?}"): []}),
    }
}

fn special(field: &str, scalar: &str) -> Value {
    json!({"Product": {"elements": [element(Some(field), json!({scalar: []}))]}})
}

fn sum(variants: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let variants = variants.into_iter().map(|(name, ty)| element(Some(name), ty));
    json!({"Sum": {"variants": variants.collect::<Vec<_>>()}})
}

fn fields(
    fields: impl Iterator<Item = (Option<&'static str>, SatsType)>,
    part: &mut dyn FnMut(SatsType) -> Value,
) -> Vec<Value> {
    fields.map(|(name, ty)| element(name, part(ty))).collect()
}

fn element(name: Option<&str>, ty: Value) -> Value {
    let name = name.map_or_else(|| json!({"none": []}), |name| json!({"some": name}));
    json!({"name": name, "algebraic_type": ty})
}
