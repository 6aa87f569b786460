//! `lightlike ping`.

use std::io::Write as _;
use std::time::Instant;

use lightlike::http::ErrorKind;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::stdout;

pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let http = context.http();
    http.ping().await.map_err(context.refused("ask whether it is there"))?;
    // The second one goes over a connection that is there.
    let start = Instant::now();
    let version = match http.health().await {
        Ok(health) => format!("SpacetimeDB {}", health.version),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            "a server of no known version".to_owned()
        }
        Err(error) => return Err(context.refused("ask how it is")(error)),
    };
    let took = start.elapsed();
    Ok(writeln!(stdout(), "{version} at {}, {:.1} ms", context.server, took.as_secs_f64() * 1e3)?)
}
