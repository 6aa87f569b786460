//! The text forms of the server's types, both ways.

use std::fmt::Debug;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use lightlike_core::types::ParseErrorKind::{
    InvalidDigit, InvalidForm, NoSuch, OutOfRange, WrongLength,
};
use lightlike_core::types::{
    ConnectionId, Identity, ParseError, ParseErrorKind, ScheduleAt, TimeDuration, Timestamp, U256,
    Uuid,
};
use proptest::prelude::*;
use spacetimedb_sats::{time_duration, timestamp, uuid};

fn parse<T: FromStr<Err = ParseError>>(text: &str) -> Result<T, ParseErrorKind> {
    text.parse().map_err(|error: ParseError| error.kind())
}

fn both_ways<T: FromStr<Err = ParseError> + ToString + Debug + PartialEq>(value: T, text: &str) {
    assert_eq!(value.to_string(), text);
    assert_eq!(text.parse(), Ok(value));
}

#[test]
fn ids_print_hex_most_significant_first() {
    let number = 0x2ab4_0000_0000_0000_0000_0000_0000_9f1c_u128;
    both_ways(ConnectionId::from_u128(number), "2ab40000000000000000000000009f1c");
    let text = "c2000000000000000000000000000000000000000000000000000000000000ff";
    let identity = Identity::from_hex(text).unwrap();
    both_ways(identity, text);
    assert_eq!(identity.to_le_bytes()[0], 0xff);
    assert_eq!(identity.to_be_bytes()[0], 0xc2);
    assert_eq!(Identity::from_u256(identity.to_u256()), identity);
    assert_eq!(identity.to_u256() & U256::new(0xff), U256::new(0xff));
    assert_eq!(identity.abbreviated().to_string(), "c200...00ff");
    assert_eq!(format!("{identity:?}"), format!("Identity({text})"));
    assert_eq!(format!("{identity:.8}"), "c2000000");
    assert_eq!(Identity::ZERO.to_hex(), "0".repeat(64));
}

#[test]
fn identities_are_ordered_as_numbers() {
    let numbers = [U256::new(0), U256::new(1), U256::new(256), U256::MAX >> 1, U256::MAX];
    let identities = numbers.map(Identity::from_u256);
    assert!(identities.is_sorted());
}

#[test]
fn reads_hex() {
    #[rustfmt::skip]
    let cases: &[(&str, Result<u128, ParseErrorKind>)] = &[
        ("000000000000000000000000000000ff",    Ok(255)),
        ("0x000000000000000000000000000000ff",  Ok(255)),
        ("000000000000000000000000000000FF",    Ok(255)),
        ("",                                    Err(WrongLength { expected: 32, found: 0 })),
        ("0x",                                  Err(WrongLength { expected: 32, found: 0 })),
        ("00000000000000000000000000000ff",     Err(WrongLength { expected: 32, found: 31 })),
        ("0000000000000000000000000000000ff",   Err(WrongLength { expected: 32, found: 33 })),
        ("0xg",                                 Err(InvalidDigit { at: 2 })),
        ("0000000000000000é0000000000000ff",    Err(InvalidDigit { at: 16 })),
        (" 00000000000000000000000000000ff",    Err(InvalidDigit { at: 0 })),
    ];
    for &(text, want) in cases {
        assert_eq!(parse::<ConnectionId>(text), want.map(ConnectionId::from_u128), "{text}");
    }
    let error = "c2".parse::<Identity>().unwrap_err();
    assert_eq!(error.to_string(), "cannot read the text as `Identity`: 2 hex digits instead of 64");
}

