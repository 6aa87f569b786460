//! Keys that stand in for those that the server will give.

use crate::types::Uuid;

use super::MutationId;

/// A key type with room for temporary ids: at the far end of its values, where no sequence of a module's comes.
///
/// For 32-bit numbers that is the last quarter, for larger ones the last 2⁵⁶ values: the highest of unsigned numbers,
/// the lowest of signed ones. A [`Uuid`] is one of version 8.
#[diagnostic::on_unimplemented(
    message = "there are no temporary ids of type `{Self}`",
    note = "there are for integers of 32 bits and more, and for `Uuid`"
)]
pub trait TempId: Sized {
    /// Maximal number of temporary ids of one mutation.
    #[doc(hidden)]
    const LIMIT: u32;

    /// The id for the `index`th asking of a mutation: always the same.
    #[doc(hidden)]
    fn temp_id(mutation: MutationId, index: u32) -> Self;

    /// Returns `true` if this is a temporary id.
    fn is_temp_id(&self) -> bool;
}

/// Mutations are told apart by this many bits of their numbers, and their ids by the rest of 30 or 56 bits.
const SMALL_MUTATION_BITS: u32 = 22;
const SMALL_INDEX_BITS: u32 = 8;
const MUTATION_BITS: u32 = 40;
const INDEX_BITS: u32 = 16;

const SMALL_IDS: u32 = 1 << (SMALL_MUTATION_BITS + SMALL_INDEX_BITS);
const IDS: u64 = 1 << (MUTATION_BITS + INDEX_BITS);

fn small_number(mutation: MutationId, index: u32) -> u32 {
    ((mutation.0 as u32) % (1 << SMALL_MUTATION_BITS)) << SMALL_INDEX_BITS | index
}

fn number(mutation: MutationId, index: u32) -> u64 {
    (mutation.0 % (1 << MUTATION_BITS)) << INDEX_BITS | u64::from(index)
}

macro_rules! temp_ids {
    ($($ty:ty, $limit:expr, |$mutation:ident, $index:ident| $make:expr, |$id:ident| $is:expr;)*) => {$(
        impl TempId for $ty {
            const LIMIT: u32 = $limit;

            fn temp_id($mutation: MutationId, $index: u32) -> Self {
                $make
            }

            fn is_temp_id(&self) -> bool {
                let $id = self;
                $is
            }
        }
    )*};
}

temp_ids! {
    u32, 1 << SMALL_INDEX_BITS,
        |mutation, index| Self::MAX - small_number(mutation, index), |id| *id > Self::MAX - SMALL_IDS;
    i32, 1 << SMALL_INDEX_BITS,
        |mutation, index| Self::MIN.wrapping_add_unsigned(small_number(mutation, index)),
        |id| *id < Self::MIN.wrapping_add_unsigned(SMALL_IDS);
    u64, 1 << INDEX_BITS,
        |mutation, index| Self::MAX - number(mutation, index), |id| *id > Self::MAX - IDS;
    i64, 1 << INDEX_BITS,
        |mutation, index| Self::MIN.wrapping_add_unsigned(number(mutation, index)),
        |id| *id < Self::MIN.wrapping_add_unsigned(IDS);
    u128, 1 << INDEX_BITS,
        |mutation, index| Self::MAX - Self::from(number(mutation, index)),
        |id| *id > Self::MAX - Self::from(IDS);
    i128, 1 << INDEX_BITS,
        |mutation, index| Self::MIN + Self::from(number(mutation, index)),
        |id| *id < Self::MIN + Self::from(IDS);
    Uuid, 1 << INDEX_BITS,
        |mutation, index| Self::from_u128(UUID_PREFIX | u128::from(number(mutation, index))),
        |id| id.to_u128() & UUID_MASK == UUID_PREFIX;
}

/// Version 8, variant 1, and nothing else but what tells ids apart.
const UUID_PREFIX: u128 = 0x6c69_6768_746c_8000_8000_0000_0000_0000;
const UUID_MASK: u128 = !((IDS as u128) - 1);
