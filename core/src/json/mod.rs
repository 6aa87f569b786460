//! SATS-JSON, in which the server's HTTP API takes arguments and gives rows, values and schemas.
//!
//! Every conversion goes through BSATN, by the value's type: JSON to BSATN in one pass over the text, BSATN to JSON in one
//! pass over the bytes. So whatever has an encoding has its JSON too, typed or not, and both agree on what a value is.
//!
//! # Source
//!
//! As `spacetimedb-sats` reads and writes it through serde:
//!
//! - a product is an array of its fields, or an object of them in any order (`{"0": .., "1": ..}` for a tuple);
//! - a sum is an object of one member, named as the variant (or as its tag), or an array of tag (or name) and payload. The payload
//!   of a unit variant is `[]`. `Option` and `Result` are sums of `some`/`none` and `ok`/`err`; `null` is `none`;
//! - the special types are products of one field: `{"__identity__": "0x.."}` or `["0x.."]`;
//! - bytes are hex digits, numbers up to 128 bits are numbers, those of 256 bits are strings in hex: `"0x2a"`, `"-0x2a"`.

mod error;
mod read;
mod write;

pub use error::JsonError;
pub use read::{from_slice, from_str, to_bsatn, value_from_str};
pub use write::{from_bsatn, to_string, value_to_string};

/// Form in which products and sums are written. Both are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// For people and for programs in other languages: `{"name": "Ada", "status": {"away": []}}`.
    Named,
    /// As the server writes rows: `["Ada", [1, []]]`. Nothing in it depends on how something is called.
    Positional,
}

/// The name of the one field of a special type.
///
/// # Source
///
/// The types of the same names in `spacetimedb-sats`.
fn special_field(scalar: crate::schema::Scalar) -> Option<&'static str> {
    use crate::schema::Scalar;
    Some(match scalar {
        Scalar::Identity => "__identity__",
        Scalar::ConnectionId => "__connection_id__",
        Scalar::Timestamp => "__timestamp_micros_since_unix_epoch__",
        Scalar::TimeDuration => "__time_duration_micros__",
        Scalar::Uuid => "__uuid__",
        _ => return None,
    })
}
