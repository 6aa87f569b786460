//! `lightlike describe`.

use std::io::{self, Write};

use lightlike::http::reqwest::Method;
use lightlike::http::{ErrorKind, Request};
use lightlike::schema::{
    IndexAlgorithm, ServerField, ServerSchema, ServerTable, ServerType, ServerView,
};

use lightlike_core::conn::check_database_name;
use unicode_width::UnicodeWidthStr as _;

use crate::arguments::params;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::style::{BOLD, DIM, NAME};
use crate::project::HERE;
use crate::terminal::{data, line, stdout};

const EXAMPLES: &str = "\
Examples:
  lightlike describe chat                             everything
  lightlike describe chat user                        one table, view, function or type
  lightlike describe chat --json > schema.json        the server's own words, to keep";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The database: its name, or its identity in hex; `.` is that of spacetime.json.
    #[arg(default_value = HERE)]
    pub(crate) database: String,
    /// Only the tables, views, functions and types of this name.
    name: Option<String>,
    /// The schema as the server sends it, for `generate` and `replay --schema`.
    #[arg(long, conflicts_with = "name")]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let database = &*args.database;
    let what = format!("read the schema of `{database}`");
    if args.json {
        check_database_name(database).map_err(|error| Failure::new(Exit::Usage, error))?;
        let ask = async |version: u8| {
            let path = format!("/v1/database/{database}/schema?version={version}");
            context.http().send(Request::new(Method::GET, path)).await
        };
        let reply = match ask(10).await {
            // Servers before 2.0.4 have no version 10.
            Err(error) if error.kind() == ErrorKind::Refused => ask(9).await,
            reply => reply,
        };
        let reply = reply.map_err(context.refused(&what))?;
        let text = reply.text().map_err(context.refused(&what))?;
        // What is kept, and read again later, is a schema.
        ServerSchema::parse(text).map_err(|error| {
            Failure::new(Exit::Content, format_args!("cannot understand {}", context.server))
                .because(&error)
        })?;
        return Ok(data().json(text)?);
    }
    let schema = context.schema(database).await?;
    let mut description = Description { schema: &schema, only: args.name.as_deref(), found: false };
    let mut out = Vec::new();
    description.write(&mut out)?;
    match &args.name {
        Some(name) if !description.found => Err(Failure::new(
            Exit::NotFound,
            format_args!("`{database}` has no table, view, function or type `{name}`"),
        )
        .tip(format_args!("`lightlike describe {database}` shows what it has"))),
        _ => Ok(stdout().write_all(&out)?),
    }
}

/// A schema, or a part of it, on its way out.
struct Description<'s> {
    schema: &'s ServerSchema,
    only: Option<&'s str>,
    found: bool,
}

