//! Records sessions between a client and a real server, for the tests that replay them.
//!
//! ```text
//! tests/engine/run -- cargo run -p lightlike-tests --example record -- FOLDER [NAME...]
//! ```
//!
//! plays every scenario of `scenarios.rs`, or those named, each on a database of its own, and writes a file each:
//! `tests/fixtures/README.md` says what is in one.

mod calls;
mod proxy;
mod raw;
mod recording;
mod scenarios;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use lightlike::Client;
use lightlike::connection::Compression;
use lightlike_core::wire::Protocol;
use lightlike_tests::real::{Account, Database, Module, Real};
use serde_json::Value;

use proxy::Proxy;
use raw::Raw;
use scenarios::{SCENARIOS, Scenario};

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Stage of a scenario: a database, and the one connection to it that is recorded.
struct Stage {
    database: Database,
    /// The way to the server that records.
    uri: String,
    compression: Compression,
}

impl Stage {
    /// Connects this project's client.
    async fn client(&self) -> Result<Client> {
        let builder = Client::builder(&self.uri, self.database.name());
        Ok(builder.compression(self.compression).connect().await?)
    }

    /// Connects a socket that says what it is told to.
    async fn raw(&self) -> Result<Raw> {
        Raw::connect(&self.uri, self.database.name(), self.compression).await
    }

    /// Calls as somebody else.
    async fn elsewhere(&self, function: &str, arguments: Value) -> Result {
        let owner: &Account = self.database.owner();
        self.database.call(owner, function, arguments).await?;
        Ok(())
    }
}

// One thread: calls that are made without waiting in between are sent together, each time alike.
#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stderr, reason = "how a program says what went wrong")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "how a program says what it did")]
async fn run() -> Result {
    let mut arguments = env::args().skip(1);
    let folder = arguments.next().ok_or("usage: record FOLDER [NAME...]")?;
    let names: Vec<String> = arguments.collect();
    if let Some(name) = names.iter().find(|name| SCENARIOS.iter().all(|it| it.name != **name)) {
        return Err(format!("no scenario is called {name:?}").into());
    }
    let server = Real::from_env().ok_or("SPACETIMEDB_URI names no server")?;
    fs::create_dir_all(&folder)?;
    for scenario in SCENARIOS {
        if names.is_empty() || names.iter().any(|name| name == scenario.name) {
            let text = record(&server, scenario)
                .await
                .map_err(|error| format!("{}: {error}", scenario.name))?;
            let file = Path::new(&folder).join(format!("{}.jsonl", scenario.name));
            println!("{} ({} bytes)", file.display(), text.len());
            fs::write(file, text)?;
        }
    }
    Ok(())
}

/// Plays one scenario, and returns what was said as the text of a file. The database has the name of its module there.
async fn record(server: &Real, scenario: &Scenario) -> Result<String> {
    let database = server.publish(Module::Conformance).await?;
    let only_v2 = scenario.protocol == Protocol::V2;
    let proxy = Proxy::start(server.uri(), only_v2.then_some(Protocol::V2)).await?;
    let stage = Stage { database, uri: proxy.uri().to_owned(), compression: scenario.compression };
    (scenario.play)(&stage).await?;
    let mut recording = proxy.finish().await?;
    recording.target = recording.target.replace(stage.database.name(), "conformance");
    recording.to_text()
}
