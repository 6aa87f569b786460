//! Random values and random bytes: our codec does with them what the official one does.

use std::fmt::Debug;

use lightlike_core::bsatn::{
    self, Decode, DecodeError, DecodeErrorKind, Encode, Reader, Writer, size,
};
use lightlike_core::schema::{
    Sats, SatsType, SatsValue, SumDef, TypeRef, UnknownVariants, VariantDef,
};
use lightlike_core::types::{I256, U256};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use spacetimedb_sats::{AlgebraicType, AlgebraicValue, de, ser};

use crate::{laws, official::algebraic};

/// A type that both implementations have.
trait Both:
    Encode + for<'a> Decode<'a> + Sats + ser::Serialize + for<'a> de::Deserialize<'a> + Debug
{
}
impl<T> Both for T where
    T: Encode + for<'a> Decode<'a> + Sats + ser::Serialize + for<'a> de::Deserialize<'a> + Debug
{
}

/// A sum of the user's, which contains itself: by their derive, and with the code that ours would write.
#[derive(Debug, Clone, ser::Serialize, de::Deserialize)]
#[sats(crate = spacetimedb_sats)]
#[expect(
    clippy::use_self,
    reason = "their derive moves the fields' types to where `Self` is another"
)]
enum Shape {
    Dot,
    Label(String),
    Group(Vec<Shape>),
    Framed(Box<Shape>),
}

impl Encode for Shape {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Dot => out.tag(0),
            Self::Label(text) => {
                out.tag(1);
                text.encode(out);
            }
            Self::Group(shapes) => {
                out.tag(2);
                shapes.encode(out);
            }
            Self::Framed(shape) => {
                out.tag(3);
                shape.encode(out);
            }
        }
    }
}

impl<'de> Decode<'de> for Shape {
    const SIZE: Option<usize> = size::variants(&[
        Some(0),
        String::SIZE,
        <Vec<Self> as Decode<'_>>::SIZE,
        <Box<Self> as Decode<'_>>::SIZE,
    ]);

    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        match reader.tag("Shape")? {
            0 => Ok(Self::Dot),
            1 => Decode::decode(reader).map(Self::Label),
            2 => Decode::decode(reader).map(Self::Group),
            3 => Decode::decode(reader).map(Self::Framed),
            tag => Err(reader.invalid_tag(tag, "Shape")),
        }
    }
}

impl Sats for Shape {
    const TYPE: SatsType = SatsType::Sum(SumDef {
        name: "Shape",
        variants: &[
            VariantDef { name: "dot", payload: None },
            VariantDef { name: "label", payload: Some(TypeRef::of::<String>()) },
            VariantDef { name: "group", payload: Some(TypeRef::of::<Vec<Self>>()) },
            VariantDef { name: "framed", payload: Some(TypeRef::of::<Box<Self>>()) },
        ],
        unknown: UnknownVariants::Refused,
    });
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![Just(Shape::Dot), text().prop_map(Shape::Label)];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Shape::Group),
            inner.prop_map(|shape| Shape::Framed(Box::new(shape))),
        ]
    })
}

/// Our encoding of `value` is theirs, and each reads the other's; typed and not.
fn same_encoding<T: Both>(value: &T) -> TestCaseResult {
    let ours = bsatn::to_vec(value).unwrap();
    let theirs = spacetimedb_sats::bsatn::to_vec(value).unwrap();
    prop_assert_eq!(&ours, &theirs);
    let read_by_us: T = bsatn::from_slice(&theirs).unwrap();
    prop_assert_eq!(bsatn::to_vec(&read_by_us).unwrap(), theirs);
    let read_by_them: T = spacetimedb_sats::bsatn::from_slice(&ours).unwrap();
    prop_assert_eq!(bsatn::to_vec(&read_by_them).unwrap(), &ours[..]);
    laws::check(value);

    let untyped = SatsValue::from_slice(T::TYPE, &ours).unwrap();
    prop_assert_eq!(bsatn::to_vec(&untyped).unwrap(), &ours[..]);
    Ok(())
}

/// We accept `bytes` if and only if they do, having read as far, and make the same value of them; typed and not.
fn same_decision<T: Both>(bytes: &[u8]) -> TestCaseResult {
    let mut reader = Reader::new(bytes);
    let ours = T::decode(&mut reader);
    let mut rest = bytes;
    let theirs: Result<T, _> = spacetimedb_sats::bsatn::from_reader(&mut rest);
    let mut untyped_reader = Reader::new(bytes);
    let untyped = SatsValue::decode(T::TYPE, &mut untyped_reader);
    // Theirs has no untyped values of types that contain themselves.
    let untyped_theirs = algebraic(T::TYPE)
        .map(|ty| spacetimedb_sats::bsatn::decode::<AlgebraicType>(&ty, &mut &*bytes).map(drop));
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => {
            prop_assert_eq!(reader.rest(), rest);
            let read = &bytes[..reader.offset()];
            prop_assert_eq!(bsatn::to_vec(&ours).unwrap(), read);
            prop_assert_eq!(bsatn::to_vec(&theirs).unwrap(), read);
            prop_assert_eq!(untyped_reader.rest(), rest);
            prop_assert_eq!(bsatn::to_vec(&untyped.unwrap()).unwrap(), read);
            prop_assert!(untyped_theirs.is_none_or(|theirs| theirs.is_ok()));
            prop_assert!(T::skip(&mut Reader::new(bytes)).is_ok());
        }
        (Err(ours), Err(_)) => {
            prop_assert!(ours.offset() <= bytes.len());
            // The type of a value does not say how long an array is.
            let is_length = matches!(ours.kind(), DecodeErrorKind::WrongLength { .. });
            prop_assert!(is_length || untyped.is_err());
            prop_assert!(untyped_theirs.is_none_or(|theirs| theirs.is_err() == untyped.is_err()));
        }
        (ours, theirs) => prop_assert!(false, "ours: {ours:?}, theirs: {theirs:?}"),
    }
    Ok(())
}

