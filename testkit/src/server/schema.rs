//! The module's schema, as the server's HTTP API tells it.
//!
//! # Source
//!
//! The replies of real servers in `tests/fixtures/schema`.

use std::fmt::Write as _;

use lightlike_core::schema::{FieldDef, FunctionDef, RowDef, SatsType, TableKind, TypeRef};

use super::http::{Request, Response};
use super::state::Shared;
use crate::database::schema::TableSchema;

/// Answers `GET /v1/database/:name/schema?version=..`.
pub(super) fn answer(shared: &Shared, request: &Request) -> Response {
    let refused =
        |why: &str| Response::text(400, format!("Failed to deserialize query string: {why}"));
    let version = match request.query("version") {
        Some("9") => 9,
        Some("10") => 10,
        Some(other) => {
            return refused(&format!("unknown variant `{other}`, expected `9` or `10`"));
        }
        None => return refused("missing field `version`"),
    };
    let mut schema = Writer::default();
    shared.with(|state| {
        let mut tables: Vec<_> = state.database.schemas.iter().collect();
        tables.sort_by_key(|table| table.name);
        tables.into_iter().for_each(|table| schema.add_table(table, version));
    });
    let mut functions = shared.module.functions.clone();
    functions.sort_by_key(|function| function.name);
    functions.iter().for_each(|function| schema.add_function(function, version));
    Response::json(if version == 9 { schema.version_9() } else { schema.version_10() })
}

/// The parts of a schema, each a list of JSON values.
#[derive(Default)]
struct Writer {
    typespace: Vec<String>,
    /// Names of types by their position in the typespace, and what tells the types apart.
    named: Vec<(Named, usize)>,
    tables: Vec<String>,
    views: Vec<String>,
    view_keys: Vec<String>,
    reducers: Vec<String>,
    procedures: Vec<String>,
    /// How many types are being written inside each other.
    depth: usize,
}

/// A struct or an enum: its name, and where its parts are described.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Named {
    name: &'static str,
    parts: usize,
}

/// Types that contain themselves are not written for ever: a server has none.
const MAX_DEPTH: usize = 64;

