//! One example of everything.

use lightlike_core::bsatn::{self, Decode, Encode, Reader};
use lightlike_core::json::{self, Form};
use lightlike_core::schema::{
    FieldDef, ProductDef, Sats, SatsType, SatsValue, Scalar, ServerField, ServerType,
    ServerVariant, SumDef, TypeRef, UnknownVariants, VariantDef,
};
use lightlike_core::types::{
    ConnectionId, I256, Identity, ScheduleAt, TimeDuration, Timestamp, U256, Uuid,
};

/// A product with names, and a sum in it, in the untyped way.
struct User;
struct Status;

impl Sats for User {
    const TYPE: SatsType = SatsType::Product(ProductDef {
        name: Some("User"),
        fields: &[
            FieldDef { name: Some("name"), ty: TypeRef::of::<String>() },
            FieldDef { name: Some("status"), ty: TypeRef::of::<Status>() },
        ],
    });
}

impl Sats for Status {
    const TYPE: SatsType = SatsType::Sum(SumDef {
        name: "Status",
        variants: &[
            VariantDef { name: "here", payload: None },
            VariantDef { name: "away", payload: Some(TypeRef::of::<(u32,)>()) },
        ],
        unknown: UnknownVariants::Refused,
    });
}

fn user(tag: u8, payload: Option<SatsValue>) -> SatsValue {
    SatsValue::Product(vec!["Ada".into(), SatsValue::Sum { tag, payload: payload.map(Box::new) }])
}

fn writes<T: Encode + Sats>(value: T, named: &str, positional: &str) {
    assert_eq!(json::to_string(&value, Form::Named).unwrap(), named);
    assert_eq!(json::to_string(&value, Form::Positional).unwrap(), positional);
}

fn reads<T: Sats + for<'a> Decode<'a> + PartialEq + std::fmt::Debug>(text: &str, value: T) {
    assert_eq!(json::from_str::<T>(text).unwrap(), value, "{text}");
}

fn fails<T: Sats + for<'a> Decode<'a> + std::fmt::Debug>(text: &str, message: &str) {
    let error = json::from_str::<T>(text).unwrap_err();
    assert_eq!(error.to_string(), message, "{text}");
}

