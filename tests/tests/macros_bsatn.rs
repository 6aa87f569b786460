//! `#[derive(Bsatn)]`: what it encodes, decodes and describes.

use std::borrow::Cow;

use lightlike::Bsatn;
use lightlike::bsatn::{Decode, DecodeErrorKind, Encode, Reader, from_slice, to_vec};
use lightlike::schema::{Sats, SatsType};

#[derive(Bsatn, Debug, Clone, PartialEq)]
struct Player {
    id: u64,
    name: String,
    alive: bool,
}

#[derive(Bsatn, Debug, Clone, Copy, PartialEq)]
struct Point {
    x: f32,
    y: f32,
}

#[derive(Bsatn, Debug, Clone, PartialEq)]
struct Pair<A, B>(A, Vec<B>);

#[derive(Bsatn, Debug, Clone, PartialEq)]
struct Nothing;

#[derive(Bsatn, Debug, Clone, PartialEq)]
enum Shape {
    Dot,
    Label(String),
    LineTo(Point),
}

#[derive(Bsatn, Debug, Clone, Copy, PartialEq)]
enum Direction {
    North,
    South,
}

#[derive(Bsatn, Debug, Clone, PartialEq)]
#[bsatn(transparent)]
struct UserId(u64);

#[derive(Bsatn, Debug, Clone, PartialEq)]
struct Borrowed<'a> {
    name: &'a str,
    bytes: &'a [u8],
    text: Cow<'a, str>,
}

#[derive(Bsatn, Debug, Clone, PartialEq)]
struct Tree {
    value: u8,
    children: Vec<Self>,
    #[bsatn(name = "nextOne")]
    next: Option<Box<Self>>,
}

#[derive(Bsatn, Debug, PartialEq)]
struct Grid<T, const N: usize> {
    cells: [T; N],
}

#[derive(Bsatn, Debug, PartialEq)]
enum Never {}

/// Encodes, decodes, skips and compares a value in every way, and gives back its bytes.
#[track_caller]
fn round_trip<T: for<'a> Decode<'a> + Encode + PartialEq + std::fmt::Debug>(value: &T) -> Vec<u8> {
    let bytes = to_vec(value).expect("it is short");
    assert_eq!(&from_slice::<T>(&bytes).expect("it was encoded"), value);

    let mut reader = Reader::new(&bytes);
    T::skip(&mut reader).expect("it was encoded");
    assert!(reader.is_empty(), "skip leaves {:?}", reader.rest());

    let mut reader = Reader::new(&bytes);
    assert!(value.matches(&mut reader) && reader.is_empty());
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1;
        assert!(!value.matches(&mut Reader::new(&other)), "a change of byte {at} is not seen");
        assert!(from_slice::<T>(&bytes[..at]).is_err());
        assert!(T::skip(&mut Reader::new(&bytes[..at])).is_err());
    }
    bytes
}

#[test]
fn a_product_is_its_fields_in_order() {
    let player = Player { id: 7, name: "Ada".into(), alive: true };
    assert_eq!(round_trip(&player), [7, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, b'A', b'd', b'a', 1]);
    assert_eq!(round_trip(&Point { x: 1.0, y: -1.0 }).len(), 8);
    assert_eq!(round_trip(&Pair(3_u8, vec![true])), [3, 1, 0, 0, 0, 1]);
    assert_eq!(round_trip(&Nothing), [0u8; 0]);
    assert_eq!(round_trip(&Grid { cells: [1_u8, 2] }), [2, 0, 0, 0, 1, 2]);
}

#[test]
fn a_sum_is_its_tag_and_its_value() {
    assert_eq!(round_trip(&Shape::Dot), [0]);
    assert_eq!(round_trip(&Shape::Label("a".into())), [1, 1, 0, 0, 0, b'a']);
    assert_eq!(round_trip(&Shape::LineTo(Point { x: 0.0, y: 0.0 })).len(), 9);
    assert_eq!(round_trip(&Direction::North), [0]);
    assert_eq!(round_trip(&Direction::South), [1]);
}

