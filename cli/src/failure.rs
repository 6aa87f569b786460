//! Failures of commands: one message, a remedy, and an exit code for scripts.

use std::error::Error;
use std::fmt;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use lightlike::untyped::UntypedError;
use lightlike::{CallError, CallErrorKind, ErrorKind, http};

use crate::output::style::{BOLD, ERROR, TIP};
use crate::terminal::lines;

/// The code that a script sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nothing is wrong: whoever read the output has gone.
    Done = 0,
    /// The server or the module refused.
    Refused = 1,
    /// The arguments make no sense. Code 2 is clap's too.
    Usage = 2,
    /// The server cannot be reached, the connection was lost, no answer came in time.
    Connection = 3,
    /// No such database, table, function.
    NotFound = 4,
    /// The token is not accepted, or this is not allowed to its identity.
    Auth = 5,
    /// A reply or a file that is not understood.
    Content = 6,
    /// Two things that ought to be the same are not.
    Differs = 7,
    /// A file of the user's cannot be read or written.
    File = 8,
}

/// Failure of a command.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    tip: Option<String>,
    /// Values that were not given by hand, each with where it is from.
    notes: Vec<String>,
    /// Nothing is left to be said.
    is_told: bool,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string(), tip: None, notes: Vec::new(), is_told: false }
    }

    /// Adds a remedy.
    pub(crate) fn tip(mut self, tip: impl fmt::Display) -> Self {
        self.tip = Some(tip.to_string());
        self
    }

    /// Adds which values were not given by hand.
    pub(crate) fn notes(mut self, notes: Vec<String>) -> Self {
        self.notes = notes;
        self
    }

    /// Adds what is behind it, to the last cause.
    pub(crate) fn because(mut self, error: &dyn Error) -> Self {
        let mut source = Some(error);
        while let Some(error) = source {
            let text = error.to_string();
            // Some errors repeat what is behind them.
            if !self.message.ends_with(&text) {
                self.message.push_str(": ");
                self.message.push_str(&text);
            }
            source = error.source();
        }
        self
    }

    /// Returns `true` if a text is in its message.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.message.contains(text)
    }

    /// Wrong usage, of which everything is said.
    pub(crate) fn usage_shown() -> Self {
        Self { is_told: true, ..Self::new(Exit::Usage, "no command") }
    }

    /// Says where it happened, before what.
    pub(crate) fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(verb: &str, path: &std::path::Path, error: &io::Error) -> Self {
        Self::new(Exit::File, format_args!("cannot {verb} {}", path.display())).because(error)
    }

    /// Says it, and gives the code.
    pub(crate) fn report(self) -> ExitCode {
        if self.is_told {
            return ExitCode::from(self.exit as u8);
        }
        let mut err = anstream::stderr().lock();
        // Nobody is left to be told that this cannot be told.
        let _ = writeln!(err, "{ERROR}error:{ERROR:#} {}", lines(&self.message));
        if let Some(tip) = &self.tip {
            let _ = writeln!(err, "\n  {TIP}tip:{TIP:#} {}", lines(tip));
        }
        for note in &self.notes {
            let _ = writeln!(err, "  {TIP}note:{TIP:#} {}", lines(note));
        }
        ExitCode::from(self.exit as u8)
    }

    /// A request that failed: `what` was asked for.
    pub(crate) fn http(
        error: &http::Error,
        what: &str,
        server: &str,
        presented: &Presented,
    ) -> Self {
        use http::ErrorKind as Kind;
        let text = error.text().unwrap_or_default();
        let said = if text.is_empty() { String::new() } else { format!(": {text}") };
        let plain = |exit, message: String| Self::new(exit, message);
        match error.kind() {
            Kind::Connect => {
                plain(Exit::Connection, format!("cannot reach {server}{}", root(error)))
                    .tip(IS_IT_THERE)
            }
            Kind::Timeout => plain(Exit::Connection, format!("no reply from {server} in time"))
                .tip("`--timeout 2m` waits longer"),
            Kind::Interrupted => {
                let broken = format!("the connection to {server} broke off{}", root(error));
                plain(Exit::Connection, broken)
            }
            Kind::Auth if error.refuses_token() && *presented != Presented::Nothing => {
                plain(Exit::Auth, format!("the server does not accept the token{said}"))
                    .tip(presented.advice())
            }
            Kind::Redirected => {
                let to = error.location().map_or_else(String::new, |to| format!(" to {to}"));
                let status = error.status().map_or_else(String::new, |it| format!(" ({it})"));
                let message =
                    format!("cannot {what}: {server} redirects{to}{status}, which is not followed");
                plain(Exit::Content, message).tip(REDIRECTED)
            }
            Kind::Auth => plain(Exit::Auth, format!("not allowed to {what}{said}")).tip(NOT_YOURS),
            Kind::NotFound if text.is_empty() => {
                plain(Exit::NotFound, format!("cannot {what}: {server} knows no such request"))
                    .tip(NOT_A_SERVER)
            }
            Kind::NotFound => plain(Exit::NotFound, format!("cannot {what}{said}"))
                .tip("`lightlike identity` lists your databases, `lightlike describe DATABASE` what one has"),
            Kind::Rejected => plain(Exit::Refused, format!("the reducer refused{said}")),
            Kind::OutOfEnergy => plain(Exit::Refused, format!("the database is out of energy{said}")),
            Kind::Refused => {
                let failure = plain(Exit::Refused, format!("the server refuses to {what}{said}"));
                if said.contains("no such table") { failure.tip(DESCRIBE) } else { failure }
            }
            Kind::Server => plain(Exit::Refused, format!("the server failed to {what}{said}")),
            Kind::InvalidInput => {
                let failure = Self::new(Exit::Usage, "this cannot be sent");
                let message = error.to_string();
                let told = message.strip_prefix("cannot be sent: ").unwrap_or(&message).to_owned();
                Self { message: told, ..failure }
            }
            Kind::TooLarge | Kind::Content => {
                Self::new(Exit::Content, format_args!("cannot understand {server}")).because(error).tip(NOT_A_SERVER)
            }
            _ => Self::new(Exit::Refused, error),
        }
    }

    /// A connection, or something asked on one, that failed.
    pub(crate) fn client(error: &lightlike::Error, presented: &Presented) -> Self {
        let (exit, tip) = match error.kind() {
            ErrorKind::Configuration => (Exit::Usage, None),
            ErrorKind::Auth => (Exit::Auth, Some(presented.advice())),
            ErrorKind::NotFound => {
                (Exit::NotFound, Some("`lightlike identity` lists your databases".to_owned()))
            }
            ErrorKind::Connect => (Exit::Connection, Some(IS_IT_THERE.to_owned())),
            ErrorKind::Disconnected => (Exit::Connection, None),
            ErrorKind::Schema => (Exit::Content, None),
            ErrorKind::TokenStore => (Exit::File, None),
            _ => (Exit::Refused, None),
        };
        Self { tip, ..Self::new(exit, error) }
    }
}

