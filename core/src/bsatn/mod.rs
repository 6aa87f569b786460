//! BSATN, the binary encoding of every value that SpacetimeDB sends or takes.
//!
//! Values are little-endian and not self-describing: a product is its fields in order, a sum is a `u8` tag and the
//! variant's payload, strings and arrays start with a `u32` length. [`Encode`] and [`Decode`] are derived for user
//! types by `#[derive(Bsatn)]`; a type that borrows (`&'a str`, `&'a [u8]`, `Cow`) decodes without allocating.

mod error;
mod impls;
mod readable;
mod reader;
#[doc(hidden)]
pub mod size;
#[doc(hidden)]
pub mod unknown;
mod writer;

use std::sync::Arc;

pub use error::{DecodeError, DecodeErrorKind, EncodeError};
#[doc(hidden)]
pub use readable::Readable;
pub(crate) use readable::Refusal;
pub use reader::Reader;
#[doc(inline)]
pub use unknown::UnknownVariant;
pub use writer::Writer;

/// A value with a BSATN encoding.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no BSATN encoding",
    note = "add `#[derive(Bsatn)]` to `{Self}`, or use a type that SpacetimeDB has"
)]
pub trait Encode {
    /// Appends the encoding of `self`.
    fn encode(&self, out: &mut Writer);

    /// Returns `true` if `reader` continues with exactly the encoding of `self`, and moves past it.
    ///
    /// When the answer is no, the reader's position is unspecified. Floats compare by their bits.
    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        let mut own = Writer::new();
        self.encode(&mut own);
        reader.take_if_equal(own.as_slice())
    }

    /// Appends the encodings of `values`, without their number. Types for which there is a faster way than one by one
    /// have it here.
    #[doc(hidden)]
    #[inline]
    fn encode_many(values: &[Self], out: &mut Writer)
    where
        Self: Sized,
    {
        for value in values {
            value.encode(out);
        }
    }

    /// Returns `true` if `reader` continues with exactly the encodings of `values`, without their number.
    #[doc(hidden)]
    #[inline]
    fn matches_many(values: &[Self], reader: &mut Reader<'_>) -> bool
    where
        Self: Sized,
    {
        values.iter().all(|value| value.matches(reader))
    }
}

/// A value that can be read from its BSATN encoding, borrowing from it for `'a` where the type borrows.
///
/// A value is built on the stack and moved to where it belongs. What may be large is therefore a list, or an array in a
/// box: `Box<[T; N]>` and `Arc<[T; N]>` are built on the heap, whatever their size.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be decoded from BSATN",
    note = "add `#[derive(Bsatn)]` to `{Self}`, or use a type that SpacetimeDB has"
)]
pub trait Decode<'a>: Sized {
    /// The size of the encoding in bytes, if all values of the type have the same.
    ///
    /// A product of such types is checked once, as a whole: see [`Reader::fixed`].
    const SIZE: Option<usize>;

    /// Whether a value may take whatever the input has left: an enum that keeps unknown variants with their values, or
    /// something that ends with one.
    #[doc(hidden)]
    const OPEN: bool = false;

    /// Reads one value.
    ///
    /// # Errors
    ///
    /// A [`DecodeError`] that says what was being decoded, at which byte, and why it failed. The reader's position
    /// is then unspecified.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;

    /// Moves past one value without building it.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode), though less is checked: the contents of strings are not.
    #[inline]
    fn skip(reader: &mut Reader<'a>) -> Result<(), DecodeError> {
        match Self::SIZE {
            Some(size) => reader.bytes(size, core::any::type_name::<Self>()).map(drop),
            None => Self::decode(reader).map(drop),
        }
    }

    /// Reads `len` values, one after the other. Types for which there is a faster way than one by one have it here.
    #[doc(hidden)]
    #[inline]
    fn decode_many(reader: &mut Reader<'a>, len: usize) -> Result<Vec<Self>, DecodeError> {
        reader.elements(len)
    }

    /// Reads `N` values, one after the other.
    #[doc(hidden)]
    #[inline]
    fn decode_array<const N: usize>(reader: &mut Reader<'a>) -> Result<[Self; N], DecodeError> {
        let mut failure = None;
        let values = core::array::from_fn(|_| match failure {
            None => Self::decode(reader).map_err(|error| failure = Some(error)).ok(),
            Some(_) => None,
        });
        match failure {
            None => Ok(values.map(|value| value.expect("no element failed to decode"))),
            Some(error) => Err(error),
        }
    }

    /// Reads one value into a box. Types that may be too large for the stack never are on it here.
    #[doc(hidden)]
    #[inline]
    fn decode_boxed(reader: &mut Reader<'a>) -> Result<Box<Self>, DecodeError> {
        Self::decode(reader).map(Box::new)
    }

    /// As [`decode_boxed`](Self::decode_boxed), into shared memory.
    #[doc(hidden)]
    #[inline]
    fn decode_shared(reader: &mut Reader<'a>) -> Result<Arc<Self>, DecodeError> {
        Self::decode(reader).map(Arc::new)
    }
}

/// A type that encodes, and decodes from bytes of any lifetime: it owns what it holds.
pub trait Bsatn: Encode + for<'a> Decode<'a> {}
impl<T: Encode + for<'a> Decode<'a>> Bsatn for T {}

/// The encoding of `value`.
///
/// # Errors
///
/// [`EncodeError`] if a string or an array in it has more than `u32::MAX` elements.
pub fn to_vec<T: Encode + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    let mut out = Writer::new();
    value.encode(&mut out);
    out.finish()
}

/// Decodes a value that takes all of `bytes`.
///
/// # Errors
///
/// As [`Decode::decode`], and [`DecodeErrorKind::TrailingBytes`] if bytes are left.
pub fn from_slice<'a, T: Decode<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    let value = T::decode(&mut reader)?;
    reader.finish(core::any::type_name::<T>())?;
    Ok(value)
}
