//! The writing end: a growing buffer.

use super::EncodeError;

/// A buffer that values are encoded into.
#[derive(Debug, Default, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
    /// The first length that did not fit into 32 bits. Kept here so that encoding a field cannot fail.
    oversize: Option<usize>,
}

impl Writer {
    /// An empty buffer.
    #[inline]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes behind what `bytes` holds.
    #[inline]
    pub fn append_to(bytes: Vec<u8>) -> Self {
        Self { bytes, oversize: None }
    }

    /// Bytes written so far.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets what was written and keeps the memory.
    #[inline]
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.oversize = None;
    }

    /// Makes room for `additional` bytes, so that writing them does not grow the buffer step by step.
    #[inline]
    pub fn reserve(&mut self, additional: usize) {
        self.bytes.reserve(additional);
    }

    /// Appends bytes as they are.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends the tag of a sum.
    #[inline]
    pub fn tag(&mut self, tag: u8) {
        self.bytes.push(tag);
    }

    /// Appends the length of a string or of an array, which its contents must follow.
    #[inline]
    pub fn len(&mut self, len: usize) {
        match u32::try_from(len) {
            Ok(len) => self.bytes(&len.to_le_bytes()),
            Err(_) => self.oversize = self.oversize.or(Some(len)),
        }
    }

    /// The bytes written.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if a length given to [`len`](Self::len) was more than `u32::MAX`.
    #[inline]
    pub fn finish(self) -> Result<Vec<u8>, EncodeError> {
        match self.oversize {
            None => Ok(self.bytes),
            Some(len) => Err(EncodeError { len }),
        }
    }

    /// The bytes written whether or not a length fitted, and the error of [`finish`](Self::finish) if one did not: for
    /// whoever lent the buffer and wants it back.
    #[inline]
    pub fn into_parts(self) -> (Vec<u8>, Result<(), EncodeError>) {
        (self.bytes, self.oversize.map_or(Ok(()), |len| Err(EncodeError { len })))
    }
}
