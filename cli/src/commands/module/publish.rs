//! `lightlike publish`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use lightlike::http::{EnvironmentChange, ErrorKind, MigrationPlan, Publish, PublishOp};
use lightlike_generate::{ModuleSource, SourceError};

use super::delete::confirm;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::global::Global;
use crate::output::progress::Progress;
use crate::project::{HERE, Sourced};
use crate::terminal::{data, lines, stdout};

const EXAMPLES: &str = "\
Build the module first: `cargo build --release --target wasm32-unknown-unknown`.

Examples:
  lightlike publish chat target/wasm32-unknown-unknown/release/chat.wasm
  lightlike publish chat chat.wasm --plan              what it would do to the rows
  lightlike publish chat chat.wasm --break-clients     though old clients will not understand
  lightlike publish chat chat.wasm --clear             delete all rows first
  lightlike publish chat chat.wasm --env MODE=prod --env API_KEY
                                                       with variables; API_KEY is taken from the shell
  lightlike publish chat --env-only --env MODE=prod    the variables alone
  lightlike publish                                    as spacetime.json says";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The database: its name, or its identity in hex; `.` is each of spacetime.json.
    #[arg(default_value = HERE)]
    database: String,
    /// The module: a .wasm file, or the folder of its source. By default that of spacetime.json.
    module: Option<PathBuf>,
    /// Show what it would do to the database that is there, and do nothing.
    #[arg(long, conflicts_with_all = ["clear", "break_clients"])]
    plan: bool,
    /// Delete all rows first.
    #[arg(long)]
    clear: bool,
    /// Go on though clients of the old module will not understand the new one.
    #[arg(long)]
    break_clients: bool,
    #[command(flatten)]
    env: SetEnv,
    /// Forget an environment variable, or `*` for all that are not given anew. May come several times.
    #[arg(long, value_name = "NAME")]
    env_remove: Vec<String>,
    /// Change the environment alone, and leave the module that is there.
    #[arg(long, conflicts_with_all = ["module", "plan", "clear", "break_clients"])]
    env_only: bool,
    /// Do not ask before rows are deleted.
    #[arg(long, short)]
    yes: bool,
}

/// Environment variables of a module.
#[derive(clap::Args)]
pub(crate) struct SetEnv {
    /// An environment variable of the module: `NAME=VALUE`, or `NAME` with the value that it has here. May come several times.
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
}

impl SetEnv {
    /// The variables by name: those of the project's files, and over them those that are given by hand.
    pub(crate) fn values(&self, context: &Context) -> Result<BTreeMap<String, String>, Failure> {
        let mut values = BTreeMap::new();
        for (name, Sourced { value, file }) in context.target.iter().flat_map(|it| &it.env) {
            values.insert(name.clone(), value.clone());
            context.uses(format_args!("the environment variable {name}"), file);
        }
        for assignment in &self.env {
            let (name, value) = match assignment.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => (&**assignment, inherited(assignment)?),
            };
            values.insert(name.to_owned(), value);
        }
        Ok(values)
    }
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<(), Failure> {
    let databases = Context::all(global, &args.database)?;
    if let (Some(module), [_, _, ..]) = (&args.module, &databases[..]) {
        let message =
            format!("{} would be that of {} databases", module.display(), databases.len());
        return Err(Failure::new(Exit::Usage, message).tip("name the one that is meant"));
    }
    for context in databases {
        let published = publish(&context, args).await;
        published.map_err(|failure| failure.notes(context.used()))?;
    }
    Ok(())
}

