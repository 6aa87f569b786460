//! The reading end: a cursor over borrowed bytes.

use super::{Decode, DecodeError, DecodeErrorKind};

/// A cursor over the bytes of one value, or of several one after the other.
//
// The methods that make errors are inlined, and only `DecodeError::new` is not: a reader that is lent to a function stays
// in memory, one that is not stays in registers.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Length of the whole input plus what lies before it: `end - rest.len()` is the offset.
    end: usize,
    depth: u32,
    /// Number of list elements that took no bytes.
    empty_elements: u32,
    /// How many bytes at the end of the input belong to what stands behind the value that is read, as far as that is
    /// known: all that an open value must leave.
    tail: usize,
}

impl<'a> Reader<'a> {
    /// Maximal nesting of boxes and lists, so that a hostile input cannot overflow the stack.
    pub const MAX_DEPTH: u32 = 64;

    /// Maximal number of elements of no bytes in all lists of one input. Those are the only ones that a length can
    /// promise without the input having to grow with it.
    pub const MAX_EMPTY_ELEMENTS: u32 = 1 << 16;

    /// Reads `bytes` from their start.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, end: bytes.len(), depth: 0, empty_elements: 0, tail: 0 }
    }

    /// Number of bytes read so far.
    #[inline]
    pub fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    /// The bytes not read yet.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns `true` if all bytes are read.
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

    /// Takes the next `N` bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::UnexpectedEnd`] if there are fewer.
    #[inline]
    pub fn array<const N: usize>(
        &mut self,
        target: &'static str,
    ) -> Result<&'a [u8; N], DecodeError> {
        match self.rest.split_first_chunk() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.unexpected_end(N, target)),
        }
    }

    /// Reads the length that a string (in bytes) or an array (in elements) starts with. Nothing says yet that the input
    /// is that long.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::UnexpectedEnd`] if there are fewer than four bytes.
    #[inline]
    pub fn len(&mut self, target: &'static str) -> Result<usize, DecodeError> {
        self.array(target).map(|len| u32::from_le_bytes(*len) as usize)
    }

    /// Reads a string, borrowed from the input: its length in bytes, then UTF-8.
    ///
    /// # Errors
    ///
    /// - [`DecodeErrorKind::UnexpectedEnd`] if the input is shorter than the length says.
    /// - [`DecodeErrorKind::InvalidUtf8`] if the bytes are not UTF-8.
    #[inline]
    pub fn str(&mut self, target: &'static str) -> Result<&'a str, DecodeError> {
        let len = self.len(target)?;
        let bytes = self.bytes(len, target)?;
        match core::str::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(_) => {
                let start = self.offset() - len;
                Err(DecodeError::new(DecodeErrorKind::InvalidUtf8, target, start))
            }
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
        let rest = self.bytes(size, target)?;
        Ok(Self { rest, end: self.offset(), ..*self })
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

    /// Takes the next four bytes if they are the length `len`.
    #[inline]
    pub(super) fn take_if_len(&mut self, len: usize) -> bool {
        u32::try_from(len).is_ok_and(|len| self.take_if_equal(&len.to_le_bytes()))
    }

    /// Ends reading.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::TrailingBytes`] if bytes are left.
    #[inline]
    pub fn finish(self, target: &'static str) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        let kind = DecodeErrorKind::TrailingBytes { left: self.rest.len() };
        Err(DecodeError::new(kind, target, self.offset()))
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
            let kind = DecodeErrorKind::TooDeep { limit: Self::MAX_DEPTH };
            return Err(DecodeError::new(kind, target, self.offset()));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    /// Runs `read` for a value in front of others that take `size` bytes.
    #[inline]
    pub(crate) fn before<T>(
        &mut self,
        size: usize,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        self.tail += size;
        let value = read(self);
        self.tail -= size;
        value
    }

    /// Takes the bytes that belong to nothing behind the value that is read.
    pub(crate) fn take_open(&mut self, target: &'static str) -> Result<&'a [u8], DecodeError> {
        self.bytes(self.rest.len().saturating_sub(self.tail), target)
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
    #[inline]
    pub fn invalid_tag(&self, tag: u8, target: &'static str) -> DecodeError {
        DecodeError::new(DecodeErrorKind::InvalidTag(tag), target, self.offset() - 1)
    }

    /// The error for the tag just read, where the enum `target` has no variant with it.
    #[cold]
    pub fn unknown_variant(&self, tag: u8, target: &'static str) -> DecodeError {
        DecodeError::new(DecodeErrorKind::UnknownVariant(tag), target, self.offset() - 1)
    }

    /// Reads `len` values one by one.
    #[inline]
    pub(super) fn elements<T: Decode<'a>>(&mut self, len: usize) -> Result<Vec<T>, DecodeError> {
        match T::SIZE {
            None | Some(0) => self.repeat(len, T::decode),
            Some(size) => {
                // The input has them all, so the length is an honest one.
                let mut window = self.fixed(len.saturating_mul(size), "list")?;
                let mut values = Vec::with_capacity(len);
                for _ in 0..len {
                    values.push(T::decode(&mut window)?);
                }
                Ok(values)
            }
        }
    }

    /// Moves past `len` values.
    #[inline]
    pub(super) fn skip_elements<T: Decode<'a>>(&mut self, len: usize) -> Result<(), DecodeError> {
        match T::SIZE {
            Some(size) => self.bytes(len.saturating_mul(size), "list").map(drop),
            None => {
                for _ in 0..len {
                    self.element(T::skip)?;
                }
                Ok(())
            }
        }
    }

    /// Calls `read` `len` times and collects what it returns. The length may be a lie: no more bytes are reserved than
    /// the input has left, and calls that read nothing are counted.
    pub(crate) fn repeat<T>(
        &mut self,
        len: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let affordable = self.rest.len() / size_of::<T>().max(1);
        let mut values = Vec::with_capacity(len.min(affordable));
        for _ in 0..len {
            values.push(self.element(&mut read)?);
        }
        Ok(values)
    }

    /// Reads one of many, and counts it if it took no bytes.
    #[inline]
    fn element<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let before = self.rest.len();
        let value = read(self)?;
        if self.rest.len() == before {
            if self.empty_elements == Self::MAX_EMPTY_ELEMENTS {
                let kind = DecodeErrorKind::TooManyEmptyElements;
                return Err(DecodeError::new(kind, "list", self.offset()));
            }
            self.empty_elements += 1;
        }
        Ok(value)
    }

    #[inline]
    fn unexpected_end(&self, len: usize, target: &'static str) -> DecodeError {
        let missing = len - self.rest.len();
        DecodeError::new(DecodeErrorKind::UnexpectedEnd { missing }, target, self.offset())
    }
}
