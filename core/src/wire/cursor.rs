//! The reading end of messages: a cursor that hands out pieces of one shared buffer.

use bytes::Bytes;

use super::text::{TableName, Text};
use super::{QuerySetId, RequestId, WireError, WireErrorKind};
use crate::limits::Limits;
use crate::types::{ConnectionId, Identity, TimeDuration, Timestamp};

/// A position in a frame's body, and what is being decoded there.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    body: &'a Bytes,
    at: usize,
    message: &'static str,
    /// Number of parts that the message may still have.
    parts: usize,
    limits: &'a Limits,
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of a message.
    pub(super) fn new(
        body: &'a Bytes,
        at: usize,
        message: &'static str,
        limits: &'a Limits,
    ) -> Self {
        Self { body, at, message, parts: limits.max_message_parts, limits }
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }

    pub(super) fn limits(&self) -> &'a Limits {
        self.limits
    }

    fn left(&self) -> usize {
        self.body.len() - self.at
    }

    /// The error that bytes are left, if any are.
    pub(super) fn finish(&self) -> Result<(), WireError> {
        match self.left() {
            0 => Ok(()),
            left => Err(self.error(WireErrorKind::TrailingBytes { left }, "end", self.at)),
        }
    }

    /// Names the message, once its tag is known.
    pub(super) fn enter(&mut self, message: &'static str) {
        self.message = message;
    }

    /// The error that the field at `offset` is.
    #[cold]
    pub(super) fn error(
        &self,
        kind: WireErrorKind,
        field: &'static str,
        offset: usize,
    ) -> WireError {
        WireError::new(kind, self.message, field, offset)
    }

    #[cold]
    pub(super) fn unknown_tag(&self, tag: u8, field: &'static str) -> WireError {
        self.error(WireErrorKind::UnknownTag(tag), field, self.at - 1)
    }

    #[cold]
    fn unexpected_end(&self, len: usize, field: &'static str) -> WireError {
        self.error(WireErrorKind::UnexpectedEnd { missing: len - self.left() }, field, self.at)
    }

    /// Moves past `len` bytes and returns where they start.
    fn skip(&mut self, len: usize, field: &'static str) -> Result<usize, WireError> {
        if len > self.left() {
            return Err(self.unexpected_end(len, field));
        }
        let start = self.at;
        self.at += len;
        Ok(start)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        match self.body[self.at..].first_chunk() {
            Some(bytes) => {
                self.at += N;
                Ok(*bytes)
            }
            None => Err(self.unexpected_end(N, field)),
        }
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, WireError> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, WireError> {
        self.array(field).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, WireError> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// Reads the length of what follows; on a 16-bit machine a length that it cannot hold is longer than the body.
    fn len(&mut self, field: &'static str) -> Result<usize, WireError> {
        Ok(usize::try_from(self.u32(field)?).unwrap_or(usize::MAX))
    }

    pub(super) fn request_id(&mut self) -> Result<RequestId, WireError> {
        self.u32("request_id").map(RequestId)
    }

    pub(super) fn query_set_id(&mut self) -> Result<QuerySetId, WireError> {
        self.u32("query_set_id").map(QuerySetId)
    }

    pub(super) fn identity(&mut self, field: &'static str) -> Result<Identity, WireError> {
        self.array(field).map(Identity::from_le_bytes)
    }

    pub(super) fn connection_id(&mut self, field: &'static str) -> Result<ConnectionId, WireError> {
        self.array(field).map(u128::from_le_bytes).map(ConnectionId::from_u128)
    }

    pub(super) fn timestamp(&mut self, field: &'static str) -> Result<Timestamp, WireError> {
        self.array(field).map(i64::from_le_bytes).map(Timestamp::from_micros)
    }

    pub(super) fn time_duration(&mut self, field: &'static str) -> Result<TimeDuration, WireError> {
        self.array(field).map(i64::from_le_bytes).map(TimeDuration::from_micros)
    }

    /// Reads a length and takes that many bytes.
    pub(super) fn bytes(&mut self, field: &'static str) -> Result<Bytes, WireError> {
        let len = self.len(field)?;
        let start = self.skip(len, field)?;
        Ok(self.since(start))
    }

    pub(super) fn text(&mut self, field: &'static str) -> Result<Text, WireError> {
        let bytes = self.bytes(field)?;
        let start = self.at - bytes.len();
        Text::from_utf8(bytes).map_err(|_| self.error(WireErrorKind::InvalidUtf8, field, start))
    }

    pub(super) fn table_name(&mut self) -> Result<TableName, WireError> {
        self.text("table").map(TableName)
    }

    /// Bytes read since `start`, shared.
    pub(super) fn since(&self, start: usize) -> Bytes {
        self.body.slice(start..self.at)
    }

    /// Reads a count and that many elements, none of which is shorter than `min_bytes`.
    ///
    /// A count that cannot fit into what is left fails before anything is reserved for it.
    pub(super) fn list<T>(
        &mut self,
        field: &'static str,
        min_bytes: usize,
        mut element: impl FnMut(&mut Self) -> Result<T, WireError>,
    ) -> Result<Vec<T>, WireError> {
        let start = self.at;
        let count = self.len(field)?;
        let needed = count.saturating_mul(min_bytes);
        if needed > self.left() {
            return Err(self.unexpected_end(needed, field));
        }
        let Some(parts) = self.parts.checked_sub(count) else {
            let limit = self.limits.max_message_parts;
            return Err(self.error(WireErrorKind::TooManyParts { limit }, field, start));
        };
        self.parts = parts;
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    /// Reads a count of 8-byte numbers and moves past them; returns how many.
    pub(super) fn skip_u64s(&mut self, field: &'static str) -> Result<usize, WireError> {
        let count = self.len(field)?;
        self.skip(count.saturating_mul(8), field)?;
        Ok(count)
    }

    /// Reads a length and moves past that many bytes; returns the length.
    pub(super) fn skip_bytes(&mut self, field: &'static str) -> Result<usize, WireError> {
        let len = self.len(field)?;
        self.skip(len, field)?;
        Ok(len)
    }
}
