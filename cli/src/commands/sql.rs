//! `lightlike sql`.

use std::io::{Read as _, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use lightlike::http::{SqlOptions, StatementReply};
use lightlike::schema::{AnyType, SatsValue, Scalar, Shape};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::table::Table;
use crate::output::terminal_width;
use crate::output::value::{Ids, cell, data_cell, json};
use crate::terminal::{Data, data, line, stdout};

const EXAMPLES: &str = "\
Examples:
  lightlike sql chat \"SELECT * FROM user WHERE online = true\"
  lightlike sql chat \"SELECT COUNT(*) AS n FROM message\"
  lightlike sql chat --format csv \"SELECT * FROM message\" > messages.csv
  lightlike sql chat --json \"SELECT * FROM user\" | jq .name
  lightlike sql chat \"DELETE FROM message\"             the owner may write
  lightlike sql chat < statements.sql                 several, with semicolons between";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The database: its name, or its identity in hex; `.` is that of spacetime.json.
    pub(super) database: String,
    /// The statements. Without any, they are read from standard input.
    sql: Vec<String>,
    /// Read the statements from a file.
    #[arg(long, short, value_name = "FILE", conflicts_with = "sql")]
    file: Option<PathBuf>,
    /// Format of rows: `json` is an object a line.
    #[arg(long, short = 'o', value_name = "FORMAT", default_value = "table")]
    format: Format,
    /// One JSON object a line: the same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Show identities with all their digits and long texts whole, in tables too.
    #[arg(long)]
    full: bool,
    /// Wait until what is shown is durable on the server.
    #[arg(long)]
    confirmed: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq)]
enum Format {
    Table,
    Json,
    Csv,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let statements = statements(&args)?;
    let mut options = SqlOptions::default();
    if args.confirmed {
        options = options.confirmed(true);
    }
    let reply = context.http().sql_with(&args.database, statements, options).await;
    let reply = reply.map_err(context.refused(&format!("run this on `{}`", args.database)))?;
    let format = if args.json { Format::Json } else { args.format };
    let (mut people, mut programs) = (stdout(), data());
    for (at, statement) in reply.statements().iter().enumerate() {
        let rows = statement.values().map_err(context.refused("read the rows"))?;
        match format {
            Format::Table => {
                if at > 0 {
                    writeln!(people)?;
                }
                write_table(&mut people, statement, &rows, args.full)?;
                context.note(summary(statement, rows.len()));
            }
            _ if statement.columns().is_empty() => (),
            Format::Json => write_json(&mut programs, statement, &rows)?,
            Format::Csv => write_csv(&mut programs, statement, &rows)?,
        }
    }
    people.flush()?;
    Ok(programs.flush()?)
}

fn write_table(
    out: &mut impl Write,
    statement: &StatementReply,
    rows: &[Vec<SatsValue>],
    full: bool,
) -> std::io::Result<()> {
    if statement.columns().is_empty() {
        return Ok(());
    }
    let (ids, room) = if full { (Ids::Full, None) } else { (Ids::Short, terminal_width()) };
    table(statement, rows, ids).within(room).write(out)
}

fn statements(args: &Args) -> Result<Vec<String>, Failure> {
    let text = match &args.file {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?
        }
        None if !args.sql.is_empty() => return Ok(args.sql.clone()),
        None => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|error| {
                Failure::new(Exit::File, "cannot read standard input").because(&error)
            })?;
            text
        }
    };
    let statements = split(&text);
    if statements.is_empty() {
        return Err(Failure::new(Exit::Usage, "there is no SQL statement").tip(
            "`lightlike sql DATABASE \"SELECT * FROM user\"`, or statements on standard input",
        ));
    }
    Ok(statements)
}

/// The statements of a text: semicolons stand between them, but for those in quotes and in comments.
fn split(text: &str) -> Vec<String> {
    let (mut statements, mut start) = (Vec::new(), 0);
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            // A doubled quote ends and begins.
            '\'' | '"' => while letters.next().is_some_and(|(_, other)| other != letter) {},
            '-' if letters.peek().is_some_and(|(_, next)| *next == '-') => {
                while letters.next().is_some_and(|(_, other)| other != '\n') {}
            }
            ';' => {
                statements.push(&text[start..at]);
                start = at + 1;
            }
            _ => (),
        }
    }
    statements.push(&text[start..]);
    let trimmed = statements.into_iter().map(str::trim).filter(|it| !is_comment(it));
    trimmed.map(str::to_owned).collect()
}

