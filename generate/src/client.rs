//! A client to begin with.

use crate::generator::Generator;
use crate::model::{Kind, Model, Table};
use crate::names::{self, Scope};
use crate::print::{Lines, printable};

/// The most queries that stand in one tuple.
const MAX_QUERIES: usize = 8;
/// Maximal width of a tuple on one line.
const MAX_TUPLE: usize = 62;

/// `main.rs`.
pub(crate) fn main(model: &Model, options: &Generator) -> String {
    let name = &options.name;
    let database = options.database.as_deref().unwrap_or(name);
    let tables: Vec<_> = model.askable().collect();
    let mut functions = Scope::of_values();
    let watcher = |table: &&Table| {
        let name = names::value(&table.name);
        functions
            .give(&[&format!("watch_{}", name.trim_start_matches("r#").trim_start_matches('_'))])
    };
    let watchers: Vec<_> = tables.iter().map(watcher).collect();
    let mut lines = Lines::default();
    lines.line(
        0,
        format!(
            "//! A client of the database `{}`: it says what changes there.",
            printable(database)
        ),
    );
    lines.line(0, "");
    lines.line(0, format!("mod {name};"));
    lines.line(0, "");
    lines.line(0, "use lightlike::prelude::*;");
    lines.line(0, "");
    lines.line(0, "#[tokio::main]");
    lines.line(0, "async fn main() -> Result<(), lightlike::Error> {");
    lines.line(4, format!("let db = Client::builder({:?}, {database:?})", options.uri));
    lines.line(8, "// Who we are is kept between runs.");
    lines.line(8, format!(".token_store(FileTokens::new({database:?}))"));
    lines.line(8, ".connect()");
    lines.line(8, ".await?;");
    lines.line(4, "println!(\"connected as {:?}\", db.identity());");
    if !tables.is_empty() {
        lines.line(0, "");
        lines.line(4, "// Before the first rows come, so that they are heard of.");
        watchers.iter().for_each(|watcher| lines.line(4, format!("{watcher}(&db);")));
        lines.line(0, "");
        lines.line(4, "// All rows come together, and are kept in step until this is dropped.");
        let query = |table: &&Table| Queries::One(format!("{name}::{}::all()", table.ident));
        Queries::new(tables.iter().map(query).collect()).write(
            &mut lines,
            4,
            "let queries = ",
            ";",
        );
        lines.line(4, "let _subscription = db.subscribe(queries).await?;");
    }
    if let Some(reducer) = model.reducers.iter().min_by_key(|reducer| reducer.params.len()) {
        let params: Vec<_> = reducer.params.iter().map(|(param, _)| param.as_str()).collect();
        let call = format!("{name}::{}({})", reducer.ident, params.join(", "));
        lines.line(0, "");
        lines.line(4, "// A call is answered when the server has committed it, and its rows are here by then:");
        lines.line(4, format!("// db.call({call}).await?;"));
    }
    lines.line(0, "");
    lines.line(
        4,
        "// A lost connection comes back by itself: this waits until it is closed for good.",
    );
    lines.line(
        4,
        "let closed = |state: &ConnectionState| matches!(state, ConnectionState::Closed(_));",
    );
    lines.line(4, "if let Ok(state) = db.state().wait_for(closed).await {");
    lines.line(8, "println!(\"{state:?}\");");
    lines.line(4, "}");
    lines.line(4, "Ok(())");
    lines.line(0, "}");
    for (table, watcher) in tables.into_iter().zip(&watchers) {
        lines.line(0, "");
        watch(&mut lines, table, watcher, name);
    }
    lines.into_string()
}

/// A function that says what changes in one table.
fn watch(lines: &mut Lines, table: &Table, watcher: &str, module: &str) {
    let Table { ident, name, kind, is_keyed, .. } = table;
    lines.line(0, format!("fn {watcher}(db: &Client) {{"));
    lines.line(4, format!("let table = db.table::<{module}::{ident}>();"));
    // Inside of quotes, and of a format.
    let label = name.replace('{', "{{").replace('}', "}}").escape_debug().to_string();
    let mut callback = |on: &str, parameters: &str, says: &str| {
        lines.line(4, format!("table.{on}(|{parameters}| {{"));
        lines.call(8, "println!", &format!("\"{label}: {says}\""));
        lines.line(4, "});");
    };
    callback("on_insert", "_, row", "{row:?}");
    if *is_keyed {
        callback("on_update", "_, old, new", "{old:?} is now {new:?}");
    }
    if *kind != Kind::Event {
        callback("on_delete", "_, row", "no more {row:?}");
    }
    lines.line(0, "}");
}

/// Queries of one set, in tuples of tuples where there are more than fit in one.
enum Queries {
    One(String),
    Several(Vec<Self>),
}

impl Queries {
    fn new(mut queries: Vec<Self>) -> Self {
        while queries.len() > MAX_QUERIES {
            let mut tuples = Vec::new();
            let mut rest = queries.into_iter();
            loop {
                let mut tuple: Vec<_> = rest.by_ref().take(MAX_QUERIES).collect();
                match tuple.len() {
                    0 => break,
                    1 => tuples.append(&mut tuple),
                    _ => tuples.push(Self::Several(tuple)),
                }
            }
            queries = tuples;
        }
        if queries.len() == 1 { queries.remove(0) } else { Self::Several(queries) }
    }

    fn on_one_line(&self) -> String {
        match self {
            Self::One(query) => query.clone(),
            Self::Several(queries) => {
                let queries: Vec<_> = queries.iter().map(Self::on_one_line).collect();
                format!("({})", queries.join(", "))
            }
        }
    }

    fn write(&self, lines: &mut Lines, indent: usize, before: &str, after: &str) {
        let line = self.on_one_line();
        match self {
            Self::Several(queries) if line.len() > MAX_TUPLE => {
                lines.line(indent, format!("{before}("));
                queries.iter().for_each(|queries| queries.write(lines, indent + 4, "", ","));
                lines.line(indent, format!("){after}"));
            }
            _ => lines.line(indent, format!("{before}{line}{after}")),
        }
    }
}
