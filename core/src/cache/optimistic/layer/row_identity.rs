//! Identity of decoded rows: their key where the table has one, else their encoding.

use core::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::bsatn::Writer;
use crate::cache::index::identity::encodes_as;
use crate::schema::Row;

/// The hash of what identifies a row: its key, or its encoding.
pub(in crate::cache::optimistic) fn identity_hash<R: Row>(
    row: &R,
    is_keyed: bool,
    hasher: &RandomState,
) -> u64 {
    if is_keyed {
        return hasher.hash_one(row.key());
    }
    let mut bytes = Writer::new();
    row.encode(&mut bytes);
    hasher.hash_one(bytes.as_slice())
}

/// Returns `true` if two rows have the same identity.
pub(in crate::cache::optimistic) fn same_row<R: Row>(one: &R, other: &R, is_keyed: bool) -> bool {
    if is_keyed { one.key() == other.key() } else { encode_alike(one, other) }
}

/// Returns `true` if two rows have the same encoding.
pub(in crate::cache::optimistic) fn encode_alike<R: Row>(one: &R, other: &R) -> bool {
    let mut bytes = Writer::new();
    one.encode(&mut bytes);
    encodes_as(other, bytes.as_slice())
}
