//! The functions of V8 that the engine links and this server never calls: each is a trap (see `build.rs`). Only wasm modules
//! are accepted, so a JavaScript one never gets that far.

std::arch::global_asm!(include_str!(concat!(env!("OUT_DIR"), "/v8_traps.s")));
