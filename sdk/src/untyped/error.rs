//! Errors between a schema and what a program or a server says.

use std::sync::Arc;

use lightlike_core::bsatn::DecodeError;
#[cfg(feature = "json")]
use lightlike_core::json::JsonError;

/// Something that the schema does not have, or that does not fit it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UntypedError {
    /// The schema has no table or view of this name.
    #[error("the schema has no table or view `{table}`{}", did_you_mean(.nearest.as_deref()))]
    UnknownTable {
        /// The name.
        table: Box<str>,
        /// A name of the schema's that is much like it.
        nearest: Option<Box<str>>,
    },
    /// The table has no column of this name.
    #[error("the table `{table}` has no column `{column}`")]
    UnknownColumn {
        /// The table.
        table: Arc<str>,
        /// The name.
        column: Box<str>,
    },
    /// The schema has no reducer or procedure of this name.
    #[error("the schema has no reducer or procedure `{function}`{}", did_you_mean(.nearest.as_deref()))]
    UnknownFunction {
        /// The name.
        function: Box<str>,
        /// A name of the schema's that is much like it.
        nearest: Option<Box<str>>,
    },
    /// Only the server calls this function.
    #[error("`{function}` is not for clients to call")]
    NotCallable {
        /// The function.
        function: Box<str>,
    },
    /// The function has no parameter of this name.
    #[error("`{function}` has no parameter `{argument}`; it is `{signature}`")]
    UnknownArgument {
        /// The function.
        function: Box<str>,
        /// The name.
        argument: Box<str>,
        /// The function's parameters and their types.
        signature: Box<str>,
    },
    /// An argument has no value.
    #[error("the argument `{argument}` of `{function}` is missing; it is `{signature}`")]
    MissingArgument {
        /// The function.
        function: Box<str>,
        /// The parameter's name.
        argument: Box<str>,
        /// The function's parameters and their types.
        signature: Box<str>,
    },
    /// There are more or fewer arguments than parameters.
    #[error(
        "`{signature}` takes {expected} {} and not {found}",
        if *.expected == 1 { "argument" } else { "arguments" }
    )]
    ArgumentCount {
        /// The function.
        function: Box<str>,
        /// Number of its parameters.
        expected: usize,
        /// Number of arguments.
        found: usize,
        /// The function's parameters and their types.
        signature: Box<str>,
    },
    /// An argument is of another type than its parameter.
    #[error("the argument `{argument}` of `{function}` is not a `{ty}`")]
    ArgumentType {
        /// The function.
        function: Box<str>,
        /// The parameter's name.
        argument: Box<str>,
        /// The parameter's type.
        ty: Box<str>,
    },
    /// The JSON is not that of the function's arguments.
    #[cfg(feature = "json")]
    #[error("the arguments do not fit `{signature}`: {source}")]
    Arguments {
        /// The function's parameters and their types.
        signature: Box<str>,
        /// Error, with its place.
        r#source: JsonError,
    },
    /// A row is not what the schema says: the module was published anew since the schema was read.
    #[error(
        "a row of `{table}` does not fit the schema, which may have changed since it was read: {source}"
    )]
    Row {
        /// The table.
        table: Arc<str>,
        /// Error of decoding it.
        r#source: DecodeError,
    },
    /// The returned value is not what the schema says.
    #[error("what was returned does not fit the schema: {0}")]
    Returned(DecodeError),
    /// A value has no JSON, or is not what the schema says.
    #[cfg(feature = "json")]
    #[error("there is no JSON for it: {0}")]
    Json(JsonError),
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// The name that is most like `wanted`, if one is.
pub(super) fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<Box<str>> {
    let close = names.map(|name| (distance(wanted, name), name));
    let most = wanted.chars().count().div_ceil(3).max(1);
    close.filter(|(distance, _)| *distance <= most).min().map(|(_, name)| name.into())
}

/// Number of letters to be added, taken away or changed to make one name of the other; upper case is no difference.
fn distance(a: &str, b: &str) -> usize {
    let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (a, b) = (lower(a), lower(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (position, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != to);
            diagonal = row[position + 1];
            row[position + 1] = changed.min(diagonal + 1).min(row[position] + 1);
        }
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closest_name_is_suggested() {
        let names = ["user", "message", "logged_out_user"];
        let near = |wanted| nearest(wanted, names.into_iter());
        assert_eq!(near("usr").as_deref(), Some("user"));
        assert_eq!(near("Users").as_deref(), Some("user"));
        assert_eq!(near("massages").as_deref(), Some("message"));
        assert_eq!(near("player"), None);
        assert_eq!(near(""), None);
    }
}
