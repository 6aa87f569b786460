//! Times, durations and UUIDs of `chrono`, `jiff`, `time`, `uuid` and the standard library.

use std::time::{Duration, SystemTime};

use lightlike_core::types::{ConnectionId, Identity, ScheduleAt, TimeDuration, Timestamp, Uuid};
use proptest::prelude::*;

/// Microseconds of the years -9999 to 9999, which every crate has.
fn common_micros() -> impl Strategy<Value = i64> {
    -377_705_023_201_000_000_i64..=253_402_207_200_999_999
}

proptest! {
    #[test]
    fn timestamps_survive_other_crates(micros in common_micros()) {
        let time = Timestamp::from_micros(micros);
        prop_assert_eq!(Timestamp::from(jiff::Timestamp::try_from(time).unwrap()), time);
        prop_assert_eq!(Timestamp::from(chrono::DateTime::<chrono::Utc>::try_from(time).unwrap()), time);
        prop_assert_eq!(Timestamp::from(time::OffsetDateTime::try_from(time).unwrap()), time);
        prop_assert_eq!(Timestamp::try_from(SystemTime::try_from(time).unwrap()).unwrap(), time);
    }

    #[test]
    fn timestamps_agree_on_text(micros in common_micros()) {
        let time = Timestamp::from_micros(micros);
        let theirs = chrono::DateTime::<chrono::Utc>::try_from(time).unwrap();
        prop_assert_eq!(Timestamp::parse_rfc3339(&time.to_rfc3339()).unwrap(), time);
        if (0..253_402_207_200_999_999).contains(&micros) {
            prop_assert_eq!(chrono::DateTime::parse_from_rfc3339(&time.to_rfc3339()).unwrap(), theirs);
            prop_assert_eq!(Timestamp::parse_rfc3339(&theirs.to_rfc3339()).unwrap(), time);
        }
    }

    #[test]
    fn durations_survive_other_crates(micros in any::<i64>()) {
        let span = TimeDuration::from_micros(micros);
        prop_assert_eq!(TimeDuration::try_from(jiff::SignedDuration::from(span)).unwrap(), span);
        prop_assert_eq!(TimeDuration::try_from(chrono::TimeDelta::from(span)).unwrap(), span);
        prop_assert_eq!(TimeDuration::try_from(time::Duration::from(span)).unwrap(), span);
        match Duration::try_from(span) {
            Ok(standard) => prop_assert_eq!(TimeDuration::try_from(standard).unwrap(), span),
            Err(error) => {
                prop_assert!(micros < 0);
                prop_assert!(error.to_string().contains("Duration"));
            }
        }
    }

    #[test]
    fn uuids_survive_the_uuid_crate(number in any::<u128>()) {
        let uuid = Uuid::from_u128(number);
        let theirs = uuid::Uuid::from(uuid);
        prop_assert_eq!(Uuid::from(theirs), uuid);
        prop_assert_eq!(theirs.hyphenated().to_string(), uuid.to_string());
        prop_assert_eq!(Uuid::parse_str(&theirs.to_string()).unwrap(), uuid);
    }

    #[test]
    fn operators_agree_with_checked_methods(start in -1_000_000_i64..1_000_000, span in -1_000_000_i64..1_000_000) {
        let (time, span) = (Timestamp::from_micros(start), TimeDuration::from_micros(span));
        prop_assert_eq!(Some(time + span), time.checked_add(span));
        prop_assert_eq!(Some(time - span), time.checked_sub(span));
        prop_assert_eq!((time + span).since(time), Some(span));
        prop_assert_eq!(time - span, time + -span);
        let mut moved = time;
        moved += span;
        moved -= span;
        prop_assert_eq!(moved, time);
        prop_assert_eq!(time.checked_add_duration(span.unsigned_abs()), time.checked_add(span.saturating_abs()));
        prop_assert_eq!(time.checked_sub_duration(span.unsigned_abs()), time.checked_sub(span.saturating_abs()));
        prop_assert_eq!((time + span).duration_since(time), span.to_duration());
    }
}

