//! One binary for every target: `LIGHTLIKE_TARGET` names the one to run.

#![no_main]

use std::env;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lightlike_fuzz::{TARGETS, target};

static RUN: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = env::var("LIGHTLIKE_TARGET").unwrap_or_default();
    let Some(target) = target(&name) else {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        panic!("no target is called {name:?}; set LIGHTLIKE_TARGET to one of {}", names.join(", "));
    };
    target.run
});

fuzz_target!(|bytes: &[u8]| RUN(bytes));