#[test]
fn a_transparent_struct_is_its_field() {
    assert_eq!(round_trip(&UserId(9)), 9_u64.to_le_bytes());
    assert!(matches!(UserId::TYPE, SatsType::U64));
    assert_eq!(<UserId as Decode<'_>>::SIZE, Some(8));
}

#[test]
fn struct_with_lifetime_borrows_from_input() {
    let value = Borrowed { name: "Ada", bytes: &[1, 2], text: Cow::Borrowed("hi") };
    let bytes = to_vec(&value).unwrap();
    let decoded: Borrowed<'_> = from_slice(&bytes).unwrap();
    assert_eq!(decoded, value);
    assert!(bytes.as_ptr_range().contains(&decoded.name.as_ptr()));
    assert!(bytes.as_ptr_range().contains(&decoded.bytes.as_ptr()));
    assert!(matches!(decoded.text, Cow::Borrowed(_)));
}

#[test]
fn a_type_may_contain_itself() {
    let leaf = |value| Tree { value, children: Vec::new(), next: None };
    let tree = Tree { value: 1, children: vec![leaf(2)], next: Some(Box::new(leaf(3))) };
    round_trip(&tree);
    let SatsType::Product(outer) = Tree::TYPE else { panic!("a struct is a product") };
    let SatsType::Array(element) = outer.fields[1].ty.get() else { panic!("a Vec is an array") };
    let SatsType::Product(inner) = element.get() else { panic!("a struct is a product") };
    assert_eq!(inner.name, Some("Tree"));
}

#[test]
fn the_size_is_known_where_it_is_constant() {
    assert_eq!(<Player as Decode<'_>>::SIZE, None);
    assert_eq!(<Point as Decode<'_>>::SIZE, Some(8));
    assert_eq!(<Nothing as Decode<'_>>::SIZE, Some(0));
    assert_eq!(<Direction as Decode<'_>>::SIZE, Some(1));
    assert_eq!(<Shape as Decode<'_>>::SIZE, None);
    assert_eq!(<Grid<u16, 3> as Decode<'_>>::SIZE, Some(10));
    assert_eq!(<Never as Decode<'_>>::SIZE, None);
}

#[test]
fn names_are_those_of_the_server_unless_given() {
    let SatsType::Product(tree) = Tree::TYPE else { panic!("a struct is a product") };
    let names: Vec<_> = tree.fields.iter().map(|field| field.name.unwrap()).collect();
    assert_eq!(names, ["value", "children", "nextOne"]);
    let SatsType::Sum(shape) = Shape::TYPE else { panic!("an enum is a sum") };
    let names: Vec<_> = shape.variants.iter().map(|variant| variant.name).collect();
    assert_eq!(names, ["dot", "label", "lineTo"]);
    assert!(shape.variants[0].payload.is_none());
    let SatsType::Product(pair) = Pair::<u8, bool>::TYPE else { panic!("a struct is a product") };
    assert!(pair.fields[0].name.is_none());
    assert!(matches!(pair.fields[0].ty.get(), SatsType::U8));
}

#[test]
fn an_error_names_the_type_and_the_byte() {
    let error = from_slice::<Shape>(&[9]).unwrap_err();
    assert_eq!((error.kind(), error.target()), (DecodeErrorKind::UnknownVariant(9), "Shape"));
    let error = from_slice::<Point>(&[0; 7]).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::UnexpectedEnd { missing: 1 });
    assert_eq!((error.target(), error.offset()), ("Point", 0));
    let error = from_slice::<Never>(&[0]).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::UnknownVariant(0));
}

#[test]
fn a_derived_type_is_bsatn() {
    fn owned<T: Bsatn>() -> usize {
        size_of::<T>()
    }
    assert_eq!(owned::<Point>(), 8);
}

macro_rules! products {
    ($($name:ident { $($field:ident: $ty:ty),* })*) => {$(
        #[derive(Bsatn, Debug, PartialEq)]
        struct $name { $($field: $ty),* }
    )*};
}

products! {
    Made { r#type: u8, r#match: Option<Vec<u8>> }
}

#[test]
fn types_made_by_macros_and_raw_names_work() {
    round_trip(&Made { r#type: 1, r#match: Some(vec![2]) });
    let SatsType::Product(made) = Made::TYPE else { panic!("a struct is a product") };
    assert_eq!(made.fields[0].name, Some("type"));
    assert_eq!(made.fields[1].name, Some("match"));
}

/// An enum that uses up its tags has no wrong one.
#[test]
fn an_enum_may_have_256_variants() {
    let error = from_slice::<Many>(&[]).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::UnexpectedEnd { missing: 1 });
    for tag in 0..=u8::MAX {
        let value: Many = from_slice(&[tag]).unwrap();
        assert_eq!(to_vec(&value).unwrap(), [tag]);
    }
}

macro_rules! many {
    ([] $($all:ident)*) => {
        #[derive(Bsatn, Debug, Clone, Copy, PartialEq)]
        enum Many { $($all),* }
    };
}

#[rustfmt::skip]
many! {
    []
    V0 V1 V2 V3 V4 V5 V6 V7 V8 V9 V10 V11 V12 V13 V14 V15
    V16 V17 V18 V19 V20 V21 V22 V23 V24 V25 V26 V27 V28 V29 V30 V31
    V32 V33 V34 V35 V36 V37 V38 V39 V40 V41 V42 V43 V44 V45 V46 V47
    V48 V49 V50 V51 V52 V53 V54 V55 V56 V57 V58 V59 V60 V61 V62 V63
    V64 V65 V66 V67 V68 V69 V70 V71 V72 V73 V74 V75 V76 V77 V78 V79
    V80 V81 V82 V83 V84 V85 V86 V87 V88 V89 V90 V91 V92 V93 V94 V95
    V96 V97 V98 V99 V100 V101 V102 V103 V104 V105 V106 V107 V108 V109 V110 V111
    V112 V113 V114 V115 V116 V117 V118 V119 V120 V121 V122 V123 V124 V125 V126 V127
    V128 V129 V130 V131 V132 V133 V134 V135 V136 V137 V138 V139 V140 V141 V142 V143
    V144 V145 V146 V147 V148 V149 V150 V151 V152 V153 V154 V155 V156 V157 V158 V159
    V160 V161 V162 V163 V164 V165 V166 V167 V168 V169 V170 V171 V172 V173 V174 V175
    V176 V177 V178 V179 V180 V181 V182 V183 V184 V185 V186 V187 V188 V189 V190 V191
    V192 V193 V194 V195 V196 V197 V198 V199 V200 V201 V202 V203 V204 V205 V206 V207
    V208 V209 V210 V211 V212 V213 V214 V215 V216 V217 V218 V219 V220 V221 V222 V223
    V224 V225 V226 V227 V228 V229 V230 V231 V232 V233 V234 V235 V236 V237 V238 V239
    V240 V241 V242 V243 V244 V245 V246 V247 V248 V249 V250 V251 V252 V253 V254 V255
}
