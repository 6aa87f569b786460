//! `lightlike ping`.

use std::io::Write as _;
use std::time::Instant;

use lightlike::http::ErrorKind;

use crate::context::Context;
use crate::failure::Failure;
use crate::terminal::{data, line, stdout};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let http = context.http();
    http.ping().await.map_err(context.refused("ask whether it is there"))?;
    // The second one goes over a connection that is there.
    let start = Instant::now();
    let version = match http.health().await {
        Ok(health) => Some(health.version),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(context.refused("ask how it is")(error)),
    };
    let (server, ms) = (&context.server, start.elapsed().as_secs_f64() * 1e3);
    if args.json {
        let object = serde_json::json!({ "server": server, "version": version, "ms": ms });
        return Ok(data().json(&object.to_string())?);
    }
    let version = version.map_or_else(
        || "a server of no known version".to_owned(),
        |version| format!("SpacetimeDB {}", line(&version)),
    );
    Ok(writeln!(stdout(), "{version} at {server}, {ms:.1} ms")?)
}
