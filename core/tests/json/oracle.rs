//! Random values: what we write the official implementation reads, and the other way round.

use std::fmt::Debug;

use lightlike_core::bsatn::{self, Decode, Encode};
use lightlike_core::json::{self, Form};
use lightlike_core::schema::{Sats, SatsValue};
use lightlike_core::types::{
    ConnectionId, I256, Identity, ScheduleAt, TimeDuration, Timestamp, U256, Uuid,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use spacetimedb_sats::serde::SerdeWrapper;
use spacetimedb_sats::{AlgebraicValue, de, ser};

use crate::official::algebraic;

trait Ours: Encode + for<'a> Decode<'a> + Sats + Debug {}
impl<T: Encode + for<'a> Decode<'a> + Sats + Debug> Ours for T {}

/// A type that both implementations have.
trait Both: Ours + ser::Serialize + for<'a> de::Deserialize<'a> {}
impl<T: Ours + ser::Serialize + for<'a> de::Deserialize<'a>> Both for T {}

/// Our JSON of `value`, in both forms, is read by us as the same value, typed and not.
fn reads_back<T: Ours>(value: &T) -> TestCaseResult {
    let encoded = bsatn::to_vec(value).unwrap();
    for form in [Form::Named, Form::Positional] {
        let text = json::to_string(value, form).unwrap();
        let read: T = json::from_str(&text).unwrap();
        prop_assert_eq!(bsatn::to_vec(&read).unwrap(), &encoded[..], "{}", text);
        let untyped = json::value_from_str(T::TYPE, &text).unwrap();
        prop_assert_eq!(bsatn::to_vec(&untyped).unwrap(), &encoded[..], "{}", text);
        prop_assert_eq!(json::value_to_string(T::TYPE, &untyped, form).unwrap(), text);
    }
    Ok(())
}

/// Each reads what the other writes of a Rust value.
fn same_values<T: Both>(value: &T) -> TestCaseResult {
    reads_back(value)?;
    let encoded = bsatn::to_vec(value).unwrap();
    for form in [Form::Named, Form::Positional] {
        let ours = json::to_string(value, form).unwrap();
        let SerdeWrapper(read): SerdeWrapper<T> = serde_json::from_str(&ours).unwrap();
        prop_assert_eq!(bsatn::to_vec(&read).unwrap(), &encoded[..], "{}", ours);
    }
    let theirs = serde_json::to_string(SerdeWrapper::from_ref(value)).unwrap();
    let read: T = json::from_str(&theirs).unwrap();
    prop_assert_eq!(bsatn::to_vec(&read).unwrap(), encoded, "{}", theirs);
    same_untyped_values(value)
}

/// As the server writes rows: an untyped value of theirs has the same JSON as our positional form.
fn same_untyped_values<T: Ours>(value: &T) -> TestCaseResult {
    reads_back(value)?;
    let encoded = bsatn::to_vec(value).unwrap();
    let ty = algebraic(T::TYPE).unwrap();
    let theirs = AlgebraicValue::decode(&ty, &mut &encoded[..]).unwrap();
    let theirs = serde_json::to_string(&SerdeWrapper(theirs)).unwrap();
    let ours = json::to_string(value, Form::Positional).unwrap();
    // The shortest text of a float has more than one form.
    if T::TYPE.to_string().contains('f') {
        let read: T = json::from_str(&theirs).unwrap();
        prop_assert_eq!(bsatn::to_vec(&read).unwrap(), encoded, "{}", theirs);
    } else {
        prop_assert_eq!(ours, theirs);
    }
    Ok(())
}

macro_rules! agrees {
    ($check:ident: $($test:ident: $ty:ty = $strategy:expr;)*) => {
        $(proptest! {
            #![proptest_config(ProptestConfig::with_cases(128))]
            #[test]
            fn $test(value in $strategy) {
                $check::<$ty>(&value)?;
            }
        })*
    };
}

agrees! { same_values:
    agrees_on_small_numbers: (bool, i8, u8, i16, u16, i32, u32) =
        any::<(bool, i8, u8, i16, u16, i32, u32)>();
    agrees_on_big_numbers: (i64, u64, i128, u128) = any::<(i64, u64, i128, u128)>();
    agrees_on_huge_numbers: (I256, U256) = (i256(), u256());
    agrees_on_floats: (f32, f64) = (
        prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::ZERO,
        prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
    );
    agrees_on_strings: String = "\\PC{0,12}|.{0,12}";
    agrees_on_bytes: (Vec<u8>, [u8; 3]) = any::<(Vec<u8>, [u8; 3])>();
    agrees_on_lists: Vec<(u8, Vec<String>)> = prop::collection::vec(any::<(u8, Vec<String>)>(), 0..4);
    agrees_on_options: Vec<Option<Option<u32>>> = prop::collection::vec(any::<Option<Option<u32>>>(), 0..4);
    agrees_on_results: Vec<Result<u64, String>> =
        prop::collection::vec(any::<Result<u64, String>>(), 0..4);
    agrees_on_unit: ((), Option<()>) = any::<((), Option<()>)>();
}

agrees! { same_untyped_values:
    agrees_on_ids: (Identity, ConnectionId, Uuid) = (u256(), any::<[u128; 2]>())
        .prop_map(|(id, [a, b])| (Identity::from_u256(id), a.into(), b.into()));
    agrees_on_times: (Timestamp, TimeDuration, Vec<ScheduleAt>) = any::<[i64; 4]>().prop_map(|[a, b, c, d]| (
        Timestamp::from_micros(a),
        TimeDuration::from_micros(b),
        vec![TimeDuration::from_micros(c).into(), Timestamp::from_micros(d).into()],
    ));
}

proptest! {
    /// Neither reading nor writing panics on anything.
    #[test]
    fn garbage_is_an_error_or_a_value(
        text in "[\\[\\]{}:,\"0-9a-z_.-]{0,40}|.{0,20}",
        bytes in prop::collection::vec(0..4u8, 0..40),
    ) {
        type Row = (u64, Option<String>, Vec<u8>, ScheduleAt, Vec<Identity>, Result<(), f64>);
        let _ = json::from_str::<Row>(&text);
        let _ = json::value_from_str(<Vec<Vec<Option<u8>>>>::TYPE, &text);
        if let Ok(text) = json::from_bsatn(Row::TYPE, &bytes, Form::Named) {
            prop_assert_eq!(json::to_bsatn(Row::TYPE, text.as_bytes()).unwrap(), &bytes[..]);
            prop_assert!(SatsValue::from_slice(Row::TYPE, &bytes).is_ok());
        }
    }
}

fn i256() -> impl Strategy<Value = I256> {
    any::<[u128; 2]>().prop_map(|[hi, lo]| U256::from_words(hi, lo).as_i256())
}

fn u256() -> impl Strategy<Value = U256> {
    any::<[u128; 2]>().prop_map(|[hi, lo]| U256::from_words(hi, lo))
}
