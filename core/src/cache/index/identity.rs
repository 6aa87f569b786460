//! Identity of encoded rows: their key where the table has one, else all their bytes.

use core::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::bsatn::{DecodeError, Reader, Writer};
use crate::schema::Row;

/// One of the two identities. Chosen once a row list, so that no row pays for the choice.
pub(in crate::cache) trait Identity<R: Row> {
    /// Identity of an encoded row, read before it is decoded.
    type Probe<'b>;

    /// `true` if rows of one identity may differ.
    const KEYED: bool;

    fn probe(bytes: &[u8]) -> Result<Self::Probe<'_>, DecodeError>;

    fn hash(probe: &Self::Probe<'_>, hasher: &RandomState) -> u64;

    /// Returns `true` if `row` is the row that was probed.
    fn is(probe: &Self::Probe<'_>, row: &R) -> bool;

    /// The hash of a row that is held. Encodes it into `scratch` if need be.
    fn hash_row(row: &R, hasher: &RandomState, scratch: &mut Writer) -> u64;
}

/// A row is its primary key.
pub(in crate::cache) enum ByKey {}

impl<R: Row> Identity<R> for ByKey {
    type Probe<'b> = R::Key;

    const KEYED: bool = true;

    #[inline]
    fn probe(bytes: &[u8]) -> Result<R::Key, DecodeError> {
        R::decode_key(&mut Reader::new(bytes))
    }

    #[inline]
    fn hash(key: &R::Key, hasher: &RandomState) -> u64 {
        hasher.hash_one(key)
    }

    #[inline]
    fn is(key: &R::Key, row: &R) -> bool {
        row.key() == key
    }

    #[inline]
    fn hash_row(row: &R, hasher: &RandomState, _: &mut Writer) -> u64 {
        hasher.hash_one(row.key())
    }
}

/// A row is its encoding, which is not kept: it is compared with the row, and made again where its hash is needed.
pub(in crate::cache) enum ByBytes {}

impl<R: Row> Identity<R> for ByBytes {
    type Probe<'b> = &'b [u8];

    const KEYED: bool = false;

    #[inline]
    fn probe(bytes: &[u8]) -> Result<&[u8], DecodeError> {
        if R::DEF.lenient { known::<R>(bytes) } else { Ok(bytes) }
    }

    #[inline]
    fn hash(bytes: &&[u8], hasher: &RandomState) -> u64 {
        hasher.hash_one(bytes)
    }

    #[inline]
    fn is(bytes: &&[u8], row: &R) -> bool {
        encodes_as(row, bytes)
    }

    fn hash_row(row: &R, hasher: &RandomState, scratch: &mut Writer) -> u64 {
        scratch.clear();
        row.encode(scratch);
        hasher.hash_one(scratch.as_slice())
    }
}

/// Returns `true` if `bytes` is the encoding of `row`.
#[inline]
pub(in crate::cache) fn encodes_as<R: Row>(row: &R, bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    row.matches(&mut reader) && (R::DEF.lenient || reader.is_empty())
}

/// The part of an encoded row that its type knows.
fn known<R: Row>(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    let mut reader = Reader::new(bytes);
    R::skip(&mut reader)?;
    Ok(&bytes[..bytes.len() - reader.rest().len()])
}
