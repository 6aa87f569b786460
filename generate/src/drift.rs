//! Two schemas beside each other: one that was kept, and what the server has now.

use std::collections::BTreeMap;
use std::fmt;

use lightlike_core::schema::{ServerField, ServerSchema, ServerType};

/// One thing in which a kept schema differs from the server's, as a line to read:
/// `table message, column 3: server has sent: Timestamp, file has sent: u64`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drift {
    /// Place of the difference: `table message, column 3`.
    pub place: Box<str>,
    /// Text of the server's side; none if it has nothing there.
    pub server: Option<Box<str>>,
    /// Text of the file's side; none if it has nothing there.
    pub file: Option<Box<str>>,
    /// `true` if no client notices: another name for an argument, which is sent by its position, or an environment variable.
    pub is_note: bool,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, server, file, .. } = self;
        let shown = |side: &Option<Box<str>>| side.clone().unwrap_or_else(|| "nothing".into());
        write!(f, "{place}: server has {}, file has {}", shown(server), shown(file))
    }
}

/// Compares a schema that was kept with the server's, in the order of names. What an older reply does not tell is no
/// difference, nor is the order in which a server lists things.
///
/// ```
/// use lightlike_generate::{ServerSchema, drift};
///
/// # fn main() -> Result<(), lightlike_generate::SchemaError> {
/// let note = |ty: &str| format!(r#"{{"sections":[
///     {{"Typespace":{{"types":[{{"Product":{{"elements":[{{"name":{{"some":"id"}},"algebraic_type":{{"{ty}":[]}}}}]}}}}]}}}},
///     {{"Tables":[{{"source_name":"note","product_type_ref":0,"primary_key":[],"table_access":{{"Public":[]}}}}]}}]}}"#);
/// let (file, server) = (ServerSchema::parse(&note("U32"))?, ServerSchema::parse(&note("U64"))?);
/// let differences = drift(&server, &file);
/// assert_eq!(differences[0].to_string(), "table note, column 1: server has id: u64, file has id: u32");
/// # Ok(())
/// # }
/// ```
pub fn drift(server: &ServerSchema, file: &ServerSchema) -> Vec<Drift> {
    let version = server.version.min(file.version);
    let (server, mut file) = (facts(server, version), facts(file, version));
    let mut differences = Vec::new();
    for (place, server) in server {
        let file = file.remove(&place);
        if file.as_ref() != Some(&server) {
            differences.push((place, Some(server), file));
        }
    }
    differences.extend(file.into_iter().map(|(place, file)| (place, None, Some(file))));
    differences.sort_by(|a, b| a.0.cmp(&b.0));
    let differences = differences.into_iter().map(|(place, server, file)| Drift {
        is_note: place.is_unseen(server.as_deref(), file.as_deref()),
        place: place.to_string().into(),
        server: server.map(String::into_boxed_str),
        file: file.map(String::into_boxed_str),
    });
    differences.collect()
}

/// Kind of the places of environment variables.
const ENVIRONMENT: &str = "environment";
/// Word for a parameter, of which a client sends the value alone.
const ARGUMENT: &str = "argument";

/// Place of a difference, in the order in which places are listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    kind: &'static str,
    name: String,
    part: Part,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Itself,
    Numbered(&'static str, usize),
    Said(&'static str),
}

impl Place {
    /// Returns `true` if what differs here makes no difference to a client.
    fn is_unseen(&self, server: Option<&str>, file: Option<&str>) -> bool {
        let ty = |fact: &str| fact.split_once(": ").map(|(_, ty)| ty.to_owned());
        let is_renamed = || match (server.map(ty), file.map(ty)) {
            (Some(Some(server)), Some(Some(file))) => server == file,
            _ => false,
        };
        self.kind == ENVIRONMENT
            || (matches!(self.part, Part::Numbered(ARGUMENT, _)) && is_renamed())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, part } = self;
        write!(f, "{kind} {name}")?;
        match part {
            Part::Itself => Ok(()),
            Part::Numbered(what, at) => write!(f, ", {what} {}", at + 1),
            Part::Said(what) => write!(f, ", {what}"),
        }
    }
}

