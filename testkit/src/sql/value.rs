//! Values that SQL can compare: how they are read from a row and from a literal.

use core::cmp::Ordering;

use ethnum::{I256, U256};
use lightlike_core::schema::SatsType;
use lightlike_core::types::{Identity, Timestamp, Uuid};

use super::ast::Literal;
use super::decimal;

/// A value of a comparable type. Two of one column's type are always of one variant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Signed(I256),
    /// Also identities, connection ids and uuids, which order as the numbers they are.
    Unsigned(U256),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    /// The order of two values of one type; floats order as the server's do, with NaN equal to itself and greatest.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Signed(a), Self::Signed(b)) => a.cmp(b),
            (Self::Unsigned(a), Self::Unsigned(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => {
                a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
            }
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            _ => return None,
        })
    }

    /// The value of an identity.
    pub(super) fn identity(identity: Identity) -> Self {
        Self::Unsigned(identity.to_u256())
    }
}

/// Whether SQL can compare values of this type.
///
/// # Source
///
/// `spacetimedb-expr` 2.14.0, `op_supports_type`.
pub(super) fn is_comparable(ty: SatsType) -> bool {
    is_bytes(ty)
        || !matches!(
            ty,
            SatsType::TimeDuration
                | SatsType::ScheduleAt
                | SatsType::Array(_)
                | SatsType::Option(_)
                | SatsType::Result(..)
                | SatsType::Product(_)
                | SatsType::Sum(_)
        )
}

pub(super) fn is_bytes(ty: SatsType) -> bool {
    matches!(ty, SatsType::Array(element) if matches!(element.get(), SatsType::U8))
}

/// Reads a column's whole encoding; none if the type is not comparable or the bytes are not of it.
pub(crate) fn read(ty: SatsType, bytes: &[u8]) -> Option<Value> {
    Some(match ty {
        SatsType::Bool => Value::Bool(match bytes {
            [0] => false,
            [1] => true,
            _ => return None,
        }),
        SatsType::I8
        | SatsType::I16
        | SatsType::I32
        | SatsType::I64
        | SatsType::I128
        | SatsType::I256
        | SatsType::Timestamp => Value::Signed(signed(bytes)?),
        SatsType::U8
        | SatsType::U16
        | SatsType::U32
        | SatsType::U64
        | SatsType::U128
        | SatsType::U256
        | SatsType::Identity
        | SatsType::ConnectionId
        | SatsType::Uuid => Value::Unsigned(U256::from_le_bytes(extend(bytes, 0)?)),
        SatsType::F32 => Value::Float(f32::from_le_bytes(bytes.try_into().ok()?).into()),
        SatsType::F64 => Value::Float(f64::from_le_bytes(bytes.try_into().ok()?)),
        SatsType::String => Value::Text(String::from_utf8(bytes.get(4..)?.to_vec()).ok()?),
        ty if is_bytes(ty) => Value::Bytes(bytes.get(4..)?.to_vec()),
        _ => return None,
    })
}

fn signed(bytes: &[u8]) -> Option<I256> {
    let negative = bytes.last()? & 0x80 != 0;
    Some(I256::from_le_bytes(extend(bytes, if negative { 0xff } else { 0 })?))
}

/// The little-endian number at its full width.
fn extend(bytes: &[u8], fill: u8) -> Option<[u8; 32]> {
    let mut wide = [fill; 32];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(wide)
}

/// Reads a literal as a value of type `ty`; what kind of literal it is matters only for booleans.
///
/// # Source
///
/// `spacetimedb-expr` 2.14.0, `parse`.
pub(super) fn parse(literal: &Literal, ty: SatsType) -> Option<Value> {
    let text = match literal {
        Literal::Bool(value) => return matches!(ty, SatsType::Bool).then_some(Value::Bool(*value)),
        Literal::Number(text) | Literal::Text(text) | Literal::Hex(text) => text,
    };
    match ty {
        SatsType::I8 => signed_within(text, 8),
        SatsType::I16 => signed_within(text, 16),
        SatsType::I32 => signed_within(text, 32),
        SatsType::I64 => signed_within(text, 64),
        SatsType::I128 => signed_within(text, 128),
        SatsType::I256 => signed_within(text, 256),
        SatsType::U8 => unsigned_within(text, 8),
        SatsType::U16 => unsigned_within(text, 16),
        SatsType::U32 => unsigned_within(text, 32),
        SatsType::U64 => unsigned_within(text, 64),
        SatsType::U128 => unsigned_within(text, 128),
        SatsType::U256 => unsigned_within(text, 256),
        // Through its own width, so that 0.1 is the same number as in the row.
        SatsType::F32 => decimal::float(text)?.parse::<f32>().ok().map(|value| Value::Float(value.into())),
        SatsType::F64 => decimal::float(text)?.parse().ok().map(Value::Float),
        SatsType::String => Some(Value::Text(text.clone())),
        SatsType::Identity => hex_number(text, 64),
        SatsType::ConnectionId => hex_number(text, 32),
        SatsType::Uuid => {
            text.parse::<Uuid>().ok().map(|uuid| Value::Unsigned(U256::new(u128::from(uuid))))
        }
        SatsType::Timestamp => {
            text.parse::<Timestamp>().ok().map(|time| Value::Signed(I256::from(time.as_micros())))
        }
        ty if is_bytes(ty) => decimal::hex(text).map(Value::Bytes),
        _ => None,
    }
}

fn signed_within(text: &str, bits: u32) -> Option<Value> {
    let value = decimal::integer(text)?;
    let value = I256::from_str_radix(&value, 10).ok()?;
    let spare = 256 - bits;
    ((value << spare) >> spare == value).then_some(Value::Signed(value))
}

fn unsigned_within(text: &str, bits: u32) -> Option<Value> {
    let value = decimal::integer(text)?;
    let value = U256::from_str_radix(&value, 10).ok()?;
    (U256::BITS - value.leading_zeros() <= bits).then_some(Value::Unsigned(value))
}

/// Hex digits, all of them, most significant first.
fn hex_number(text: &str, digits: usize) -> Option<Value> {
    let bytes = decimal::hex(text).filter(|bytes| bytes.len() * 2 == digits)?;
    let mut wide = [0; 32];
    wide[32 - bytes.len()..].copy_from_slice(&bytes);
    Some(Value::Unsigned(U256::from_be_bytes(wide)))
}