#[test]
fn every_type_prints_the_servers_json() {
    writes(
        (true, -1i8, u64::MAX),
        "[true,-1,18446744073709551615]",
        "[true,-1,18446744073709551615]",
    );
    writes(
        (u128::MAX, i128::MIN),
        &format!("[{},{}]", u128::MAX, i128::MIN),
        &format!("[{},{}]", u128::MAX, i128::MIN),
    );
    writes((U256::new(42), I256::new(-42)), r#"["0x2a","-0x2a"]"#, r#"["0x2a","-0x2a"]"#);
    writes((1.5f32, 0.1f64, -0.0f64), "[1.5,0.1,-0.0]", "[1.5,0.1,-0.0]");
    writes("a \"b\"\n", r#""a \"b\"\n""#, r#""a \"b\"\n""#);
    writes(vec![0u8, 0xff], r#""00ff""#, r#""00ff""#);
    writes((), "[]", "[]");
    writes([Some(1u8), None], r#"[{"some":1},{"none":[]}]"#, "[[0,1],[1,[]]]");
    writes::<[Result<u8, ()>; 2]>([Ok(1), Err(())], r#"[{"ok":1},{"err":[]}]"#, "[[0,1],[1,[]]]");
    let identity = Identity::from_u256(U256::new(0xabc));
    writes(identity, r#"{"__identity__":"0xabc"}"#, r#"["0xabc"]"#);
    writes(ConnectionId::from(7), r#"{"__connection_id__":7}"#, "[7]");
    writes(Uuid::from(7), r#"{"__uuid__":7}"#, "[7]");
    let time = Timestamp::from_micros(5);
    writes(time, r#"{"__timestamp_micros_since_unix_epoch__":5}"#, "[5]");
    let span = TimeDuration::from_micros(-5);
    writes(span, r#"{"__time_duration_micros__":-5}"#, "[-5]");
    writes(
        ScheduleAt::Interval(span),
        r#"{"Interval":{"__time_duration_micros__":-5}}"#,
        "[0,[-5]]",
    );
    writes(
        ScheduleAt::Time(time),
        r#"{"Time":{"__timestamp_micros_since_unix_epoch__":5}}"#,
        "[1,[5]]",
    );
}

#[test]
fn products_and_sums_read_by_name_or_position() {
    let away = user(1, Some(SatsValue::Product(vec![7u32.into()])));
    let text = |value, form| json::value_to_string(User::TYPE, value, form).unwrap();
    assert_eq!(text(&away, Form::Named), r#"{"name":"Ada","status":{"away":[7]}}"#);
    assert_eq!(text(&away, Form::Positional), r#"["Ada",[1,[7]]]"#);
    assert_eq!(text(&user(0, None), Form::Named), r#"{"name":"Ada","status":{"here":[]}}"#);
    let error = json::value_to_string(User::TYPE, &user(2, None), Form::Named).unwrap_err();
    assert_eq!(
        error.to_string(),
        "at `status`: cannot decode `Status` at byte 7: no variant has the tag 2"
    );
}

#[test]
fn every_spelling_is_read() {
    let away = user(1, Some(SatsValue::Product(vec![7u32.into()])));
    for text in [
        r#"{"name":"Ada","status":{"away":[7]}}"#,
        r#"{"status":{"away":{"0":7}},"name":"Ada"}"#,
        r#"["Ada",{"1":[7]}]"#,
        r#"["Ada",["away",[7]]]"#,
        r#" [ "Ada" , [ 1 , [ 7 ] ] ] "#,
    ] {
        assert_eq!(json::value_from_str(User::TYPE, text).unwrap(), away, "{text}");
    }
    for text in [r#"["Ada",[0,[]]]"#, r#"["Ada",{"here":{}}]"#] {
        assert_eq!(json::value_from_str(User::TYPE, text).unwrap(), user(0, None), "{text}");
    }
    reads("null", None::<u8>);
    reads(r#"{"none":[]}"#, None::<u8>);
    reads(r#""0x00FF""#, vec![0u8, 255]);
    reads("[0,255]", vec![0u8, 255]);
    reads(r#"["42",42]"#, (U256::new(42), U256::new(42)));
    reads(r#"["-0x2a",-42]"#, (I256::new(-42), I256::new(-42)));
    reads("[1,2]", (1.0f32, 2.0f64));
    reads("[3402823669209384634633746074317682114]", (3402823669209384634633746074317682114u128,));
    assert!(json::from_str::<f64>("null").unwrap().is_nan());
}

#[test]
fn an_error_says_where_and_what() {
    fails::<u8>("300", "invalid value: integer `300`, expected u8 at line 1 column 3");
    fails::<(u8, String)>(
        "[1,2]",
        "at `[1]`: invalid type: integer `2`, expected a string at line 1 column 4",
    );
    fails::<Vec<(u8, bool)>>(
        "[[1,true],[1,",
        "at `[1][1]`: EOF while parsing a value at line 1 column 13",
    );
    fails::<(u8, u8)>("[1]", "invalid length 1, expected 2 values at line 1 column 3");
    fails::<(u8,)>("[1,2]", "more than 1 values in an array at line 1 column 5");
    fails::<Option<u8>>(
        r#"{"maybe":1}"#,
        "no variant is `maybe`; there are some, none at line 1 column 8",
    );
    fails::<Option<u8>>(r#"{"some":1,"none":[]}"#, "unexpected member `none` at line 1 column 16");
    fails::<Option<u8>>("[2,1]", "no variant is 2; there are some, none at line 1 column 3");
    fails::<Vec<u8>>(
        r#""0g""#,
        "invalid value: string \"0g\", expected bytes as hex digits or as an array at line 1 column 4",
    );
    fails::<Identity>(
        r#"{"identity":"0x1"}"#,
        "unknown field `identity` of Identity at line 1 column 11",
    );
    fails::<u8>("1 2", "trailing characters at line 1 column 3");
    fails::<u8>("", "EOF while parsing a value at line 1 column 0");
    let fails = |text: &str, message: &str| {
        let error = json::value_from_str(User::TYPE, text).unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
    };
    fails(r#"{"name":"Ada"}"#, "the field `status` is missing at line 1 column 14");
    fails(r#"{"name":"Ada","nick":1}"#, "unknown field `nick` at line 1 column 20");
    fails(r#"{"name":"Ada","name":1}"#, "the field `name` stands twice at line 1 column 20");
    fails(
        r#"{"status":{"away":[true]}}"#,
        "at `status.away[0]`: invalid type: boolean `true`, expected u32 at line 1 column 23",
    );
    let error = json::from_str::<(u8, String)>("[1,2]").unwrap_err();
    assert_eq!(error.path(), "[1]");
}

#[test]
fn non_finite_float_is_not_written() {
    let error = json::to_string(&(1.0f64, f64::NAN), Form::Named).unwrap_err();
    assert_eq!(error.to_string(), "at `[1]`: JSON has no number for NaN");
    assert!(json::to_string(&f32::INFINITY, Form::Named).is_err());
}

#[test]
fn deep_nesting_is_an_error() {
    struct List;
    impl Sats for List {
        const TYPE: SatsType = SatsType::Array(TypeRef::of::<Self>());
    }
    let text = "[".repeat(100_000);
    let error = json::value_from_str(List::TYPE, &text).unwrap_err();
    assert!(error.to_string().contains("recursion limit exceeded"));
    let bytes = [1u8, 0, 0, 0].repeat(100_000);
    let error = json::from_bsatn(List::TYPE, &bytes, Form::Named).unwrap_err();
    assert!(error.to_string().contains("nested more than 256 levels deep"), "{error}");
}

#[test]
fn server_told_types_read_and_write_alike() {
    let named = |name: &str, ty| ServerField { name: Some(name.into()), ty };
    let typespace = [
        ServerType::Product(vec![
            named("name", ServerType::Scalar(Scalar::String)),
            named("status", ServerType::Ref(1)),
        ]),
        ServerType::Sum(vec![
            ServerVariant { name: Some("here".into()), payload: None },
            ServerVariant {
                name: Some("away".into()),
                payload: Some(ServerType::Product(vec![ServerField {
                    name: None,
                    ty: ServerType::Scalar(Scalar::U32),
                }])),
            },
        ]),
        ServerType::Ref(3),
        ServerType::Ref(2),
    ];
    let ty = ServerType::Ref(0);
    let ty = ty.within(&typespace);
    let text = r#"{"name":"Ada","status":{"away":[7]}}"#;
    let value = json::value_from_str(ty, text).unwrap();
    assert_eq!(value, user(1, Some(SatsValue::Product(vec![7u32.into()]))));
    let bytes = bsatn::to_vec(&value).unwrap();
    assert_eq!(SatsValue::from_slice(ty, &bytes), Ok(value.clone()));
    assert_eq!(json::value_to_string(ty, &value, Form::Named).unwrap(), text);
    for nowhere in [ServerType::Ref(9), ServerType::Ref(2)] {
        let ty = nowhere.within(&typespace);
        assert!(SatsValue::decode(ty, &mut Reader::new(&[0, 0])).is_err());
        assert!(json::value_from_str(ty, r#"{"0":[]}"#).is_err());
    }
}
