//! Arrays: a `u32` count, then the elements.

use std::borrow::Cow;
use std::sync::Arc;

use crate::bsatn::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, Writer, size};
use crate::sats::{Sats, SatsType, TypeRef};

impl<T: Encode> Encode for [T] {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        out.len(self.len());
        T::encode_many(self, out);
    }

    #[inline]
    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        reader.take_if_len(self.len()) && T::matches_many(self, reader)
    }
}

impl<T: Sats> Sats for [T] {
    const TYPE: SatsType = SatsType::Array(TypeRef::of::<T>());
}

impl<T: Encode> Encode for Vec<T> {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        self.as_slice().encode(out);
    }

    #[inline]
    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        self.as_slice().matches(reader)
    }
}

impl<T: Sats> Sats for Vec<T> {
    const TYPE: SatsType = SatsType::Array(TypeRef::of::<T>());
}

/// What the compiler says of a list of open values.
const OPEN_ELEMENT: &str = "an enum that keeps unknown variants with their values (`UnknownVariant`) cannot stand in a list \
    or an array, where nothing says how long they are; keep their tags alone: `Other(u8)`";

/// The types that own a list of elements: how each is made from a `Vec`.
macro_rules! lists {
    ($($list:ty, $make:expr;)*) => {$(
        impl<'de, T: Decode<'de>> Decode<'de> for $list {
            const SIZE: Option<usize> = None;

            #[inline]
            fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
                const { assert!(!T::OPEN, "{}", OPEN_ELEMENT) };
                let len = reader.len("list")?;
                reader.nested("list", |reader| T::decode_many(reader, len)).map($make)
            }

            #[inline]
            fn skip(reader: &mut Reader<'de>) -> Result<(), DecodeError> {
                let len = reader.len("list")?;
                reader.nested("list", |reader| reader.skip_elements::<T>(len))
            }
        }
    )*};
}

lists! {
    Vec<T>, core::convert::identity;
    Box<[T]>, Vec::into_boxed_slice;
    Arc<[T]>, Arc::from;
}

/// The types that borrow bytes from the input.
macro_rules! borrowed_bytes {
    ($($bytes:ty, $make:expr;)*) => {$(
        impl<'de: 'a, 'a> Decode<'de> for $bytes {
            const SIZE: Option<usize> = None;

            #[inline]
            fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
                let len = reader.len("bytes")?;
                reader.bytes(len, "bytes").map($make)
            }

            #[inline]
            fn skip(reader: &mut Reader<'de>) -> Result<(), DecodeError> {
                Self::decode(reader).map(drop)
            }
        }
    )*};
}

borrowed_bytes! {
    &'a [u8], core::convert::identity;
    Cow<'a, [u8]>, Cow::Borrowed;
}

impl<T: Encode, const N: usize> Encode for [T; N] {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        self.as_slice().encode(out);
    }

    #[inline]
    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        self.as_slice().matches(reader)
    }
}

impl<'de, T: Decode<'de>, const N: usize> Decode<'de> for [T; N] {
    const SIZE: Option<usize> = size::array(T::SIZE, N);

    #[inline]
    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        const { assert!(!T::OPEN, "{}", OPEN_ELEMENT) };
        array_len::<N>(reader)?;
        reader.nested("array", T::decode_array)
    }

    #[inline]
    fn skip(reader: &mut Reader<'de>) -> Result<(), DecodeError> {
        array_len::<N>(reader)?;
        reader.nested("array", |reader| reader.skip_elements::<T>(N))
    }

    fn decode_boxed(reader: &mut Reader<'de>) -> Result<Box<Self>, DecodeError> {
        let elements = elements::<T, N>(reader)?.into_boxed_slice();
        Ok(elements.try_into().unwrap_or_else(|_| unreachable!("{COUNTED}")))
    }

    fn decode_shared(reader: &mut Reader<'de>) -> Result<Arc<Self>, DecodeError> {
        let elements: Arc<[T]> = elements::<T, N>(reader)?.into();
        Ok(elements.try_into().unwrap_or_else(|_| unreachable!("{COUNTED}")))
    }
}

const COUNTED: &str = "an array's length is read before its elements, and so many are read";

/// The elements of an array, on the heap.
fn elements<'de, T: Decode<'de>, const N: usize>(
    reader: &mut Reader<'de>,
) -> Result<Vec<T>, DecodeError> {
    const { assert!(!T::OPEN, "{}", OPEN_ELEMENT) };
    array_len::<N>(reader)?;
    reader.nested("array", |reader| T::decode_many(reader, N))
}

/// Reads the length of an array whose type says that it is `N`.
#[inline]
fn array_len<const N: usize>(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    let start = reader.offset();
    let found = reader.len("array")?;
    if found == N {
        Ok(())
    } else {
        let kind = DecodeErrorKind::WrongLength { expected: N, found };
        Err(DecodeError::new(kind, "array", start))
    }
}

impl<T: Sats, const N: usize> Sats for [T; N] {
    const TYPE: SatsType = SatsType::Array(TypeRef::of::<T>());
}
