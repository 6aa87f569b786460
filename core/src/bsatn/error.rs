//! Why decoding or encoding failed.

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

/// What was wrong with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input is shorter than the value.
    #[error("{missing} more bytes needed")]
    UnexpectedEnd {
        /// How many bytes are missing.
        missing: usize,
    },
    /// The value ended before the input did.
    #[error("{left} bytes left over")]
    TrailingBytes {
        /// How many bytes were not read.
        left: usize,
    },
    /// A bool is neither 0 nor 1.
    #[error("{0} is not a bool")]
    InvalidBool(u8),
    /// A sum has no variant with this tag.
    #[error("no variant has the tag {0}")]
    InvalidTag(u8),
    /// A string is not UTF-8.
    #[error("not UTF-8")]
    InvalidUtf8,
    /// An array has another number of elements than its Rust type.
    #[error("{found} elements instead of {expected}")]
    WrongLength {
        /// The Rust type's number of elements.
        expected: usize,
        /// What the input says.
        found: usize,
    },
    /// Values are nested more deeply than [`Reader::MAX_DEPTH`](super::Reader::MAX_DEPTH).
    #[error("nested too deeply")]
    TooDeep,
}

impl DecodeError {
    /// Public for the derived code and for decoders of own types; `offset` is [`Reader::offset`](super::Reader::offset).
    #[cold]
    #[inline(never)]
    pub fn new(kind: DecodeErrorKind, target: &'static str, offset: usize) -> Self {
        Self(Box::new(Inner { kind, target, offset }))
    }

    /// What was wrong with the bytes.
    pub fn kind(&self) -> DecodeErrorKind {
        self.0.kind
    }

    /// The type that was being decoded.
    pub fn target(&self) -> &'static str {
        self.0.target
    }

    /// Where decoding stopped, in bytes from the start of the input.
    pub fn offset(&self) -> usize {
        self.0.offset
    }
}

const _: () = assert!(size_of::<DecodeError>() == size_of::<usize>());

/// A value has no BSATN encoding: something in it is longer than a `u32` can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot encode a string or an array of {len} elements: BSATN counts them in 32 bits")]
pub struct EncodeError {
    /// How many elements there are; bytes for a string.
    pub len: usize,
}
