//! Errors of text forms.

/// Error of reading the text form of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the text as `{target}`: {kind}")]
pub struct ParseError {
    target: &'static str,
    kind: ParseErrorKind,
}

/// Kind of an error of a text form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// A number in hex has too few or too many digits; a leading `0x` does not count.
    #[error("{found} hex digits instead of {expected}")]
    WrongLength {
        /// Number of digits that the type has.
        expected: usize,
        /// Number of digits in the text.
        found: usize,
    },
    /// Something stands where a hex digit is expected.
    #[error("the character at byte {at} is not a hex digit")]
    InvalidDigit {
        /// Offset in bytes from the start of the text.
        at: usize,
    },
    /// The text has another form.
    #[error("expected the form `{expected}`")]
    InvalidForm {
        /// An example of the form.
        expected: &'static str,
    },
    /// The text has the right form, and a part that no calendar or clock has.
    #[error("there is no such {part}")]
    NoSuch {
        /// Part of the text.
        part: &'static str,
    },
    /// The value is further from zero than the type goes.
    #[error("the value is out of range")]
    OutOfRange,
}

impl ParseError {
    pub(super) const fn new(target: &'static str, kind: ParseErrorKind) -> Self {
        Self { target, kind }
    }

    /// The type asked for.
    pub fn target(&self) -> &'static str {
        self.target
    }

    /// Kind of the error.
    pub fn kind(&self) -> ParseErrorKind {
        self.kind
    }
}