impl Writer {
    fn add_table(&mut self, table: &TableSchema, version: u8) {
        let name = quoted(table.name);
        let row = self.row(table.row);
        if table.kind == TableKind::View {
            self.views.push(format!(
                r#"{{{}:{name},"index":{},"is_public":{},"is_anonymous":false,"params":{{"elements":[]}},"return_type":{{"Array":{{"Ref":{row}}}}}}}"#,
                name_key(version),
                self.views.len(),
                !table.private,
            ));
            if let Some(key) = table.primary_key {
                let key = quoted(table.columns[usize::from(key)].name);
                self.view_keys.push(format!(r#"{{"view_source_name":{name},"columns":[{key}]}}"#));
            }
            return;
        }
        let single = table.unique.iter().map(std::slice::from_ref);
        let unique = single
            .clone()
            .map(|columns| format!(r#"{{"data":{{"Unique":{{"columns":{columns:?}}}}}}}"#));
        let several = table.indexes.iter().map(|index| index.columns);
        let indexes = single.clone().chain(several).map(|columns| {
            format!(r#"{{"accessor_name":{{"none":[]}},"algorithm":{{"BTree":{columns:?}}}}}"#)
        });
        let event = match version {
            9 => String::new(),
            _ => format!(r#","is_event":{}"#, table.kind == TableKind::Event),
        };
        let (indexes, unique) = (list(indexes), list(unique));
        self.tables.push(format!(
            r#"{{{}:{name},"product_type_ref":{row},"primary_key":{:?},"indexes":{indexes},"constraints":{unique},"sequences":[],"table_type":{{"User":[]}},"table_access":{{"{}":[]}}{event}}}"#,
            name_key(version),
            table.primary_key.as_slice(),
            if table.private { "Private" } else { "Public" },
        ));
    }

    fn add_function(&mut self, function: &FunctionDef, version: u8) {
        let (key, name) = (name_key(version), quoted(function.name));
        let params = self.fields(function.params.iter().copied());
        let returns = self.ty(function.returns);
        let head = format!(r#"{key}:{name},"params":{{"elements":{params}}}"#);
        let visibility = if version == 9 { "" } else { r#","visibility":{"ClientCallable":[]}"# };
        match function.error.filter(|_| version > 9).map(|error| self.ty(error)) {
            Some(error) => self.reducers.push(format!(
                r#"{{{head}{visibility},"ok_return_type":{returns},"err_return_type":{error}}}"#
            )),
            None if function.error.is_some() => {
                self.reducers.push(format!(r#"{{{head},"lifecycle":{{"none":[]}}}}"#));
            }
            None => {
                self.procedures.push(format!(r#"{{{head},"return_type":{returns}{visibility}}}"#))
            }
        }
    }

    /// The position of a row's type in the typespace.
    fn row(&mut self, row: RowDef) -> usize {
        let named = Named { name: row.name, parts: row.columns.as_ptr().addr() };
        let fields =
            row.columns.iter().map(|column| FieldDef { name: Some(column.name), ty: column.ty });
        self.reference(named, |writer| product(&writer.fields(fields)))
    }

    fn reference(&mut self, named: Named, write: impl FnOnce(&mut Self) -> String) -> usize {
        if let Some((_, at)) = self.named.iter().find(|(known, _)| *known == named) {
            return *at;
        }
        let at = self.typespace.len();
        self.typespace.push(String::new());
        self.named.push((named, at));
        self.typespace[at] = write(self);
        at
    }

    fn fields(&mut self, fields: impl Iterator<Item = FieldDef>) -> String {
        let fields: Vec<_> = fields
            .map(|field| {
                let ty = self.ty(field.ty);
                match field.name {
                    Some(name) => element(name, &ty),
                    None => format!(r#"{{"name":{{"none":[]}},"algebraic_type":{ty}}}"#),
                }
            })
            .collect();
        list(fields.into_iter())
    }

    fn ty(&mut self, ty: TypeRef) -> String {
        if self.depth >= MAX_DEPTH {
            return sum(&[]);
        }
        self.depth += 1;
        let text = self.type_of(ty.get());
        self.depth -= 1;
        text
    }

    fn type_of(&mut self, ty: SatsType) -> String {
        const TIMESTAMP: &str = "__timestamp_micros_since_unix_epoch__";
        let special = |name, inner: &str| {
            product(&list([element(name, &format!(r#"{{"{inner}":[]}}"#))].into_iter()))
        };
        let unit = || product("[]");
        match ty {
            SatsType::Identity => special("__identity__", "U256"),
            SatsType::ConnectionId => special("__connection_id__", "U128"),
            SatsType::Timestamp => special(TIMESTAMP, "I64"),
            SatsType::TimeDuration => special("__time_duration_micros__", "I64"),
            SatsType::Uuid => special("__uuid__", "U128"),
            SatsType::ScheduleAt => sum(&[
                element("Interval", &special("__time_duration_micros__", "I64")),
                element("Time", &special(TIMESTAMP, "I64")),
            ]),
            SatsType::Array(inner) => format!(r#"{{"Array":{}}}"#, self.ty(inner)),
            SatsType::Option(some) => {
                sum(&[element("some", &self.ty(some)), element("none", &unit())])
            }
            SatsType::Result(ok, err) => {
                sum(&[element("ok", &self.ty(ok)), element("err", &self.ty(err))])
            }
            SatsType::Product(def) => {
                let fields = def.fields.iter().copied();
                let Some(name) = def.name else { return product(&self.fields(fields)) };
                let named = Named { name, parts: def.fields.as_ptr().addr() };
                let at = self.reference(named, |writer| product(&writer.fields(fields)));
                format!(r#"{{"Ref":{at}}}"#)
            }
            SatsType::Sum(def) => {
                let named = Named { name: def.name, parts: def.variants.as_ptr().addr() };
                let at = self.reference(named, |writer| {
                    let variants = def.variants.iter().map(|variant| {
                        let payload = variant.payload.map(|payload| writer.ty(payload));
                        element(variant.name, &payload.unwrap_or_else(|| product("[]")))
                    });
                    sum(&variants.collect::<Vec<_>>())
                });
                format!(r#"{{"Ref":{at}}}"#)
            }
            plain => format!(r#"{{"{plain:?}":[]}}"#),
        }
    }

    fn types(&self, version: u8) -> String {
        let key = name_key(version);
        list(self.named.iter().map(|(named, at)| {
            let name = quoted(named.name);
            // The two versions name the outer field alike or not at all.
            format!(r#"{{{key}:{{"scope":[],{key}:{name}}},"ty":{at},"custom_ordering":true}}"#)
        }))
    }

    fn version_9(&self) -> String {
        let wrapped = |kind: &str, values: &[String]| {
            values.iter().map(|value| format!(r#"{{"{kind}":{value}}}"#)).collect::<Vec<_>>()
        };
        let misc = [wrapped("Procedure", &self.procedures), wrapped("View", &self.views)].concat();
        format!(
            r#"{{"typespace":{{"types":{}}},"tables":{},"reducers":{},"types":{},"misc_exports":{},"row_level_security":[]}}"#,
            list(self.typespace.iter()),
            list(self.tables.iter()),
            list(self.reducers.iter()),
            self.types(9),
            list(misc.iter()),
        )
    }

    fn version_10(&self) -> String {
        let mut sections = vec![
            format!(r#"{{"Typespace":{{"types":{}}}}}"#, list(self.typespace.iter())),
            format!(r#"{{"Types":{}}}"#, self.types(10)),
        ];
        for (name, values) in [
            ("Tables", &self.tables),
            ("Reducers", &self.reducers),
            ("Procedures", &self.procedures),
            ("Views", &self.views),
            ("ViewPrimaryKeys", &self.view_keys),
        ] {
            // A section that would be empty is not there.
            if !values.is_empty() {
                sections.push(format!(r#"{{"{name}":{}}}"#, list(values.iter())));
            }
        }
        format!(r#"{{"sections":{}}}"#, list(sections.iter()))
    }
}

/// The key under which a version has a name.
fn name_key(version: u8) -> &'static str {
    if version == 9 { r#""name""# } else { r#""source_name""# }
}

fn product(elements: &str) -> String {
    format!(r#"{{"Product":{{"elements":{elements}}}}}"#)
}

fn sum(variants: &[String]) -> String {
    format!(r#"{{"Sum":{{"variants":{}}}}}"#, list(variants.iter()))
}

fn element(name: &str, ty: &str) -> String {
    format!(r#"{{"name":{{"some":{}}},"algebraic_type":{ty}}}"#, quoted(name))
}

fn list(values: impl Iterator<Item = impl AsRef<str>>) -> String {
    let values: Vec<_> = values.map(|value| value.as_ref().to_owned()).collect();
    format!("[{}]", values.join(","))
}

/// A string as JSON has it.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
