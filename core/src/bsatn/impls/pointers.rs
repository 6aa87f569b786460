//! References, boxes and shared values: encoded as what they point to.

use std::borrow::Cow;
use std::sync::Arc;

use crate::bsatn::{Decode, DecodeError, Encode, Reader, Writer};
use crate::sats::{Sats, SatsType};

macro_rules! encode_through {
    ($([$($generics:tt)*] $pointer:ty;)*) => {$(
        impl<$($generics)*> Encode for $pointer {
            #[inline]
            fn encode(&self, out: &mut Writer) {
                T::encode(self, out);
            }

            #[inline]
            fn matches(&self, reader: &mut Reader<'_>) -> bool {
                T::matches(self, reader)
            }
        }
    )*};
}

encode_through! {
    [T: Encode + ?Sized] &T;
    [T: Encode + ?Sized] Box<T>;
    [T: Encode + ?Sized] Arc<T>;
    [T: Encode + ToOwned + ?Sized] Cow<'_, T>;
}

macro_rules! sats_through {
    ($([$($generics:tt)*] $pointer:ty;)*) => {$(
        impl<$($generics)*> Sats for $pointer {
            const TYPE: SatsType = T::TYPE;
        }
    )*};
}

sats_through! {
    [T: Sats + ?Sized] &T;
    [T: Sats + ?Sized] Box<T>;
    [T: Sats + ?Sized] Arc<T>;
    [T: Sats + ToOwned + ?Sized] Cow<'_, T>;
}

/// What the compiler says of a box of an open value: asking whether its contents are open would go in circles.
const OPEN_CONTENTS: &str = "an enum that keeps unknown variants with their values (`UnknownVariant`) cannot stand in a \
    `Box` or an `Arc`; keep their tags alone: `Other(u8)`";

/// The pointers by which a type can contain itself. Their size is not constant even where that of their contents is:
/// asking for it would go in circles.
macro_rules! decode_into {
    ($($pointer:ident $decode:ident),*) => {$(
        impl<'de, T: Decode<'de>> Decode<'de> for $pointer<T> {
            const SIZE: Option<usize> = None;

            #[inline]
            fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
                const { assert!(!T::OPEN, "{}", OPEN_CONTENTS) };
                reader.nested(stringify!($pointer), T::$decode)
            }

            #[inline]
            fn skip(reader: &mut Reader<'de>) -> Result<(), DecodeError> {
                reader.nested(stringify!($pointer), T::skip)
            }
        }
    )*};
}

decode_into!(Box decode_boxed, Arc decode_shared);