#[test]
fn timestamps_are_those_of_rfc_3339() {
    #[rustfmt::skip]
    let cases: &[(i64, &str)] = &[
        (0,                         "1970-01-01T00:00:00+00:00"),
        (1,                         "1970-01-01T00:00:00.000001+00:00"),
        (250_000,                   "1970-01-01T00:00:00.250+00:00"),
        (-1,                        "1969-12-31T23:59:59.999999+00:00"),
        (951_782_400_000_000,       "2000-02-29T00:00:00+00:00"),
        (1_739_201_130_123_456,     "2025-02-10T15:25:30.123456+00:00"),
        (253_402_300_799_999_999,   "9999-12-31T23:59:59.999999+00:00"),
        (253_402_300_800_000_000,   "+10000-01-01T00:00:00+00:00"),
        (-62_167_219_200_000_001,   "-0001-12-31T23:59:59.999999+00:00"),
        (i64::MAX,                  "+294247-01-10T04:00:54.775807+00:00"),
        (i64::MIN,                  "-290308-12-21T19:59:05.224192+00:00"),
    ];
    for &(micros, text) in cases {
        both_ways(Timestamp::from_micros(micros), text);
    }
}

#[test]
fn reads_timestamps() {
    const FORM: ParseErrorKind = InvalidForm { expected: "2030-01-31T12:00:00.250+00:00" };
    #[rustfmt::skip]
    let cases: &[(&str, Result<i64, ParseErrorKind>)] = &[
        ("1970-01-01T00:00:00Z",                Ok(0)),
        ("1970-01-01t00:00:00z",                Ok(0)),
        ("1970-01-01 00:00:00.5Z",              Ok(500_000)),
        ("1970-01-01T00:00:00.1234567899Z",     Ok(123_456)),
        ("1969-12-31T23:59:59.9999999Z",        Ok(-1)),
        ("1970-01-01T02:00:00+02:00",           Ok(0)),
        ("1969-12-31T18:30:00-05:30",           Ok(0)),
        ("1969-12-31T23:59:60Z",                Ok(0)),
        ("1970-01-01",                          Err(FORM)),
        ("1970-01-01T00:00:00",                 Err(FORM)),
        ("1970-01-01T00:00Z",                   Err(FORM)),
        ("1970-1-01T00:00:00Z",                 Err(FORM)),
        ("10000-01-01T00:00:00Z",               Err(FORM)),
        ("1970-01-01T00:00:00.Z",               Err(FORM)),
        ("1970-01-01T00:00:00ZZ",               Err(FORM)),
        ("1970-01-01T00:00:00+0000",            Err(FORM)),
        ("",                                    Err(FORM)),
        ("yesterday",                           Err(FORM)),
        ("1970-02-29T00:00:00Z",                Err(NoSuch { part: "day" })),
        ("1970-13-01T00:00:00Z",                Err(NoSuch { part: "day" })),
        ("1970-01-01T24:00:00Z",                Err(NoSuch { part: "hour" })),
        ("1970-01-01T00:60:00Z",                Err(NoSuch { part: "minute" })),
        ("1970-01-01T00:00:61Z",                Err(NoSuch { part: "second" })),
        ("+294247-01-10T04:00:54.775808Z",      Err(OutOfRange)),
        ("+999999-12-31T23:59:59Z",             Err(OutOfRange)),
    ];
    for &(text, want) in cases {
        assert_eq!(parse::<Timestamp>(text), want.map(Timestamp::from_micros), "{text}");
    }
}

#[test]
fn spans_are_seconds_with_a_sign() {
    both_ways(TimeDuration::ZERO, "+0.000000");
    both_ways(TimeDuration::from_micros(1_000_000), "+1.000000");
    both_ways(TimeDuration::from_micros(-1_500_000), "-1.500000");
    both_ways(TimeDuration::MAX, "+9223372036854.775807");
    both_ways(TimeDuration::MIN, "-9223372036854.775808");
    const FORM: ParseErrorKind = InvalidForm { expected: "+1.000000" };
    #[rustfmt::skip]
    let cases: &[(&str, Result<i64, ParseErrorKind>)] = &[
        ("2",                       Ok(2_000_000)),
        ("2.5",                     Ok(2_500_000)),
        ("-0.000001",               Ok(-1)),
        ("",                        Err(FORM)),
        ("+",                       Err(FORM)),
        ("1.",                      Err(FORM)),
        (".5",                      Err(FORM)),
        ("1.0000001",               Err(FORM)),
        ("+-1",                     Err(FORM)),
        ("1s",                      Err(FORM)),
        ("9223372036854.775808",    Err(OutOfRange)),
        ("99999999999999999999999999999999999999999", Err(OutOfRange)),
    ];
    for &(text, want) in cases {
        assert_eq!(parse::<TimeDuration>(text), want.map(TimeDuration::from_micros), "{text}");
    }
}

