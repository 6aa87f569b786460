//! The official implementation's words for our types.

use lightlike_core::schema::{SatsType, TypeRef};
use spacetimedb_sats::{AlgebraicType, ProductTypeElement, SumTypeVariant};

/// The types that a type may stand within. More is taken for a type that contains itself.
const MAX_DEPTH: u32 = 8;

/// The same type in the official implementation's words, unless it goes on without end.
pub(crate) fn algebraic(ty: SatsType) -> Option<AlgebraicType> {
    within(ty, 0)
}

fn within(ty: SatsType, depth: u32) -> Option<AlgebraicType> {
    if depth > MAX_DEPTH {
        return None;
    }
    let inner = |ty: TypeRef| within(ty.get(), depth + 1);
    Some(match ty {
        SatsType::Bool => AlgebraicType::Bool,
        SatsType::I8 => AlgebraicType::I8,
        SatsType::U8 => AlgebraicType::U8,
        SatsType::I16 => AlgebraicType::I16,
        SatsType::U16 => AlgebraicType::U16,
        SatsType::I32 => AlgebraicType::I32,
        SatsType::U32 => AlgebraicType::U32,
        SatsType::I64 => AlgebraicType::I64,
        SatsType::U64 => AlgebraicType::U64,
        SatsType::I128 => AlgebraicType::I128,
        SatsType::U128 => AlgebraicType::U128,
        SatsType::I256 => AlgebraicType::I256,
        SatsType::U256 => AlgebraicType::U256,
        SatsType::F32 => AlgebraicType::F32,
        SatsType::F64 => AlgebraicType::F64,
        SatsType::String => AlgebraicType::String,
        SatsType::Identity => AlgebraicType::identity(),
        SatsType::ConnectionId => AlgebraicType::connection_id(),
        SatsType::Timestamp => AlgebraicType::timestamp(),
        SatsType::TimeDuration => AlgebraicType::time_duration(),
        SatsType::ScheduleAt => AlgebraicType::sum([
            ("Interval", AlgebraicType::time_duration()),
            ("Time", AlgebraicType::timestamp()),
        ]),
        SatsType::Uuid => AlgebraicType::uuid(),
        SatsType::Array(element) => AlgebraicType::array(inner(element)?),
        SatsType::Option(some) => AlgebraicType::option(inner(some)?),
        SatsType::Result(ok, err) => AlgebraicType::result(inner(ok)?, inner(err)?),
        SatsType::Product(product) => {
            let fields = product.fields.iter();
            let fields = fields.map(|field| inner(field.ty).map(ProductTypeElement::from));
            AlgebraicType::product(fields.collect::<Option<Box<[_]>>>()?)
        }
        SatsType::Sum(sum) => {
            let payloads = sum.variants.iter().map(|variant| match variant.payload {
                Some(payload) => inner(payload).map(SumTypeVariant::from),
                None => Some(AlgebraicType::unit().into()),
            });
            AlgebraicType::sum(payloads.collect::<Option<Box<[_]>>>()?)
        }
    })
}
