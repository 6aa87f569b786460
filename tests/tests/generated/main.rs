//! What the generator makes of real modules' schemas is compiled here, and a part of the conformance stories is told with
//! it.

#![deny(warnings)]
#![allow(unreachable_pub, reason = "whoever generates a module says how far it is seen")]

macro_rules! golden {
    ($($name:ident)*) => {$(
        mod $name {
            include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../generate/tests/golden/", stringify!($name), ".rs"));
        }
    )*};
}

golden! {
    chat_v9
    chat_v10
    module_test_v9
    module_test_v10
    event_table_v9
    event_table_v10
    procedure_v9
    procedure_v10
    view_v9
    view_v10
    conformance
    chat
}

#[test]
fn nothing() {}
