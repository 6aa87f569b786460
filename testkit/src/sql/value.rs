//! Values that SQL can compare, and how they are read from a literal.

use core::cmp::Ordering;
use core::str::FromStr;

use lightlike_core::schema::{SatsType, SatsValue};

use super::ast::Literal;
use super::decimal;

/// The order of two values of one type. Floats order as the server's do, with NaN equal to itself and greatest, and
/// both zeros equal.
pub(super) fn compare(a: &SatsValue, b: &SatsValue) -> Ordering {
    match (a, b) {
        (SatsValue::F32(a), SatsValue::F32(b)) => compare_floats(a.0.into(), b.0.into()),
        (SatsValue::F64(a), SatsValue::F64(b)) => compare_floats(a.0, b.0),
        (a, b) => a.cmp(b),
    }
}

fn compare_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Returns `true` if SQL can compare values of this type.
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

/// Reads a literal as a value of type `ty`; what kind of literal it is matters only for booleans.
///
/// # Source
///
/// `spacetimedb-expr` 2.14.0, `parse`.
pub(super) fn parse(literal: &Literal, ty: SatsType) -> Option<SatsValue> {
    let text = match literal {
        Literal::Bool(value) => {
            return matches!(ty, SatsType::Bool).then_some(SatsValue::Bool(*value));
        }
        Literal::Number(text) | Literal::Text(text) | Literal::Hex(text) => text,
    };
    match ty {
        SatsType::I8 => integer(text).map(SatsValue::I8),
        SatsType::U8 => integer(text).map(SatsValue::U8),
        SatsType::I16 => integer(text).map(SatsValue::I16),
        SatsType::U16 => integer(text).map(SatsValue::U16),
        SatsType::I32 => integer(text).map(SatsValue::I32),
        SatsType::U32 => integer(text).map(SatsValue::U32),
        SatsType::I64 => integer(text).map(SatsValue::I64),
        SatsType::U64 => integer(text).map(SatsValue::U64),
        SatsType::I128 => integer(text).map(SatsValue::I128),
        SatsType::U128 => integer(text).map(SatsValue::U128),
        SatsType::I256 => integer(text).map(SatsValue::I256),
        SatsType::U256 => integer(text).map(SatsValue::U256),
        SatsType::F32 => decimal::float(text)?.parse::<f32>().ok().map(SatsValue::from),
        SatsType::F64 => decimal::float(text)?.parse::<f64>().ok().map(SatsValue::from),
        SatsType::String => Some(SatsValue::String(text.clone())),
        SatsType::Identity => text.parse().ok().map(SatsValue::Identity),
        SatsType::ConnectionId => text.parse().ok().map(SatsValue::ConnectionId),
        SatsType::Uuid => text.parse().ok().map(SatsValue::Uuid),
        SatsType::Timestamp => text.parse().ok().map(SatsValue::Timestamp),
        ty if is_bytes(ty) => decimal::hex(text).map(SatsValue::Bytes),
        _ => None,
    }
}

fn integer<T: FromStr>(text: &str) -> Option<T> {
    decimal::integer(text)?.parse().ok()
}
