//! What all columns of the benchmark share: the cases, written once against [`Client`], and what measures them. So the
//! client library is all that differs between two columns. `../README.md` says what each number is.

mod cases;
mod client;
mod measure;

pub use cases::main;
pub use client::{Call, Client, Compression, Lookup, Lookups, Options, Reached, Table};
pub use measure::{
    Span, cpu, emit, faults, heap, percentile, preemptions, resident, thread_cpu, trim,
};