/// Everything that a schema says, by where it says it.
fn facts(schema: &ServerSchema, version: u8) -> BTreeMap<Place, String> {
    let mut facts = Facts { schema, all: BTreeMap::new() };
    for table in &schema.tables {
        let name = &*table.name;
        facts.add("table", name, Part::Itself, "a table");
        facts.fields("table", name, "column", &table.columns);
        facts.key("table", name, table.primary_key, &table.columns);
        let unique = table.unique.iter().filter(|at| Some(**at) != table.primary_key);
        facts.say("table", name, "unique columns", facts.columns(unique, &table.columns));
        let mut indexes: Vec<_> = table
            .indexes
            .iter()
            .map(|index| format!("({})", facts.columns(&index.columns, &table.columns)))
            .collect();
        indexes.sort();
        facts.say("table", name, "indexes", indexes.join(", "));
        if let Some(reducer) = &table.outbox {
            facts.say("table", name, "outbox", format!("of calls of {reducer}"));
        }
        facts.say("table", name, "access", if table.public { "public" } else { "private" });
        if let (Some(event), 10..) = (table.event, version) {
            let rows = if event { "delivered once" } else { "kept" };
            facts.say("table", name, "rows", rows);
        }
    }
    for view in &schema.views {
        let name = &*view.name;
        facts.add("view", name, Part::Itself, "a view");
        facts.fields("view", name, "column", &view.columns);
        facts.fields("view", name, ARGUMENT, &view.params);
        facts.say("view", name, "access", if view.public { "public" } else { "private" });
        if version > 9 {
            facts.key("view", name, view.primary_key, &view.columns);
        }
    }
    for reducer in &schema.reducers {
        let name = &*reducer.name;
        facts.add("reducer", name, Part::Itself, "a reducer");
        facts.fields("reducer", name, ARGUMENT, &reducer.params);
        if version > 9 {
            facts.say("reducer", name, "clients", callable(reducer.callable));
            for (what, ty) in [("return type", &reducer.returns), ("error type", &reducer.error)] {
                if let Some(ty) = ty {
                    facts.say("reducer", name, what, schema.display(ty).to_string());
                }
            }
        }
    }
    for procedure in &schema.procedures {
        let name = &*procedure.name;
        facts.add("procedure", name, Part::Itself, "a procedure");
        facts.fields("procedure", name, ARGUMENT, &procedure.params);
        facts.say("procedure", name, "return type", schema.display(&procedure.returns).to_string());
        if version > 9 {
            facts.say("procedure", name, "clients", callable(procedure.callable));
        }
    }
    for variable in &schema.environment {
        facts.add(ENVIRONMENT, &variable.name, Part::Itself, variable.to_string());
    }
    for named in &schema.types {
        facts.named_type(&named.scope, &named.name, named.ty);
    }
    facts.all
}

fn callable(callable: bool) -> &'static str {
    if callable { "may call it" } else { "may not call it" }
}

struct Facts<'s> {
    schema: &'s ServerSchema,
    all: BTreeMap<Place, String>,
}

impl Facts<'_> {
    fn add(&mut self, kind: &'static str, name: &str, part: Part, fact: impl Into<String>) {
        self.all.insert(Place { kind, name: name.to_owned(), part }, fact.into());
    }

    fn say(&mut self, kind: &'static str, name: &str, what: &'static str, fact: impl Into<String>) {
        let fact = fact.into();
        if !fact.is_empty() {
            self.add(kind, name, Part::Said(what), fact);
        }
    }

    fn fields(
        &mut self,
        kind: &'static str,
        name: &str,
        what: &'static str,
        fields: &[ServerField],
    ) {
        for (at, field) in fields.iter().enumerate() {
            let ty = self.schema.display(&field.ty);
            let fact = match &field.name {
                Some(name) => format!("{name}: {ty}"),
                None => ty.to_string(),
            };
            self.add(kind, name, Part::Numbered(what, at), fact);
        }
    }

    fn key(&mut self, kind: &'static str, name: &str, key: Option<u16>, columns: &[ServerField]) {
        self.say(kind, name, "primary key", self.columns(&key, columns));
    }

    fn columns<'a>(
        &self,
        at: impl IntoIterator<Item = &'a u16>,
        columns: &[ServerField],
    ) -> String {
        let name = |at: &u16| columns.get(usize::from(*at))?.name.as_deref();
        let names = at.into_iter().map(|at| name(at).unwrap_or("_"));
        names.collect::<Vec<_>>().join(", ")
    }

    /// A row's columns are its table's; other types have fields and variants of their own.
    fn named_type(&mut self, scope: &[Box<str>], name: &str, at: u32) {
        let name: String =
            scope.iter().map(|part| format!("{part}::")).chain([name.to_owned()]).collect();
        let Some(ty) = self.schema.typespace.get(at as usize) else { return };
        match ty {
            ServerType::Product(fields) => {
                if !self.schema.tables.iter().any(|table| table.row == at) {
                    self.add("type", &name, Part::Itself, "a struct");
                    self.fields("type", &name, "field", fields);
                }
            }
            ServerType::Sum(variants) => {
                self.add("type", &name, Part::Itself, "an enum");
                for (at, variant) in variants.iter().enumerate() {
                    let mut fact = variant.name.as_deref().unwrap_or("_").to_owned();
                    if let Some(payload) = &variant.payload {
                        fact = format!("{fact}({})", self.schema.display(payload));
                    }
                    self.add("type", &name, Part::Numbered("variant", at), fact);
                }
            }
            ty => self.add("type", &name, Part::Itself, self.schema.display(ty).to_string()),
        }
    }
}
