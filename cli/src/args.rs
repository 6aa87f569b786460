//! Arguments of the command line.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::builder::{Resettable, Styles};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser};

use crate::commands::Command;

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

const SERVER_VARIABLE: &str = "LIGHTLIKE_SERVER";
const TOKEN_VARIABLE: &str = "LIGHTLIKE_TOKEN";
const NAME_VARIABLE: &str = "LIGHTLIKE_AS";
const OVERLAY_VARIABLE: &str = "LIGHTLIKE_OVERLAY";

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

/// Options of every command.
#[derive(Args, Clone)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// The server: an address, `local` (http://127.0.0.1:3000) or `maincloud` [default: that of spacetime.json, or `local`].
    #[arg(
        long,
        short,
        global = true,
        env = SERVER_VARIABLE,
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) server: Option<String>,
    /// The token to present, in place of the one that `login` keeps; `-` reads it from standard input.
    #[arg(
        long,
        global = true,
        env = TOKEN_VARIABLE,
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub(crate) token: Option<String>,
    /// Use the token that a program keeps: the NAME of its `FileTokens::new(NAME)`. By default it is the server's host and port.
    #[arg(long = "as", global = true, env = NAME_VARIABLE, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Present no token, whatever is kept or in the environment: be somebody new.
    #[arg(long, global = true)]
    pub(crate) anonymous: bool,
    /// Time limit of one exchange: `500ms`, `10s`, `2m` [default: 30s; 10s to connect, 5m to publish].
    #[arg(long, global = true, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Use of colours. NO_COLOR and CLICOLOR_FORCE are honoured too.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// Say nothing but results and errors.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Say of each value of the project's files where it is from.
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// Go without spacetime.json.
    #[arg(long, global = true)]
    pub(crate) no_config: bool,
    /// Lay spacetime.NAME.json and spacetime.NAME.local.json over spacetime.json.
    #[arg(long, global = true, env = OVERLAY_VARIABLE, value_name = "NAME")]
    pub(crate) overlay: Option<String>,
}

#[derive(clap::ValueEnum, Clone, Copy)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// Decides for all output from now on.
    pub(crate) fn write_global(self) {
        let choice = match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// Reads a time with its unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time: give a number and `ms`, `s`, `m` or `h`");
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "ms" => number / 1e3,
        "s" | "" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("3"), Ok(Duration::from_secs(3)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        for wrong in ["", "s", "-1s", "3 weeks", "1e300h", "..s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