/// Innermost cause: the layers in between say nothing to whoever types a command.
fn root(error: &http::Error) -> String {
    let Some(cause) = error.cause() else { return String::new() };
    let mut last: &dyn Error = cause;
    while let Some(source) = last.source() {
        last = source;
    }
    format!(": {last}")
}

/// Source of the token that was presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presented {
    /// None was.
    Nothing,
    /// It was typed, or is in the environment.
    Given,
    /// It is kept in this file.
    Kept(PathBuf),
}

impl Presented {
    /// Remedy for a token of this source that is not accepted.
    fn advice(&self) -> String {
        match self {
            Self::Nothing => {
                "`lightlike login` makes an identity and keeps it, `--token TOKEN` presents one".to_owned()
            }
            Self::Given => {
                "it is the one of `--token` or LIGHTLIKE_TOKEN; without it the kept one is presented, with `--anonymous` none"
                    .to_owned()
            }
            Self::Kept(path) => format!(
                "it is in {}, from another server or from this one before a reset; `lightlike logout` and `lightlike login` \
                 make a new identity, `--anonymous` presents no token",
                path.display()
            ),
        }
    }
}

const IS_IT_THERE: &str = "is a server running there? `--server URL` names another";
const REDIRECTED: &str = "`--server URL` takes the address of the server itself; a proxy or a network may want you to log in first";
const NOT_YOURS: &str = "only the owner may: `lightlike identity` shows who you are, `lightlike login --token TOKEN` makes you another";
const DESCRIBE: &str = "`lightlike describe DATABASE` shows what it has";
const NOT_A_SERVER: &str = "is it a SpacetimeDB 2.x server, and this the newest `lightlike`?";

impl From<lightlike::Error> for Failure {
    fn from(error: lightlike::Error) -> Self {
        Self::client(&error, &Presented::Given)
    }
}

impl From<UntypedError> for Failure {
    fn from(error: UntypedError) -> Self {
        let exit = match error {
            UntypedError::UnknownTable { .. } | UntypedError::UnknownFunction { .. } => {
                Exit::NotFound
            }
            UntypedError::NotCallable { .. } => Exit::Auth,
            UntypedError::Row { .. } | UntypedError::Returned(_) | UntypedError::Json(_) => {
                Exit::Content
            }
            _ => Exit::Usage,
        };
        let failure = Self::new(exit, &error);
        match exit {
            Exit::NotFound => failure.tip(DESCRIBE),
            _ => failure,
        }
    }
}

impl<E: fmt::Display + fmt::Debug + 'static> From<CallError<E>> for Failure {
    fn from(error: CallError<E>) -> Self {
        let message = match &error {
            CallError::Rejected(why) => format!("the reducer refused: {why}"),
            CallError::Undecodable { source, .. } => {
                format!("what came back cannot be read: {source}")
            }
            other => other.to_string(),
        };
        let (exit, tip) = match error.kind() {
            CallErrorKind::Unknown | CallErrorKind::Abandoned | CallErrorKind::NotSent => {
                (Exit::Connection, None)
            }
            CallErrorKind::TimedOut => (Exit::Connection, Some("`--timeout 2m` waits longer")),
            CallErrorKind::Undecodable => (Exit::Content, None),
            _ => (Exit::Refused, None),
        };
        Self { tip: tip.map(str::to_owned), ..Self::new(exit, message) }
    }
}

/// Output that cannot be written. One whose reader has gone is no failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let failure = Self::new(Exit::File, "cannot write the output").because(&error);
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self { exit: Exit::Done, is_told: true, ..failure },
            _ => failure,
        }
    }
}

/// Says something on the way, to whoever watches: not a result.
pub(crate) fn note(text: impl fmt::Display) {
    let mut err = anstream::stderr().lock();
    let _ = writeln!(err, "{BOLD}·{BOLD:#} {}", lines(&text.to_string()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_what_is_behind_it_once() {
        let inner = io::Error::other("disk full");
        let failure = Failure::new(Exit::File, "cannot write x").because(&inner);
        assert_eq!(failure.message, "cannot write x: disk full");
        assert_eq!(failure.because(&inner).message, "cannot write x: disk full");
    }
}
