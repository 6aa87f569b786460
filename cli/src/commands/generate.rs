//! `lightlike generate`.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use lightlike::schema::ServerSchema;
use lightlike_generate::{GenerateError, Generated, Generator, ModuleSource, WriteError};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::progress::Progress;
use crate::terminal::data;

const EXAMPLES: &str = "\
Examples:
  lightlike generate chat                             src/chat.rs, of a database that runs
  lightlike generate chat --client                    and src/main.rs, to begin with
  lightlike generate chat --split                     the folder src/chat, one file a table
  lightlike generate --schema schema.json --name chat
                                                      of a schema that was kept
  lightlike generate --module server --name chat      of a module's source, or its .wasm
  lightlike generate chat --check                     in CI: code 7 where the file is not that";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    /// Name of the Rust module and of the file. By default that of the database.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The folder to write to.
    #[arg(long, short, value_name = "FOLDER", default_value = "src")]
    out: PathBuf,
    /// Also write main.rs, a client to begin with, unless there is one.
    #[arg(long)]
    client: bool,
    /// A folder with one file a table, and not one file.
    #[arg(long)]
    split: bool,
    /// Also what only the database's owner can read.
    #[arg(long)]
    private: bool,
    /// Give enums without values a variant that keeps those which the module adds later.
    #[arg(long)]
    open_enums: bool,
    /// Write nothing; say whether what would be written is there already.
    #[arg(long)]
    check: bool,
}

/// Source of the schema.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// The database: its name, or its identity in hex.
    database: Option<String>,
    /// A file with the schema, as `describe --json` shows it.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// A module: the folder of its source, or a .wasm file. The server gets it under a name of the moment, tells its schema,
    /// and deletes it.
    #[arg(long, value_name = "PATH")]
    module: Option<PathBuf>,
}

impl Args {
    /// Whether the schema is a server's, and not of a file.
    pub(crate) fn asks_server(&self) -> bool {
        self.source.schema.is_none()
    }
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let schema = schema(context, &args.source).await?;
    let database = args.source.database.as_deref();
    let name = args.name.clone().unwrap_or_else(|| rust_name(database.unwrap_or("module")));
    let generator = Generator::new()
        .name(&name)
        .private(args.private)
        .client(args.client)
        .open_enums(args.open_enums)
        .database(&context.server, database.unwrap_or(&name));
    let generated = if args.split { generator.files(&schema) } else { generator.file(&schema) };
    let generated = generated.map_err(no_source)?;
    if args.check { check(&args, &generated) } else { write(context, &args, &generated) }
}

/// Reads the schema from wherever it is.
async fn schema(context: &Context, source: &Source) -> Result<ServerSchema, Failure> {
    if let Some(path) = &source.schema {
        return super::check::saved(path);
    }
    let Some(path) = &source.module else {
        return context.schema(source.database.as_deref().unwrap_or_default()).await;
    };
    let mut http = context.http();
    if context.token.is_none() {
        // Somebody of the moment, for a database of the moment.
        let account = http.create_identity().await;
        http = http.with_token(account.map_err(context.refused("make an identity"))?.token);
    }
    let spinner = Progress::spinner("building and asking", context.global.quiet);
    let schema = ModuleSource::new(path).schema(&http).await;
    spinner.finish();
    schema.map_err(|error| {
        let failure = match &error {
            lightlike_generate::SourceError::Server { source, database, verb, .. } => {
                let what = format!("{verb} the module as `{database}`");
                return context.failed(source, &what);
            }
            _ => Failure::new(Exit::File, &error),
        };
        match std::error::Error::source(&error) {
            Some(source) => failure.because(source),
            None => failure,
        }
    })
}

/// The database's name as that of a Rust module.
fn rust_name(database: &str) -> String {
    let name = database.replace(|c: char| !c.is_ascii_alphanumeric(), "_").to_lowercase();
    // Files of other things.
    let taken = ["main", "lib", "mod"].contains(&&*name);
    if taken || name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("db_{name}")
    } else {
        name
    }
}

fn no_source(error: GenerateError) -> Failure {
    match error {
        GenerateError::ModuleName { .. } => {
            Failure::new(Exit::Usage, error).tip("`--name` gives another")
        }
        _ => Failure::new(Exit::Content, format_args!("the schema cannot be Rust: {error}")),
    }
}

fn write(context: &Context, args: &Args, generated: &Generated) -> Result<(), Failure> {
    let changed = generated.write_to(&args.out).map_err(file)?;
    let mut out = data();
    for path in &changed {
        out.text(&path.display().to_string())?;
    }
    if changed.is_empty() {
        context.note("everything is as it would be written");
    }
    Ok(())
}

fn check(args: &Args, generated: &Generated) -> Result<(), Failure> {
    match generated.check_in(&args.out).map_err(file)? {
        Ok(()) => Ok(()),
        Err(stale) => Err(Failure::new(Exit::Differs, stale)
            .tip("the same command without `--check` writes what is right")),
    }
}

fn file(error: WriteError) -> Failure {
    let mut failure = Failure::new(Exit::File, &error);
    if let Some(source) = std::error::Error::source(&error) {
        let exists = |source: &io::Error| source.kind() == ErrorKind::AlreadyExists;
        if source.downcast_ref().is_some_and(exists) {
            failure = failure.tip("`--name` or `--out` writes elsewhere");
        }
        failure = failure.because(source);
    }
    failure
}
