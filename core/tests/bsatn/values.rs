//! Inputs that each type accepts, and the errors of those that it does not.

use std::borrow::Cow;
use std::sync::Arc;

use lightlike_core::bsatn::DecodeErrorKind::{
    self, InvalidBool, InvalidTag, InvalidUtf8, TrailingBytes, UnexpectedEnd, WrongLength,
};
use lightlike_core::bsatn::{self, Decode, Encode, Reader};
use lightlike_core::types::{
    ConnectionId, I256, Identity, ScheduleAt, TimeDuration, Timestamp, U256, Uuid,
};

use crate::laws;

/// Decodes: the value, or the kind and the byte offset of the failure.
fn decode<'a, T: Decode<'a>>(bytes: &'a [u8]) -> Result<T, (DecodeErrorKind, usize)> {
    bsatn::from_slice(bytes).map_err(|error| (error.kind(), error.offset()))
}

#[test]
fn decodes_strings() {
    type Case = (&'static str, &'static [u8], Result<&'static str, (DecodeErrorKind, usize)>);
    #[rustfmt::skip]
    let cases: &[Case] = &[
        ("empty",               &[0, 0, 0, 0],                Ok("")),
        ("ascii",               &[2, 0, 0, 0, b'h', b'i'],    Ok("hi")),
        ("length is in bytes",  &[2, 0, 0, 0, 0xc3, 0xa9],    Ok("é")),
        ("no length",           &[2, 0, 0],                   Err((UnexpectedEnd { missing: 1 }, 0))),
        ("body too short",      &[3, 0, 0, 0, b'h', b'i'],    Err((UnexpectedEnd { missing: 1 }, 4))),
        ("hostile length",      &[0xff, 0xff, 0xff, 0xff],    Err((UnexpectedEnd { missing: 0xffff_ffff }, 4))),
        ("not utf-8",           &[1, 0, 0, 0, 0xff],          Err((InvalidUtf8, 4))),
        ("one byte too many",   &[1, 0, 0, 0, b'a', 0],       Err((TrailingBytes { left: 1 }, 5))),
    ];
    for &(name, input, want) in cases {
        assert_eq!(decode::<&str>(input), want, "{name}");
        assert_eq!(decode::<String>(input), want.map(String::from), "{name}");
        assert_eq!(decode::<Box<str>>(input), want.map(Box::from), "{name}");
        assert_eq!(decode::<Arc<str>>(input), want.map(Arc::from), "{name}");
        assert_eq!(decode::<Cow<'_, str>>(input), want.map(Cow::from), "{name}");
    }
}

#[test]
fn decodes_bytes() {
    type Case = (&'static str, &'static [u8], Result<&'static [u8], (DecodeErrorKind, usize)>);
    #[rustfmt::skip]
    let cases: &[Case] = &[
        ("empty",               &[0, 0, 0, 0],                Ok(&[])),
        ("two",                 &[2, 0, 0, 0, 7, 0xff],       Ok(&[7, 0xff])),
        ("no length",           &[],                          Err((UnexpectedEnd { missing: 4 }, 0))),
        ("body too short",      &[9, 0, 0, 0, 1],             Err((UnexpectedEnd { missing: 8 }, 4))),
        ("one byte too many",   &[0, 0, 0, 0, 0],             Err((TrailingBytes { left: 1 }, 4))),
    ];
    for &(name, input, want) in cases {
        assert_eq!(decode::<&[u8]>(input), want, "{name}");
        assert_eq!(decode::<Vec<u8>>(input), want.map(Vec::from), "{name}");
        assert_eq!(decode::<Box<[u8]>>(input), want.map(Box::from), "{name}");
        assert_eq!(decode::<Arc<[u8]>>(input), want.map(Arc::from), "{name}");
        assert_eq!(decode::<Cow<'_, [u8]>>(input), want.map(Cow::from), "{name}");
    }
}

#[test]
fn decodes_arrays() {
    type Case = (&'static str, &'static [u8], Result<[u16; 2], (DecodeErrorKind, usize)>);
    #[rustfmt::skip]
    let cases: &[Case] = &[
        ("two",                 &[2, 0, 0, 0, 1, 0, 2, 1],    Ok([1, 0x102])),
        ("one",                 &[1, 0, 0, 0, 1, 0],          Err((WrongLength { expected: 2, found: 1 }, 0))),
        ("three",               &[3, 0, 0, 0],                Err((WrongLength { expected: 2, found: 3 }, 0))),
        ("half of the second",  &[2, 0, 0, 0, 1, 0, 2],       Err((UnexpectedEnd { missing: 1 }, 6))),
    ];
    for &(name, input, want) in cases {
        assert_eq!(decode::<[u16; 2]>(input), want, "{name}");
    }
}

#[test]
fn decodes_sums() {
    type Case = (&'static str, &'static [u8], Result<Option<u8>, (DecodeErrorKind, usize)>);
    #[rustfmt::skip]
    let cases: &[Case] = &[
        ("some is zero",        &[0, 5],                      Ok(Some(5))),
        ("none is one",         &[1],                         Ok(None)),
        ("no tag",              &[],                          Err((UnexpectedEnd { missing: 1 }, 0))),
        ("no payload",          &[0],                         Err((UnexpectedEnd { missing: 1 }, 1))),
        ("no such variant",     &[2, 5],                      Err((InvalidTag(2), 0))),
        ("none has no payload", &[1, 5],                      Err((TrailingBytes { left: 1 }, 1))),
    ];
    for &(name, input, want) in cases {
        assert_eq!(decode::<Option<u8>>(input), want, "{name}");
    }
    assert_eq!(decode::<Result<u8, bool>>(&[0, 5]), Ok(Ok(5)));
    assert_eq!(decode::<Result<u8, bool>>(&[1, 1]), Ok(Err(true)));
    assert_eq!(decode::<Result<u8, bool>>(&[1, 5]), Err((InvalidBool(5), 1)));
    assert_eq!(decode::<Result<u8, bool>>(&[7, 5]), Err((InvalidTag(7), 0)));
    assert_eq!(decode::<ScheduleAt>(&[2; 9]), Err((InvalidTag(2), 0)));
}

#[test]
fn rejects_every_byte_that_is_not_a_bool() {
    assert_eq!(decode::<bool>(&[0]), Ok(false));
    assert_eq!(decode::<bool>(&[1]), Ok(true));
    for byte in 2..=u8::MAX {
        assert_eq!(decode::<bool>(&[byte]), Err((InvalidBool(byte), 0)));
    }
}

#[test]
fn errors_name_type_offset_and_reason() {
    type Row = (u64, String, [u8; 3], Option<bool>);
    let row: Row = (1, "Ada".into(), [1, 2, 3], Some(true));
    let bytes = bsatn::to_vec(&row).unwrap();
    let cases: &[(&str, &[u8])] = &[
        ("cannot decode `u64` at byte 0: 3 more bytes needed", &bytes[..5]),
        ("cannot decode `String` at byte 12: 1 more byte needed", &bytes[..14]),
        ("cannot decode `array of u8` at byte 19: 2 more bytes needed", &bytes[..20]),
        ("cannot decode `Option` at byte 22: 1 more byte needed", &bytes[..22]),
        ("cannot decode `tuple` at byte 24: 1 byte left over", &[&bytes[..], &[0]].concat()),
        ("cannot decode `bool` at byte 23: 2 is not a bool", &[&bytes[..23], &[2]].concat()),
        (
            "cannot decode `Option` at byte 22: no variant has the tag 9",
            &[&bytes[..22], &[9]].concat(),
        ),
        (
            "cannot decode `array` at byte 15: 2 elements instead of 3",
            &[&bytes[..15], &[2, 0, 0, 0]].concat(),
        ),
        ("cannot decode `String` at byte 12: not UTF-8", &[&bytes[..12], &[0xff; 3]].concat()),
    ];
    for &(want, input) in cases {
        let error = bsatn::from_slice::<Row>(input).unwrap_err();
        assert_eq!(error.to_string(), want);
    }
    // A product of constant size is checked as a whole, before its first field.
    let error = bsatn::from_slice::<(u64, u64)>(&[0; 15]).unwrap_err();
    assert_eq!(error.to_string(), "cannot decode `tuple` at byte 0: 1 more byte needed");
    let error = bsatn::from_slice::<u64>(&[0; 10]).unwrap_err();
    assert_eq!(error.to_string(), "cannot decode `u64` at byte 8: 2 bytes left over");
}

#[test]
fn knows_the_size_of_what_has_one() {
    fn size<T: for<'a> Decode<'a>>() -> Option<usize> {
        T::SIZE
    }
    assert_eq!(size::<()>(), Some(0));
    assert_eq!(size::<bool>(), Some(1));
    assert_eq!(size::<I256>(), Some(32));
    assert_eq!(size::<Identity>(), Some(32));
    assert_eq!(size::<ConnectionId>(), Some(16));
    assert_eq!(size::<Uuid>(), Some(16));
    assert_eq!(size::<Timestamp>(), Some(8));
    assert_eq!(size::<TimeDuration>(), Some(8));
    assert_eq!(size::<ScheduleAt>(), Some(9));
    assert_eq!(size::<(u8, u64, (f32, bool))>(), Some(14));
    assert_eq!(size::<[u16; 5]>(), Some(14));
    assert_eq!(size::<[String; 5]>(), None);
    assert_eq!(size::<(u8, String)>(), None);
    assert_eq!(size::<Option<u8>>(), None);
    assert_eq!(size::<Option<()>>(), Some(1));
    assert_eq!(size::<Result<u64, (u32, u32)>>(), Some(9));
    assert_eq!(size::<Result<u64, u32>>(), None);
    assert_eq!(size::<Vec<u8>>(), None);
    // So that a type can contain itself.
    assert_eq!(size::<Box<u8>>(), None);
}

#[test]
fn every_type_keeps_the_laws() {
    laws::check(&());
    laws::check(&true);
    laws::check(&-1i8);
    laws::check(&200u8);
    laws::check(&i16::MIN);
    laws::check(&u16::MAX);
    laws::check(&i32::MIN);
    laws::check(&u32::MAX);
    laws::check(&i64::MIN);
    laws::check(&u64::MAX);
    laws::check(&i128::MIN);
    laws::check(&u128::MAX);
    laws::check(&I256::MIN);
    laws::check(&U256::MAX);
    laws::check(&f32::NAN);
    laws::check(&-0.0f64);
    laws::check(&"é".to_owned());
    laws::check(&Box::<str>::from("boxed"));
    laws::check(&Arc::<str>::from("shared"));
    laws::check(&vec![1u8, 2, 3]);
    laws::check(&vec![1u64, u64::MAX]);
    laws::check(&vec![String::from("a"), String::new()]);
    laws::check(&vec![vec![(1u8, 2u16)], vec![], vec![(3, 4), (5, 6)]]);
    laws::check(&Box::<[u32]>::from([1, 2]));
    laws::check(&Arc::<[bool]>::from([true, false]));
    laws::check(&[9u8; 32]);
    laws::check(&[Some(1u8), None]);
    laws::check(&[String::from("a"), String::from("b")]);
    laws::check(&Some(String::from("a")));
    laws::check(&None::<String>);
    laws::check(&Ok::<u8, String>(7));
    laws::check(&Err::<u8, String>("no".into()));
    laws::check(&Box::new((1u8, Arc::new(2u16))));
    laws::check(&(1u8,));
    laws::check(&(1u8, 2u16, 3u32, 4u64, 5i8, 6i16, 7i32, 8i64, 9f32, 10f64, true, "l".to_owned()));
    laws::check(&Identity::from_be_bytes(core::array::from_fn(|at| at as u8)));
    laws::check(&ConnectionId::from_u128(1 << 100));
    laws::check(&Timestamp::from_micros(-5));
    laws::check(&TimeDuration::MIN);
    laws::check(&ScheduleAt::Interval(TimeDuration::from_micros(3)));
    laws::check(&ScheduleAt::Time(Timestamp::MAX));
    laws::check(&Uuid::from_u128(0x0123_4567_89ab_cdef << 64));
}

#[test]
fn references_encode_as_what_they_point_to() {
    let owned = bsatn::to_vec(&(String::from("a"), vec![1u8])).unwrap();
    assert_eq!(bsatn::to_vec(&("a", &[1u8][..])).unwrap(), owned);
    assert_eq!(bsatn::to_vec(&(&&"a", &Box::new([1u8]))).unwrap(), owned);
    assert_eq!(bsatn::to_vec(&(Cow::Borrowed("a"), Cow::<[u8]>::Owned(vec![1]))).unwrap(), owned);
    assert!(("a", &[1u8][..]).matches(&mut Reader::new(&owned)));
    assert!(!("b", &[1u8][..]).matches(&mut Reader::new(&owned)));
}

#[test]
fn borrowed_values_lie_in_the_input() {
    let bytes = bsatn::to_vec(&("text", &b"bytes"[..], Some("more"))).unwrap();
    type Borrowed<'a> = (&'a str, &'a [u8], Option<Cow<'a, str>>);
    let (text, raw, more): Borrowed<'_> = bsatn::from_slice(&bytes).unwrap();
    assert_eq!((text, raw, more.as_deref()), ("text", &b"bytes"[..], Some("more")));
    let input = bytes.as_ptr_range();
    assert!(input.contains(&text.as_ptr()) && input.contains(&raw.as_ptr()));
    assert!(matches!(more, Some(Cow::Borrowed(_))));
}

#[test]
fn skipping_does_not_look_into_strings() {
    let bytes = [1, 0, 0, 0, 0xff];
    assert!(String::skip(&mut Reader::new(&bytes)).is_ok());
    assert!(bsatn::from_slice::<String>(&bytes).is_err());
}

#[test]
fn floats_match_by_their_bits() {
    let zero = bsatn::to_vec(&0.0f64).unwrap();
    assert!(0.0f64.matches(&mut Reader::new(&zero)));
    assert!(!(-0.0f64).matches(&mut Reader::new(&zero)));
    let nan = bsatn::to_vec(&f32::NAN).unwrap();
    assert!(f32::NAN.matches(&mut Reader::new(&nan)));
}
