//! Tables in columns.

use std::borrow::Cow;
use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::style::{BOLD, DIM};

/// Minimal width of a text column, to which it shrinks so that the table fits the terminal.
const MIN_WIDTH: usize = 10;
/// Between two columns.
const GAP: usize = 2;

/// A table that is written when all its rows are there.
pub(crate) struct Table {
    head: Vec<String>,
    /// `true` for columns of numbers, which are aligned to the right.
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
    /// Maximal width of a line.
    room: Option<usize>,
}

impl Table {
    /// A table with these columns; numbers stand at the right.
    pub(crate) fn new(columns: impl IntoIterator<Item = (String, bool)>) -> Self {
        let (head, right) = columns.into_iter().unzip();
        Self { head, right, rows: Vec::new(), room: None }
    }

    /// Cuts long texts, so that lines are no wider than this where that can be.
    pub(crate) fn within(mut self, room: Option<usize>) -> Self {
        self.room = room;
        self
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let widths = self.widths();
        write!(out, "{BOLD}")?;
        self.line(out, &self.head, &widths)?;
        write!(out, "{BOLD:#}{DIM}")?;
        let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        writeln!(out, "{}{DIM:#}", rules.join("──"))?;
        for row in &self.rows {
            self.line(out, row, &widths)?;
        }
        Ok(())
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.chain([&self.head[column]]).map(|cell| cell.width()).max().unwrap_or(0)
            })
            .collect();
        let Some(room) = self.room else { return widths };
        let gaps = GAP * widths.len().saturating_sub(1);
        loop {
            let too_wide = (widths.iter().sum::<usize>() + gaps).saturating_sub(room);
            let texts = widths.iter_mut().zip(&self.right).filter(|(_, right)| !**right);
            let widest = texts.map(|(width, _)| width).max();
            match widest.filter(|width| too_wide > 0 && **width > MIN_WIDTH) {
                Some(width) => *width -= 1,
                None => return widths,
            }
        }
    }

    fn line(&self, out: &mut impl Write, cells: &[String], widths: &[usize]) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, width), right) in cells.iter().zip(widths).zip(&self.right) {
            let cell = cut(cell, *width);
            let room = " ".repeat(width - cell.width().min(*width));
            if !line.is_empty() {
                line.push_str("  ");
            }
            let (first, second) = if *right { (&*room, &*cell) } else { (&*cell, &*room) };
            line.push_str(first);
            line.push_str(second);
        }
        writeln!(out, "{}", line.trim_end())
    }
}

/// A cell of at most this width: what is cut off leaves an ellipsis.
fn cut(cell: &str, width: usize) -> Cow<'_, str> {
    if cell.width() <= width {
        return Cow::Borrowed(cell);
    }
    let mut room = width.saturating_sub(1);
    let fits = |letter: &char| {
        let width = letter.width().unwrap_or(0);
        let fits = width <= room;
        room = room.saturating_sub(width);
        fits
    };
    Cow::Owned(cell.chars().take_while(fits).chain(['…']).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fit_their_widest_value() {
        let mut table = Table::new([("id".to_owned(), true), ("name".to_owned(), false)]);
        table.push(vec!["7".into(), "Ada".into()]);
        table.push(vec!["1234".into(), "日本".into()]);
        let mut out = anstream::StripStream::new(Vec::new());
        table.write(&mut out).unwrap();
        let text = String::from_utf8(out.into_inner()).unwrap();
        assert_eq!(text, "  id  name\n──────────\n   7  Ada\n1234  日本\n");
    }

    #[test]
    fn texts_are_cut_to_terminal_width_numbers_kept() {
        let columns = [("id", true), ("text", false), ("note", false)];
        let mut table =
            Table::new(columns.map(|(name, right)| (name.to_owned(), right))).within(Some(40));
        table.push(vec!["12345678901234".into(), "漢".repeat(30), "short".into()]);
        table.push(vec!["7".into(), "abc".into(), "x".repeat(60)]);
        let mut out = anstream::StripStream::new(Vec::new());
        table.write(&mut out).unwrap();
        let text = String::from_utf8(out.into_inner()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1].width(), 40);
        assert_eq!(lines[2], "12345678901234  漢漢漢漢漢…  short");
        assert_eq!(lines[3], "             7  abc          xxxxxxxxxx…");
    }

    #[test]
    fn overwide_tables_shrink_to_minimum_widths() {
        let mut table = Table::new([("text".to_owned(), false)]).within(Some(3));
        table.push(vec!["hello, everybody".into()]);
        let mut out = anstream::StripStream::new(Vec::new());
        table.write(&mut out).unwrap();
        let text = String::from_utf8(out.into_inner()).unwrap();
        assert_eq!(text, "text\n──────────\nhello, ev…\n");
    }
}
