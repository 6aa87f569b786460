//! Values whose type is known only when the program runs.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

use super::any::{AnyType, Scalar, Shape};
use crate::bsatn::{Decode, DecodeError, DecodeErrorKind, Encode, Reader, Writer};
use crate::sats::UnknownVariants;
use crate::types::{ConnectionId, I256, Identity, ScheduleAt, TimeDuration, Timestamp, U256, Uuid};

/// A value of any [`SatsType`](super::SatsType).
///
/// Values are ordered and compared like the Rust types that they stand for: numbers as numbers, arrays and products
/// element by element, sums by tag first; floats by [`TotalF32`] and [`TotalF64`]. Values of different types are
/// ordered by the place of their variant here, which means nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum SatsValue {
    Bool(bool),
    I8(i8),
    U8(u8),
    I16(i16),
    U16(u16),
    I32(i32),
    U32(u32),
    I64(i64),
    U64(u64),
    I128(i128),
    U128(u128),
    I256(I256),
    U256(U256),
    F32(TotalF32),
    F64(TotalF64),
    String(String),
    Identity(Identity),
    ConnectionId(ConnectionId),
    Timestamp(Timestamp),
    TimeDuration(TimeDuration),
    ScheduleAt(ScheduleAt),
    Uuid(Uuid),
    /// An array of `u8`; decoding never makes an [`Array`](Self::Array) of those.
    Bytes(Vec<u8>),
    Array(Vec<Self>),
    Option(Option<Box<Self>>),
    Result(Result<Box<Self>, Box<Self>>),
    /// The fields, in order.
    Product(Vec<Self>),
    Sum {
        /// The variant's position.
        tag: u8,
        /// Its value; none for a unit variant.
        payload: Option<Box<Self>>,
    },
}

impl SatsValue {
    /// Maximal nesting of arrays, products and sums. More than [`Reader::MAX_DEPTH`], because there only boxes and
    /// lists count.
    pub const MAX_DEPTH: u32 = 4 * Reader::MAX_DEPTH;

    /// Reads one value of the type `ty`.
    ///
    /// # Errors
    ///
    /// As [`Decode::decode`] of a Rust type with that type, but [`DecodeErrorKind::TooDeep`] beyond
    /// [`Self::MAX_DEPTH`].
    pub fn decode<'t>(
        ty: impl Into<AnyType<'t>>,
        reader: &mut Reader<'_>,
    ) -> Result<Self, DecodeError> {
        decode(ty.into(), reader, 0)
    }

    /// Decodes a value of the type `ty` that takes all of `bytes`.
    ///
    /// # Errors
    ///
    /// As [`Self::decode`], and [`DecodeErrorKind::TrailingBytes`] if bytes are left.
    pub fn from_slice<'t>(ty: impl Into<AnyType<'t>>, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let value = Self::decode(ty, &mut reader)?;
        reader.finish("SatsValue")?;
        Ok(value)
    }

    fn scalar(scalar: Scalar, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match scalar {
            Scalar::Bool => Self::Bool(Decode::decode(reader)?),
            Scalar::I8 => Self::I8(Decode::decode(reader)?),
            Scalar::U8 => Self::U8(Decode::decode(reader)?),
            Scalar::I16 => Self::I16(Decode::decode(reader)?),
            Scalar::U16 => Self::U16(Decode::decode(reader)?),
            Scalar::I32 => Self::I32(Decode::decode(reader)?),
            Scalar::U32 => Self::U32(Decode::decode(reader)?),
            Scalar::I64 => Self::I64(Decode::decode(reader)?),
            Scalar::U64 => Self::U64(Decode::decode(reader)?),
            Scalar::I128 => Self::I128(Decode::decode(reader)?),
            Scalar::U128 => Self::U128(Decode::decode(reader)?),
            Scalar::I256 => Self::I256(Decode::decode(reader)?),
            Scalar::U256 => Self::U256(Decode::decode(reader)?),
            Scalar::F32 => Self::F32(TotalF32(Decode::decode(reader)?)),
            Scalar::F64 => Self::F64(TotalF64(Decode::decode(reader)?)),
            Scalar::String => Self::String(Decode::decode(reader)?),
            Scalar::Identity => Self::Identity(Decode::decode(reader)?),
            Scalar::ConnectionId => Self::ConnectionId(Decode::decode(reader)?),
            Scalar::Timestamp => Self::Timestamp(Decode::decode(reader)?),
            Scalar::TimeDuration => Self::TimeDuration(Decode::decode(reader)?),
            Scalar::ScheduleAt => Self::ScheduleAt(Decode::decode(reader)?),
            Scalar::Uuid => Self::Uuid(Decode::decode(reader)?),
        })
    }
}

