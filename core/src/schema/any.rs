//! A type from either side: a Rust constant, or a module's schema that was read at run time.

use core::fmt;

use super::server::{ServerField, ServerType, ServerVariant};
use crate::sats::{ProductDef, SatsType, SumDef, UnknownVariants};

macro_rules! scalars {
    ($($name:ident $text:literal,)*) => {
        /// A type with no other inside.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum Scalar {
            $($name,)*
        }

        impl Scalar {
            /// As the type is written in Rust.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }

        /// As the type is written in Rust.
        impl fmt::Display for Scalar {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl From<SatsType> for Shape<'_> {
            fn from(ty: SatsType) -> Self {
                match ty {
                    $(SatsType::$name => Self::Scalar(Scalar::$name),)*
                    SatsType::Array(element) => Self::Array(element.get().into()),
                    SatsType::Option(some) => Self::Option(some.get().into()),
                    SatsType::Result(ok, err) => Self::Result(ok.get().into(), err.get().into()),
                    SatsType::Product(product) => Self::Product(Fields(FieldsRepr::Rust(product))),
                    SatsType::Sum(sum) => Self::Sum(Variants(VariantsRepr::Rust(sum))),
                }
            }
        }
    };
}

scalars! {
    Bool "bool",
    I8 "i8",
    U8 "u8",
    I16 "i16",
    U16 "u16",
    I32 "i32",
    U32 "u32",
    I64 "i64",
    U64 "u64",
    I128 "i128",
    U128 "u128",
    I256 "I256",
    U256 "U256",
    F32 "f32",
    F64 "f64",
    String "String",
    Identity "Identity",
    ConnectionId "ConnectionId",
    Timestamp "Timestamp",
    TimeDuration "TimeDuration",
    ScheduleAt "ScheduleAt",
    Uuid "Uuid",
}

/// A type, wherever it is known from.
#[derive(Debug, Clone, Copy)]
pub struct AnyType<'t>(Repr<'t>);

#[derive(Debug, Clone, Copy)]
enum Repr<'t> {
    Rust(SatsType),
    Server(ServerTypeIn<'t>),
}

/// A server's type, and what its references point into.
#[derive(Debug, Clone, Copy)]
struct ServerTypeIn<'t> {
    ty: &'t ServerType,
    typespace: &'t [ServerType],
}

impl From<SatsType> for AnyType<'_> {
    fn from(ty: SatsType) -> Self {
        Self(Repr::Rust(ty))
    }
}

impl<'t> AnyType<'t> {
    /// A type of a server's, whose references are positions in `typespace`.
    pub fn server(ty: &'t ServerType, typespace: &'t [ServerType]) -> Self {
        Self(Repr::Server(ServerTypeIn { ty, typespace }))
    }

    /// The outermost level of the type.
    pub fn shape(self) -> Shape<'t> {
        match self.0 {
            Repr::Rust(ty) => ty.into(),
            Repr::Server(ServerTypeIn { ty, typespace }) => {
                server_shape(resolve(ty, typespace), typespace)
            }
        }
    }

    /// The type as a constant, if it is one of Rust's.
    pub(super) fn rust(self) -> Option<SatsType> {
        match self.0 {
            Repr::Rust(ty) => Some(ty),
            Repr::Server(_) => None,
        }
    }

    /// The type as a server told it, if one did.
    pub(super) fn as_server(self) -> Option<&'t ServerType> {
        match self.0 {
            Repr::Rust(_) => None,
            Repr::Server(ServerTypeIn { ty, .. }) => Some(ty),
        }
    }

    /// The position in the typespace that the type refers to, if it does.
    pub(super) fn reference(self) -> Option<u32> {
        match self.as_server() {
            Some(ServerType::Ref(at)) => Some(*at),
            _ => None,
        }
    }
}

/// Follows references. One that leads nowhere, or in a circle, is a type without values: a sum of no variants.
fn resolve<'t>(mut ty: &'t ServerType, typespace: &'t [ServerType]) -> &'t ServerType {
    const NOTHING: &ServerType = &ServerType::Sum(Vec::new());
    for _ in 0..=typespace.len() {
        let ServerType::Ref(at) = ty else { return ty };
        let Some(next) = typespace.get(*at as usize) else { break };
        ty = next;
    }
    NOTHING
}

