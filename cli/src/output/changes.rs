//! Rows that come, change and go, a line each.

use std::io::{self, Write};

use lightlike::schema::{SatsValue, ServerField, ServerSchema};
use unicode_width::UnicodeWidthStr as _;

use super::style::{CAME, CHANGED, DIM, LEFT};
use super::value::{Ids, inline, json};
use crate::terminal::{Data, data, line, stdout};

/// A row by its schema. Without columns, nothing is known of it but its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowRef<'r> {
    pub(crate) columns: &'r [ServerField],
    /// None for a row that does not fit the schema.
    pub(crate) values: Option<&'r [SatsValue]>,
    pub(crate) bytes: &'r [u8],
}

/// Kind of change to a row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Happened<'r> {
    Insert(RowRef<'r>),
    Update { old: RowRef<'r>, new: RowRef<'r>, key: Option<usize> },
    Delete(RowRef<'r>),
}

/// Form of printed changes: lines for a person, or JSON for a program.
pub(crate) enum Sink {
    Person(Box<dyn Write>),
    Program(Data<io::Stdout>),
}

impl Sink {
    pub(crate) fn new(json: bool) -> Self {
        if json { Self::Program(data()) } else { Self::Person(Box::new(stdout())) }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Person(out) => out.flush(),
            Self::Program(out) => out.flush(),
        }
    }
}

/// Writes changes.
pub(crate) struct Changes<'s> {
    pub(crate) schema: Option<&'s ServerSchema>,
    pub(crate) ids: Ids,
    /// Width of the tables' names.
    pub(crate) name_width: usize,
}

impl Changes<'_> {
    /// Writes one change; `cause` is told to programs.
    pub(crate) fn write(
        &self,
        out: &mut Sink,
        table: &str,
        happened: Happened<'_>,
        cause: &str,
    ) -> io::Result<()> {
        match out {
            Sink::Program(out) => out.json(&self.object(table, happened, cause)),
            Sink::Person(out) => self.line(out, &line(table), happened),
        }
    }

    fn object(&self, table: &str, happened: Happened<'_>, cause: &str) -> String {
        let (table, cause) = (serde_json::Value::from(table), serde_json::Value::from(cause));
        let rest = match happened {
            Happened::Insert(row) => format!(r#""op":"insert","row":{}"#, self.row_json(row)),
            Happened::Delete(row) => format!(r#""op":"delete","row":{}"#, self.row_json(row)),
            Happened::Update { old, new, .. } => {
                let (old, new) = (self.row_json(old), self.row_json(new));
                format!(r#""op":"update","old":{old},"new":{new}"#)
            }
        };
        format!(r#"{{"table":{table},{rest},"cause":{cause}}}"#)
    }

    fn row_json(&self, row: RowRef<'_>) -> String {
        let (Some(schema), Some(values)) = (self.schema, row.values) else {
            return format!(r#""0x{}""#, crate::commands::hex(row.bytes));
        };
        let members = row.columns.iter().zip(values).enumerate().map(|(at, (column, value))| {
            let name = column.name.as_deref().map_or_else(|| at.to_string(), str::to_owned);
            format!("{}:{}", serde_json::Value::from(name), json(schema.resolve(&column.ty), value))
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }

    fn line(&self, out: &mut impl Write, table: &str, happened: Happened<'_>) -> io::Result<()> {
        let room = " ".repeat(self.name_width.saturating_sub(table.width()));
        match happened {
            Happened::Insert(row) => {
                writeln!(out, "{CAME}+ {table}{room}  {}{CAME:#}", self.row_text(row))
            }
            Happened::Delete(row) => {
                writeln!(out, "{LEFT}- {table}{room}  {}{LEFT:#}", self.row_text(row))
            }
            Happened::Update { old, new, key } => {
                writeln!(
                    out,
                    "{CHANGED}~ {table}{room}{CHANGED:#}  {}",
                    self.update_text(old, new, key)
                )
            }
        }
    }

    fn row_text(&self, row: RowRef<'_>) -> String {
        let (Some(schema), Some(values)) = (self.schema, row.values) else {
            return format!("0x{}", crate::commands::hex(row.bytes));
        };
        let cells = row.columns.iter().zip(values).map(|(column, value)| {
            let text = inline(schema.resolve(&column.ty), value, self.ids);
            column
                .name
                .as_ref()
                .map_or_else(|| text.clone(), |name| format!("{}={text}", line(name)))
        });
        cells.collect::<Vec<_>>().join(" ")
    }

    /// The key, and what is different.
    fn update_text(&self, old: RowRef<'_>, new: RowRef<'_>, key: Option<usize>) -> String {
        let (Some(schema), Some(before), Some(after)) = (self.schema, old.values, new.values)
        else {
            return format!("{} → {}", self.row_text(old), self.row_text(new));
        };
        let mut cells = Vec::new();
        for (at, column) in new.columns.iter().enumerate() {
            let (Some(before), Some(after)) = (before.get(at), after.get(at)) else { continue };
            let ty = schema.resolve(&column.ty);
            let name = line(column.name.as_deref().unwrap_or("_"));
            let text = |value| inline(ty, value, self.ids);
            if before != after {
                let (before, after) = (text(before), text(after));
                cells.push(format!(
                    "{name}={LEFT}{before}{LEFT:#} {DIM}→{DIM:#} {CAME}{after}{CAME:#}"
                ));
            } else if key == Some(at) {
                cells.push(format!("{name}={}", text(after)));
            }
        }
        cells.join(" ")
    }
}