fn decode(ty: AnyType<'_>, reader: &mut Reader<'_>, depth: u32) -> Result<SatsValue, DecodeError> {
    if depth > SatsValue::MAX_DEPTH {
        let kind = DecodeErrorKind::TooDeep { limit: SatsValue::MAX_DEPTH };
        return Err(DecodeError::new(kind, "SatsValue", reader.offset()));
    }
    let boxed =
        |ty: AnyType<'_>, reader: &mut Reader<'_>| decode(ty, reader, depth + 1).map(Box::new);
    Ok(match ty.shape() {
        Shape::Scalar(scalar) => SatsValue::scalar(scalar, reader)?,
        Shape::Array(element) => match element.shape() {
            Shape::Scalar(Scalar::U8) => SatsValue::Bytes(Decode::decode(reader)?),
            _ => {
                let len = reader.len("array")?;
                let decode = |reader: &mut Reader<'_>| decode(element, reader, depth + 1);
                SatsValue::Array(reader.repeat(len, decode)?)
            }
        },
        Shape::Option(some) => SatsValue::Option(match reader.tag("Option")? {
            0 => Some(boxed(some, reader)?),
            1 => None,
            tag => return Err(reader.invalid_tag(tag, "Option")),
        }),
        Shape::Result(ok, err) => SatsValue::Result(match reader.tag("Result")? {
            0 => Ok(boxed(ok, reader)?),
            1 => Err(boxed(err, reader)?),
            tag => return Err(reader.invalid_tag(tag, "Result")),
        }),
        Shape::Product(fields) => {
            let values = fields.types().map(|ty| decode(ty, reader, depth + 1));
            SatsValue::Product(values.collect::<Result<_, _>>()?)
        }
        Shape::Sum(variants) => {
            let tag = reader.tag(variants.target())?;
            let payload = match variants.payload(usize::from(tag)) {
                Some(payload) => payload,
                // Of an unknown variant's value only the Rust type can make something.
                None if variants.unknown() != UnknownVariants::Refused => None,
                None => return Err(reader.invalid_tag(tag, variants.target())),
            };
            let payload = payload.map(|payload| boxed(payload, reader));
            SatsValue::Sum { tag, payload: payload.transpose()? }
        }
    })
}

impl Encode for SatsValue {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Bool(value) => value.encode(out),
            Self::I8(value) => value.encode(out),
            Self::U8(value) => value.encode(out),
            Self::I16(value) => value.encode(out),
            Self::U16(value) => value.encode(out),
            Self::I32(value) => value.encode(out),
            Self::U32(value) => value.encode(out),
            Self::I64(value) => value.encode(out),
            Self::U64(value) => value.encode(out),
            Self::I128(value) => value.encode(out),
            Self::U128(value) => value.encode(out),
            Self::I256(value) => value.encode(out),
            Self::U256(value) => value.encode(out),
            Self::F32(value) => value.0.encode(out),
            Self::F64(value) => value.0.encode(out),
            Self::String(value) => value.encode(out),
            Self::Identity(value) => value.encode(out),
            Self::ConnectionId(value) => value.encode(out),
            Self::Timestamp(value) => value.encode(out),
            Self::TimeDuration(value) => value.encode(out),
            Self::ScheduleAt(value) => value.encode(out),
            Self::Uuid(value) => value.encode(out),
            Self::Bytes(value) => value.encode(out),
            Self::Array(value) => value.encode(out),
            Self::Option(value) => value.encode(out),
            Self::Result(value) => value.encode(out),
            Self::Product(fields) => Self::encode_many(fields, out),
            Self::Sum { tag, payload } => {
                out.tag(*tag);
                if let Some(payload) = payload {
                    payload.encode(out);
                }
            }
        }
    }
}

