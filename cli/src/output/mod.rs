//! Output: values, tables, colours, progress.

pub(crate) mod changes;
pub(crate) mod csv;
pub(crate) mod progress;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod value;

use std::io::{self, IsTerminal as _, Write as _};

use crate::terminal::line;

/// Width of the terminal, if results go to one.
pub(crate) fn terminal_width() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(io::stdout())?;
    (width.0 > 0).then_some(usize::from(width.0))
}

/// Asks a question on the terminal; none if there is nobody to ask.
pub(crate) fn ask(question: &str) -> io::Result<Option<String>> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let mut err = anstream::stderr().lock();
    write!(err, "{} ", line(question))?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(Some(answer.trim().to_owned()))
}
