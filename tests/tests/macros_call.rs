//! `#[reducer]` and `#[procedure]`: on structs of arguments and on signatures.

use lightlike::bsatn::{from_slice, to_vec};
use lightlike::schema::{FunctionDef, Procedure, Reducer, SatsType};
use lightlike::{Bsatn, procedure, reducer};

/// Says something to everybody.
#[reducer]
#[derive(Debug, Clone, PartialEq)]
struct SendMessage {
    text: String,
}

#[reducer]
struct Reset;

#[reducer(name = "banPlayer1", idempotent, ok = u32, error = Refusal)]
struct BanPlayer(u64, Option<String>);

#[derive(Bsatn, Debug, Clone, PartialEq)]
enum Refusal {
    Busy,
    Because(String),
}

// A derive that stands above waits for the attribute, one below is taken as it is.
#[derive(Bsatn, Debug)]
#[reducer]
struct Above {
    arg2: u8,
}

#[reducer]
#[derive(Bsatn)]
struct Below {
    #[bsatn(name = "argTwo")]
    arg2: u8,
}

/// Renames the caller.
#[reducer]
fn set_name(name: String) -> Result<(), String>;

#[reducer]
#[derive(Debug, Clone, PartialEq)]
pub fn insert_one_u8(
    /// Number of items.
    n: u8,
    r#type: Vec<bool>,
);

#[reducer(idempotent)]
fn count() -> u64;

#[reducer]
fn try_count() -> std::result::Result<u64, Refusal>;

#[procedure]
fn statistics(since: i64, until: i64) -> Result<(u32, u32), String>;

#[procedure]
fn ping();

#[procedure(returns = Vec<(u8, u8)>, name = "Look")]
struct LookAround {
    radius: f32,
}

fn reducer<R: Reducer>() -> FunctionDef {
    R::DEF
}

fn params(def: FunctionDef) -> Vec<Option<&'static str>> {
    def.params.iter().map(|param| param.name).collect()
}

#[test]
fn a_struct_of_arguments_is_a_call() {
    let call = SendMessage { text: "hi".into() };
    let bytes = to_vec(&call).unwrap();
    assert_eq!(bytes, [2, 0, 0, 0, b'h', b'i']);
    assert_eq!(from_slice::<SendMessage>(&bytes).unwrap(), call);

    let def = reducer::<SendMessage>();
    assert_eq!((def.name, def.idempotent), ("send_message", false));
    assert_eq!(params(def), [Some("text")]);
    assert!(matches!(def.params[0].ty.get(), SatsType::String));
    assert!(matches!(def.returns.get(), SatsType::Product(unit) if unit.fields.is_empty()));
    assert!(matches!(def.error.unwrap().get(), SatsType::String));
}

#[test]
fn struct_attribute_declares_return_type() {
    let def = reducer::<BanPlayer>();
    assert_eq!((def.name, def.idempotent), ("banPlayer1", true));
    assert_eq!(params(def), [None, None]);
    assert!(matches!(def.returns.get(), SatsType::U32));
    assert!(matches!(def.error.unwrap().get(), SatsType::Sum(sum) if sum.name == "Refusal"));
    let _: <BanPlayer as Reducer>::Ok = 7_u32;
    let _: <BanPlayer as Reducer>::Error = Refusal::Busy;
    assert_eq!(to_vec(&BanPlayer(1, None)).unwrap(), [1, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(to_vec(&Refusal::Because("a".into())).unwrap(), [1, 1, 0, 0, 0, b'a']);
}

#[test]
fn a_call_may_have_no_arguments() {
    assert_eq!(to_vec(&Reset).unwrap(), [0u8; 0]);
    assert_eq!(to_vec(&count()).unwrap(), [0u8; 0]);
    assert!(params(reducer::<Reset>()).is_empty());
    let Count = count();
}

#[test]
fn a_signature_makes_a_type_and_a_function() {
    let call = set_name("Ada".into());
    let SetName { name } = &call;
    assert_eq!(name, "Ada");
    assert_eq!(reducer::<SetName>().name, "set_name");

    let call = insert_one_u8(3, vec![true]);
    assert_eq!(call, InsertOneU8 { n: 3, r#type: vec![true] });
    assert_eq!(to_vec(&call).unwrap(), [3, 1, 0, 0, 0, 1]);
    let def = reducer::<InsertOneU8>();
    assert_eq!(def.name, "insert_one_u_8");
    assert_eq!(params(def), [Some("n"), Some("type")]);
}

#[test]
fn a_reducer_s_signature_says_what_it_returns() {
    let _: <SetName as Reducer>::Ok = ();
    let _: <SetName as Reducer>::Error = String::new();
    let _: <Count as Reducer>::Ok = 1_u64;
    let _: <Count as Reducer>::Error = String::new();
    let _: <TryCount as Reducer>::Ok = 1_u64;
    let _: <TryCount as Reducer>::Error = Refusal::Busy;
    let _: <InsertOneU8 as Reducer>::Ok = ();
    assert!(reducer::<Count>().idempotent);
    assert!(matches!(reducer::<TryCount>().returns.get(), SatsType::U64));
    assert_eq!(to_vec(&try_count()).unwrap(), [0u8; 0]);
}

#[test]
fn procedure_may_return_a_result() {
    let _: <Statistics as Procedure>::Output = Ok((1, 2));
    let _: <Ping as Procedure>::Output = ();
    let _: <LookAround as Procedure>::Output = vec![(1, 2)];
    let def = Statistics::DEF;
    assert_eq!(def.name, "statistics");
    assert!(matches!(def.returns.get(), SatsType::Result(..)) && def.error.is_none());
    assert_eq!(LookAround::DEF.name, "Look");
    assert_eq!(to_vec(&statistics(1, 2)).unwrap().len(), 16);
    assert_eq!(to_vec(&ping()).unwrap(), [0u8; 0]);
    assert_eq!(to_vec(&LookAround { radius: 1.0 }).unwrap().len(), 4);
}

#[test]
fn parameters_keep_the_modules_names() {
    assert_eq!(params(reducer::<Above>()), [Some("arg2")]);
    assert_eq!(params(reducer::<Below>()), [Some("argTwo")]);
    assert_eq!(to_vec(&Above { arg2: 1 }).unwrap(), to_vec(&Below { arg2: 1 }).unwrap());
}
