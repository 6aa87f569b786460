//! `lightlike`: look into a SpacetimeDB database, watch it, call it, publish to it.
//!
//! [`args`] is what it understands, [`project`] what the project's files say beside that, [`commands`] what each command does,
//! [`output`] how things look, [`terminal`] what of others' text gets to a terminal, [`failure`] how it ends when something goes
//! wrong.

#![forbid(unsafe_code)]

mod args;
mod arguments;
mod commands;
mod context;
mod failure;
mod global;
mod output;
mod project;
mod session;
mod terminal;

use std::process::ExitCode;

use args::Cli;
use failure::{Exit, Failure};

fn main() -> ExitCode {
    // What is wrong with the arguments ends here, with clap's words and code 2.
    let cli = Cli::read();
    cli.global.color.write_global();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Failure::new(Exit::Refused, "the system gives no threads or sockets").because(&error)
    })?;
    runtime.block_on(commands::run(cli))
}
