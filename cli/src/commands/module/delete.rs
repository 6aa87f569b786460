//! `lightlike delete`.

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::ask;

const EXAMPLES: &str = "\
Examples:
  lightlike delete chat                               asks first
  lightlike delete chat --yes                         does not ask";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The database: its name, or its identity in hex; `.` is that of spacetime.json.
    pub(crate) database: String,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let (http, database) = (context.http(), &args.database);
    // The server takes the end of what never was for a success.
    let info = http.database(database).await;
    let info = info.map_err(context.refused(&format!("find `{database}`")))?;
    if !args.yes {
        confirm(&format!("delete `{database}` with all its rows"), database)?;
    }
    let deleted = http.delete(&info.identity.to_hex()).await;
    deleted.map_err(context.refused(&format!("delete `{database}`")))?;
    context.note(format_args!("deleted {}", info.identity.to_hex()));
    Ok(())
}

/// Asks whether to do what cannot be undone.
pub(crate) fn confirm(what: &str, database: &str) -> Result<(), Failure> {
    match ask(&format!("To {what}, type its name:"))? {
        Some(answer) if answer == database => Ok(()),
        Some(_) => Err(Failure::new(Exit::Refused, "that is not its name: nothing was done")),
        None => Err(Failure::new(
            Exit::Usage,
            format_args!("nobody is there to be asked whether to {what}"),
        )
        .tip("`--yes` says that it is meant")),
    }
}
