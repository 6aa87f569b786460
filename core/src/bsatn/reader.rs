//! The reading end: a cursor over borrowed bytes.

use super::{Decode, DecodeError, DecodeErrorKind};

/// A cursor over the bytes of one value, or of several one after the other.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Length of the whole input plus what lies before it: `end - rest.len()` is the offset.
    end: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    /// How deeply boxes and lists may be nested, so that a hostile input cannot overflow the stack.
    pub const MAX_DEPTH: u32 = 64;

    /// Reads `bytes` from their start.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, end: bytes.len(), depth: 0 }
    }

    /// How many bytes were read so far.
    #[inline]
    pub fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    /// The bytes not read yet.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether all bytes are read.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes the next `len` bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::UnexpectedEnd`] if there are fewer.
    #[inline]
    pub fn bytes(&mut self, len: usize, target: &'static str) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.unexpected_end(len, target)),
        }
    }

    /// A reader over the next `size` bytes, which this one is then past.
    ///
    /// The length is checked here once; where `size` is a constant, the checks of the fields read from the result
    /// fold away.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::UnexpectedEnd`] if there are fewer.
    #[inline]
    pub fn fixed(&mut self, size: usize, target: &'static str) -> Result<Self, DecodeError> {
        let start = self.offset();
        let rest = self.bytes(size, target)?;
        Ok(Self { rest, end: start + size, depth: self.depth })
    }

    /// Takes the next bytes if they equal `bytes`.
    #[inline]
    pub fn take_if_equal(&mut self, bytes: &[u8]) -> bool {
        match self.rest.strip_prefix(bytes) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Ends reading.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::TrailingBytes`] if bytes are left.
    #[inline]
    pub fn finish(self, target: &'static str) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.trailing(target)) }
    }

    /// Runs `read` one level deeper: around the contents of a box or a list.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::TooDeep`] beyond [`Self::MAX_DEPTH`], and those of `read`.
    #[inline]
    pub fn nested<T>(
        &mut self,
        target: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        if self.depth >= Self::MAX_DEPTH {
            return Err(DecodeError::new(DecodeErrorKind::TooDeep, target, self.offset()));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    /// Reads the tag of a sum.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::UnexpectedEnd`] at the end of the input.
    #[inline]
    pub fn tag(&mut self, target: &'static str) -> Result<u8, DecodeError> {
        Ok(self.bytes(1, target)?[0])
    }

    /// The error for the tag just read, where no variant has it.
    #[cold]
    pub fn invalid_tag(&self, tag: u8, target: &'static str) -> DecodeError {
        DecodeError::new(DecodeErrorKind::InvalidTag(tag), target, self.offset() - 1)
    }

    /// Reads `len` values one by one, reserving no more than the input can hold.
    pub(super) fn elements<T: Decode<'a>>(&mut self, len: usize) -> Result<Vec<T>, DecodeError> {
        // A value of no bytes makes any length plausible: such a list grows as it is read.
        let plausible = self.rest.len() / T::SIZE.unwrap_or(1).max(1);
        let mut values = Vec::with_capacity(len.min(plausible));
        for _ in 0..len {
            values.push(T::decode(self)?);
        }
        Ok(values)
    }

    #[cold]
    #[inline(never)]
    fn unexpected_end(&self, len: usize, target: &'static str) -> DecodeError {
        let missing = len - self.rest.len();
        DecodeError::new(DecodeErrorKind::UnexpectedEnd { missing }, target, self.offset())
    }

    #[cold]
    #[inline(never)]
    fn trailing(&self, target: &'static str) -> DecodeError {
        let left = self.rest.len();
        DecodeError::new(DecodeErrorKind::TrailingBytes { left }, target, self.offset())
    }
}
