//! Encodings of the types that Rust has.
