//! Errors that users see, one mistake a file, and declarations that must compile.
//!
//! `ui/rustc` holds the few cases that show rustc's words; they change with the toolchain, the others only with ours.
//! `TRYBUILD=overwrite` blesses them anew.

#[test]
fn mistakes_are_reported_under_the_tokens_to_change() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/bsatn/*.rs");
    cases.compile_fail("ui/table/*.rs");
    cases.compile_fail("ui/reducer/*.rs");
    cases.compile_fail("ui/procedure/*.rs");
    cases.compile_fail("ui/schema/*.rs");
    cases.compile_fail("ui/rustc/*.rs");
    cases.pass("ui/pass/*.rs");
}
