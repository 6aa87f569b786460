//! `lightlike subscribe`, or `watch`.

use std::sync::Arc;
use std::time::Duration;

use lightlike::connection::CloseReason;
use lightlike::events::{Cause, Change};
use lightlike::schema::{SatsValue, ServerSchema};
use lightlike::untyped::{Untyped, UntypedChange, UntypedRow};
use lightlike::{Client, ConnectionState, Subscription};
use unicode_width::UnicodeWidthStr as _;

use super::interrupted;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::global::duration;
use crate::output::changes::{Changes, Happened, RowRef, Sink};
use crate::output::value::Ids;
use crate::terminal::line;

const EXAMPLES: &str = "\
A row that comes is green and has a `+`, one that goes is red and has a `-`, one that is replaced by another \
with its primary key shows what is different. The first rows come at once, then what happens until Ctrl-C. A \
lost connection comes back, and then the difference is shown.

Examples:
  lightlike watch chat                                all public tables
  lightlike watch chat user message                   two tables
  lightlike watch chat \"SELECT * FROM user WHERE online = true\"
  lightlike watch chat message --no-initial           only what is new
  lightlike watch chat --json | jq 'select(.op == \"insert\") | .row'
  lightlike watch chat user --count 1 --for 10s       until one change, or for ten seconds";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The database: its name, or its identity in hex; `.` is that of spacetime.json.
    pub(super) database: String,
    /// Tables, views, or queries (`SELECT * FROM .. WHERE ..`). Without any, all public tables.
    #[arg(value_name = "TABLE|SQL")]
    queries: Vec<String>,
    /// One JSON object a line: `table`, `op` (insert, update, delete), `row` or `old` and `new`, `cause`.
    #[arg(long)]
    json: bool,
    /// Leave out the rows that are there already.
    #[arg(long)]
    no_initial: bool,
    /// End after so many changes; first rows count unless they are left out.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End after so much time.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    /// Show identities with all their digits.
    #[arg(long)]
    full: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let (client, untyped, schema) = context.connect_untyped(&args.database).await?;
    let queries = queries(&untyped, &schema, &args)?;
    let names = schema.tables.iter().map(|table| &*table.name);
    let names = names.chain(schema.views.iter().map(|view| &*view.name));
    let watched = names.filter(|name| queries.iter().any(|query| query.contains(*name)));
    let name_width = watched.map(|name| line(name).width()).max().unwrap_or(0);
    let mut watch = Watch {
        context,
        database: args.database.clone(),
        transactions: client.transactions(),
        state: client.state(),
        printer: Printer { schema, full: args.full, name_width },
        out: Sink::new(args.json),
        no_initial: args.no_initial,
        left: args.count,
        is_lost: false,
        untyped,
    };
    let subscription = client.subscribe(queries);
    let time = async {
        match args.time {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = watch.run(&client, &subscription) => ended?,
        () = time => (),
        () = interrupted() => (),
    }
    // What is dropped closes the connection; in order is better.
    drop(subscription);
    client.disconnect().await;
    Ok(())
}

/// The queries: a word is a table.
fn queries(untyped: &Untyped, schema: &ServerSchema, args: &Args) -> Result<Vec<String>, Failure> {
    let all = |name: &str| format!("SELECT * FROM \"{}\"", name.replace('"', "\"\""));
    if args.queries.is_empty() {
        let tables: Vec<_> = schema
            .tables
            .iter()
            .filter(|table| table.public)
            .map(|table| all(&table.name))
            .collect();
        if tables.is_empty() {
            return Err(Failure::new(
                Exit::NotFound,
                format_args!("`{}` has no public table", args.database),
            ));
        }
        return Ok(tables);
    }
    let queries = args.queries.iter().map(|query| match query.contains(char::is_whitespace) {
        true => Ok(query.clone()),
        false => Ok(all(untyped.table(query)?.name())),
    });
    queries.collect()
}

/// Returns `true` if the first row of each table fits the schema: the others are of its type.
fn fit(changes: &[UntypedChange]) -> bool {
    let mut tables = changes.chunk_by(|a, b| a.table == b.table).filter_map(|table| table.first());
    tables.all(|first| match &first.change {
        Change::Inserted(it) => it.row.values().is_ok(),
        Change::Updated(it) => it.new.values().is_ok(),
        Change::Deleted(it) => it.row.values().is_ok(),
    })
}

struct Watch<'c> {
    context: &'c Context,
    database: String,
    untyped: Untyped,
    transactions: lightlike::events::EventStream<lightlike::events::Changes>,
    state: lightlike::events::Watch<ConnectionState>,
    printer: Printer,
    out: Sink,
    no_initial: bool,
    left: Option<u64>,
    /// `true` once an outage was reported.
    is_lost: bool,
}

