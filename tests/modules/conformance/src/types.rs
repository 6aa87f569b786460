//! The types that columns, arguments and return values are made of.

use spacetimedb::sats::{i256, u256};
use spacetimedb::{ConnectionId, Identity, SpacetimeType, TimeDuration, Timestamp, Uuid};

#[derive(SpacetimeType, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimpleEnum {
    Zero,
    One,
    Two,
}

#[derive(SpacetimeType, Clone, Debug)]
pub enum EnumWithPayload {
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    U128(u128),
    U256(u256),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    I128(i128),
    I256(i256),
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

#[derive(SpacetimeType, Clone, Debug)]
pub struct UnitStruct {}

#[derive(SpacetimeType, Clone, Debug)]
pub struct ByteStruct {
    pub b: u8,
}

/// Products in products, an enum in an option in an array.
#[derive(SpacetimeType, Clone, Debug)]
pub struct NestedStruct {
    pub inner: ByteStruct,
    pub nothing: UnitStruct,
    pub choices: Vec<Option<EnumWithPayload>>,
}

#[derive(SpacetimeType, Clone, Debug)]
pub struct EveryPrimitiveStruct {
    pub a: u8,
    pub b: u16,
    pub c: u32,
    pub d: u64,
    pub e: u128,
    pub f: u256,
    pub g: i8,
    pub h: i16,
    pub i: i32,
    pub j: i64,
    pub k: i128,
    pub l: i256,
    pub m: bool,
    pub n: f32,
    pub o: f64,
    pub p: String,
    pub q: Identity,
    pub r: ConnectionId,
    pub s: Timestamp,
    pub t: TimeDuration,
    pub u: Uuid,
}

#[derive(SpacetimeType, Clone, Debug)]
pub struct EveryVecStruct {
    pub a: Vec<u8>,
    pub b: Vec<u16>,
    pub c: Vec<u32>,
    pub d: Vec<u64>,
    pub e: Vec<u128>,
    pub f: Vec<u256>,
    pub g: Vec<i8>,
    pub h: Vec<i16>,
    pub i: Vec<i32>,
    pub j: Vec<i64>,
    pub k: Vec<i128>,
    pub l: Vec<i256>,
    pub m: Vec<bool>,
    pub n: Vec<f32>,
    pub o: Vec<f64>,
    pub p: Vec<String>,
    pub q: Vec<Identity>,
    pub r: Vec<ConnectionId>,
    pub s: Vec<Timestamp>,
    pub t: Vec<TimeDuration>,
    pub u: Vec<Uuid>,
}
