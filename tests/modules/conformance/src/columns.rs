//! Tables without a key: one for each column type, one for each array and option of it, one of all at once.

use crate::types::*;
use pastey::paste;
use spacetimedb::sats::{i256, u256};
use spacetimedb::{
    ConnectionId, Identity, ReducerContext, ScheduleAt, Table, TimeDuration, Timestamp, Uuid,
    reducer, table,
};

/// One line a table: its row type, which also names the table and the reducer that inserts a row, and the row's column.
macro_rules! keyless {
    ($($Row:ident $ty:ty;)*) => {$(paste! {
        #[table(accessor = [<$Row:snake>], public)]
        pub struct $Row {
            pub value: $ty,
        }

        #[reducer]
        pub fn [<insert_ $Row:snake>](ctx: &ReducerContext, value: $ty) {
            ctx.db.[<$Row:snake>]().insert($Row { value });
        }
    })*};
}

keyless! {
    OneU8 u8;
    OneU16 u16;
    OneU32 u32;
    OneU64 u64;
    OneU128 u128;
    OneU256 u256;
    OneI8 i8;
    OneI16 i16;
    OneI32 i32;
    OneI64 i64;
    OneI128 i128;
    OneI256 i256;
    OneBool bool;
    OneF32 f32;
    OneF64 f64;
    OneString String;
    OneIdentity Identity;
    OneConnectionId ConnectionId;
    OneTimestamp Timestamp;
    OneTimeDuration TimeDuration;
    OneUuid Uuid;
    OneScheduleAt ScheduleAt;
    OneNestedStruct NestedStruct;
    OneSimpleEnum SimpleEnum;
    OneEnumWithPayload EnumWithPayload;
    OneUnitStruct UnitStruct;
    OneByteStruct ByteStruct;
    OneEveryPrimitiveStruct EveryPrimitiveStruct;
    OneEveryVecStruct EveryVecStruct;

    VecU8 Vec<u8>;
    VecU16 Vec<u16>;
    VecU32 Vec<u32>;
    VecU64 Vec<u64>;
    VecU128 Vec<u128>;
    VecU256 Vec<u256>;
    VecI8 Vec<i8>;
    VecI16 Vec<i16>;
    VecI32 Vec<i32>;
    VecI64 Vec<i64>;
    VecI128 Vec<i128>;
    VecI256 Vec<i256>;
    VecBool Vec<bool>;
    VecF32 Vec<f32>;
    VecF64 Vec<f64>;
    VecString Vec<String>;
    VecIdentity Vec<Identity>;
    VecConnectionId Vec<ConnectionId>;
    VecTimestamp Vec<Timestamp>;
    VecTimeDuration Vec<TimeDuration>;
    VecUuid Vec<Uuid>;
    VecSimpleEnum Vec<SimpleEnum>;
    VecEnumWithPayload Vec<EnumWithPayload>;
    VecUnitStruct Vec<UnitStruct>;
    VecByteStruct Vec<ByteStruct>;
    VecEveryPrimitiveStruct Vec<EveryPrimitiveStruct>;

    OptionI32 Option<i32>;
    OptionString Option<String>;
    OptionIdentity Option<Identity>;
    OptionConnectionId Option<ConnectionId>;
    OptionTimestamp Option<Timestamp>;
    OptionUuid Option<Uuid>;
    OptionSimpleEnum Option<SimpleEnum>;
    OptionEveryPrimitiveStruct Option<EveryPrimitiveStruct>;
    OptionVecOptionI32 Option<Vec<Option<i32>>>;
    OptionOptionString Option<Option<String>>;

    ResultI32String Result<i32, String>;
    ResultStringI32 Result<String, i32>;
    ResultVecI32String Result<Vec<i32>, String>;
    ResultSimpleEnumI32 Result<SimpleEnum, i32>;
    ResultEveryPrimitiveStructString Result<EveryPrimitiveStruct, String>;
}