/// Bytes that look a little like values: small numbers, so that lengths and tags are often right.
fn plausible_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![8 => Just(0u8), 4 => Just(1), 2 => 2..5u8, 1 => any::<u8>()];
    prop::collection::vec(byte, 0..80)
}

fn i256() -> impl Strategy<Value = I256> {
    any::<[u128; 2]>().prop_map(|[hi, lo]| U256::from_words(hi, lo).as_i256())
}

fn u256() -> impl Strategy<Value = U256> {
    any::<[u128; 2]>().prop_map(|[hi, lo]| U256::from_words(hi, lo))
}

/// For each type: random values of it, random bytes, and random values with a byte changed.
macro_rules! agrees {
    ($($test:ident: $ty:ty = $strategy:expr;)*) => {
        $(proptest! {
            #![proptest_config(ProptestConfig::with_cases(128))]
            #[test]
            fn $test(
                value in $strategy,
                bytes in plausible_bytes(),
                noise in any::<(prop::sample::Index, u8)>(),
            ) {
                same_encoding::<$ty>(&value)?;
                same_decision::<$ty>(&bytes)?;
                let mut mutated = bsatn::to_vec(&value).unwrap();
                if !mutated.is_empty() {
                    let at = noise.0.index(mutated.len());
                    mutated[at] = noise.1;
                    same_decision::<$ty>(&mutated)?;
                }
            }
        })*
    };
}

agrees! {
    agrees_on_bool: bool = any::<bool>();
    agrees_on_small_integers: (i8, u8, i16, u16, i32, u32) = any::<(i8, u8, i16, u16, i32, u32)>();
    agrees_on_big_integers: (i64, u64, i128, u128) = any::<(i64, u64, i128, u128)>();
    agrees_on_huge_integers: (I256, U256) = (i256(), u256());
    agrees_on_floats: (f32, f64) =
        any::<(u32, u64)>().prop_map(|(a, b)| (f32::from_bits(a), f64::from_bits(b)));
    agrees_on_strings: String = text();
    agrees_on_boxes: (Box<str>, Box<u8>) = (text(), any::<u8>()).prop_map(|(a, b)| (a.into(), b.into()));
    agrees_on_bytes: Vec<u8> = few(any::<u8>());
    agrees_on_numbers_in_lists: (Vec<u16>, Vec<i64>, Vec<bool>) =
        (few(any::<u16>()), few(any::<i64>()), few(any::<bool>()));
    agrees_on_lists_of_products: Vec<(u8, u32)> = few(any::<(u8, u32)>());
    agrees_on_lists_of_lists: Vec<Vec<String>> = few(few(text()));
    agrees_on_lists_of_options: Vec<Option<(bool, u8)>> = few(any::<Option<(bool, u8)>>());
    agrees_on_boxed_lists: Box<[u32]> = few(any::<u32>()).prop_map(Vec::into_boxed_slice);
    agrees_on_arrays: ([u8; 3], [u32; 2], [String; 2]) =
        (any::<[u8; 3]>(), any::<[u32; 2]>(), [text(), text()]);
    agrees_on_options: Option<Option<u32>> = any::<Option<Option<u32>>>();
    agrees_on_results: Result<u64, String> = any::<Result<u64, bool>>().prop_flat_map(|result| {
        text().prop_map(move |text| result.map_err(|_| text))
    });
    agrees_on_sums_that_contain_themselves: Shape = shape();
    agrees_on_unit: ((), Option<()>) = any::<((), Option<()>)>();
    agrees_on_rows: (u64, String, (f32, f32, f32), i32, Option<String>, Vec<u8>) = (
        any::<u64>(),
        text(),
        any::<(f32, f32, f32)>(),
        any::<i32>(),
        prop::option::of(text()),
        few(any::<u8>()),
    );
    agrees_on_twelve_fields: (u8, u8, bool, u8, u16, u8, String, u8, u8, i8, u8, u8) =
        (any::<(u8, bool, u16, i8)>(), text())
            .prop_map(|((a, b, c, d), e)| (a, a, b, a, c, 1, e, a, 2, d, a, 3));
}

fn text() -> impl Strategy<Value = String> {
    ".{0,12}"
}

fn few<T: Debug>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(strategy, 0..6)
}

/// The official types of the special columns, as the schema of a table would have them.
#[test]
fn special_types_are_what_the_official_ones_are() {
    use lightlike_core::types::{
        ConnectionId, Identity, ScheduleAt, TimeDuration, Timestamp, Uuid,
    };
    let types = [
        <(Identity, ConnectionId)>::TYPE,
        <(Timestamp, TimeDuration)>::TYPE,
        <(ScheduleAt, Uuid)>::TYPE,
    ];
    for ty in types {
        let theirs = algebraic(ty).unwrap();
        for byte in [0u8, 1] {
            let bytes = [byte; 64];
            let mut rest = &bytes[..];
            let value = AlgebraicValue::decode(&theirs, &mut rest).unwrap();
            let mut reader = Reader::new(&bytes);
            let ours = SatsValue::decode(ty, &mut reader).unwrap();
            assert_eq!(reader.rest(), rest, "{ty}");
            assert_eq!(
                bsatn::to_vec(&ours).unwrap(),
                spacetimedb_sats::bsatn::to_vec(&value).unwrap(),
                "{ty}"
            );
        }
    }
}
