//! Enum variants that a program does not know.
//!
//! BSATN does not say how long a value is, so where the value of an unknown variant ends is known only from what lies
//! around it: nothing, or values whose sizes never change. A type whose decoding needs that is [*open*](super::Decode::OPEN);
//! products check at compile time that what stands behind an open field has a constant size, and tell the reader how much
//! that is (`Reader::before`). Lists, arrays and boxes hold no open types.

use core::fmt;

use super::{Decode, DecodeError, Reader, Writer};
use crate::sats::UnknownVariants;

/// A variant that an enum does not have: its tag, and the encoding of its value. What a `#[bsatn(other)]` variant can hold.
///
/// It encodes to the bytes that it was decoded from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnknownVariant {
    tag: u8,
    value: Box<[u8]>,
}

impl UnknownVariant {
    /// The variant's position in the module's enum.
    pub fn tag(&self) -> u8 {
        self.tag
    }

    /// The BSATN of the variant's value; empty if it has none.
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

impl fmt::Debug for UnknownVariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnknownVariant {{ tag: {}, value: 0x", self.tag)?;
        self.value.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(" }")
    }
}

/// A type that a `#[bsatn(other)]` variant can hold: `u8`, the tag of a variant without a value, or [`UnknownVariant`], the
/// tag and the value.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a `#[bsatn(other)]` variant cannot hold `{Self}`",
    label = "neither `u8` nor `UnknownVariant`",
    note = "a `u8` keeps the tag of a variant that has no value; `lightlike::bsatn::UnknownVariant` keeps the tag and the value"
)]
pub trait OtherVariant: Sized {
    /// What it keeps.
    const KEEPS: UnknownVariants;
    /// The size of the value, without the tag.
    const SIZE: Option<usize>;

    /// Reads what stands behind `tag`.
    ///
    /// # Errors
    ///
    /// As [`Decode::decode`].
    fn decode(tag: u8, reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Moves past what stands behind the tag.
    ///
    /// # Errors
    ///
    /// As [`Decode::skip`].
    fn skip(reader: &mut Reader<'_>) -> Result<(), DecodeError>;

    /// Appends the tag and the value.
    fn encode(&self, out: &mut Writer);

    /// Whether `reader` continues with the tag and the value.
    fn matches(&self, reader: &mut Reader<'_>) -> bool;
}

impl OtherVariant for u8 {
    const KEEPS: UnknownVariants = UnknownVariants::Tag;
    const SIZE: Option<usize> = Some(0);

    #[inline]
    fn decode(tag: u8, _: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(tag)
    }

    #[inline]
    fn skip(_: &mut Reader<'_>) -> Result<(), DecodeError> {
        Ok(())
    }

    #[inline]
    fn encode(&self, out: &mut Writer) {
        out.tag(*self);
    }

    #[inline]
    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        reader.take_if_equal(&[*self])
    }
}

impl OtherVariant for UnknownVariant {
    const KEEPS: UnknownVariants = UnknownVariants::Value;
    const SIZE: Option<usize> = None;

    fn decode(tag: u8, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { tag, value: reader.take_open("UnknownVariant")?.into() })
    }

    fn skip(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        reader.take_open("UnknownVariant").map(drop)
    }

    fn encode(&self, out: &mut Writer) {
        out.tag(self.tag);
        out.bytes(&self.value);
    }

    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        reader.take_if_equal(&[self.tag]) && reader.take_if_equal(&self.value)
    }
}

/// Reads the field at position `at`, of a product whose fields have these sizes.
#[doc(hidden)]
#[inline]
pub fn field<'a, T: Decode<'a>>(
    reader: &mut Reader<'a>,
    sizes: &[Option<usize>],
    at: usize,
) -> Result<T, DecodeError> {
    if T::OPEN { reader.before(size_behind(sizes, at), T::decode) } else { T::decode(reader) }
}

/// Moves past the field at position `at`, of a product whose fields have these sizes.
#[doc(hidden)]
#[inline]
pub fn skip_field<'a, T: Decode<'a>>(
    reader: &mut Reader<'a>,
    sizes: &[Option<usize>],
    at: usize,
) -> Result<(), DecodeError> {
    if T::OPEN { reader.before(size_behind(sizes, at), T::skip) } else { T::skip(reader) }
}

fn size_behind(sizes: &[Option<usize>], at: usize) -> usize {
    super::size::sum(&sizes[at + 1..])
        .expect("a product with an open field checks what stands behind it")
}
