//! Why a text is not the text form of a type.

/// Why a text is not the text form of the type asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the text as `{target}`: {kind}")]
pub struct ParseError {
    target: &'static str,
    kind: ParseErrorKind,
}

/// What was wrong with the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// A number in hex has too few or too many digits; a leading `0x` does not count.
    #[error("{found} hex digits instead of {expected}")]
    WrongLength {
        /// How many digits the type has.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Something stands where a hex digit is expected.
    #[error("the character at byte {at} is not a hex digit")]
    InvalidDigit {
        /// Where it stands, in bytes from the start of the text.
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
        /// Which part.
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

    /// What was wrong with the text.
    pub fn kind(&self) -> ParseErrorKind {
        self.kind
    }
}
