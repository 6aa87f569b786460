//! The types that columns, arguments and return values are made of, and values of them.

use lightlike::prelude::*;

#[derive(Bsatn, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SimpleEnum {
    Zero,
    One,
    Two,
}

#[expect(clippy::large_enum_variant, reason = "as in the module; a test does not mind")]
#[derive(Bsatn, Clone, Debug, PartialEq)]
pub enum EnumWithPayload {
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    U128(u128),
    U256(U256),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    I128(i128),
    I256(I256),
    Bool(bool),
    F32(f32),
    F64(f64),
    Str(String),
    Identity(Identity),
    ConnectionId(ConnectionId),
    Timestamp(Timestamp),
    TimeDuration(TimeDuration),
    Uuid(Uuid),
    Bytes(Vec<u8>),
    Ints(Vec<i32>),
    Strings(Vec<String>),
    SimpleEnums(Vec<SimpleEnum>),
    Struct(EveryPrimitiveStruct),
    Nothing,
}

#[derive(Bsatn, Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitStruct {}

#[derive(Bsatn, Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteStruct {
    pub b: u8,
}

#[derive(Bsatn, Clone, Debug, PartialEq)]
pub struct NestedStruct {
    pub inner: ByteStruct,
    pub nothing: UnitStruct,
    pub choices: Vec<Option<EnumWithPayload>>,
}

macro_rules! every {
    ($($field:ident: $ty:ty = $small:expr, $large:expr;)*) => {
        #[derive(Bsatn, Clone, Debug, PartialEq)]
        pub struct EveryPrimitiveStruct {
            $(pub $field: $ty,)*
        }

        #[derive(Bsatn, Clone, Debug, PartialEq)]
        pub struct EveryVecStruct {
            $(pub $field: Vec<$ty>,)*
        }

        impl EveryPrimitiveStruct {
            /// The least value of each type, or a short one.
            pub fn small() -> Self {
                Self { $($field: $small),* }
            }

            /// The greatest value of each type, or a long one.
            pub fn large() -> Self {
                Self { $($field: $large),* }
            }
        }

        impl EveryVecStruct {
            pub fn empty() -> Self {
                Self { $($field: Vec::new()),* }
            }

            /// Two elements each.
            pub fn full() -> Self {
                Self { $($field: vec![$small, $large]),* }
            }
        }
    };
}

every! {
    a: u8 = 0, u8::MAX;
    b: u16 = 0, u16::MAX;
    c: u32 = 0, u32::MAX;
    d: u64 = 0, u64::MAX;
    e: u128 = 0, u128::MAX;
    f: U256 = U256::ZERO, U256::MAX;
    g: i8 = i8::MIN, i8::MAX;
    h: i16 = i16::MIN, i16::MAX;
    i: i32 = i32::MIN, i32::MAX;
    j: i64 = i64::MIN, i64::MAX;
    k: i128 = i128::MIN, i128::MAX;
    l: I256 = I256::MIN, I256::MAX;
    m: bool = false, true;
    n: f32 = f32::MIN, 0.1;
    o: f64 = f64::MIN, 0.1;
    p: String = String::new(), "Ärger, 𝄞 und \0".to_owned();
    q: Identity = Identity::from_u256(U256::ONE), Identity::from_u256(U256::MAX);
    r: ConnectionId = ConnectionId::from_u128(1), ConnectionId::from_u128(u128::MAX);
    s: Timestamp = Timestamp::from_micros(0), Timestamp::from_micros(1_755_555_555_123_456);
    t: TimeDuration = TimeDuration::from_micros(-1), TimeDuration::from_micros(i64::MAX);
    u: Uuid = Uuid::from_u128(1), Uuid::from_u128(0x0196_4ce4_2b9d_7c2a_9a6d_1e2f_3a4b_5c6d);
}

impl EnumWithPayload {
    /// A value of each variant.
    pub fn one_of_each() -> Vec<Self> {
        let EveryPrimitiveStruct { a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u } =
            EveryPrimitiveStruct::large();
        vec![
            Self::U8(a),
            Self::U16(b),
            Self::U32(c),
            Self::U64(d),
            Self::U128(e),
            Self::U256(f),
            Self::I8(g),
            Self::I16(h),
            Self::I32(i),
            Self::I64(j),
            Self::I128(k),
            Self::I256(l),
            Self::Bool(m),
            Self::F32(n),
            Self::F64(o),
            Self::Str(p),
            Self::Identity(q),
            Self::ConnectionId(r),
            Self::Timestamp(s),
            Self::TimeDuration(t),
            Self::Uuid(u),
            Self::Bytes(vec![1, 2, 3]),
            Self::Ints(vec![-1, 0, 1]),
            Self::Strings(vec!["a".into(), String::new()]),
            Self::SimpleEnums(vec![SimpleEnum::Two, SimpleEnum::Zero]),
            Self::Struct(EveryPrimitiveStruct::small()),
            Self::Nothing,
        ]
    }
}
