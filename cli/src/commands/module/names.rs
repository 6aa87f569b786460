//! `lightlike names`.

use crate::context::Context;
use crate::failure::Failure;
use crate::project::HERE;
use crate::terminal::data;

const EXAMPLES: &str = "\
Examples:
  lightlike names chat                                show them
  lightlike names chat --add lobby                    give it one more
  lightlike names chat --set lobby --set hall         replace them all";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The database: its name, or its identity in hex; `.` is that of spacetime.json.
    #[arg(default_value = HERE)]
    pub(crate) database: String,
    /// Add this name. Can be given several times.
    #[arg(long, value_name = "NAME")]
    add: Vec<String>,
    /// Replace all names by this one. Can be given several times.
    #[arg(long, value_name = "NAME", conflicts_with = "add")]
    set: Vec<String>,
    /// One JSON array.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let (http, database) = (context.http(), &args.database);
    let what = format!("name `{database}`");
    // By its identity, which stays when its names change.
    let identity = http.database_identity(database).await;
    let identity = identity.map_err(context.refused(&format!("find `{database}`")))?.to_hex();
    if !args.add.is_empty() || !args.set.is_empty() {
        context.needs_login()?;
    }
    for name in &args.add {
        http.add_name(&identity, name).await.map_err(context.refused(&what))?;
    }
    if !args.set.is_empty() {
        let names: Vec<_> = args.set.iter().map(String::as_str).collect();
        http.set_names(&identity, &names).await.map_err(context.refused(&what))?;
    }
    let names = http.names(&identity).await;
    let names = names.map_err(context.refused(&format!("read the names of `{database}`")))?;
    let mut out = data();
    if args.json {
        return Ok(out.json(&serde_json::json!(names).to_string())?);
    }
    Ok(names.iter().try_for_each(|name| out.text(name))?)
}
