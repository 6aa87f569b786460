//! Strings: a `u32` length in bytes, then UTF-8.

use std::borrow::Cow;
use std::sync::Arc;

use crate::bsatn::{Decode, DecodeError, Encode, Reader, Writer};
use crate::sats::{Sats, SatsType};

impl Encode for str {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        out.len(self.len());
        out.bytes(self.as_bytes());
    }

    #[inline]
    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        reader.take_if_len(self.len()) && reader.take_if_equal(self.as_bytes())
    }
}

impl Sats for str {
    const TYPE: SatsType = SatsType::String;
}

impl Encode for String {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        self.as_str().encode(out);
    }

    #[inline]
    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        <str as Encode>::matches(self, reader)
    }
}

impl Sats for String {
    const TYPE: SatsType = SatsType::String;
}

/// The types that hold a string: how each is made from one that lies in the input.
macro_rules! strings {
    ($([$($generics:tt)*] $string:ty, $name:literal, $make:expr;)*) => {$(
        impl<'de $($generics)*> Decode<'de> for $string {
            const SIZE: Option<usize> = None;

            #[inline]
            fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
                reader.str($name).map($make)
            }

            #[inline]
            fn skip(reader: &mut Reader<'de>) -> Result<(), DecodeError> {
                let len = reader.len($name)?;
                reader.bytes(len, $name).map(drop)
            }
        }
    )*};
}

strings! {
    [] String, "String", str::to_owned;
    [] Box<str>, "str", Box::from;
    [] Arc<str>, "str", Arc::from;
    [: 'a, 'a] &'a str, "str", core::convert::identity;
    [: 'a, 'a] Cow<'a, str>, "str", Cow::Borrowed;
}