/// Readable, and not meant to be read back: a sum shows its variant's position, because its name is in the type.
impl fmt::Display for SatsValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::I8(value) => value.fmt(f),
            Self::U8(value) => value.fmt(f),
            Self::I16(value) => value.fmt(f),
            Self::U16(value) => value.fmt(f),
            Self::I32(value) => value.fmt(f),
            Self::U32(value) => value.fmt(f),
            Self::I64(value) => value.fmt(f),
            Self::U64(value) => value.fmt(f),
            Self::I128(value) => value.fmt(f),
            Self::U128(value) => value.fmt(f),
            Self::I256(value) => value.fmt(f),
            Self::U256(value) => value.fmt(f),
            Self::F32(value) => value.0.fmt(f),
            Self::F64(value) => value.0.fmt(f),
            Self::String(value) => write!(f, "{value:?}"),
            Self::Identity(value) => value.fmt(f),
            Self::ConnectionId(value) => value.fmt(f),
            Self::Timestamp(value) => value.fmt(f),
            Self::TimeDuration(value) => value.fmt(f),
            Self::ScheduleAt(value) => value.fmt(f),
            Self::Uuid(value) => value.fmt(f),
            Self::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Array(elements) => enclosed(f, '[', elements, ']'),
            Self::Product(fields) => enclosed(f, '(', fields, ')'),
            Self::Option(None) => f.write_str("none"),
            Self::Option(Some(value)) => write!(f, "some({value})"),
            Self::Result(Ok(value)) => write!(f, "ok({value})"),
            Self::Result(Err(value)) => write!(f, "err({value})"),
            Self::Sum { tag, payload: None } => write!(f, "#{tag}"),
            Self::Sum { tag, payload: Some(payload) } => write!(f, "#{tag}({payload})"),
        }
    }
}

fn enclosed(
    f: &mut fmt::Formatter<'_>,
    open: char,
    values: &[SatsValue],
    close: char,
) -> fmt::Result {
    write!(f, "{open}")?;
    for (at, value) in values.iter().enumerate() {
        let separator = if at == 0 { "" } else { ", " };
        write!(f, "{separator}{value}")?;
    }
    write!(f, "{close}")
}

macro_rules! total {
    ($($name:ident $float:ident $variant:ident,)*) => {$(
        /// A float with a total order, that of its `total_cmp`: it equals another when their bits do, so a NaN equals
        /// itself, and -0 is less than 0.
        #[derive(Debug, Clone, Copy)]
        pub struct $name(pub $float);

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.0.total_cmp(&other.0)
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.to_bits() == other.0.to_bits()
            }
        }

        impl Eq for $name {}

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.to_bits().hash(state);
            }
        }

        impl From<$float> for SatsValue {
            fn from(value: $float) -> Self {
                Self::$variant($name(value))
            }
        }
    )*};
}

total! {
    TotalF32 f32 F32,
    TotalF64 f64 F64,
}

macro_rules! from {
    ($($ty:ty, $variant:ident;)*) => {$(
        impl From<$ty> for SatsValue {
            fn from(value: $ty) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from! {
    bool, Bool;
    i8, I8;
    u8, U8;
    i16, I16;
    u16, U16;
    i32, I32;
    u32, U32;
    i64, I64;
    u64, U64;
    i128, I128;
    u128, U128;
    I256, I256;
    U256, U256;
    String, String;
    &str, String;
    Identity, Identity;
    ConnectionId, ConnectionId;
    Timestamp, Timestamp;
    TimeDuration, TimeDuration;
    ScheduleAt, ScheduleAt;
    Uuid, Uuid;
}