#[test]
fn finer_times_round_down() {
    let just_before = jiff::Timestamp::from_nanosecond(-1).unwrap();
    assert_eq!(Timestamp::from(just_before), Timestamp::from_micros(-1));
    let just_before = chrono::DateTime::<chrono::Utc>::from_timestamp_nanos(-1);
    assert_eq!(Timestamp::from(just_before), Timestamp::from_micros(-1));
    let just_before = time::OffsetDateTime::from_unix_timestamp_nanos(-1).unwrap();
    assert_eq!(Timestamp::from(just_before), Timestamp::from_micros(-1));
    assert_eq!(
        TimeDuration::try_from(time::Duration::nanoseconds(-1)),
        Ok(TimeDuration::from_micros(-1))
    );
    assert_eq!(
        TimeDuration::try_from(chrono::TimeDelta::nanoseconds(-1)),
        Ok(TimeDuration::from_micros(-1))
    );
}

#[test]
fn values_out_of_range_are_errors() {
    for time in [Timestamp::MIN, Timestamp::MAX] {
        let jiff = jiff::Timestamp::try_from(time).unwrap_err();
        assert!(jiff.to_string().contains("jiff::Timestamp"), "{jiff}");
        let chrono = chrono::DateTime::<chrono::Utc>::try_from(time).unwrap_err();
        assert!(chrono.to_string().contains("chrono::DateTime"), "{chrono}");
        let other = time::OffsetDateTime::try_from(time).unwrap_err();
        assert!(other.to_string().contains("time::OffsetDateTime"), "{other}");
    }
    for span in [jiff::SignedDuration::MIN, jiff::SignedDuration::MAX] {
        TimeDuration::try_from(span).unwrap_err();
    }
    for span in [time::Duration::MIN, time::Duration::MAX] {
        TimeDuration::try_from(span).unwrap_err();
    }
    TimeDuration::try_from(Duration::MAX).unwrap_err();
    ScheduleAt::try_from(Duration::MAX).unwrap_err();
    assert_eq!(Timestamp::MAX.checked_add_duration(Duration::MAX), None);
    assert_eq!(Timestamp::MIN.checked_sub_duration(Duration::from_micros(1)), None);
    assert_eq!(Timestamp::MIN.duration_since(Timestamp::MAX), None);
    assert_eq!(
        Timestamp::MAX.duration_since(Timestamp::MIN),
        Some(Duration::from_micros(u64::MAX))
    );
}

#[test]
#[should_panic(expected = "Timestamp out of range")]
fn addition_beyond_the_range_panics() {
    let _ = Timestamp::MAX + TimeDuration::from_micros(1);
}

#[test]
fn now_is_the_system_clock() {
    let now = jiff::Timestamp::now();
    let ours = Timestamp::now().duration_since(now.into()).unwrap();
    assert!(ours < Duration::from_secs(60), "{ours:?}");
}

#[test]
fn defaults_are_zero() {
    assert_eq!(Identity::default(), Identity::ZERO);
    assert_eq!(ConnectionId::default().none_if_zero(), None);
    assert_eq!(ConnectionId::from(7).none_if_zero(), Some(ConnectionId::from(7)));
    assert_eq!(Timestamp::default(), Timestamp::UNIX_EPOCH);
    assert_eq!(Uuid::default(), Uuid::NIL);
    assert_eq!(TimeDuration::from_micros(-1).to_duration_saturating(), Duration::ZERO);
}

/// An identity that a server of version 2.8 gave.
#[test]
fn identities_of_claims_have_the_servers_checksum() {
    let given = "c200d2e1729d04ab446eb63ab5ae149ea6639ef9a16fb521e937a1249c98a5cd";
    let given = Identity::from_hex(given).unwrap().to_be_bytes();
    let ours = Identity::from_claims("localhost", "somebody").to_be_bytes();
    for bytes in [given, ours] {
        let mut summed = vec![0xc2, 0x00];
        summed.extend_from_slice(&bytes[6..]);
        assert_eq!(bytes[..2], [0xc2, 0x00]);
        assert_eq!(bytes[2..6], blake3::hash(&summed).as_bytes()[..4]);
    }
    assert_eq!(ours[6..], blake3::hash(b"localhost|somebody").as_bytes()[..26]);
}
