//! Enums that keep variants which they do not know: `#[bsatn(other)]`.
#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use lightlike::bsatn::{
    Decode, DecodeErrorKind, Encode, Reader, UnknownVariant, from_slice, to_vec,
};
use lightlike::schema::{Sats, SatsType, UnknownVariants, fingerprint};
use lightlike::{Bsatn, Table, schema};

/// As the module has it now.
#[derive(Bsatn, Debug, Clone, PartialEq)]
enum Now {
    Dot,
    Label(String),
    Star,
    Line((u32, u32)),
}

/// As it was when a client was written, which keeps tags.
#[derive(Bsatn, Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Tagged {
    Dot,
    Label(String),
    #[bsatn(other)]
    Other(u8),
}

/// The same, which keeps values too.
#[derive(Bsatn, Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Valued {
    Dot,
    Label(String),
    #[bsatn(other)]
    Other(UnknownVariant),
}

#[derive(Bsatn, Debug, Clone, PartialEq)]
struct Row<E> {
    id: u64,
    kind: E,
    x: f32,
    at: (u8, u8),
}

fn now(kind: Now) -> Row<Now> {
    Row { id: 1, kind, x: 2.0, at: (3, 4) }
}

/// Decodes and encodes again, which gives the same bytes; skips; and finds itself in them.
fn keeps<T: Encode + for<'a> Decode<'a>>(bytes: &[u8]) -> T {
    let value: T = from_slice(bytes).unwrap();
    assert_eq!(to_vec(&value).unwrap(), bytes);
    let mut reader = Reader::new(bytes);
    assert!(value.matches(&mut reader) && reader.is_empty());
    let mut reader = Reader::new(bytes);
    T::skip(&mut reader).unwrap();
    assert!(reader.is_empty());
    value
}

#[test]
fn known_variants_decode_as_ever() {
    let bytes = to_vec(&now(Now::Label("hi".into()))).unwrap();
    assert_eq!(keeps::<Row<Tagged>>(&bytes).kind, Tagged::Label("hi".into()));
    assert_eq!(keeps::<Row<Valued>>(&bytes).kind, Valued::Label("hi".into()));
}

#[test]
fn unknown_variant_without_value_keeps_its_tag() {
    let bytes = to_vec(&now(Now::Star)).unwrap();
    let row = keeps::<Row<Tagged>>(&bytes);
    assert_eq!((row.kind, row.x, row.at), (Tagged::Other(2), 2.0, (3, 4)));
    let Valued::Other(unknown) = keeps::<Row<Valued>>(&bytes).kind else { panic!("it is known") };
    assert_eq!((unknown.tag(), unknown.value()), (2, &[][..]));
}

#[test]
fn unknown_variant_keeps_its_value_before_fixed_sizes() {
    let bytes = to_vec(&now(Now::Line((5, 6)))).unwrap();
    let row = keeps::<Row<Valued>>(&bytes);
    assert_eq!((row.x, row.at), (2.0, (3, 4)));
    let Valued::Other(unknown) = row.kind else { panic!("it is known") };
    assert_eq!((unknown.tag(), unknown.value()), (3, &[5, 0, 0, 0, 6, 0, 0, 0][..]));
    assert_eq!(format!("{unknown:?}"), "UnknownVariant { tag: 3, value: 0x0500000006000000 }");
    // Within an option, a tuple and a struct, each with something behind it.
    let nested = (7_u8, Some((now(Now::Line((5, 6))), 8_u16)), 9_u32);
    let kept: (u8, Option<(Row<Valued>, u16)>, u32) = keeps(&to_vec(&nested).unwrap());
    let Some((row, 8)) = kept.1 else { panic!("{kept:?}") };
    assert!(matches!(row.kind, Valued::Other(unknown) if unknown.value().len() == 8));
    assert_eq!(kept.2, 9);
}

#[test]
fn unknown_value_where_only_a_tag_is_kept_is_an_error() {
    let bytes = to_vec(&now(Now::Line((5, 6)))).unwrap();
    let error = from_slice::<Row<Tagged>>(&bytes).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::TrailingBytes { left: 8 });
}

#[test]
fn unknown_variant_without_other_is_an_error_that_names_it() {
    let error = from_slice::<Tagless>(&[7]).unwrap_err();
    assert_eq!((error.kind(), error.target()), (DecodeErrorKind::UnknownVariant(7), "Tagless"));
    assert!(error.to_string().contains("#[bsatn(other)]"), "{error}");
}

#[derive(Bsatn, Debug)]
enum Tagless {
    Dot,
}

#[test]
fn tags_stay_of_constant_size() {
    #[derive(Bsatn, Debug, PartialEq)]
    enum Direction {
        North,
        South,
        #[bsatn(other)]
        Other(u8),
    }
    assert_eq!(<Direction as Decode<'_>>::SIZE, Some(1));
    assert_eq!(<Tagged as Decode<'_>>::SIZE, None);
    assert_eq!(<Valued as Decode<'_>>::SIZE, None);
    let many: Vec<Direction> = from_slice(&[3, 0, 0, 0, 1, 9, 0]).unwrap();
    assert_eq!(many, [Direction::South, Direction::Other(9), Direction::North]);
    assert_eq!(to_vec(&many).unwrap(), [3, 0, 0, 0, 1, 9, 0]);
}

#[test]
fn descriptors_say_what_is_kept() {
    let unknown = |ty| match ty {
        SatsType::Sum(sum) => (sum.variants.len(), sum.unknown),
        other => panic!("{other:?}"),
    };
    assert_eq!(unknown(Tagless::TYPE), (1, UnknownVariants::Refused));
    assert_eq!(unknown(Tagged::TYPE), (2, UnknownVariants::Tag));
    assert_eq!(unknown(Valued::TYPE), (2, UnknownVariants::Value));
}

/// What is kept on disk under a type's fingerprint stays readable when the type gets an `other`.
#[test]
fn other_changes_no_fingerprint() {
    #[derive(Bsatn, Table)]
    #[table(name = "t")]
    struct Closed {
        kind: Kind,
    }
    #[derive(Bsatn)]
    enum Kind {
        Dot,
        Label(String),
    }
    #[derive(Bsatn, Table)]
    #[table(name = "t")]
    struct Open {
        kind: Valued,
    }
    assert_eq!(
        fingerprint::row(&<Closed as schema::Row>::DEF),
        fingerprint::row(&<Open as schema::Row>::DEF)
    );
    let _ = (Kind::Dot, Kind::Label(String::new()));
}
