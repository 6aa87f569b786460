//! Text of others on its way to a terminal, and data on its way to a program.
//!
//! Names, rows, messages and errors come from servers and modules, which are not trusted with the user's terminal: there,
//! whatever could move the cursor, set colours or a title, hide text, or turn its direction is shown as an escape. A
//! program that reads data (`json`, `csv`) gets every byte as it is.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};

/// The text on one line.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_command, |out, letter| out.extend(letter.escape_default()))
}

/// The text on as many lines as it has. All but the first are set in, so that none of them looks like one of ours.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    let commands = |letter: char| is_command(letter) || letter == '\n';
    escaped(text, commands, |out, letter| match letter {
        '\n' => out.push_str("\n  "),
        _ => out.extend(letter.escape_default()),
    })
}

/// JSON that means the same: what a terminal would obey is written as JSON's own escape. Line breaks between values stay.
fn json(text: &str) -> Cow<'_, str> {
    let commands = |letter: char| is_command(letter) && !matches!(letter, '\n' | '\t');
    escaped(text, commands, |out, letter| {
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // A `String` takes whatever is written to it.
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn escaped(
    text: &str,
    commands: impl Fn(char) -> bool,
    escape: impl Fn(&mut String, char),
) -> Cow<'_, str> {
    if !text.contains(&commands) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match commands(letter) {
            true => escape(&mut shown, letter),
            false => shown.push(letter),
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal does something else with it than to show it where it stands: controls (C0, DEL and C1, with which
/// all escape sequences begin), what turns the direction of text, and what is not seen but counts.
fn is_command(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
            | '\u{2028}'..='\u{202e}' // separators, bidi embeddings and overrides
            | '\u{2060}'..='\u{206f}' // invisible operators, bidi isolates
            | '\u{fff9}'..='\u{fffb}' // interlinear annotations
            | '\u{e0000}'..='\u{e007f}' // tags
        )
}

/// Standard output for people: our colours only as far as they are wanted. What comes from others is escaped by whoever
/// writes it, and goes through unchanged then.
pub(crate) fn stdout() -> impl Write {
    anstream::stdout()
}

/// Standard output for programs: every byte as it is. On a terminal, JSON with escapes.
pub(crate) fn data() -> Data<io::Stdout> {
    let out = io::stdout();
    Data { is_terminal: out.is_terminal(), out }
}

/// Where data goes.
pub(crate) struct Data<W> {
    out: W,
    is_terminal: bool,
}

impl<W: Write> Data<W> {
    /// Writes JSON, one value or more, and ends the line.
    pub(crate) fn json(&mut self, text: &str) -> io::Result<()> {
        let text = if self.is_terminal { json(text) } else { Cow::Borrowed(text) };
        self.out.write_all(text.as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// Writes one record of comma-separated values.
    pub(crate) fn csv<'c>(&mut self, cells: impl IntoIterator<Item = &'c str>) -> io::Result<()> {
        let shown = |cell: &'c str| if self.is_terminal { cell_lines(cell) } else { cell.into() };
        let cells: Vec<_> = cells.into_iter().map(shown).collect();
        crate::output::csv::record(&mut self.out, cells.iter().map(|cell| &**cell))
    }

    /// Writes a text and ends the line.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        let text = if self.is_terminal { lines(text) } else { Cow::Borrowed(text) };
        self.out.write_all(text.as_bytes())?;
        self.out.write_all(b"\n")
    }

    /// Writes what the program itself made.
    pub(crate) fn own(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A cell that may have several lines.
fn cell_lines(cell: &str) -> Cow<'_, str> {
    let commands = |letter: char| is_command(letter) && letter != '\n';
    escaped(cell, commands, |out, letter| out.extend(letter.escape_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of every kind: C0, DEL, C1, ANSI, bidi, invisible.
    const HOSTILE: &str =
        "a\u{1b}[2J\u{7}\r\u{7f}\u{9b}31m\u{202e}b\u{2066}\u{200b}\u{feff}\u{e0041}\0";

    #[test]
    fn commands_are_escaped_and_text_is_not() {
        assert_eq!(
            line(HOSTILE),
            "a\\u{1b}[2J\\u{7}\\r\\u{7f}\\u{9b}31m\\u{202e}b\\u{2066}\\u{200b}\\u{feff}\\u{e0041}\\u{0}"
        );
        assert_eq!(line("a\nb\tc"), "a\\nb\\tc");
        // Words in all scripts, with joiners, and emoji made of several.
        for text in ["Grüße", "日本", "שלום", "نمی\u{200c}دانم", "👩\u{200d}🚀", "e\u{301}"]
        {
            assert!(matches!(line(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn further_lines_are_set_in() {
        assert_eq!(lines("a\nerror: b\u{1b}"), "a\n  error: b\\u{1b}");
    }

    #[test]
    fn json_on_a_terminal_means_the_same() {
        let value = serde_json::json!({ "a\u{9b}b": HOSTILE, "c": [1, "\n"] });
        let text = value.to_string();
        let shown = json(&text);
        assert!(!shown.chars().any(is_command), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        assert_eq!(json("{\n\t\"a\": 1\n}"), "{\n\t\"a\": 1\n}");
    }

    #[test]
    fn data_for_a_program_has_every_byte() {
        let mut data = Data { out: Vec::new(), is_terminal: false };
        data.json(HOSTILE).unwrap();
        data.csv([HOSTILE, "\n"]).unwrap();
        data.text(HOSTILE).unwrap();
        let want = format!("{HOSTILE}\n\"{HOSTILE}\",\"\n\"\r\n{HOSTILE}\n");
        assert_eq!(String::from_utf8(data.out).unwrap(), want);
        let mut data = Data { out: Vec::new(), is_terminal: true };
        data.json(&serde_json::json!(HOSTILE).to_string()).unwrap();
        data.csv([HOSTILE, "x\ny"]).unwrap();
        data.text(HOSTILE).unwrap();
        let shown = String::from_utf8(data.out).unwrap();
        let left: Vec<_> = shown.chars().filter(|it| is_command(*it)).collect();
        assert_eq!(left, ['\n', '\n', '\r', '\n', '\n'], "the ends of lines: {shown:?}");
    }
}
