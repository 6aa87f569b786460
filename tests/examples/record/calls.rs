//! Calls of the scenarios: functions of `tests/modules/conformance`.

use lightlike::{procedure, reducer};

#[reducer]
pub(crate) fn insert_one_u8(value: u8);

#[reducer]
pub(crate) fn insert_pk_u32(key: u32, data: i32) -> Result<(), String>;

#[reducer]
pub(crate) fn update_pk_u32(key: u32, data: i32) -> Result<(), String>;

#[reducer]
pub(crate) fn delete_pk_u32(key: u32) -> Result<(), String>;

#[reducer]
pub(crate) fn rekey_pk_u32(from: u32, to: u32) -> Result<(), String>;

#[reducer]
pub(crate) fn replace_pk_u32_with_itself(key: u32) -> Result<(), String>;

#[reducer]
pub(crate) fn delete_pk_u32_insert_pk_u32_two(key: u32, data: i32) -> Result<(), String>;

#[reducer]
pub(crate) fn put_r(id: u32, s_id: u32, text: String);

#[reducer]
pub(crate) fn put_s(id: u32, visible: bool);

#[reducer]
pub(crate) fn delete_s(id: u32);

#[reducer]
pub(crate) fn insert_many(n: u64, text_bytes: u32);

#[reducer]
pub(crate) fn update_many(n: u64);

#[reducer]
pub(crate) fn delete_many(n: u64);

#[reducer]
pub(crate) fn insert_many_points(n: u64);

#[reducer]
pub(crate) fn emit_multiple_test_events();

#[reducer]
pub(crate) fn emit_same_event(name: String, n: u32);

#[reducer]
pub(crate) fn emit_events(n: u32);

#[reducer]
pub(crate) fn emit_event_with_row(name: String, value: u64);

#[reducer]
pub(crate) fn emit_event_and_fail(name: String) -> Result<(), String>;

#[reducer]
pub(crate) fn no_op();

#[reducer]
pub(crate) fn fail_with_string(message: String) -> Result<(), String>;

#[reducer]
pub(crate) fn fail_with_empty_string() -> Result<(), String>;

#[reducer]
pub(crate) fn fail_with_panic(message: String);

#[reducer]
pub(crate) fn fail_after_insert(value: u8) -> Result<(), String>;

/// No module has it.
#[reducer]
pub(crate) fn nobody_has_this(value: u8);

/// With an argument too few.
#[reducer(name = "insert_pk_u_32")]
pub(crate) fn insert_half_of_pk_u32(key: u32) -> Result<(), String>;

#[reducer]
pub(crate) fn move_player(dx: i32, dy: i32) -> Result<(), String>;

#[reducer]
pub(crate) fn insert_note(text: String);

#[procedure]
pub(crate) fn return_primitive(lhs: u32, rhs: u32) -> u32;

#[procedure]
pub(crate) fn return_struct(a: u32, b: String) -> (u32, String);

#[procedure]
pub(crate) fn return_result(even: u32) -> Result<u32, String>;

#[procedure]
pub(crate) fn return_bytes(n: u32) -> Vec<u8>;

#[procedure]
pub(crate) fn will_panic();

#[procedure]
pub(crate) fn insert_with_tx_commit();

#[procedure]
pub(crate) fn insert_with_tx_rollback();

#[procedure]
pub(crate) fn insert_with_two_txs();

#[procedure]
pub(crate) fn insert_then_panic();

/// No module has it.
#[procedure]
pub(crate) fn nobody_returns_this() -> u32;
