//! Options of every command: server, token, time limits, colours.

use std::time::Duration;

use clap::Args;

pub(crate) const SERVER_VARIABLE: &str = "LIGHTLIKE_SERVER";
pub(crate) const TOKEN_VARIABLE: &str = "LIGHTLIKE_TOKEN";
pub(crate) const NAME_VARIABLE: &str = "LIGHTLIKE_AS";
pub(crate) const OVERLAY_VARIABLE: &str = "LIGHTLIKE_OVERLAY";

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
