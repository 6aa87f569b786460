use lightlike::prelude::*;

#[reducer(schema = "../../fixtures/schema/chat.v10.json")]
fn send_message(text: Vec<u8>, urgent: bool) -> u32;

#[reducer(schema = "../../fixtures/schema/chat.v10.json")]
fn send();

#[reducer(name = "init", schema = "../../fixtures/schema/chat.v10.json", error = u8)]
struct Start;

#[procedure(schema = "../../fixtures/schema/sdk-test-procedure.v10.json")]
fn return_primitive(rhs: u32, lhs: u32) -> Option<u32>;

#[procedure(schema = "../../fixtures/schema/sdk-test-procedure.v10.json")]
fn return_struct(a: u32, b: String);

fn main() {}
