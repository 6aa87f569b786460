//! Comma-separated values (RFC 4180).

use std::io::{self, Write};

/// Writes one record.
pub(crate) fn record<'c>(
    out: &mut impl Write,
    cells: impl IntoIterator<Item = &'c str>,
) -> io::Result<()> {
    let mut cells = cells.into_iter().peekable();
    let mut is_first = true;
    while let Some(cell) = cells.next() {
        if !is_first {
            out.write_all(b",")?;
        }
        // A record of one empty cell would be an empty line, which many readers skip.
        let is_alone = is_first && cells.peek().is_none();
        if must_be_quoted(cell) || (is_alone && cell.is_empty()) {
            write!(out, "\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            out.write_all(cell.as_bytes())?;
        }
        is_first = false;
    }
    out.write_all(b"\r\n")
}

fn must_be_quoted(cell: &str) -> bool {
    cell.contains(['"', ',', '\n', '\r']) || cell.trim() != cell
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(cells: &[&str]) -> String {
        let mut out = Vec::new();
        record(&mut out, cells.iter().copied()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let cells = ["plain", "a,b", "say \"hi\"", "two\nlines", " padded", ""];
        let want = "plain,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\" padded\",\r\n";
        assert_eq!(written(&cells), want);
    }

    #[test]
    fn single_empty_cell_is_quoted() {
        assert_eq!(written(&[""]), "\"\"\r\n");
        assert_eq!(written(&["", ""]), ",\r\n");
        assert_eq!(written(&["\r"]), "\"\r\"\r\n");
    }
}
