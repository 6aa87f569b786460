//! Arguments of the command line.

use anstyle::{AnsiColor, Style};
use clap::builder::{Resettable, Styles};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser};

use crate::commands::Command;
use crate::global::{Global, NAME_VARIABLE, OVERLAY_VARIABLE, SERVER_VARIABLE, TOKEN_VARIABLE};

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Green.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
Examples:
  lightlike login                                     make an identity and keep it
  lightlike describe chat                             what the database has
  lightlike sql chat \"SELECT * FROM user\"             rows, once
  lightlike watch chat user message                   rows, as they come and go
  lightlike call chat send_message \"hello\"            a reducer or a procedure

`lightlike help COMMAND` says more, with examples.

Exit codes: 0 done, 1 refused by the server or the module, 2 wrong usage, 3 no connection, \
4 no such thing, 5 not allowed, 6 what was read makes no sense, 7 something differs, \
8 a file of yours.";

/// Look into a SpacetimeDB database, watch it, call it, publish to it.
#[derive(Parser)]
#[command(
    name = "lightlike",
    version,
    styles = STYLES,
    after_help = AFTER_HELP,
    max_term_width = 100,
    propagate_version = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    /// None shows the help: clap counts a variable of the environment as an argument.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

impl Cli {
    /// Reads the command line and the environment, and ends the program where they make no sense or ask for help.
    pub(crate) fn read() -> Self {
        let mut command = without_empty_variables(Self::command());
        let matches = command.clone().get_matches();
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        // What is typed comes before the environment.
        if cli.global.anonymous {
            if is_typed(&matches, "token") {
                let why = "the argument '--anonymous' cannot be used with '--token <TOKEN>'";
                command.error(ErrorKind::ArgumentConflict, why).exit();
            }
            cli.global.token = None;
        }
        cli
    }
}

/// Returns `true` if a global argument was typed, before the command or after it.
fn is_typed(matches: &ArgMatches, id: &str) -> bool {
    let inner = matches.subcommand().is_some_and(|(_, inner)| is_typed(inner, id));
    let source = matches.try_contains_id(id).ok().and_then(|_| matches.value_source(id));
    inner || source == Some(ValueSource::CommandLine)
}

/// A variable without anything in it is one that is not set, as in shells that cannot unset one.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let variables = [
        ("server", SERVER_VARIABLE),
        ("token", TOKEN_VARIABLE),
        ("name", NAME_VARIABLE),
        ("overlay", OVERLAY_VARIABLE),
    ];
    variables.into_iter().fold(command, |command, (id, variable)| {
        match std::env::var_os(variable) {
            Some(value) if value.is_empty() => {
                command.mut_arg(id, |arg| arg.env(Resettable::Reset))
            }
            _ => command,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
