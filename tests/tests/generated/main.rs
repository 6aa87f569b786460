//! What the generator makes of real modules' schemas is compiled here, and the conformance stories are told with it: the
//! same source as in `tests/conformance`, with generated declarations instead of written ones.

#![deny(warnings)]
#![allow(
    clippy::disallowed_names,
    clippy::large_enum_variant,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "names and sizes are the modules', and a client to begin with says what it sees"
)]
#![allow(unreachable_pub, reason = "whoever generates a module says how far it is seen")]

mod declared;
mod module;
#[path = "../conformance/stories.rs"]
mod stories;

macro_rules! golden {
    ($($name:ident)*) => {$(
        mod $name {
            include!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../generate/tests/golden/",
                stringify!($name),
                ".rs"
            ));
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
    names
    submodules
}

/// A client to begin with, and the module beside it.
#[rustfmt::skip]
#[expect(dead_code, reason = "its `main` is one where it is a program")]
#[path = "../../../generate/tests/golden/client/main.rs"]
mod client;

/// One file a table.
#[rustfmt::skip]
#[path = "../../../generate/tests/golden/view/mod.rs"]
mod view;
