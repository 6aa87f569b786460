//! Errors of decoding and encoding.

use super::Reader;

/// Why some bytes are not the BSATN encoding of the type asked for.
//
// Boxed because it is built at most once per message while `Result<T, DecodeError>` is returned once per field: one
// word keeps those results in registers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot decode `{}` at byte {}: {}", .0.target, .0.offset, .0.kind)]
pub struct DecodeError(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    kind: DecodeErrorKind,
    target: &'static str,
    offset: usize,
}

/// Kind of a decoding error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input is shorter than the value.
    #[error("{missing} more byte{} needed", plural(.missing))]
    UnexpectedEnd {
        /// Number of missing bytes.
        missing: usize,
    },
    /// The value ended before the input did.
    #[error("{left} byte{} left over", plural(.left))]
    TrailingBytes {
        /// Number of bytes that were not read.
        left: usize,
    },
    /// A bool is neither 0 nor 1.
    #[error("{0} is not a bool")]
    InvalidBool(u8),
    /// The tag of an option, a result or a schedule is none of theirs.
    #[error("no variant has the tag {0}")]
    InvalidTag(u8),
    /// An enum has no variant with this tag.
    #[error(
        "no variant has the tag {0}; if the module has a newer one, add it, or keep unknown variants with `#[bsatn(other)]`"
    )]
    UnknownVariant(u8),
    /// A string is not UTF-8.
    #[error("not UTF-8")]
    InvalidUtf8,
    /// An array has another number of elements than its Rust type.
    #[error("{found} element{} instead of {expected}", plural(.found))]
    WrongLength {
        /// The Rust type's number of elements.
        expected: usize,
        /// Value in the input.
        found: usize,
    },
    /// Values are nested more deeply than `limit`, for most types [`Reader::MAX_DEPTH`].
    #[error("nested more than {limit} levels deep")]
    TooDeep {
        /// Number of levels that are allowed.
        limit: u32,
    },
    /// Lists have more elements of no bytes than [`Reader::MAX_EMPTY_ELEMENTS`].
    #[error("more than {limit} elements of no bytes", limit = Reader::MAX_EMPTY_ELEMENTS)]
    TooManyEmptyElements,
}

fn plural(count: &usize) -> &'static str {
    if *count == 1 { "" } else { "s" }
}

impl DecodeError {
    /// Public for the derived code and for decoders of own types; `offset` is [`Reader::offset`]. Of a `target` that is
    /// the path of a type, as [`core::any::type_name`] gives it, the last part is kept.
    #[cold]
    #[inline(never)]
    pub fn new(kind: DecodeErrorKind, target: &'static str, offset: usize) -> Self {
        Self(Box::new(Inner { kind, target: short_name(target), offset }))
    }

    /// Kind of the error.
    pub fn kind(&self) -> DecodeErrorKind {
        self.0.kind
    }

    /// The type that was being decoded.
    pub fn target(&self) -> &'static str {
        self.0.target
    }

    /// Offset at which decoding stopped, in bytes from the start of the input.
    pub fn offset(&self) -> usize {
        self.0.offset
    }
}

/// Shortens a type's path as the compiler writes it to the name that a reader uses.
fn short_name(path: &'static str) -> &'static str {
    match path.as_bytes() {
        _ if !path.contains("::") => path,
        [b'(', ..] => "tuple",
        [b'[', ..] => "array",
        [b'&', ..] => "reference",
        _ => {
            let generics = path.find('<').unwrap_or(path.len());
            let name = path[..generics].rfind("::").map_or(0, |colons| colons + 2);
            &path[name..generics]
        }
    }
}

const _: () = assert!(size_of::<DecodeError>() == size_of::<usize>());

/// A value has no BSATN encoding: something in it is longer than a `u32` can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot encode a string or an array of {len} elements: BSATN counts them in 32 bits")]
pub struct EncodeError {
    /// Number of elements; of bytes for a string.
    pub len: usize,
}

#[cfg(test)]
mod tests {
    use super::short_name;

    #[test]
    fn names_types_as_their_users_do() {
        let cases = [
            ("u64", "u64"),
            ("(u8, u64)", "(u8, u64)"),
            ("alloc::string::String", "String"),
            ("alloc::vec::Vec<alloc::string::String>", "Vec"),
            ("my_game::rows::Player", "Player"),
            ("(u8, alloc::string::String)", "tuple"),
            ("[my_game::Point; 3]", "array"),
            ("&my_game::Point", "reference"),
            ("list of u8", "list of u8"),
        ];
        for (path, want) in cases {
            assert_eq!(short_name(path), want, "{path}");
        }
    }
}
