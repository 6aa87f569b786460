//! Encodings written by the official implementation, kept in `tests/vectors/bsatn.toml`.
//!
//! The file is made from the table here: `LIGHTLIKE_WRITE_VECTORS=1 cargo test -p lightlike-core vectors` writes it.
//! Without that, the table and the file must agree, and so must our codec with both.

use std::fmt::Debug;
use std::path::Path;
use std::sync::LazyLock;

use lightlike_core::bsatn::{self, Decode, Encode};
use lightlike_core::types::{
    ConnectionId, I256, Identity, ScheduleAt, TimeDuration, Timestamp, U256, Uuid,
};
use serde::{Deserialize, Serialize};
use spacetimedb_sats::{time_duration, timestamp, uuid};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/bsatn.toml");

const HEADER: &str = "\
# BSATN encodings, written by spacetimedb-sats 2.10.1: see core/tests/bsatn/vectors.rs, which also says how to write
# them anew. `type` and `value` are Rust's, `bytes` are in hex.

";

#[derive(Serialize, Deserialize)]
struct File {
    vector: Vec<Vector>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Vector {
    name: String,
    r#type: String,
    value: String,
    bytes: String,
}

/// A vector, and what our codec makes of its bytes: the value, as `Debug` shows it, and its encoding.
struct Case {
    vector: Vector,
    ours: fn(&[u8]) -> (String, Vec<u8>),
}

/// A value of a type that both implementations have.
fn case<T>(name: &str, r#type: &str, value: T) -> Case
where
    T: Encode + for<'a> Decode<'a> + spacetimedb_sats::ser::Serialize + Debug,
{
    special::<T>(name, r#type, format!("{value:?}"), &value)
}

/// A value of our type `T`, which is called something else in the official implementation.
fn special<T>(
    name: &str,
    r#type: &str,
    value: String,
    theirs: &impl spacetimedb_sats::ser::Serialize,
) -> Case
where
    T: Encode + for<'a> Decode<'a> + Debug,
{
    let bytes = hex(&spacetimedb_sats::bsatn::to_vec(theirs).unwrap());
    let vector = Vector { name: name.into(), r#type: r#type.into(), value, bytes };
    let ours = |bytes: &[u8]| {
        let decoded: T = bsatn::from_slice(bytes).unwrap();
        (format!("{decoded:?}"), bsatn::to_vec(&decoded).unwrap())
    };
    Case { vector, ours }
}

macro_rules! cases {
    ($($name:literal: $ty:ty = $value:expr;)*) => {
        vec![$(case::<$ty>($name, stringify!($ty), $value)),*]
    };
}

macro_rules! special_cases {
    ($($name:literal: $ty:ty = $value:expr => $theirs:expr;)*) => {
        vec![$({
            let value: $ty = $value;
            special::<$ty>($name, stringify!($ty), format!("{value:?}"), &$theirs)
        }),*]
    };
}

fn plain_cases() -> Vec<Case> {
    cases! {
        "bool/false": bool = false;
        "bool/true": bool = true;
        "i8/least": i8 = i8::MIN;
        "i8/minus one": i8 = -1;
        "u8/most": u8 = u8::MAX;
        "i16/least": i16 = i16::MIN;
        "u16/bytes in order": u16 = 0x0102;
        "i32/least": i32 = i32::MIN;
        "u32/bytes in order": u32 = 0x0102_0304;
        "i64/least": i64 = i64::MIN;
        "u64/bytes in order": u64 = 0x0102_0304_0506_0708;
        "i128/least": i128 = i128::MIN;
        "u128/bytes in order": u128 = 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10;
        "i256/minus one": I256 = I256::MINUS_ONE;
        "i256/least": I256 = I256::MIN;
        "u256/one": U256 = U256::ONE;
        "u256/halves": U256 = U256::from_words(1 << 127, 1);
        "u256/most": U256 = U256::MAX;
        "f32/one and a half": f32 = 1.5;
        "f32/minus zero": f32 = -0.0;
        "f32/nan": f32 = f32::NAN;
        "f64/one and a half": f64 = 1.5;
        "f64/minus infinity": f64 = f64::NEG_INFINITY;
        "f64/least above zero": f64 = f64::from_bits(1);
        "string/empty": String = String::new();
        "string/ascii": String = "hello".into();
        "string/utf8": String = "é, 日本, 🚀".into();
        "bytes/empty": Vec<u8> = vec![];
        "bytes/some": Vec<u8> = vec![0, 1, 0xfe, 0xff];
        "array/empty": Vec<u32> = vec![];
        "array/u16": Vec<u16> = vec![1, 2, 0x0300];
        "array/strings": Vec<String> = vec!["a".into(), String::new(), "bc".into()];
        "array/arrays": Vec<Vec<bool>> = vec![vec![true], vec![], vec![false, true]];
        "array/units": Vec<()> = vec![(), ()];
        "array/of constant length": [i32; 3] = [1, -1, 0];
        "array/bytes of constant length": [u8; 4] = [1, 2, 3, 4];
        "option/some": Option<u32> = Some(7);
        "option/none": Option<u32> = None;
        "option/nested": Option<Option<bool>> = Some(None);
        "option/some unit": Option<()> = Some(());
        "result/ok": Result<u64, String> = Ok(7);
        "result/err": Result<u64, String> = Err("no".into());
        "product/unit": () = ();
        "product/one": (u8,) = (7,);
        "product/mixed": (u64, String, bool, Option<f32>) = (1, "Ada".into(), true, Some(0.5));
        "product/nested": (u8, (u16, (u32, u64)), u8) = (1, (2, (3, 4)), 5);
        "box/string": Box<str> = "boxed".into();
        "box/product": Box<(u8, String)> = Box::new((1, "x".into()));
    }
}

fn special_type_cases() -> Vec<Case> {
    let number = 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10_u128;
    let wide = U256::from_words(number, number << 1);
    let time = timestamp::Timestamp::from_micros_since_unix_epoch;
    let span = time_duration::TimeDuration::from_micros;
    // The official schedule type is not among the published types; it is this sum.
    type Schedule = Result<time_duration::TimeDuration, timestamp::Timestamp>;
    special_cases! {
        "identity/zero": Identity = Identity::ZERO => U256::ZERO;
        "identity/some": Identity = Identity::from_u256(wide) => wide;
        "connection id/some": ConnectionId = ConnectionId::from_u128(number) => number;
        "timestamp/epoch": Timestamp = Timestamp::UNIX_EPOCH => time(0);
        "timestamp/before the epoch": Timestamp = Timestamp::from_micros(-1) => time(-1);
        "timestamp/some": Timestamp = Timestamp::from_micros(1_739_201_130_123_456) => time(1_739_201_130_123_456);
        "time duration/some": TimeDuration = TimeDuration::from_micros(1_500_000) => span(1_500_000);
        "time duration/negative": TimeDuration = TimeDuration::from_micros(-2) => span(-2);
        "schedule at/interval": ScheduleAt = TimeDuration::from_micros(5).into() => Schedule::Ok(span(5));
        "schedule at/time": ScheduleAt = Timestamp::from_micros(6).into() => Schedule::Err(time(6));
        "uuid/some": Uuid = Uuid::from_u128(number) => uuid::Uuid::from_u128(number);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Expected contents of the file.
fn official() -> String {
    let vector = cases_of_all_types().map(|case| case.vector).collect();
    format!("{HEADER}{}", toml::to_string(&File { vector }).unwrap())
}

/// Contents of the file, after it was written if that was asked for.
static FOUND: LazyLock<String> = LazyLock::new(|| {
    if std::env::var_os("LIGHTLIKE_WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(Path::new(FILE).parent().unwrap()).unwrap();
        std::fs::write(FILE, official()).unwrap();
    }
    std::fs::read_to_string(FILE).unwrap()
});

#[test]
fn the_file_holds_what_the_official_implementation_writes() {
    assert!(*FOUND == official(), "{FILE} is not what LIGHTLIKE_WRITE_VECTORS=1 would write");
}

#[test]
fn codec_agrees_with_every_recorded_vector() {
    let file: File = toml::from_str(&FOUND).unwrap();
    assert!(file.vector.len() > 50);
    let mut cases = cases_of_all_types();
    for vector in file.vector {
        let case = cases.next().unwrap();
        assert_eq!(case.vector.name, vector.name);
        let (value, bytes) = (case.ours)(&unhex(&vector.bytes));
        assert_eq!(value, vector.value, "{}", vector.name);
        assert_eq!(hex(&bytes), vector.bytes, "{}", vector.name);
    }
}

fn cases_of_all_types() -> impl Iterator<Item = Case> {
    plain_cases().into_iter().chain(special_type_cases())
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
