//! The types that columns, arguments and return values are made of.

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
    ($($field:ident: $ty:ty;)*) => {
        #[derive(Bsatn, Clone, Debug, PartialEq)]
        pub struct EveryPrimitiveStruct {
            $(pub $field: $ty,)*
        }

        #[derive(Bsatn, Clone, Debug, PartialEq)]
        pub struct EveryVecStruct {
            $(pub $field: Vec<$ty>,)*
        }
    };
}

every! {
    a: u8;
    b: u16;
    c: u32;
    d: u64;
    e: u128;
    f: U256;
    g: i8;
    h: i16;
    i: i32;
    j: i64;
    k: i128;
    l: I256;
    m: bool;
    n: f32;
    o: f64;
    p: String;
    q: Identity;
    r: ConnectionId;
    s: Timestamp;
    t: TimeDuration;
    u: Uuid;
}