async fn publish(context: &Context, args: &Args) -> Result<(), Failure> {
    context.needs_login()?;
    let database = context.database(&args.database);
    if args.env_only {
        return change_environment(context, database, args).await;
    }
    let module = module(context, args.module.as_deref()).await?;
    let mut options = Publish::default();
    for change in changes(context, args)? {
        options = match change {
            Change::Set(name, value) => options.environment(&name, &value),
            Change::Remove(name) => options.remove_environment(&name),
            Change::RemoveOthers => options.clear_environment(),
        };
    }
    let breaks_clients = !args.clear && context.target.as_ref().is_some_and(|it| it.break_clients);
    if args.plan || args.break_clients || breaks_clients {
        let plan = plan(context, database, &module).await?;
        match (&plan, args.plan) {
            (Some(plan), true) => return show(plan),
            (None, true) => return Err(no_database(database)),
            (Some(MigrationPlan::Auto { breaks_clients: true, token, .. }), false) => {
                options = options.break_clients(token);
            }
            _ => (),
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

/// The module: the one that is given, or else the project's.
async fn module(context: &Context, given: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let project = || project_module(context);
    let Some(path) = given.map(Path::to_owned).or_else(project) else {
        return Err(Failure::new(Exit::Usage, "no module is named").tip(
            "give the .wasm file or the folder of its source, or `bin-path` or `module-path` in spacetime.json",
        ));
    };
    let spinner = Progress::spinner("building", context.global.quiet);
    let module = ModuleSource::new(path).wasm().await;
    spinner.finish();
    module.map_err(no_module)
}

/// The module of the project, if it has one: where its files say it is, or where the official command takes it to be.
pub(crate) fn project_module(context: &Context) -> Option<PathBuf> {
    let (target, project) = (context.target.as_ref()?, context.project.as_ref()?);
    if let Some(Sourced { value, file }) = &target.module {
        context.uses(format_args!("the module {}", value.display()), file);
        return Some(value.clone());
    }
    let usual = project.folder().join("spacetimedb");
    usual.is_dir().then(|| {
        context.uses("the module's folder, spacetimedb beside it,", project.file());
        usual
    })
}

pub(crate) fn no_module(error: SourceError) -> Failure {
    let failure = Failure::new(Exit::File, &error);
    match &error {
        SourceError::NoModule { .. } => failure
            .tip("give the file that `cargo build --release --target wasm32-unknown-unknown` made"),
        _ => failure,
    }
}

fn no_database(database: &str) -> Failure {
    Failure::new(Exit::NotFound, format_args!("there is no `{database}`, so nothing is in the way"))
        .tip("the same without `--plan` makes it")
}

/// Change to an environment.
enum Change {
    Set(String, String),
    Remove(String),
    RemoveOthers,
}

/// The changes to the environment that are asked for.
fn changes(context: &Context, args: &Args) -> Result<Vec<Change>, Failure> {
    let by_hand = |name: &str| args.env.env.iter().any(|it| it.split('=').next() == Some(name));
    // What is forgotten by hand is not set by a file.
    let forgotten = |name: &String| !by_hand(name) && args.env_remove.contains(name);
    let values = args.env.values(context)?.into_iter().filter(|(name, _)| !forgotten(name));
    let set = values.map(|(name, value)| Change::Set(name, value));
    let remove = args.env_remove.iter().map(|name| match &**name {
        "*" => Change::RemoveOthers,
        name => Change::Remove(name.to_owned()),
    });
    Ok(set.chain(remove).collect())
}

/// Changes the environment of a database whose module stays.
async fn change_environment(context: &Context, database: &str, args: &Args) -> Result<(), Failure> {
    let mut change = EnvironmentChange::default();
    for one in changes(context, args)? {
        change = match one {
            Change::Set(name, value) => change.set(&name, &value),
            Change::Remove(name) => change.remove(&name),
            Change::RemoveOthers => change.remove_others(),
        };
    }
    let http = context.http();
    let changed = http.change_environment(database, change).await;
    changed.map_err(|error| {
        with_remedy(context.refused(&format!("change the environment of `{database}`"))(error))
    })?;
    let now = http.environment(database).await;
    let now = now.map_err(context.refused(&format!("read the environment of `{database}`")))?;
    for name in &now.names {
        data().text(name)?;
    }
    Ok(())
}

/// Says what to do about a variable that is missing or refused.
fn with_remedy(failure: Failure) -> Failure {
    if failure.says("environment variable") {
        return failure.tip(
            "`--env NAME=VALUE` gives one, `--env NAME` takes it from the shell, `env` in spacetime.json keeps it",
        );
    }
    failure
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
            ErrorKind::Refused if failure.says("environment variable") => with_remedy(failure),
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

/// The plan of an update; none if there is no database yet.
async fn plan(
    context: &Context,
    database: &str,
    module: &[u8],
) -> Result<Option<MigrationPlan>, Failure> {
    let spinner = Progress::spinner("the server compares", context.global.quiet);
    let exists = context.http().database(database).await;
    let plan = match exists {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => context.http().pre_publish(database, module.to_vec()).await.map(Some),
    };
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
