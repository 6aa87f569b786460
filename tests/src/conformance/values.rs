//! What the stories have beside the module's declarations: names for what many tables have in common, and values.
//!
//! This is compiled twice: here, with the declarations of this crate, and in `tests/generated`, with generated ones.

use std::fmt::Debug;
use std::hash::Hash;

use lightlike::prelude::*;
use lightlike::schema::{Column, FindIn, Kind, Plain};

use super::declared::*;

/// A table of a key and an `i32`, with the reducers that write it.
pub trait Keyed: Table<Row = Self> + Clone + Debug + PartialEq {
    type Key: Bsatn + Clone + Debug + Hash + Eq;
    type Kind: FindIn<Self>;
    type Insert: Reducer<Ok = (), Error = String>;
    type Update: Reducer<Ok = (), Error = String>;
    type Delete: Reducer<Ok = (), Error = String>;
    const KEY_COLUMN: Column<Self, Self::Key, Self::Kind>;
    fn of(key: Self::Key, data: i32) -> Self;
    fn insert(key: Self::Key, data: i32) -> Self::Insert;
    fn update(key: Self::Key, data: i32) -> Self::Update;
    fn delete(key: Self::Key) -> Self::Delete;
}

macro_rules! keyed {
    ($Kind:ident: $($Row:ident $Insert:ident $Update:ident $Delete:ident $ty:ty;)*) => {$(
        impl Keyed for $Row {
            type Key = $ty;
            type Kind = Kind<lightlike::schema::$Kind, Plain>;
            type Insert = $Insert;
            type Update = $Update;
            type Delete = $Delete;
            const KEY_COLUMN: Column<Self, $ty, Self::Kind> = Self::KEY;

            fn of(key: $ty, data: i32) -> Self {
                Self { key, data }
            }

            fn insert(key: $ty, data: i32) -> $Insert {
                $Insert { key, data }
            }

            fn update(key: $ty, data: i32) -> $Update {
                $Update { key, data }
            }

            fn delete(key: $ty) -> $Delete {
                $Delete { key }
            }
        }
    )*};
}

unique_tables! { keyed Unique: }
pk_tables! { keyed Primary: }

/// A table of one column, without a key, and the reducer that inserts a row.
pub trait Keyless: Table<Row = Self> + Bsatn + Clone + Debug {
    type Value;
    type Insert: Reducer<Ok = (), Error = String>;
    const REDUCER: &'static str;
    const COLUMN: Column<Self, Self::Value, Kind<Plain, Plain>>;
    fn of(value: Self::Value) -> Self;
    fn insert(self) -> Self::Insert;
}

macro_rules! keyless {
    ($($Row:ident $Insert:ident $ty:ty;)*) => {$(
        impl Keyless for $Row {
            type Value = $ty;
            type Insert = $Insert;
            const REDUCER: &'static str = <$Insert as Reducer>::DEF.name;
            const COLUMN: Column<Self, $ty, Kind<Plain, Plain>> = Self::VALUE;

            fn of(value: $ty) -> Self {
                Self { value }
            }

            fn insert(self) -> $Insert {
                $Insert { value: self.value }
            }
        }
    )*};
}

keyless_tables! { keyless }

macro_rules! large_table_calls {
    ($($column:ident)*) => {
        impl LargeTable {
            pub fn insert(self) -> InsertLargeTable {
                InsertLargeTable { $($column: self.$column),* }
            }

            pub fn delete(self) -> DeleteLargeTable {
                DeleteLargeTable { $($column: self.$column),* }
            }
        }
    };
}

large_table_calls! { a b c d e f g h i j k l m n o p q r s t u v }

impl LargeTable {
    pub fn sample() -> Self {
        let EveryPrimitiveStruct { a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, .. } =
            EveryPrimitiveStruct::small();
        Self {
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h,
            i,
            j,
            k,
            l,
            m,
            n,
            o,
            p,
            q: SimpleEnum::Two,
            r: EnumWithPayload::Str("payload".into()),
            s: UnitStruct {},
            t: ByteStruct { b: 7 },
            u: EveryPrimitiveStruct::large(),
            v: EveryVecStruct::full(),
        }
    }
}

macro_rules! every {
    ($($field:ident = $small:expr, $large:expr;)*) => {
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
    a = 0, u8::MAX;
    b = 0, u16::MAX;
    c = 0, u32::MAX;
    d = 0, u64::MAX;
    e = 0, u128::MAX;
    f = U256::ZERO, U256::MAX;
    g = i8::MIN, i8::MAX;
    h = i16::MIN, i16::MAX;
    i = i32::MIN, i32::MAX;
    j = i64::MIN, i64::MAX;
    k = i128::MIN, i128::MAX;
    l = I256::MIN, I256::MAX;
    m = false, true;
    n = f32::MIN, 0.1;
    o = f64::MIN, 0.1;
    p = String::new(), "Ärger, 𝄞 und \0".to_owned();
    q = Identity::from_u256(U256::ONE), Identity::from_u256(U256::MAX);
    r = ConnectionId::from_u128(1), ConnectionId::from_u128(u128::MAX);
    s = Timestamp::from_micros(0), Timestamp::from_micros(1_755_555_555_123_456);
    t = TimeDuration::from_micros(-1), TimeDuration::from_micros(i64::MAX);
    u = Uuid::from_u128(1), Uuid::from_u128(0x0196_4ce4_2b9d_7c2a_9a6d_1e2f_3a4b_5c6d);
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

/// The text form of each field, in order.
pub fn as_strings(s: &EveryPrimitiveStruct) -> Vec<String> {
    vec![
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
        s.p.clone(),
        s.q.to_string(),
        s.r.to_string(),
        s.s.to_string(),
        s.t.to_string(),
        s.u.to_string(),
    ]
}

/// The point with this `x`.
pub fn point(x: u64) -> BulkPoint {
    BulkPoint { x, y: -(x as i64), z: x as f64 / 2.0 }
}

/// The text of the row with this id: the id in decimal, repeated and cut.
pub fn text(id: u64, bytes: u32) -> String {
    let unit = format!("{id} ");
    unit.chars().cycle().take(bytes as usize).collect()
}