#[test]
fn schedules_print_as_span_or_time() {
    both_ways(ScheduleAt::Interval(TimeDuration::from_micros(-1)), "-0.000001");
    both_ways(ScheduleAt::Time(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00+00:00");
    let error = "soon".parse::<ScheduleAt>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read the text as `ScheduleAt`: \
         expected the form `+1.000000` or `2030-01-31T12:00:00+00:00`"
    );
}

#[test]
fn schedule_due_is_span_after_or_time() {
    let now = Timestamp::from_micros(10);
    let soon = ScheduleAt::Interval(TimeDuration::from_micros(5));
    assert_eq!(soon.due(now), Some(Timestamp::from_micros(15)));
    assert_eq!(soon.due(Timestamp::MAX), None);
    assert_eq!(ScheduleAt::Time(now).due(Timestamp::MAX), Some(now));
}

#[test]
fn uuids_are_hyphenated() {
    let uuid = Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
    both_ways(uuid, "01020304-0506-0708-090a-0b0c0d0e0f10");
    both_ways(Uuid::MAX, "ffffffff-ffff-ffff-ffff-ffffffffffff");
    for text in [
        "0102030405060708090a0b0c0d0e0f10",
        "0x0102030405060708090a0b0c0d0e0f10",
        "01020304-0506-0708-090A-0B0C0D0E0F10",
    ] {
        assert_eq!(text.parse(), Ok(uuid), "{text}");
    }
    for text in [
        "",
        "01020304-0506-0708-090a-0b0c0d0e0f1",
        "01020304-0506-0708-090a-0b0c0d0e0f1g",
        "010203040506-0708-090a-0b0c-0d0e0f10",
        "01020304050-0708-090a-0b0c-0d0e0f100",
        "----------------------------------",
    ] {
        assert!(matches!(parse::<Uuid>(text), Err(InvalidForm { .. })), "{text}");
    }
}

#[test]
fn uuids_embed_time_and_random_bytes() {
    assert_eq!(Uuid::v4([0xff; 16]).to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    let now = Timestamp::from_micros(0x0123_4567_89ab * 1_000 + 999);
    assert_eq!(Uuid::v7(now, [0; 10]).to_string(), "01234567-89ab-7000-8000-000000000000");
    assert_eq!(Uuid::v7(now, [0xff; 10]).to_string(), "01234567-89ab-7fff-bfff-ffffffffffff");
    let versions = [Uuid::v4([7; 16]), Uuid::v7(now, [7; 10]), Uuid::NIL].map(Uuid::version);
    assert_eq!(versions, [Some(4), Some(7), None]);
    let before = Timestamp::from_micros(-1);
    assert_eq!(Uuid::v7(before, [0; 10]), Uuid::v7(Timestamp::UNIX_EPOCH, [0; 10]));
}

#[test]
fn time_is_checked_at_its_ends() {
    let one = TimeDuration::from_micros(1);
    assert_eq!(Timestamp::MAX.checked_add(one), None);
    assert_eq!(Timestamp::MIN.checked_sub(one), None);
    assert_eq!(Timestamp::MIN.since(Timestamp::MAX), None);
    assert_eq!(
        Timestamp::from_micros(3).since(Timestamp::from_micros(5)),
        Some(TimeDuration::from_micros(-2))
    );
    assert_eq!(TimeDuration::MAX.checked_add(one), None);
    assert_eq!(TimeDuration::MIN.checked_sub(one), None);
    assert_eq!(TimeDuration::MIN.checked_mul(-1), None);
    assert_eq!(TimeDuration::MIN.unsigned_abs(), Duration::from_micros(1 << 63));
    assert_eq!(TimeDuration::from_micros(-1).to_duration(), None);
    assert_eq!(TimeDuration::from_duration(Duration::MAX), None);
    assert!(TimeDuration::try_from(Duration::MAX).is_err());
    assert_eq!(TimeDuration::from_duration(Duration::from_nanos(1_999)), Some(one));
}

#[test]
fn system_time_rounds_down_around_epoch() {
    let epoch = SystemTime::UNIX_EPOCH;
    let after = epoch + Duration::from_nanos(1_500);
    assert_eq!(Timestamp::from_system_time(after), Some(Timestamp::from_micros(1)));
    let before = epoch - Duration::from_nanos(1_500);
    assert_eq!(Timestamp::from_system_time(before), Some(Timestamp::from_micros(-2)));
    let far = epoch + Duration::from_secs(u64::MAX >> 2);
    assert_eq!(Timestamp::from_system_time(far), None);
    assert!(Timestamp::try_from(far).is_err());
}

proptest! {
    #[test]
    fn timestamps_read_as_the_official_ones(micros in any::<i64>()) {
        let ours = Timestamp::from_micros(micros);
        prop_assert_eq!(ours.to_string().parse(), Ok(ours));
        let theirs = timestamp::Timestamp::from_micros_since_unix_epoch(micros);
        // Theirs ends before the type does.
        if let Ok(text) = theirs.to_rfc3339() {
            prop_assert_eq!(ours.to_string(), text);
        }
        if let Some(system) = ours.to_system_time() {
            prop_assert_eq!(Timestamp::from_system_time(system), Some(ours));
        }
    }

    #[test]
    fn recent_timestamps_read_like_official_ones(seconds in -5_000_000_000i64..5_000_000_000, micros in prop_oneof![Just(0), Just(120_000), 0..1_000_000i64]) {
        let micros = seconds * 1_000_000 + micros;
        let theirs = timestamp::Timestamp::from_micros_since_unix_epoch(micros).to_string();
        let ours = Timestamp::from_micros(micros);
        prop_assert_eq!(ours.to_string(), theirs);
    }

    /// Texts near the form: whatever the official parser reads, we read as the same.
    #[test]
    fn reads_the_timestamps_that_the_official_parser_reads(
        text in "[0-9]{4}-[01][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,9})?(Z|z|[+-][0-2][0-9]:[0-5][0-9])"
    ) {
        let ours = text.parse::<Timestamp>().ok().map(Timestamp::as_micros);
        let theirs = timestamp::Timestamp::parse_from_rfc3339(&text).ok();
        let theirs = theirs.map(|time| time.to_micros_since_unix_epoch());
        prop_assert_eq!(ours, theirs, "{}", text);
    }

    #[test]
    fn spans_read_as_the_official_ones(micros in any::<i64>()) {
        let ours = TimeDuration::from_micros(micros);
        prop_assert_eq!(ours.to_string().parse(), Ok(ours));
        if micros != i64::MIN {
            prop_assert_eq!(ours.to_string(), time_duration::TimeDuration::from_micros(micros).to_string());
        }
    }

    #[test]
    fn uuids_read_as_the_official_ones(number in any::<u128>()) {
        let ours = Uuid::from_u128(number);
        prop_assert_eq!(ours.to_string().parse(), Ok(ours));
        prop_assert_eq!(ours.to_string(), uuid::Uuid::from_u128(number).to_string());
    }

    #[test]
    fn hex_goes_both_ways(bytes in any::<[u8; 32]>(), number in any::<u128>()) {
        let identity = Identity::from_le_bytes(bytes);
        prop_assert_eq!(identity.to_hex().parse(), Ok(identity));
        prop_assert_eq!(identity.to_hex(), format!("{:064x}", identity.to_u256()));
        let id = ConnectionId::from_u128(number);
        prop_assert_eq!(id.to_hex().parse(), Ok(id));
        prop_assert_eq!(id.to_hex(), format!("{number:032x}"));
    }

    /// No text makes a parser panic.
    #[test]
    fn parsers_take_any_text(text in ".{0,40}") {
        let _ = text.parse::<Identity>();
        let _ = text.parse::<ConnectionId>();
        let _ = text.parse::<Timestamp>();
        let _ = text.parse::<TimeDuration>();
        let _ = text.parse::<ScheduleAt>();
        let _ = text.parse::<Uuid>();
    }
}
