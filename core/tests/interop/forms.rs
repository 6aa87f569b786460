//! Serde forms, beside those of the official types.

use lightlike_core::types::{
    ConnectionId, I256, Identity, ScheduleAt, TimeDuration, Timestamp, U256, Uuid, text,
};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spacetimedb_sats::ser::serde::SerializeWrapper;

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn read<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

proptest! {
    #[test]
    fn json_is_the_official_types(micros in any::<i64>(), number in any::<u128>()) {
        let ours = Timestamp::from_micros(micros);
        let theirs = spacetimedb_sats::timestamp::Timestamp::from_micros_since_unix_epoch(micros);
        prop_assert_eq!(json(&ours), json(SerializeWrapper::from_ref(&theirs)));
        prop_assert_eq!(read::<Timestamp>(&json(&ours)), ours);

        let ours = TimeDuration::from_micros(micros);
        let theirs = spacetimedb_sats::time_duration::TimeDuration::from_micros(micros);
        prop_assert_eq!(json(&ours), json(SerializeWrapper::from_ref(&theirs)));
        prop_assert_eq!(read::<TimeDuration>(&json(&ours)), ours);

        let ours = Uuid::from_u128(number);
        let theirs = spacetimedb_sats::uuid::Uuid::from_u128(number);
        prop_assert_eq!(json(&ours), json(SerializeWrapper::from_ref(&theirs)));
        prop_assert_eq!(read::<Uuid>(&json(&ours)), ours);
    }

    #[test]
    fn every_type_survives_json(words in any::<[u128; 2]>(), micros in any::<i64>()) {
        let number = U256::from_words(words[0], words[1]);
        let identity = Identity::from(number);
        prop_assert_eq!(json(&identity), format!("\"{identity}\""));
        prop_assert_eq!(read::<Identity>(&json(&identity)), identity);
        let id = ConnectionId::from(words[0]);
        prop_assert_eq!(json(&id), format!("\"{id}\""));
        prop_assert_eq!(read::<ConnectionId>(&json(&id)), id);
        prop_assert_eq!(read::<U256>(&json(&number)), number);
        let signed = number.as_i256();
        prop_assert_eq!(read::<I256>(&json(&signed)), signed);
        for schedule in [
            ScheduleAt::Interval(TimeDuration::from_micros(micros)),
            ScheduleAt::Time(Timestamp::from_micros(micros)),
        ] {
            prop_assert_eq!(read::<ScheduleAt>(&json(&schedule)), schedule);
        }
    }
}

#[test]
fn schedules_have_the_servers_json() {
    let schedule = ScheduleAt::Interval(TimeDuration::from_micros(5));
    assert_eq!(json(&schedule), r#"{"Interval":{"__time_duration_micros__":5}}"#);
    let schedule = ScheduleAt::Time(Timestamp::from_micros(5));
    assert_eq!(json(&schedule), r#"{"Time":{"__timestamp_micros_since_unix_epoch__":5}}"#);
}

#[test]
fn texts_are_read_in_place_of_structs() {
    assert_eq!(read::<Timestamp>(r#""1970-01-01T01:00:00+01:00""#), Timestamp::UNIX_EPOCH);
    assert_eq!(read::<TimeDuration>(r#""+1.5""#), TimeDuration::from_micros(1_500_000));
    let uuid = "01888d6e-5c00-7000-8000-000000000000";
    assert_eq!(read::<Uuid>(&format!("\"{uuid}\"")).to_string(), uuid);
}

#[test]
fn fields_can_be_texts() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        #[serde(with = "text")]
        sent: Timestamp,
        #[serde(with = "text")]
        id: Uuid,
    }
    let note = Note { sent: Timestamp::UNIX_EPOCH, id: Uuid::NIL };
    let expected =
        r#"{"sent":"1970-01-01T00:00:00+00:00","id":"00000000-0000-0000-0000-000000000000"}"#;
    assert_eq!(json(&note), expected);
    assert_eq!(read::<Note>(expected), note);
}

#[test]
fn wrong_forms_say_what_was_expected() {
    let cases: [(&str, &str); 5] = [
        (r#"{"micros":1}"#, "__timestamp_micros_since_unix_epoch__"),
        ("{}", "missing field `__timestamp_micros_since_unix_epoch__`"),
        (r#""yesterday""#, "expected the form `2030-01-31T12:00:00.250+00:00`"),
        ("5", "the text form of `Timestamp`"),
        (
            r#"{"__timestamp_micros_since_unix_epoch__":1,"__timestamp_micros_since_unix_epoch__":2}"#,
            "duplicate field",
        ),
    ];
    for (wrong, expected) in cases {
        let error = serde_json::from_str::<Timestamp>(wrong).unwrap_err().to_string();
        assert!(error.contains(expected), "{wrong}: {error}");
    }
    let error = serde_json::from_str::<Identity>("\"c2\"").unwrap_err().to_string();
    assert!(error.contains("2 hex digits instead of 64"), "{error}");
}
