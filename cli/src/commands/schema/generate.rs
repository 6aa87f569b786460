//! `lightlike generate`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use lightlike::schema::ServerSchema;
use lightlike_generate::{
    GenerateError, Generated, Generator, ModuleSource, SourceError, WriteError,
};

use crate::commands::module::publish::{SetEnv, no_module, project_module};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::global::Global;
use crate::output::progress::Progress;
use crate::project::{HERE, Rust, Sourced};
use crate::terminal::data;

const EXAMPLES: &str = "\
Examples:
  lightlike generate chat                             src/chat.rs, of a database that runs
  lightlike generate chat --client                    and src/main.rs, to begin with
  lightlike generate chat --split                     the folder src/chat, one file a table
  lightlike generate --schema schema.json --name chat
                                                      of a schema that was kept
  lightlike generate --module server --name chat      of a module's source, or its .wasm
  lightlike generate chat --check                     in CI: code 7 where the file is not that
  lightlike generate                                  as spacetime.json says";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    source: Source,
    /// Name of the Rust module and of the file. By default that of the database, or the last of `out-dir` in spacetime.json.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The folder to write to. By default that above `out-dir` in spacetime.json, or else `src`.
    #[arg(long, short, value_name = "FOLDER")]
    out: Option<PathBuf>,
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
    #[command(flatten)]
    env: SetEnv,
    /// Write nothing; say whether what would be written is there already.
    #[arg(long)]
    check: bool,
}

/// Source of the schema.
#[derive(clap::Args)]
#[group(multiple = false)]
struct Source {
    /// The database: its name, or its identity in hex. By default the module of spacetime.json, or else its database.
    database: Option<String>,
    /// A file with the schema, as `describe --json` shows it.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// A module: the folder of its source, or a .wasm file. The server gets it under a name of the moment, tells its schema,
    /// and deletes it.
    #[arg(long, value_name = "PATH")]
    module: Option<PathBuf>,
}

/// Declarations that are written.
struct Output {
    /// The folder.
    out: PathBuf,
    /// The Rust module.
    name: String,
    private: bool,
}

pub(crate) async fn run(global: &Global, args: &Args) -> Result<(), Failure> {
    let Source { database, schema, module } = &args.source;
    let contexts = match (database, schema.is_some() || module.is_some()) {
        (Some(database), _) => Context::all(global, database)?,
        // A store that is damaged is no obstacle where no server is asked.
        (None, true) if schema.is_some() => vec![Context::without_store(global)?],
        (None, true) => vec![Context::new(global, None)?],
        (None, false) => Context::all(global, HERE)?,
    };
    // Databases of one module make the same; of two modules, one would write over the other.
    let mut written = BTreeMap::new();
    for context in contexts {
        let made = generate(&context, args, &mut written).await;
        made.map_err(|failure| failure.notes(context.used()))?;
    }
    Ok(())
}

/// Writes what a database makes, unless it was written: `written` has the source by the path of the Rust module.
async fn generate(
    context: &Context,
    args: &Args,
    written: &mut BTreeMap<PathBuf, String>,
) -> Result<(), Failure> {
    let source = source(context, args);
    let mut outputs = Vec::new();
    for output in outputs_of(context, args)? {
        let path = output.out.join(&output.name);
        match written.insert(path.clone(), source.to_string()) {
            None => outputs.push(output),
            Some(other) if other == source.to_string() => (),
            Some(other) => {
                let message = format!("{other} and {source} would both be in {}", path.display());
                return Err(Failure::new(Exit::Usage, message)
                    .tip("name one database, or give each an `out-dir` of its own"));
            }
        }
    }
    if outputs.is_empty() {
        return Ok(());
    }
    let schema = schema(context, args, &source).await?;
    for output in outputs {
        let database = args.source.database.as_deref().or(Some(HERE));
        let database = database.map(|it| context.database(it)).filter(|it| *it != HERE);
        let generator = Generator::new()
            .name(&output.name)
            .private(args.private || output.private)
            .client(args.client)
            .open_enums(args.open_enums)
            .database(&context.server, database.unwrap_or(&output.name));
        let generated = if args.split { generator.files(&schema) } else { generator.file(&schema) };
        let generated = generated.map_err(no_source)?;
        if args.check {
            check(&output.out, &generated)?;
        } else {
            write(context, &output.out, &generated)?;
        }
    }
    Ok(())
}

