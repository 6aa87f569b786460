//! `lightlike replay`.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use lightlike::schema::{SatsValue, ServerField, ServerSchema};
use lightlike_core::bsatn::Reader;
use lightlike_core::cache::{RowChange, TableDiff, Transaction};
use lightlike_core::conn::Cause;
use unicode_width::UnicodeWidthStr as _;

use crate::context::Context;
use crate::failure::{Exit, Failure, note};
use crate::global::Global;
use crate::output::changes::{Changes, Happened, RowRef, Sink};
use crate::output::style::DIM;
use crate::output::value::Ids;
use crate::session::file::{Session, Side};
use crate::session::player::{Player, Told};
use crate::terminal::{line, stdout};

const EXAMPLES: &str = "\
The recorded frames go through the client's own machine and cache, without a socket: what does not follow, or \
does not decode, ends with code 6 and the line in the file. Rows are bytes unless the schema is at hand.

Examples:
  lightlike replay bug.jsonl                           what was asked, and how rows changed
  lightlike replay bug.jsonl --schema schema.json      with names and values
  lightlike replay bug.jsonl --database chat           by the schema of a database that is there
  lightlike replay bug.jsonl --json --schema s.json    changes only, an object a line
  lightlike replay bug.jsonl --summary                 how many rows there are at the end";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A file that `record` made.
    file: PathBuf,
    /// The schema, as `describe --json` prints it.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// A database that has the schema; `.` is that of spacetime.json.
    #[arg(long, value_name = "DATABASE", conflicts_with = "schema")]
    database: Option<String>,
    /// Changes as JSON, one object a line.
    #[arg(long)]
    json: bool,
    /// Only how many rows each table has at the end.
    #[arg(long, conflicts_with = "json")]
    summary: bool,
    /// Show identities with all their digits.
    #[arg(long)]
    full: bool,
}

pub(crate) async fn run(global: &Global, args: Args) -> Result<(), Failure> {
    let session = Session::read(&args.file)?;
    let schema = match (&args.schema, &args.database) {
        (Some(file), _) => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| Failure::file("read", file, &error))?;
            let schema = ServerSchema::parse(&text).map_err(|error| {
                Failure::new(Exit::Content, file.display())
                    .because(&error)
                    .tip("`lightlike describe DATABASE --json` prints a schema")
            })?;
            Some(Arc::new(schema))
        }
        (None, Some(database)) => {
            let context = Context::new(global, Some(database))?;
            let schema = context.schema(context.database(database)).await;
            Some(Arc::new(schema.map_err(|failure| failure.notes(context.used()))?))
        }
        (None, None) => None,
    };
    let mut replay =
        Replay { schema: schema.as_deref(), args: &args, transactions: 0, changes: 0, names: 0 };
    let mut player = Player::new(&session);
    let mut out = Sink::new(args.json);
    for frame in &session.frames {
        let told = player.frame(frame).map_err(|failure| failure.at(args.file.display()))?;
        for told in told {
            replay.show(&mut out, told)?;
        }
    }
    if args.summary {
        let view = player.view();
        let tables: BTreeMap<&str, usize> =
            view.table_names().filter_map(|name| Some((name, view.untyped(name)?.len()))).collect();
        let mut out = stdout();
        for (name, len) in tables {
            writeln!(out, "{len:>8}  {}", line(name))?;
        }
    }
    out.flush()?;
    if !global.quiet {
        note(format_args!(
            "{} frames, {} transactions, {} changes of rows",
            session.frames.len(),
            replay.transactions,
            replay.changes
        ));
    }
    Ok(())
}

struct Replay<'a> {
    schema: Option<&'a ServerSchema>,
    args: &'a Args,
    transactions: u64,
    changes: u64,
    /// Width of the longest table name so far.
    names: usize,
}