impl Description<'_> {
    fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        let schema = self.schema;
        self.section(
            out,
            "tables",
            &schema.tables,
            |table| &table.name,
            |this, out, table| this.table(out, table),
        )?;
        self.section(
            out,
            "views",
            &schema.views,
            |view| &view.name,
            |this, out, view| this.view(out, view),
        )?;
        let callable: Vec<_> = schema.reducers.iter().filter(|reducer| reducer.callable).collect();
        self.section(
            out,
            "reducers",
            &callable,
            |reducer| &reducer.name,
            |this, out, reducer| {
                let (returns, error) = (reducer.returns.as_ref(), reducer.error.as_ref());
                this.function(out, &reducer.name, &reducer.params, returns, error)
            },
        )?;
        let callable: Vec<_> = schema.procedures.iter().filter(|it| it.callable).collect();
        self.section(
            out,
            "procedures",
            &callable,
            |it| &it.name,
            |this, out, procedure| {
                let returns = Some(&procedure.returns);
                this.function(out, &procedure.name, &procedure.params, returns, None)
            },
        )?;
        self.section(
            out,
            "environment",
            &schema.environment,
            |variable| &variable.name,
            |_, out, variable| {
                let (name, shown) = (line(&variable.name), variable.to_string());
                writeln!(out, "  {NAME}{name}{NAME:#} = {}", line(&shown))
            },
        )?;
        let rows: Vec<u32> = schema.tables.iter().map(|table| table.row).collect();
        let types: Vec<_> = schema
            .types
            .iter()
            .filter(|name| !rows.contains(&name.ty) || self.only.is_some())
            .collect();
        self.section(
            out,
            "types",
            &types,
            |name| &name.name,
            |this, out, name| {
                write!(out, "  {NAME}{}{NAME:#}", line(&name.name))?;
                this.shape(out, schema.typespace.get(name.ty as usize))
            },
        )
    }

    fn section<T>(
        &mut self,
        out: &mut impl Write,
        heading: &str,
        items: &[T],
        name: impl Fn(&T) -> &str,
        mut write: impl FnMut(&Self, &mut Vec<u8>, &T) -> io::Result<()>,
    ) -> io::Result<()> {
        let wanted = |item: &&T| self.only.is_none_or(|only| name(item) == only);
        let items: Vec<_> = items.iter().filter(wanted).collect();
        if items.is_empty() {
            return Ok(());
        }
        self.found = true;
        let mut text = Vec::new();
        for item in items {
            write(self, &mut text, item)?;
        }
        writeln!(out, "{BOLD}{heading}{BOLD:#}")?;
        out.write_all(&text)
    }

    fn table(&self, out: &mut impl Write, table: &ServerTable) -> io::Result<()> {
        let mut notes = Vec::new();
        if table.event == Some(true) {
            notes.push("event".to_owned());
        }
        if !table.public {
            notes.push("private".to_owned());
        }
        if let Some(reducer) = &table.outbox {
            notes.push(format!("outbox of `{}`", line(reducer)));
        }
        if let Some(function) = &table.schedule {
            notes.push(format!("schedule of `{}`", line(function)));
        }
        for index in table.indexes.iter().filter(|index| index.columns.len() > 1) {
            let columns = index.columns.iter().map(|at| line(column_name(&table.columns, *at)));
            notes.push(format!("index ({})", columns.collect::<Vec<_>>().join(", ")));
        }
        let indexed = |column: u16| {
            let mut of_it = table.indexes.iter().filter(|index| index.columns == [column]);
            of_it.next().map(|index| match index.algorithm {
                IndexAlgorithm::BTree => "index",
                IndexAlgorithm::Hash => "hash index",
                IndexAlgorithm::Direct => "direct index",
                _ => "index of some kind",
            })
        };
        heading(out, &table.name, &notes)?;
        self.columns(out, &table.columns, |column| {
            if table.primary_key == Some(column) {
                return Some("primary key");
            }
            if table.unique.contains(&column) { Some("unique") } else { indexed(column) }
        })
    }

    fn view(&self, out: &mut impl Write, view: &ServerView) -> io::Result<()> {
        let mut notes = Vec::new();
        if !view.params.is_empty() {
            notes.push(format!("of ({})", line(&params(self.schema, &view.params))));
        }
        if !view.public {
            notes.push("private".to_owned());
        }
        heading(out, &view.name, &notes)?;
        self.columns(out, &view.columns, |column| {
            (view.primary_key == Some(column)).then_some("primary key")
        })
    }

    fn columns(
        &self,
        out: &mut impl Write,
        columns: &[ServerField],
        note: impl Fn(u16) -> Option<&'static str>,
    ) -> io::Result<()> {
        let names = columns.iter().map(|column| line(column.name.as_deref().unwrap_or("_")));
        let names: Vec<_> = names.collect();
        let types: Vec<_> = columns.iter().map(|column| self.type_name(&column.ty)).collect();
        let name_width = names.iter().map(|name| name.width()).max().unwrap_or(0);
        let type_width = types.iter().map(|ty| ty.width()).max().unwrap_or(0);
        for ((name, ty), at) in names.iter().zip(&types).zip(0..) {
            let after_name = " ".repeat(name_width - name.width());
            match note(at) {
                Some(note) => {
                    let after_type = " ".repeat(type_width - ty.width());
                    writeln!(out, "    {name}{after_name}  {ty}{after_type}  {DIM}{note}{DIM:#}")?;
                }
                None => writeln!(out, "    {name}{after_name}  {ty}")?,
            }
        }
        Ok(())
    }

    fn function(
        &self,
        out: &mut impl Write,
        name: &str,
        fields: &[ServerField],
        returns: Option<&ServerType>,
        error: Option<&ServerType>,
    ) -> io::Result<()> {
        let (name, params) = (line(name), params(self.schema, fields));
        let params = line(&params);
        let unit =
            |ty: &&ServerType| !matches!(ty, ServerType::Product(fields) if fields.is_empty());
        let returns = returns.filter(unit).map(|ty| self.type_name(ty));
        // Nearly all fail with a text.
        let text = "String";
        let error = error.map(|ty| self.type_name(ty)).filter(|ty| ty != text && ty != "()");
        let returns = match (returns, error) {
            (None, None) => String::new(),
            (Some(returns), None) => format!(" -> {returns}"),
            (returns, Some(error)) => {
                format!(" -> Result<{}, {error}>", returns.as_deref().unwrap_or("()"))
            }
        };
        writeln!(out, "  {NAME}{name}{NAME:#}({params}){returns}")
    }

    /// A type as it is shown: the names in it are the module's.
    fn type_name(&self, ty: &ServerType) -> String {
        line(&self.schema.display(ty).to_string()).into_owned()
    }

    /// Writes the fields or variants of a type.
    fn shape(&self, out: &mut impl Write, ty: Option<&ServerType>) -> io::Result<()> {
        match ty {
            Some(ServerType::Product(fields)) => {
                writeln!(out, " {DIM}struct{DIM:#}")?;
                self.columns(out, fields, |_| None)
            }
            Some(ServerType::Sum(variants)) => {
                writeln!(out, " {DIM}enum{DIM:#}")?;
                for variant in variants {
                    let name = line(variant.name.as_deref().unwrap_or("_"));
                    match &variant.payload {
                        Some(payload) => {
                            writeln!(out, "    {name}({})", self.type_name(payload))?;
                        }
                        None => writeln!(out, "    {name}")?,
                    }
                }
                Ok(())
            }
            Some(ty) => writeln!(out, " = {}", self.type_name(ty)),
            None => writeln!(out),
        }
    }
}

fn heading(out: &mut impl Write, name: &str, notes: &[String]) -> io::Result<()> {
    let notes = if notes.is_empty() { String::new() } else { format!("  {}", notes.join(", ")) };
    writeln!(out, "  {NAME}{}{NAME:#}{DIM}{notes}{DIM:#}", line(name))
}

fn column_name(columns: &[ServerField], at: u16) -> &str {
    columns.get(usize::from(at)).and_then(|column| column.name.as_deref()).unwrap_or("_")
}