fn server_shape<'t>(ty: &'t ServerType, typespace: &'t [ServerType]) -> Shape<'t> {
    let inner = |ty| AnyType::server(ty, typespace);
    match ty {
        ServerType::Scalar(scalar) => Shape::Scalar(*scalar),
        ServerType::Array(element) => Shape::Array(inner(element)),
        ServerType::Option(some) => Shape::Option(inner(some)),
        ServerType::Result(ok, err) => Shape::Result(inner(ok), inner(err)),
        ServerType::Product(fields) => {
            Shape::Product(Fields(FieldsRepr::Server(fields, typespace)))
        }
        ServerType::Sum(variants) => {
            Shape::Sum(Variants(VariantsRepr::Server(variants, typespace)))
        }
        // `resolve` has followed them all.
        ServerType::Ref(_) => Shape::Sum(Variants(VariantsRepr::Server(&[], typespace))),
    }
}

/// The outermost level of a type.
#[derive(Debug, Clone, Copy)]
pub enum Shape<'t> {
    /// Nothing inside.
    Scalar(Scalar),
    /// Any number of one type.
    Array(AnyType<'t>),
    /// One or none.
    Option(AnyType<'t>),
    /// One of two, of which the second is an error.
    Result(AnyType<'t>, AnyType<'t>),
    /// All of several.
    Product(Fields<'t>),
    /// One of several.
    Sum(Variants<'t>),
}

/// The fields of a product, in wire order.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'t>(FieldsRepr<'t>);

#[derive(Debug, Clone, Copy)]
enum FieldsRepr<'t> {
    Rust(ProductDef),
    Server(&'t [ServerField], &'t [ServerType]),
}

impl<'t> Fields<'t> {
    /// Number of fields.
    pub fn len(self) -> usize {
        match self.0 {
            FieldsRepr::Rust(product) => product.fields.len(),
            FieldsRepr::Server(fields, _) => fields.len(),
        }
    }

    /// Returns `true` if there are no fields.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The name of the field at a position, if there is one with a name.
    pub fn name(self, at: usize) -> Option<&'t str> {
        match self.0 {
            FieldsRepr::Rust(product) => product.fields.get(at)?.name,
            FieldsRepr::Server(fields, _) => fields.get(at)?.name.as_deref(),
        }
    }

    /// The types, in order.
    pub fn types(self) -> impl Iterator<Item = AnyType<'t>> {
        (0..self.len()).map_while(move |at| self.ty(at))
    }

    /// The type of the field at a position, if there is one.
    pub fn ty(self, at: usize) -> Option<AnyType<'t>> {
        match self.0 {
            FieldsRepr::Rust(product) => Some(product.fields.get(at)?.ty.get().into()),
            FieldsRepr::Server(fields, typespace) => {
                Some(AnyType::server(&fields.get(at)?.ty, typespace))
            }
        }
    }
}

/// The variants of a sum; the position of one is its tag.
#[derive(Debug, Clone, Copy)]
pub struct Variants<'t>(VariantsRepr<'t>);

#[derive(Debug, Clone, Copy)]
enum VariantsRepr<'t> {
    Rust(SumDef),
    Server(&'t [ServerVariant], &'t [ServerType]),
}

impl<'t> Variants<'t> {
    /// Number of variants.
    pub fn len(self) -> usize {
        match self.0 {
            VariantsRepr::Rust(sum) => sum.variants.len(),
            VariantsRepr::Server(variants, _) => variants.len(),
        }
    }

    /// Returns `true` if there are no variants.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The name of the variant with a tag, if there is one with a name.
    pub fn name(self, tag: usize) -> Option<&'t str> {
        match self.0 {
            VariantsRepr::Rust(sum) => Some(sum.variants.get(tag)?.name),
            VariantsRepr::Server(variants, _) => variants.get(tag)?.name.as_deref(),
        }
    }

    /// The type of the one value of the variant with a tag: the outer `None` if there is no such variant, the inner one if
    /// it has no value.
    pub fn payload(self, tag: usize) -> Option<Option<AnyType<'t>>> {
        match self.0 {
            VariantsRepr::Rust(sum) => {
                Some(sum.variants.get(tag)?.payload.map(|payload| payload.get().into()))
            }
            VariantsRepr::Server(variants, typespace) => {
                let payload = variants.get(tag)?.payload.as_ref();
                Some(payload.map(|payload| AnyType::server(payload, typespace)))
            }
        }
    }

    /// What becomes of variants beside these.
    pub fn unknown(self) -> UnknownVariants {
        match self.0 {
            VariantsRepr::Rust(sum) => sum.unknown,
            VariantsRepr::Server(..) => UnknownVariants::Refused,
        }
    }

    /// The Rust name of the sum, or `sum` where a server's schema has it.
    pub(crate) fn target(self) -> &'static str {
        match self.0 {
            VariantsRepr::Rust(sum) => sum.name,
            VariantsRepr::Server(..) => "sum",
        }
    }
}
