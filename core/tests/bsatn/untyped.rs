//! Values whose type is known only at run time.

use std::collections::HashSet;
use std::fmt::Debug;

use lightlike_core::bsatn::{self, Decode, DecodeErrorKind, Encode};
use lightlike_core::schema::{
    FieldDef, ProductDef, Sats, SatsType, SatsValue, SumDef, TypeRef, UnknownVariants, VariantDef,
};
use lightlike_core::types::{
    ConnectionId, I256, Identity, ScheduleAt, TimeDuration, Timestamp, U256, Uuid,
};

/// Checks that `value` decodes as an untyped one that reads as `text` and encodes to the same bytes.
fn check<T: Encode + Sats + Debug>(value: T, text: &str) {
    let bytes = bsatn::to_vec(&value).unwrap();
    let untyped = SatsValue::from_slice(T::TYPE, &bytes).unwrap();
    assert_eq!(untyped.to_string(), text, "{value:?}");
    assert_eq!(bsatn::to_vec(&untyped).unwrap(), bytes, "{value:?}");
    for len in 0..bytes.len() {
        let error = SatsValue::from_slice(T::TYPE, &bytes[..len]).unwrap_err();
        assert!(matches!(error.kind(), DecodeErrorKind::UnexpectedEnd { .. }), "{error}");
    }
    let error = SatsValue::from_slice(T::TYPE, &[&bytes[..], &[0]].concat()).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::TrailingBytes { left: 1 });
}

/// A list that contains itself, and the type without end that it has.
struct List;

impl Sats for List {
    const TYPE: SatsType = SatsType::Sum(SumDef {
        name: "List",
        variants: &[
            VariantDef { name: "End", payload: None },
            VariantDef { name: "More", payload: Some(TypeRef::of::<Box<Self>>()) },
        ],
        unknown: UnknownVariants::Refused,
    });
}

/// A type without values: it would take no bytes and no end.
struct Endless;

impl Sats for Endless {
    const TYPE: SatsType = SatsType::Product(ProductDef {
        name: Some("Endless"),
        fields: &[FieldDef { name: Some("more"), ty: TypeRef::of::<Box<Self>>() }],
    });
}

#[test]
fn every_type_has_readable_untyped_value() {
    check(true, "true");
    check((1u8, 2u16, 3u32, 4u64, 5u128), "(1, 2, 3, 4, 5)");
    check((-1i8, -2i16, -3i32, -4i64, -5i128), "(-1, -2, -3, -4, -5)");
    check((I256::MINUS_ONE, U256::new(7)), "(-1, 7)");
    check((1.5f32, -0.0f64, f64::NAN), "(1.5, -0, NaN)");
    check("a \"b\"", r#""a \"b\"""#);
    check(&[0u8, 0xff][..], "0x00ff");
    check(vec![Some(1u16), None], "[some(1), none]");
    check([Ok(1), Err("no")] as [Result<u8, &str>; 2], r#"[ok(1), err("no")]"#);
    check(((), (true,)), "((), (true))");
    check(Identity::ZERO, &"0".repeat(64));
    check(ConnectionId::ZERO, &"0".repeat(32));
    check(Timestamp::UNIX_EPOCH, "1970-01-01T00:00:00+00:00");
    check(TimeDuration::ZERO, "+0.000000");
    check(ScheduleAt::Interval(TimeDuration::ZERO), "+0.000000");
    check(Uuid::NIL, "00000000-0000-0000-0000-000000000000");
}

#[test]
fn sums_keep_their_tag() {
    let value = SatsValue::from_slice(List::TYPE, &[1, 1, 0]).unwrap();
    assert_eq!(value.to_string(), "#1(#1(#0))");
    assert_eq!(bsatn::to_vec(&value).unwrap(), [1, 1, 0]);
    let error = SatsValue::from_slice(List::TYPE, &[1, 2]).unwrap_err();
    assert_eq!(error.to_string(), "cannot decode `List` at byte 1: no variant has the tag 2");
}

#[test]
fn types_read_as_they_are_written() {
    fn name<T: Sats>() -> String {
        T::TYPE.to_string()
    }
    assert_eq!(name::<(u8, String)>(), "(u8, String)");
    assert_eq!(name::<Vec<Option<(U256,)>>>(), "Vec<Option<(U256,)>>");
    assert_eq!(name::<Result<(), &str>>(), "Result<(), String>");
    assert_eq!(name::<[Identity; 3]>(), "Vec<Identity>");
    assert_eq!(name::<Box<List>>(), "List");
    assert_eq!(name::<Endless>(), "Endless");
}

#[test]
fn nesting_is_bounded_whatever_the_type() {
    let deepest = SatsValue::MAX_DEPTH as usize;
    let nested = |levels: usize| [&vec![1; levels][..], &[0]].concat();
    assert!(SatsValue::from_slice(List::TYPE, &nested(deepest)).is_ok());
    for levels in [deepest + 1, 1_000_000] {
        let error = SatsValue::from_slice(List::TYPE, &nested(levels)).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::TooDeep { limit: SatsValue::MAX_DEPTH });
    }
    let error = SatsValue::from_slice(Endless::TYPE, &[]).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::TooDeep { limit: SatsValue::MAX_DEPTH });
}

