//! Pieces of SQL text.

use super::value::{NoLiteral, SqlValue};

/// Errors of writing a query as SQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// A value stands in it that SQL has no literal for.
    #[error("cannot ask for rows by `{what}`: {source}")]
    NoLiteral {
        /// The column that it is compared with, or the view that it is an argument of.
        what: Box<str>,
        /// The value, and why.
        r#source: NoLiteral,
    },
    /// "And" and "or" alternate more deeply than a server reads. Conditions that are joined by one of them in a loop do
    /// not.
    #[error(
        "cannot ask for rows by a condition that nests AND and OR {nesting} deep, with a limit of {limit}: split it into \
         several queries"
    )]
    TooDeep {
        /// How deeply they are nested.
        nesting: u32,
        /// The limit.
        limit: u32,
    },
}

/// Appends a name in SQL's quotes, so that no name is a keyword.
pub fn push_name(sql: &mut String, name: &str) {
    sql.push('"');
    for part in name.split_inclusive('"') {
        sql.push_str(part);
        if part.ends_with('"') {
            sql.push('"');
        }
    }
    sql.push('"');
}

/// Appends a value's literal. Where there is none, this is `NULL`, which the server refuses too.
///
/// # Errors
///
/// [`QueryError::NoLiteral`], with `what` the value is for.
pub fn push_literal<V: SqlValue + ?Sized>(
    sql: &mut String,
    value: &V,
    what: &str,
) -> Result<(), QueryError> {
    let start = sql.len();
    value.push_literal(sql).map_err(|source| {
        sql.truncate(start);
        sql.push_str("NULL");
        QueryError::NoLiteral { what: what.into(), source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_in_names_are_doubled() {
        for (name, quoted) in [
            ("user", r#""user""#),
            ("", r#""""#),
            (r#"a"b"#, r#""a""b""#),
            (r#"""#, r#""""""#),
            ("täble", r#""täble""#),
        ] {
            let mut sql = String::new();
            push_name(&mut sql, name);
            assert_eq!(sql, quoted);
        }
    }

    #[test]
    fn value_without_literal_becomes_null_and_error() {
        let mut sql = String::from("x = ");
        let error = push_literal(&mut sql, &f32::NAN, "x").unwrap_err();
        assert_eq!(sql, "x = NULL");
        let QueryError::NoLiteral { what, source } = error else { panic!("it names the value") };
        assert_eq!((&*what, source.to_string()), ("x", "SQL has no literal for NaN".to_owned()));
    }
}
