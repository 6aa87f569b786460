//! Booleans, integers and floats: fixed width, little-endian; floats by their bits.

use ethnum::{I256, U256};

use crate::bsatn::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, Writer};
use crate::sats::{Sats, SatsType};

impl Encode for bool {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        out.tag(u8::from(*self));
    }

    #[inline]
    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        reader.take_if_equal(&[u8::from(*self)])
    }
}

impl<'de> Decode<'de> for bool {
    const SIZE: Option<usize> = Some(1);

    #[inline]
    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        match reader.tag("bool")? {
            0 => Ok(false),
            1 => Ok(true),
            byte => {
                let kind = DecodeErrorKind::InvalidBool(byte);
                Err(DecodeError::new(kind, "bool", reader.offset() - 1))
            }
        }
    }
}

impl Sats for bool {
    const TYPE: SatsType = SatsType::Bool;
}

// Apart from the other numbers because a list of bytes is copied as a whole, also where nothing is optimised.
impl Encode for u8 {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        out.tag(*self);
    }

    #[inline]
    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        reader.take_if_equal(&[*self])
    }

    #[inline]
    fn encode_many(values: &[Self], out: &mut Writer) {
        out.bytes(values);
    }

    #[inline]
    fn matches_many(values: &[Self], reader: &mut Reader<'_>) -> bool {
        reader.take_if_equal(values)
    }
}

impl<'de> Decode<'de> for u8 {
    const SIZE: Option<usize> = Some(1);

    #[inline]
    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        reader.tag("u8")
    }

    #[inline]
    fn decode_many(reader: &mut Reader<'de>, len: usize) -> Result<Vec<Self>, DecodeError> {
        reader.bytes(len, "list of u8").map(<[Self]>::to_vec)
    }

    #[inline]
    fn decode_array<const N: usize>(reader: &mut Reader<'de>) -> Result<[Self; N], DecodeError> {
        reader.array("array of u8").copied()
    }
}

impl Sats for u8 {
    const TYPE: SatsType = SatsType::U8;
}

macro_rules! numbers {
    ($($number:ident $variant:ident,)*) => {$(
        impl Encode for $number {
            #[inline]
            fn encode(&self, out: &mut Writer) {
                out.bytes(&self.to_le_bytes());
            }

            #[inline]
            fn matches(&self, reader: &mut Reader<'_>) -> bool {
                reader.take_if_equal(&self.to_le_bytes())
            }

            #[inline]
            fn encode_many(values: &[Self], out: &mut Writer) {
                out.reserve(size_of_val(values));
                for value in values {
                    value.encode(out);
                }
            }
        }

        impl<'de> Decode<'de> for $number {
            const SIZE: Option<usize> = Some(size_of::<Self>());

            #[inline]
            fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
                reader.array(stringify!($number)).map(|bytes| Self::from_le_bytes(*bytes))
            }

            #[inline]
            fn decode_many(reader: &mut Reader<'de>, len: usize) -> Result<Vec<Self>, DecodeError> {
                let bytes = reader.bytes(
                    len.saturating_mul(size_of::<Self>()),
                    concat!("list of ", stringify!($number)),
                )?;
                let (chunks, _) = bytes.as_chunks();
                Ok(chunks.iter().map(|chunk| Self::from_le_bytes(*chunk)).collect())
            }
        }

        impl Sats for $number {
            const TYPE: SatsType = SatsType::$variant;
        }
    )*};
}

numbers! {
    i8 I8,
    i16 I16, u16 U16,
    i32 I32, u32 U32,
    i64 I64, u64 U64,
    i128 I128, u128 U128,
    I256 I256, U256 U256,
    f32 F32, f64 F64,
}