/// Rows of no bytes: the table holds at most one.
#[table(accessor = no_columns, public)]
pub struct NoColumns {}

#[reducer]
pub fn insert_no_columns(ctx: &ReducerContext) {
    ctx.db.no_columns().insert(NoColumns {});
}

#[reducer]
pub fn delete_no_columns(ctx: &ReducerContext) {
    ctx.db.no_columns().delete(NoColumns {});
}

macro_rules! large_table {
    ($($column:ident: $ty:ty),* $(,)?) => {
        /// A column of each type; found again by its encoding, for it has no key.
        #[table(accessor = large_table, public)]
        pub struct LargeTable {
            $($column: $ty,)*
        }

        #[reducer]
        pub fn insert_large_table(ctx: &ReducerContext, $($column: $ty),*) {
            ctx.db.large_table().insert(LargeTable { $($column),* });
        }

        #[reducer]
        pub fn delete_large_table(ctx: &ReducerContext, $($column: $ty),*) -> Result<(), String> {
            match ctx.db.large_table().delete(LargeTable { $($column),* }) {
                true => Ok(()),
                false => Err("no such row".into()),
            }
        }
    };
}

large_table! {
    a: u8,
    b: u16,
    c: u32,
    d: u64,
    e: u128,
    f: u256,
    g: i8,
    h: i16,
    i: i32,
    j: i64,
    k: i128,
    l: i256,
    m: bool,
    n: f32,
    o: f64,
    p: String,
    q: SimpleEnum,
    r: EnumWithPayload,
    s: UnitStruct,
    t: ByteStruct,
    u: EveryPrimitiveStruct,
    v: EveryVecStruct,
}

#[reducer]
pub fn insert_caller_one_identity(ctx: &ReducerContext) {
    ctx.db.one_identity().insert(OneIdentity { value: ctx.sender() });
}

/// Fails for a caller without a connection.
#[reducer]
pub fn insert_caller_one_connection_id(ctx: &ReducerContext) -> Result<(), String> {
    let value = ctx.connection_id().ok_or("the caller has no connection")?;
    ctx.db.one_connection_id().insert(OneConnectionId { value });
    Ok(())
}

/// The row's timestamp is the call's.
#[reducer]
pub fn insert_call_timestamp(ctx: &ReducerContext) {
    ctx.db.one_timestamp().insert(OneTimestamp { value: ctx.timestamp });
}

#[reducer]
pub fn insert_call_uuid_v4(ctx: &ReducerContext) -> Result<(), String> {
    let value = ctx.new_uuid_v4().map_err(|e| e.to_string())?;
    ctx.db.one_uuid().insert(OneUuid { value });
    Ok(())
}

#[reducer]
pub fn insert_call_uuid_v7(ctx: &ReducerContext) -> Result<(), String> {
    let value = ctx.new_uuid_v7().map_err(|e| e.to_string())?;
    ctx.db.one_uuid().insert(OneUuid { value });
    Ok(())
}

/// Puts the server's text form of each primitive, in the struct's order, into `vec_string`.
#[reducer]
pub fn insert_primitives_as_strings(ctx: &ReducerContext, s: EveryPrimitiveStruct) {
    let value = vec![
        s.a.to_string(),
        s.b.to_string(),
        s.c.to_string(),
        s.d.to_string(),
        s.e.to_string(),
        s.f.to_string(),
        s.g.to_string(),
        s.h.to_string(),
        s.i.to_string(),
        s.j.to_string(),
        s.k.to_string(),
        s.l.to_string(),
        s.m.to_string(),
        s.n.to_string(),
        s.o.to_string(),
        s.p.to_string(),
        s.q.to_string(),
        s.r.to_string(),
        s.s.to_string(),
        s.t.to_string(),
        s.u.to_string(),
    ];
    ctx.db.vec_string().insert(VecString { value });
}