#[test]
fn hostile_lengths_cost_nothing() {
    let bytes = [0xff; 4];
    for ty in [<Vec<u64>>::TYPE, <Vec<u8>>::TYPE, String::TYPE, <Vec<Option<String>>>::TYPE] {
        let error = SatsValue::from_slice(ty, &bytes).unwrap_err();
        assert!(matches!(error.kind(), DecodeErrorKind::UnexpectedEnd { .. }), "{ty}: {error}");
    }
    let error = SatsValue::from_slice(<Vec<()>>::TYPE, &bytes).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::TooManyEmptyElements);
}

#[test]
fn values_are_ordered_as_what_they_stand_for() {
    fn sorted<T: Into<SatsValue>>(values: impl IntoIterator<Item = T>) {
        let values: Vec<SatsValue> = values.into_iter().map(Into::into).collect();
        assert!(values.is_sorted_by(|a, b| a < b), "{values:?}");
        let distinct: HashSet<&SatsValue> = values.iter().collect();
        assert_eq!(distinct.len(), values.len());
        assert!(values.iter().all(|value| *value == value.clone()));
    }
    sorted([i64::MIN, -1, 0, 1, i64::MAX]);
    sorted([f64::NEG_INFINITY, -1.0, -0.0, 0.0, 1.0, f64::INFINITY, f64::NAN]);
    sorted(["", "a", "aa", "b"]);
    sorted([U256::ZERO, U256::ONE, U256::MAX]);
    sorted([Identity::from_u256(U256::new(1)), Identity::from_u256(U256::new(256))]);
    sorted([Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX]);
    let product = |a: u8, b: &str| SatsValue::Product(vec![a.into(), b.into()]);
    sorted([product(1, "b"), product(2, "a"), product(2, "b")]);
    let sum = |tag, payload: Option<u8>| SatsValue::Sum {
        tag,
        payload: payload.map(|payload| Box::new(payload.into())),
    };
    sorted([sum(0, None), sum(0, Some(1)), sum(0, Some(2)), sum(1, Some(0))]);
}

#[test]
fn an_untyped_row_decodes_as_its_type() {
    type Row = (u64, String, Option<Identity>);
    let row: Row = (1, "Ada".into(), Some(Identity::ZERO));
    let untyped = SatsValue::Product(vec![
        1u64.into(),
        "Ada".into(),
        SatsValue::Option(Some(Box::new(Identity::ZERO.into()))),
    ]);
    let bytes = bsatn::to_vec(&untyped).unwrap();
    assert_eq!(bsatn::from_slice::<Row>(&bytes), Ok(row));
    assert_eq!(SatsValue::from_slice(Row::TYPE, &bytes), Ok(untyped));
    assert!(<Row as Decode<'_>>::SIZE.is_none());
}
