//! Tables in columns.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

use super::style::{BOLD, DIM};

/// A table that is written when all its rows are there.
pub(crate) struct Table {
    head: Vec<String>,
    /// Whether the column is of numbers, which end below each other.
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns; numbers stand at the right.
    pub(crate) fn new(columns: impl IntoIterator<Item = (String, bool)>) -> Self {
        let (head, right) = columns.into_iter().unzip();
        Self { head, right, rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.chain([&self.head[column]]).map(|cell| cell.width()).max().unwrap_or(0)
            })
            .collect();
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

    fn line(&self, out: &mut impl Write, cells: &[String], widths: &[usize]) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, width), right) in cells.iter().zip(widths).zip(&self.right) {
            let room = " ".repeat(width - cell.width().min(*width));
            if !line.is_empty() {
                line.push_str("  ");
            }
            let (first, second) = if *right { (&*room, &**cell) } else { (&**cell, &*room) };
            line.push_str(first);
            line.push_str(second);
        }
        writeln!(out, "{}", line.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut table = Table::new([("id".to_owned(), true), ("name".to_owned(), false)]);
        table.push(vec!["7".into(), "Ada".into()]);
        table.push(vec!["1234".into(), "日本".into()]);
        let mut out = anstream::StripStream::new(Vec::new());
        table.write(&mut out).unwrap();
        let text = String::from_utf8(out.into_inner()).unwrap();
        assert_eq!(text, "  id  name\n──────────\n   7  Ada\n1234  日本\n");
    }
}
