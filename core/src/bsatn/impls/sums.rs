//! `Option` and `Result`: a tag, then the payload. `Some` is 0, and so is `Ok`.

use crate::bsatn::{Decode, DecodeError, Encode, Reader, Writer, size};
use crate::sats::{Sats, SatsType, TypeRef};

impl<T: Encode> Encode for Option<T> {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        match self {
            Some(value) => {
                out.tag(0);
                value.encode(out);
            }
            None => out.tag(1),
        }
    }

    #[inline]
    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        match self {
            Some(value) => reader.take_if_equal(&[0]) && value.matches(reader),
            None => reader.take_if_equal(&[1]),
        }
    }
}

impl<'de, T: Decode<'de>> Decode<'de> for Option<T> {
    const SIZE: Option<usize> = size::variants(&[T::SIZE, Some(0)]);
    const OPEN: bool = T::OPEN;

    #[inline]
    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        match reader.tag("Option")? {
            0 => T::decode(reader).map(Some),
            1 => Ok(None),
            tag => Err(reader.invalid_tag(tag, "Option")),
        }
    }

    #[inline]
    fn skip(reader: &mut Reader<'de>) -> Result<(), DecodeError> {
        match reader.tag("Option")? {
            0 => T::skip(reader),
            1 => Ok(()),
            tag => Err(reader.invalid_tag(tag, "Option")),
        }
    }
}

impl<T: Sats> Sats for Option<T> {
    const TYPE: SatsType = SatsType::Option(TypeRef::of::<T>());
}

impl<T: Encode, E: Encode> Encode for Result<T, E> {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        match self {
            Ok(value) => {
                out.tag(0);
                value.encode(out);
            }
            Err(error) => {
                out.tag(1);
                error.encode(out);
            }
        }
    }

    #[inline]
    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        match self {
            Ok(value) => reader.take_if_equal(&[0]) && value.matches(reader),
            Err(error) => reader.take_if_equal(&[1]) && error.matches(reader),
        }
    }
}

impl<'de, T: Decode<'de>, E: Decode<'de>> Decode<'de> for Result<T, E> {
    const SIZE: Option<usize> = size::variants(&[T::SIZE, E::SIZE]);
    const OPEN: bool = T::OPEN || E::OPEN;

    #[inline]
    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        match reader.tag("Result")? {
            0 => T::decode(reader).map(Ok),
            1 => E::decode(reader).map(Err),
            tag => Err(reader.invalid_tag(tag, "Result")),
        }
    }

    #[inline]
    fn skip(reader: &mut Reader<'de>) -> Result<(), DecodeError> {
        match reader.tag("Result")? {
            0 => T::skip(reader),
            1 => E::skip(reader),
            tag => Err(reader.invalid_tag(tag, "Result")),
        }
    }
}

impl<T: Sats, E: Sats> Sats for Result<T, E> {
    const TYPE: SatsType = SatsType::Result(TypeRef::of::<T>(), TypeRef::of::<E>());
}
