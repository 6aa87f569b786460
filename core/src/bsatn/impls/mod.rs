//! Encodings of the types that Rust has.

mod arrays;
mod numbers;
mod pointers;
mod products;
mod sums;
mod text;
