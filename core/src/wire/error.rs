//! Errors of messages.

/// Why a frame's body is not a sequence of messages.
///
/// Terminal for the connection that it came from: what the message would have said is lost, so the cache can no longer
/// be trusted to mirror the server.
//
// One word, because `Result<T, WireError>` is returned once per field and an error is built at most once a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot decode `{}`: {} at byte {}: {}", .0.message, .0.field, .0.offset, .0.kind)]
pub struct WireError(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    kind: WireErrorKind,
    message: &'static str,
    field: &'static str,
    offset: usize,
}

/// Kind of an error in a frame's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireErrorKind {
    /// The body ends inside the message.
    #[error("{missing} more bytes needed")]
    UnexpectedEnd {
        /// Number of missing bytes.
        missing: usize,
    },
    /// On v2, where a frame is one message, bytes follow it.
    #[error("{left} bytes left over")]
    TrailingBytes {
        /// Number of bytes that were not read.
        left: usize,
    },
    /// The frame holds no message.
    #[error("no message")]
    Empty,
    /// No variant has this tag: the peer speaks another version of the protocol.
    #[error("no variant has the tag {0}")]
    UnknownTag(u8),
    /// A string is not UTF-8.
    #[error("not UTF-8")]
    InvalidUtf8,
    /// A row list says that its rows have no bytes, so that their number cannot be told.
    #[error("rows of fixed size 0")]
    FixedSizeZero,
    /// The data of a row list is no whole number of rows.
    #[error("{data} bytes are no whole number of rows of {row} bytes")]
    PartialRow {
        /// The size of a row, in bytes.
        row: usize,
        /// The size of the data, in bytes.
        data: usize,
    },
    /// A row's offset does not follow from the row before: the first starts at 0, and no row starts before its
    /// predecessor or behind the data.
    #[error("row {row} starts at byte {start}, outside {min}..={max}")]
    MisplacedRow {
        /// The row's position in the list.
        row: usize,
        /// Offset of its start, in bytes from the start of the data.
        start: u64,
        /// The least that it could be.
        min: u64,
        /// The most that it could be.
        max: u64,
    },
    /// A list with offsets and no rows has data.
    #[error("{data} bytes of data without a row")]
    DataWithoutRows {
        /// The size of the data, in bytes.
        data: usize,
    },
    /// A row is larger than [`Limits::max_row_bytes`](crate::limits::Limits::max_row_bytes).
    #[error("row {row} of {bytes} bytes exceeds `max_row_bytes` ({limit})")]
    RowTooLarge {
        /// The row's position in the list.
        row: usize,
        /// The row's size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A message names more than [`Limits::max_message_parts`](crate::limits::Limits::max_message_parts) things.
    #[error("more than `max_message_parts` ({limit}) query sets, tables, row lists and queries")]
    TooManyParts {
        /// The limit.
        limit: usize,
    },
}

impl WireErrorKind {
    /// Returns `true` if a limit is reached.
    pub(crate) fn is_limit(self) -> bool {
        matches!(self, Self::RowTooLarge { .. } | Self::TooManyParts { .. })
    }
}

impl WireError {
    #[cold]
    #[inline(never)]
    pub(super) fn new(
        kind: WireErrorKind,
        message: &'static str,
        field: &'static str,
        offset: usize,
    ) -> Self {
        Self(Box::new(Inner { kind, message, field, offset }))
    }

    /// Kind of the error.
    pub fn kind(&self) -> WireErrorKind {
        self.0.kind
    }

    /// The message that was being decoded: the variant's name, or the enum's before its tag was known.
    pub fn message(&self) -> &'static str {
        self.0.message
    }

    /// The field that was being decoded.
    pub fn field(&self) -> &'static str {
        self.0.field
    }

    /// Offset of the field, in bytes from the start of the frame's decompressed body.
    pub fn offset(&self) -> usize {
        self.0.offset
    }
}

const _: () = assert!(size_of::<WireError>() == size_of::<usize>());