/// Destination of generated declarations: the arguments', or else the project files'.
fn outputs_of(context: &Context, args: &Args) -> Result<Vec<Output>, Failure> {
    let entries: Vec<_> = context.target.iter().flat_map(|target| &target.generate).collect();
    let by_hand = args.out.is_some() || args.name.is_some();
    if by_hand && entries.len() > 1 {
        let message = format!("`generate` in {} has several entries for Rust", entries[0].file);
        return Err(Failure::new(Exit::Usage, message).tip("leave `--out` and `--name` out"));
    }
    let output = |entry: Option<&Rust>| {
        let out = entry.and_then(|entry| entry.out.as_deref());
        let named = |out: &Path| Some(out.file_name()?.to_str()?.to_owned());
        Output {
            out: args
                .out
                .clone()
                .or_else(|| Some(out?.parent()?.to_owned()))
                .unwrap_or_else(|| "src".into()),
            name: args
                .name
                .clone()
                .or_else(|| named(out?))
                .unwrap_or_else(|| default_name(context, args)),
            private: entry.is_some_and(|entry| entry.private),
        }
    };
    for Sourced { value, file } in &entries {
        if let Some(out) = &value.out {
            context.uses(format_args!("the output {}", out.display()), file);
        }
    }
    match &entries[..] {
        [] => Ok(vec![output(None)]),
        entries => Ok(entries.iter().map(|entry| output(Some(&entry.value))).collect()),
    }
}

/// The database's name as that of a Rust module, or a name for a module of which no database is known.
fn default_name(context: &Context, args: &Args) -> String {
    let Source { database, schema, module } = &args.source;
    match database {
        Some(database) => rust_name(context.database(database)),
        None if schema.is_none() && module.is_none() => rust_name(context.database(HERE)),
        None => "module".to_owned(),
    }
}

/// Source of a schema, once it is known which.
enum Origin {
    File(PathBuf),
    Module(PathBuf),
    Database(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the schema {}", path.display()),
            Self::Module(path) => write!(f, "the module {}", path.display()),
            Self::Database(name) => write!(f, "the database {name}"),
        }
    }
}

fn source(context: &Context, args: &Args) -> Origin {
    let Source { database, schema, module } = &args.source;
    match (database, schema, module) {
        (_, Some(file), _) => Origin::File(file.clone()),
        (_, _, Some(module)) => Origin::Module(module.clone()),
        (Some(database), ..) if database != HERE => Origin::Database(database.clone()),
        _ => match project_module(context) {
            Some(module) => Origin::Module(module),
            None => Origin::Database(context.database(HERE).to_owned()),
        },
    }
}

/// Reads the schema from wherever it is.
async fn schema(context: &Context, args: &Args, source: &Origin) -> Result<ServerSchema, Failure> {
    let path = match source {
        Origin::File(path) => return super::check::saved(path),
        Origin::Database(database) => return context.schema(database).await,
        Origin::Module(path) => path,
    };
    let mut http = context.http();
    if context.token.is_none() {
        // Somebody of the moment, for a database of the moment.
        let account = http.create_identity().await;
        http = http.with_token(account.map_err(context.refused("make an identity"))?.token);
    }
    let mut module = ModuleSource::new(path);
    for (name, value) in args.env.values(context)? {
        module = module.environment(&name, &value);
    }
    let spinner = Progress::spinner("building and asking", context.global.quiet);
    let schema = module.schema(&http).await;
    spinner.finish();
    schema.map_err(|error| match &error {
        SourceError::Server { source, database, verb, .. } => {
            let what = format!("{verb} the module as `{database}`");
            let failure = context.failed(source, &what);
            if failure.says("environment variable") {
                return failure.tip("`--env NAME=VALUE` gives one, for as long as this takes");
            }
            failure
        }
        _ => no_module(error),
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

fn write(context: &Context, folder: &Path, generated: &Generated) -> Result<(), Failure> {
    let changed = generated.write_to(folder).map_err(file)?;
    let mut out = data();
    for path in &changed {
        out.text(&path.display().to_string())?;
    }
    if changed.is_empty() {
        context.note("everything is as it would be written");
    }
    Ok(())
}

fn check(folder: &Path, generated: &Generated) -> Result<(), Failure> {
    match generated.check_in(folder).map_err(file)? {
        Ok(()) => Ok(()),
        Err(stale) => Err(Failure::new(Exit::Differs, stale)
            .tip("the same command without `--check` writes what is right")),
    }
}

fn file(error: WriteError) -> Failure {
    let failure = Failure::new(Exit::File, &error);
    match error.cause().kind() {
        ErrorKind::AlreadyExists => failure.tip("`--name` or `--out` writes elsewhere"),
        _ => failure,
    }
}