impl Replay<'_> {
    fn show(&mut self, out: &mut Sink, told: Told) -> std::io::Result<()> {
        match told {
            Told::Said(..) if self.args.json || self.args.summary => Ok(()),
            Told::Said(side, text) => {
                let arrow = match side {
                    Side::Client => "→",
                    Side::Server => "←",
                };
                writeln!(stdout(), "{DIM}{arrow} {}{DIM:#}", line(&text))
            }
            Told::Transaction(event) => {
                let transaction = &event.transaction;
                self.transactions += 1;
                self.changes +=
                    transaction.tables().iter().map(|diff| diff.len() as u64).sum::<u64>();
                if self.args.summary {
                    return Ok(());
                }
                let cause = match &event.cause {
                    Cause::Applied(_) => "initial",
                    Cause::Unsubscribed(_) => "unsubscribed",
                    Cause::Failed(_) => "failed",
                    Cause::Optimistic(_) => "optimistic",
                    Cause::Reverted(_) => "reverted",
                    Cause::Call { .. } => "call",
                    _ => "other",
                };
                transaction
                    .tables()
                    .iter()
                    .try_for_each(|diff| self.table(out, transaction, diff, cause))
            }
        }
    }

    fn table(
        &mut self,
        out: &mut Sink,
        transaction: &Transaction,
        diff: &TableDiff,
        cause: &str,
    ) -> std::io::Result<()> {
        let name = diff.name();
        self.names = self.names.max(line(name).width());
        let table = self.schema.and_then(|schema| schema.table(name));
        let view = self.schema.and_then(|schema| schema.view(name));
        let columns = table.map(|it| &*it.columns).or_else(|| view.map(|it| &*it.columns));
        let key =
            table.and_then(|it| it.primary_key).or_else(|| view.and_then(|it| it.primary_key));
        let key = key.map(usize::from);
        let mut rows = Vec::new();
        diff.for_each_encoded(transaction, |change| {
            rows.push(match change {
                RowChange::Insert(new) | RowChange::Event(new) => {
                    (None, Some(self.row(columns, new)))
                }
                RowChange::Update { old, new } => {
                    (Some(self.row(columns, old)), Some(self.row(columns, new)))
                }
                RowChange::Delete(old) => (Some(self.row(columns, old)), None),
            });
        });
        pair(&mut rows, key);
        let ids = if self.args.full { Ids::Full } else { Ids::Short };
        let changes = Changes { schema: self.schema, ids, name_width: self.names };
        for row in &rows {
            let happened = match row {
                (None, Some(new)) => Happened::Insert(new.as_ref(columns)),
                (Some(old), None) => Happened::Delete(old.as_ref(columns)),
                (Some(old), Some(new)) => {
                    Happened::Update { old: old.as_ref(columns), new: new.as_ref(columns), key }
                }
                (None, None) => continue,
            };
            changes.write(out, name, happened, cause)?;
        }
        Ok(())
    }

    fn row(&self, columns: Option<&[ServerField]>, bytes: &[u8]) -> Row {
        let mut reader = Reader::new(bytes);
        let decoded = self.schema.zip(columns).and_then(|(schema, columns)| {
            let values =
                columns.iter().map(|it| SatsValue::decode(schema.resolve(&it.ty), &mut reader));
            values.collect::<Result<Vec<_>, _>>().ok()
        });
        let values = decoded.filter(|_| reader.finish("row").is_ok());
        Row { values, bytes: bytes.into() }
    }
}

struct Row {
    values: Option<Vec<SatsValue>>,
    bytes: Box<[u8]>,
}

impl Row {
    fn as_ref<'r>(&'r self, columns: Option<&'r [ServerField]>) -> RowRef<'r> {
        let columns = columns.unwrap_or_default();
        RowRef { columns, values: self.values.as_deref(), bytes: &self.bytes }
    }

    fn key(&self, key: usize) -> Option<&SatsValue> {
        self.values.as_ref()?.get(key)
    }
}

/// Makes one change of an insert and a delete of the same key, in the insert's place.
fn pair(rows: &mut Vec<(Option<Row>, Option<Row>)>, key: Option<usize>) {
    let Some(key) = key else { return };
    let mut left: HashMap<SatsValue, usize> = HashMap::new();
    for (at, row) in rows.iter().enumerate() {
        if let (Some(old), None) = row
            && let Some(value) = old.key(key)
        {
            left.insert(value.clone(), at);
        }
    }
    for at in 0..rows.len() {
        let (None, Some(new)) = &rows[at] else { continue };
        if let Some(old) = new.key(key).and_then(|value| left.remove(value)) {
            rows[at].0 = rows[old].0.take();
        }
    }
    rows.retain(|row| row.0.is_some() || row.1.is_some());
}
