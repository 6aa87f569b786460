//! `lightlike check`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use lightlike::schema::ServerSchema;
use lightlike_generate::drift;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::project::HERE;
use crate::terminal::{line, stdout};

const EXAMPLES: &str = "\
Keep a schema beside the program, and let CI ask whether it still holds:
  lightlike describe chat --json > schema.json
  lightlike check chat                                nothing, or a line for each difference and code 7

`lightlike generate chat --check` asks the same of generated files.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The database: its name, or its identity in hex; `.` is that of spacetime.json.
    #[arg(default_value = HERE)]
    pub(crate) database: String,
    /// The schema that was kept, as `describe --json` shows it.
    #[arg(long, value_name = "FILE", default_value = "schema.json")]
    schema: PathBuf,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let file = saved(&args.schema)?;
    let server = context.schema(&args.database).await?;
    let (notes, differences): (Vec<_>, Vec<_>) =
        drift(&server, &file).into_iter().partition(|difference| difference.is_note);
    for note in &notes {
        context.note(format_args!("{note}; no client notices"));
    }
    if differences.is_empty() {
        context.note(format_args!(
            "{} is the schema of `{}`",
            args.schema.display(),
            args.database
        ));
        return Ok(());
    }
    let mut out = stdout();
    for difference in &differences {
        writeln!(out, "{}", line(&difference.to_string()))?;
    }
    let message = format!(
        "{} is not the schema of `{}`: {} difference{}",
        args.schema.display(),
        args.database,
        differences.len(),
        if differences.len() == 1 { "" } else { "s" }
    );
    let tip = format!("`lightlike describe {} --json` shows the one to keep", args.database);
    Err(Failure::new(Exit::Differs, message).tip(tip))
}

/// A schema that was kept.
pub(crate) fn saved(path: &Path) -> Result<ServerSchema, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    ServerSchema::parse(&text)
        .map_err(|error| Failure::new(Exit::Content, error).at(path.display()))
}