/// Returns `true` if there is nothing but comments.
fn is_comment(statement: &str) -> bool {
    statement.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with("--"))
}

fn table(statement: &StatementReply, rows: &[Vec<SatsValue>], ids: Ids) -> Table {
    let columns = statement.columns();
    let ty = |at: usize| columns[at].ty.within(&[]);
    let head = columns.iter().enumerate();
    let head = head.map(|(at, _)| (line(name(statement, at)).into_owned(), is_number(ty(at))));
    let mut table = Table::new(head);
    for row in rows {
        let cells = row.iter().take(columns.len()).enumerate();
        table.push(cells.map(|(at, value)| cell(ty(at), value, ids)).collect());
    }
    table
}

fn write_json(
    out: &mut Data<impl Write>,
    statement: &StatementReply,
    rows: &[Vec<SatsValue>],
) -> std::io::Result<()> {
    for row in rows {
        let members = statement.columns().iter().zip(row).enumerate();
        let members = members.map(|(at, (column, value))| {
            // Two members of no name would be one.
            let name = column.name.as_deref().map_or_else(|| at.to_string(), str::to_owned);
            format!("{}:{}", serde_json::Value::from(name), json(column.ty.within(&[]), value))
        });
        out.json(&format!("{{{}}}", members.collect::<Vec<_>>().join(",")))?;
    }
    Ok(())
}

fn write_csv(
    out: &mut Data<impl Write>,
    statement: &StatementReply,
    rows: &[Vec<SatsValue>],
) -> std::io::Result<()> {
    let columns = statement.columns();
    out.csv((0..columns.len()).map(|at| name(statement, at)))?;
    for row in rows {
        let cells = columns.iter().zip(row);
        let cells = cells.map(|(column, value)| data_cell(column.ty.within(&[]), value));
        let cells: Vec<_> = cells.collect();
        out.csv(cells.iter().map(String::as_str))?;
    }
    Ok(())
}

fn name(statement: &StatementReply, at: usize) -> &str {
    statement.columns().get(at).and_then(|column| column.name.as_deref()).unwrap_or("_")
}

fn is_number(ty: AnyType<'_>) -> bool {
    use Scalar::{Bool, ConnectionId, Identity, ScheduleAt, String, Timestamp, Uuid};
    match ty.shape() {
        Shape::Scalar(Bool | String | Identity | ConnectionId | Timestamp | ScheduleAt | Uuid) => {
            false
        }
        Shape::Scalar(_) => true,
        Shape::Option(some) => is_number(some),
        _ => false,
    }
}

/// Summary of a statement's outcome, in a line.
fn summary(statement: &StatementReply, rows: usize) -> String {
    let stats = statement.stats();
    let changed = [
        (stats.rows_inserted, "inserted"),
        (stats.rows_updated, "updated"),
        (stats.rows_deleted, "deleted"),
    ];
    let plural = |count: u64| if count == 1 { "1 row".to_owned() } else { format!("{count} rows") };
    let mut parts: Vec<_> = changed
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", plural(count)))
        .collect();
    if parts.is_empty() {
        parts.push(plural(rows as u64));
    }
    let took = statement.duration();
    let took = match took {
        Duration::ZERO => String::new(),
        took => format!(", {:.1} ms", took.as_secs_f64() * 1e3),
    };
    format!("{}{took}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_split_at_semicolons_outside_quotes_and_comments() {
        for (text, want) in [
            ("SELECT 1", &["SELECT 1"][..]),
            ("a; b ;\n c;", &["a", "b", "c"]),
            ("x = 'a;''b'; \"q;\" = 1", &["x = 'a;''b'", "\"q;\" = 1"]),
            ("a -- not; here\n; b", &["a -- not; here", "b"]),
            ("-- only\n; ;\n-- comments", &[]),
            ("x = 'never ends; b", &["x = 'never ends; b"]),
            ("a - b; -c", &["a - b", "-c"]),
        ] {
            assert_eq!(split(text), want, "{text}");
        }
    }
}