impl Watch<'_> {
    async fn run(&mut self, client: &Client, subscription: &Subscription) -> Result<(), Failure> {
        let mut applied = false;
        if let Some(identity) = client.identity() {
            self.context.note(format_args!("watching as {}", identity.abbreviated()));
        }
        loop {
            tokio::select! {
                biased;
                transaction = self.transactions.next() => match transaction {
                    Some(Ok(transaction)) => {
                        let changes = self.changes(client, &transaction).await?;
                        if self.show(&transaction, changes)? {
                            return Ok(());
                        }
                    }
                    Some(Err(lagged)) => self.context.note(lagged),
                    None => return Err(self.closed()),
                },
                answer = subscription.applied(), if !applied => {
                    answer?;
                    applied = true;
                }
                ended = subscription.ended(), if applied => return Ok(ended?),
                changed = self.state.changed() => match changed {
                    Ok(()) => self.tell_state(),
                    Err(_) => return Err(self.closed()),
                },
            }
        }
    }

    /// Shows the changes of a transaction. If rows do not fit the schema any more, it is read anew: the module was
    /// published again.
    async fn changes(
        &mut self,
        client: &Client,
        transaction: &lightlike::events::Changes,
    ) -> Result<Vec<UntypedChange>, Failure> {
        let initial = matches!(transaction.cause(), Cause::Applied(_));
        if initial && self.no_initial {
            return Ok(Vec::new());
        }
        let changes = self.untyped.changes(transaction);
        if fit(&changes) {
            return Ok(changes);
        }
        let schema = Arc::new(self.context.schema(&self.database).await?);
        self.untyped = client.untyped(Arc::clone(&schema));
        self.printer.schema = schema;
        let changes = self.untyped.changes(transaction);
        if !fit(&changes) {
            self.context.note("rows do not fit the schema, and are shown as bytes");
        }
        Ok(changes)
    }

    /// Shows changes, and returns `true` if enough were shown.
    fn show(
        &mut self,
        transaction: &lightlike::events::Changes,
        changes: Vec<UntypedChange>,
    ) -> Result<bool, Failure> {
        let cause = cause(transaction.cause());
        let out = &mut self.out;
        for change in changes {
            self.printer.write(out, &change, &cause)?;
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    out.flush()?;
                    return Ok(true);
                }
            }
        }
        out.flush()?;
        Ok(false)
    }

    /// Tells of an outage once, and of its end; of a short one only that it was there.
    fn tell_state(&mut self) {
        let was_lost = self.is_lost;
        let note = |text: &str| self.context.note(text);
        match &*self.state.borrow() {
            ConnectionState::Reconnecting { reason, .. } if !was_lost => {
                note(&format!("the connection is lost ({reason}); trying again"));
                self.is_lost = true;
            }
            ConnectionState::Resyncing | ConnectionState::Ready if was_lost => {
                note("the connection is back");
                self.is_lost = false;
            }
            ConnectionState::Resyncing => note("the connection was lost, and is back"),
            ConnectionState::NeedsAuth(_) => {
                note("the server does not accept the token any more");
            }
            _ => (),
        }
    }

    fn closed(&self) -> Failure {
        match &*self.state.borrow() {
            ConnectionState::Closed(CloseReason::Lost(lost)) => {
                Failure::new(Exit::Connection, "the connection is lost").because(lost)
            }
            _ => Failure::new(Exit::Connection, "the connection is closed"),
        }
    }
}

/// Cause of a change, in a word for programs.
fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Applied(_) => "initial".to_owned(),
        Cause::Resync => "resync".to_owned(),
        Cause::Unsubscribed(_) => "unsubscribed".to_owned(),
        Cause::Failed(_) => "failed".to_owned(),
        Cause::Call { reducer, .. } => format!("call {reducer}"),
        _ => "other".to_owned(),
    }
}

struct Printer {
    schema: Arc<ServerSchema>,
    full: bool,
    name_width: usize,
}

impl Printer {
    fn write(&self, out: &mut Sink, change: &UntypedChange, cause: &str) -> std::io::Result<()> {
        let ids = if self.full { Ids::Full } else { Ids::Short };
        let changes = Changes { schema: Some(&self.schema), ids, name_width: self.name_width };
        let table = &*change.table;
        match &change.change {
            Change::Inserted(it) => {
                let values = it.row.values().ok();
                changes.write(out, table, Happened::Insert(row(&it.row, values.as_deref())), cause)
            }
            Change::Deleted(it) => {
                let values = it.row.values().ok();
                changes.write(out, table, Happened::Delete(row(&it.row, values.as_deref())), cause)
            }
            Change::Updated(it) => {
                let (before, after) = (it.old.values().ok(), it.new.values().ok());
                let (old, new) = (row(&it.old, before.as_deref()), row(&it.new, after.as_deref()));
                let key = self.schema.table(table).and_then(|table| table.primary_key);
                let key = key.or_else(|| self.schema.view(table).and_then(|view| view.primary_key));
                changes.write(
                    out,
                    table,
                    Happened::Update { old, new, key: key.map(usize::from) },
                    cause,
                )
            }
        }
    }
}

fn row<'r>(row: &'r UntypedRow, values: Option<&'r [SatsValue]>) -> RowRef<'r> {
    RowRef { columns: row.columns(), values, bytes: row.bytes() }
}
