//! `lightlike record`.

use std::path::PathBuf;
use std::time::Duration;

use lightlike::connection::Reconnect;
use lightlike::{Client, ConnectionState};
use lightlike_core::conn::Server;

use crate::commands::interrupted;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::global::duration;
use crate::session::proxy::Proxy;

const EXAMPLES: &str = "\
It listens beside you, passes everything on to the server, and writes down what is said on WebSockets, a \
connection a file. With a database, it connects to it itself; without, point any client at the address that it \
prints. Tokens are replaced by x's.

Examples:
  lightlike record bug.jsonl chat                      subscribe to all public tables, until Ctrl-C
  lightlike record bug.jsonl chat user --for 10s       to one table, for ten seconds
  lightlike record bug.jsonl --listen 127.0.0.1:4000   another program's sessions
  lightlike replay bug.jsonl                           what happened in it";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The file to write, which must not be there; of further connections, `FILE-2`, `FILE-3`, ..
    file: PathBuf,
    /// Connect to this database: its name, or its identity in hex; `.` is that of spacetime.json.
    pub(crate) database: Option<String>,
    /// Tables or queries to subscribe to. Without any, everything that clients may see.
    #[arg(value_name = "TABLE|SQL", requires = "database")]
    queries: Vec<String>,
    /// Address to listen at. The system chooses a port for 0.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: String,
    /// End after so much time.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    if args.file.exists() {
        let message = format!("{} is there already", args.file.display());
        return Err(
            Failure::new(Exit::File, message).tip("give the name of a file that is not there")
        );
    }
    let server =
        Server::parse(&context.server).map_err(|error| Failure::new(Exit::Usage, error))?;
    let proxy = Proxy::bind(&args.listen, server, args.file.clone(), context.global.quiet).await?;
    let uri = proxy.uri();
    let time = async {
        match args.time {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    let Some(database) = &args.database else {
        context.note(format_args!("point a client at {uri}; Ctrl-C ends"));
        return tokio::select! {
            ended = proxy.run(false) => ended,
            () = interrupted() => Ok(()),
            () = time => Ok(()),
        };
    };
    let local = tokio::task::LocalSet::new();
    let session = local.run_until(async move {
        let proxy = tokio::task::spawn_local(proxy.run(true));
        let client = async {
            let client = connect(context, &uri, database, &args.queries).await?;
            let mut state = client.state();
            let closed = state.wait_for(|state| matches!(state, ConnectionState::Closed(_)));
            tokio::select! {
                () = interrupted() => (),
                () = time => (),
                _ = closed => {
                    let message = "the connection is lost; what was said until then is recorded";
                    return Err(Failure::new(Exit::Connection, message));
                }
            }
            client.disconnect().await;
            Ok(())
        };
        let outcome = client.await;
        if outcome.is_ok() {
            // It writes the goodbyes down.
            return proxy.await.unwrap_or(Ok(()));
        }
        proxy.abort();
        outcome
    });
    session.await
}

async fn connect(
    context: &Context,
    uri: &str,
    database: &str,
    queries: &[String],
) -> Result<Client, Failure> {
    // A connection a file: one that is lost ends the recording.
    let mut once = Reconnect::default();
    once.enabled = false;
    let mut builder = Client::builder(uri, database).reconnect(once);
    if let Some(token) = &context.token {
        builder = builder.token(token);
    }
    let client = builder.connect().await;
    let client = client.map_err(|error| Failure::client(&error, &context.presented()))?;
    let queries: Vec<String> = match queries {
        [] => vec!["SELECT * FROM *".to_owned()],
        queries => queries
            .iter()
            .map(|query| match query.contains(char::is_whitespace) {
                true => query.clone(),
                false => format!("SELECT * FROM \"{}\"", query.replace('"', "\"\"")),
            })
            .collect(),
    };
    client.subscribe(queries).await?.keep();
    Ok(client)
}
