//! The commands, one file each: its arguments, and what it does.

mod account;
mod call;
mod logs;
mod module;
mod ping;
mod recording;
mod schema;
mod shell;
mod sql;
mod subscribe;

use std::io::Write as _;

use clap::{CommandFactory as _, Subcommand};

pub(crate) use call::{hex, unhex};

use self::account::{identity, login};
use self::module::{delete, names, publish};
use self::recording::{record, replay};
use self::schema::{check, describe, generate};
use self::shell::{completions, man};
use crate::args::Cli;
use crate::context::Context;
use crate::failure::Failure;
use crate::global::Global;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show what a database has: tables, views, reducers, procedures, types.
    Describe(describe::Args),
    /// Write a module's structs, enums and calls as Rust.
    Generate(generate::Args),
    /// Say whether a schema that was kept is still the database's.
    Check(check::Args),
    /// Run SQL, and show its rows as a table, JSON or CSV.
    Sql(sql::Args),
    /// Call a reducer or a procedure.
    Call(call::Args),
    /// Watch rows come, change and go.
    #[command(visible_alias = "watch")]
    Subscribe(subscribe::Args),
    /// Show what a module logs.
    Logs(logs::Args),
    /// Publish a module: make a database, or update one.
    Publish(publish::Args),
    /// Delete a database with all its rows.
    Delete(delete::Args),
    /// Show or change the names of a database.
    Names(names::Args),
    /// Show who you are, and what is yours.
    Identity(identity::Args),
    /// Get a token and keep it.
    Login(login::LoginArgs),
    /// Forget the token that is kept.
    Logout,
    /// Ask a server whether it is there, and its version.
    Ping(ping::Args),
    /// Record what a client and a server say to each other.
    Record(record::Args),
    /// Play a recorded session back, and show what it did.
    Replay(replay::Args),
    /// Print a shell's completions.
    Completions(completions::Args),
    /// Write the manual pages.
    Man(man::Args),
}

pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    let Some(command) = command else {
        let mut help = Cli::command();
        // What help goes to standard error is an error's.
        anstream::stderr().write_all(help.render_help().ansi().to_string().as_bytes())?;
        return Err(Failure::usage_shown());
    };
    // Those that ask no server.
    match command {
        Command::Completions(args) => return completions::run(&args),
        Command::Man(args) => return man::run(&args),
        Command::Replay(args) => return replay::run(&global, args).await,
        _ => (),
    }
    match command {
        Command::Generate(args) => generate::run(&global, &args).await,
        Command::Publish(args) => publish::run(&global, &args).await,
        command => about_one(&global, command).await,
    }
}

/// Runs a command that is about one database at most.
async fn about_one(global: &Global, mut command: Command) -> Result<(), Failure> {
    // A store that is damaged is mended by those that do not read it.
    let context = match &mut command {
        Command::Login(_) | Command::Logout => Context::without_store(global)?,
        command => Context::new(global, command.database().map(|it| &**it))?,
    };
    if let Some(database) = command.database() {
        *database = context.database(database).to_owned();
    }
    let ended = ask(&context, command).await;
    ended.map_err(|failure| failure.notes(context.used()))
}

impl Command {
    /// The database that it is about.
    fn database(&mut self) -> Option<&mut String> {
        match self {
            Self::Describe(args) => Some(&mut args.database),
            Self::Check(args) => Some(&mut args.database),
            Self::Sql(args) => Some(&mut args.database),
            Self::Call(args) => Some(&mut args.database),
            Self::Subscribe(args) => Some(&mut args.database),
            Self::Logs(args) => Some(&mut args.database),
            Self::Delete(args) => Some(&mut args.database),
            Self::Names(args) => Some(&mut args.database),
            Self::Record(args) => args.database.as_mut(),
            _ => None,
        }
    }
}

async fn ask(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Describe(args) => describe::run(context, args).await,
        Command::Check(args) => check::run(context, args).await,
        Command::Sql(args) => sql::run(context, args).await,
        Command::Call(args) => call::run(context, args).await,
        Command::Subscribe(args) => subscribe::run(context, args).await,
        Command::Logs(args) => logs::run(context, args).await,
        Command::Delete(args) => delete::run(context, args).await,
        Command::Names(args) => names::run(context, args).await,
        Command::Identity(args) => identity::run(context, args).await,
        Command::Login(args) => login::run(context, args).await,
        Command::Logout => login::logout(context),
        Command::Ping(args) => ping::run(context, args).await,
        Command::Record(args) => record::run(context, args).await,
        Command::Generate(_)
        | Command::Publish(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Replay(_) => Ok(()),
    }
}

/// Ends when the user does.
pub(crate) async fn interrupted() {
    // Where no signal can be heard, the process ends by it.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
