//! The type of a value, as SpacetimeDB sees it.

use core::fmt;

/// A Rust type with a type of SpacetimeDB's behind it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a type that SpacetimeDB has",
    note = "add `#[derive(Bsatn)]` to `{Self}`"
)]
pub trait Sats {
    /// The type.
    const TYPE: SatsType;
}

/// A type of SpacetimeDB's.
///
/// The special types (identities, times) are products of one field on the wire; here they are themselves.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names say it")]
pub enum SatsType {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    I128,
    U128,
    I256,
    U256,
    F32,
    F64,
    String,
    Identity,
    ConnectionId,
    Timestamp,
    TimeDuration,
    ScheduleAt,
    Uuid,
    Array(TypeRef),
    Option(TypeRef),
    Result(TypeRef, TypeRef),
    Product(ProductDef),
    Sum(SumDef),
}

/// As the type is written in Rust; of a named product or sum, the name.
impl fmt::Display for SatsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::I8 => f.write_str("i8"),
            Self::U8 => f.write_str("u8"),
            Self::I16 => f.write_str("i16"),
            Self::U16 => f.write_str("u16"),
            Self::I32 => f.write_str("i32"),
            Self::U32 => f.write_str("u32"),
            Self::I64 => f.write_str("i64"),
            Self::U64 => f.write_str("u64"),
            Self::I128 => f.write_str("i128"),
            Self::U128 => f.write_str("u128"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::I256
            | Self::U256
            | Self::String
            | Self::Identity
            | Self::ConnectionId
            | Self::Timestamp
            | Self::TimeDuration
            | Self::ScheduleAt
            | Self::Uuid => write!(f, "{self:?}"),
            Self::Array(element) => write!(f, "Vec<{}>", element.get()),
            Self::Option(some) => write!(f, "Option<{}>", some.get()),
            Self::Result(ok, err) => write!(f, "Result<{}, {}>", ok.get(), err.get()),
            Self::Product(product) => product.fmt(f),
            Self::Sum(sum) => f.write_str(sum.name),
        }
    }
}

impl fmt::Display for ProductDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name, self.fields) {
            (Some(name), _) => f.write_str(name),
            (None, [only]) => write!(f, "({},)", only.ty.get()),
            (None, fields) => {
                f.write_str("(")?;
                for (at, field) in fields.iter().enumerate() {
                    let separator = if at == 0 { "" } else { ", " };
                    write!(f, "{separator}{}", field.ty.get())?;
                }
                f.write_str(")")
            }
        }
    }
}

/// A type inside another, resolved when asked for: a constant could not hold a type that contains itself.
#[derive(Clone, Copy)]
pub struct TypeRef(fn() -> SatsType);

impl TypeRef {
    /// The type of `T`.
    pub const fn of<T: Sats + ?Sized>() -> Self {
        Self(|| T::TYPE)
    }

    /// The type itself.
    pub fn get(self) -> SatsType {
        (self.0)()
    }
}

impl fmt::Debug for TypeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Types may contain themselves, so the inner type is named and not shown.
        f.write_str("TypeRef")
    }
}

/// A struct or a tuple.
#[derive(Debug, Clone, Copy)]
pub struct ProductDef {
    /// The Rust name; none for tuples and the unit type.
    pub name: Option<&'static str>,
    /// The fields, in order.
    pub fields: &'static [FieldDef],
}

/// A field of a product.
#[derive(Debug, Clone, Copy)]
pub struct FieldDef {
    /// The wire name; none in tuples.
    pub name: Option<&'static str>,
    /// The field's type.
    pub ty: TypeRef,
}

/// An enum.
#[derive(Debug, Clone, Copy)]
pub struct SumDef {
    /// The Rust name.
    pub name: &'static str,
    /// The variants; the position of one is its tag.
    pub variants: &'static [VariantDef],
    /// Variants beside these.
    pub unknown: UnknownVariants,
}

/// What becomes of a variant that an enum does not have: see `#[bsatn(other)]` of the derive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownVariants {
    /// It does not decode.
    Refused,
    /// Its tag is kept. It has no value.
    Tag,
    /// Its tag and its value are kept.
    Value,
}

/// A variant of a sum.
#[derive(Debug, Clone, Copy)]
pub struct VariantDef {
    /// The variant's name as the server writes it in JSON and in its schema.
    pub name: &'static str,
    /// The type of its one value; none for a unit variant.
    pub payload: Option<TypeRef>,
}
