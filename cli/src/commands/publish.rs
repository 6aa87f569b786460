//! `lightlike publish`.

use std::io::Write as _;
use std::path::PathBuf;

use lightlike::http::{ErrorKind, MigrationPlan, Publish, PublishOp};

use super::delete::confirm;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::progress::Progress;
use crate::terminal::{data, lines, stdout};

const EXAMPLES: &str = "\
Build the module first: `cargo build --release --target wasm32-unknown-unknown`.

Examples:
  lightlike publish chat target/wasm32-unknown-unknown/release/chat.wasm
  lightlike publish chat chat.wasm --plan              what it would do to the rows
  lightlike publish chat chat.wasm --break-clients     though old clients will not understand
  lightlike publish chat chat.wasm --clear             delete all rows first
  lightlike publish chat chat.wasm --env MODE=prod --env API_KEY
                                                       with variables; API_KEY is taken from the shell";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The database: its name, or its identity in hex.
    database: String,
    /// The module, built.
    module: PathBuf,
    /// Show what it would do to the database that is there, and do nothing.
    #[arg(long, conflicts_with_all = ["clear", "break_clients"])]
    plan: bool,
    /// Delete all rows first.
    #[arg(long)]
    clear: bool,
    /// Go on though clients of the old module will not understand the new one.
    #[arg(long)]
    break_clients: bool,
    /// An environment variable of the module: `NAME=VALUE`, or `NAME` with the value that it has here. May come several times.
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Forget an environment variable, or `*` for all that are not given anew. May come several times.
    #[arg(long, value_name = "NAME")]
    env_remove: Vec<String>,
    /// Do not ask before rows are deleted.
    #[arg(long, short)]
    yes: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    context.needs_login()?;
    let database = &*args.database;
    let module =
        std::fs::read(&args.module).map_err(|error| Failure::file("read", &args.module, &error))?;
    if !module.starts_with(b"\0asm") {
        let message = format!("{} is no WebAssembly module", args.module.display());
        return Err(Failure::new(Exit::File, message).tip(
            "give the file that `cargo build --release --target wasm32-unknown-unknown` made",
        ));
    }
    let mut options = environment(&args)?;
    if args.plan || args.break_clients {
        let plan = plan(context, database, &module).await?;
        if args.plan {
            return show(&plan);
        }
        if let MigrationPlan::Auto { breaks_clients: true, token, .. } = &plan {
            options = options.break_clients(token);
        }
    }
    if args.clear {
        if !args.yes && context.http().database(database).await.is_ok() {
            confirm(&format!("delete all rows of `{database}`"), database)?;
        }
        options = options.clear(true);
    }
    upload(context, database, module, options).await
}

/// Options with the environment that is asked for.
fn environment(args: &Args) -> Result<Publish, Failure> {
    let mut options = Publish::default();
    for assignment in &args.env {
        let (name, value) = match assignment.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None => (&**assignment, inherited(assignment)?),
        };
        options = options.environment(name, &value);
    }
    for name in &args.env_remove {
        options = match &**name {
            "*" => options.clear_environment(),
            name => options.remove_environment(name),
        };
    }
    Ok(options)
}

/// The value of a variable in the command's own environment.
fn inherited(name: &str) -> Result<String, Failure> {
    std::env::var(name).map_err(|error| {
        Failure::new(Exit::Usage, format_args!("--env {name}: {error}"))
            .tip(format_args!("set it, or give the value: --env {name}=VALUE"))
    })
}

async fn upload(
    context: &Context,
    database: &str,
    module: Vec<u8>,
    options: Publish,
) -> Result<(), Failure> {
    let total = module.len() as u64;
    let bar = Progress::bytes("uploading", total, context.global.quiet);
    let seen = bar.clone();
    let options = options.on_upload(move |sent| {
        seen.set(sent);
        if sent == total {
            seen.spin("the server compiles it");
        }
    });
    let published = context.http().publish(database, module, options).await;
    bar.finish();
    let published = published.map_err(|error| {
        let kind = error.kind();
        let failure = context.refused(&format!("publish `{database}`"))(error);
        match kind {
            ErrorKind::Refused => failure.tip(
                "`--plan` shows what stands in the way, `--break-clients` goes on, `--clear` deletes all rows first",
            ),
            ErrorKind::Server => failure.tip("`lightlike logs` may say why it did not start"),
            _ => failure,
        }
    })?;
    let done = match published.op {
        PublishOp::Created => "created",
        _ => "updated",
    };
    data().text(&published.identity.to_hex())?;
    let name = published.name.as_deref().unwrap_or(database);
    context.note(format_args!("{done} {name} at {}", context.server));
    Ok(())
}

async fn plan(context: &Context, database: &str, module: &[u8]) -> Result<MigrationPlan, Failure> {
    let spinner = Progress::spinner("the server compares", context.global.quiet);
    let plan = context.http().pre_publish(database, module.to_vec()).await;
    spinner.finish();
    plan.map_err(context.refused(&format!("plan the update of `{database}`")))
}

fn show(plan: &MigrationPlan) -> Result<(), Failure> {
    let mut out = stdout();
    match plan {
        MigrationPlan::Auto { text, breaks_clients, .. } => {
            writeln!(out, "{}", lines(text.trim_end()))?;
            if *breaks_clients {
                writeln!(
                    out,
                    "\nClients of the old module will not understand it: `--break-clients` goes on."
                )?;
            }
        }
        MigrationPlan::Manual { reason, .. } => {
            writeln!(out, "{}", lines(reason.trim_end()))?;
            return Err(Failure::new(
                Exit::Refused,
                "the server cannot migrate the rows by itself",
            )
            .tip("change the module, or `--clear` deletes all rows first"));
        }
        _ => writeln!(out, "a plan of a kind that this version does not know")?,
    }
    Ok(())
}
