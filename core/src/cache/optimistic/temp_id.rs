//! Keys that stand in for those that the server will give, and those that it gave.

use core::any::Any;
use core::fmt;

use foldhash::HashMap;

use super::ids::MutationId;
use crate::types::Uuid;

/// A key type with room for temporary ids: at the far end of its values, where no sequence of a module's comes, and where
/// they sort after all of the server's. Those of later calls are greater.
///
/// For 32-bit numbers that is the last quarter of the values of unsigned ones, the last half of the positive values of
/// signed ones; for larger numbers the last 2⁵⁶ values. A [`Uuid`] is one of version 8. The greatest value of a type is
/// none.
#[diagnostic::on_unimplemented(
    message = "there are no temporary ids of type `{Self}`",
    note = "there are for integers of 32 bits and more, and for `Uuid`"
)]
pub trait TempId: Sized {
    /// Maximal number of temporary ids of one mutation.
    #[doc(hidden)]
    const LIMIT: u32;

    /// The id for the `index`th asking of the mutation with this number: always the same.
    #[doc(hidden)]
    fn temp_id(number: u64, index: u32) -> Self;

    /// Returns `true` if this is a temporary id.
    fn is_temp_id(&self) -> bool;

    /// The id without its type.
    #[doc(hidden)]
    fn to_any(&self) -> AnyId;

    /// The id with its type, if it is of this one.
    #[doc(hidden)]
    fn from_any(id: AnyId) -> Option<Self>;
}

/// Mutations are distinguished by this many bits of their numbers, and their ids by the rest of 30 or 56 bits.
const SMALL_NUMBER_BITS: u32 = 22;
const SMALL_INDEX_BITS: u32 = 8;
const NUMBER_BITS: u32 = 40;
const INDEX_BITS: u32 = 16;

const SMALL_IDS: u32 = 1 << (SMALL_NUMBER_BITS + SMALL_INDEX_BITS);
const IDS: u64 = 1 << (NUMBER_BITS + INDEX_BITS);

/// Most ids of one mutation: one less than there is room for, so that the last value is none.
const SMALL_LIMIT: u32 = (1 << SMALL_INDEX_BITS) - 1;
const LIMIT: u32 = (1 << INDEX_BITS) - 1;

fn small(number: u64, index: u32) -> u32 {
    ((number as u32) % (1 << SMALL_NUMBER_BITS)) << SMALL_INDEX_BITS | index
}

fn large(number: u64, index: u32) -> u64 {
    (number % (1 << NUMBER_BITS)) << INDEX_BITS | u64::from(index)
}

/// The type of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum IdKind {
    U32,
    I32,
    U64,
    I64,
    U128,
    I128,
    Uuid,
}

/// An id of whatever type.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AnyId {
    kind: IdKind,
    bits: u128,
}

impl fmt::Debug for AnyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// As the value is written.
impl fmt::Display for AnyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            IdKind::U32 | IdKind::U64 | IdKind::U128 => write!(f, "{}", self.bits),
            IdKind::I32 => write!(f, "{}", self.bits as i32),
            IdKind::I64 => write!(f, "{}", self.bits as i64),
            IdKind::I128 => write!(f, "{}", self.bits as i128),
            IdKind::Uuid => write!(f, "{}", Uuid::from_u128(self.bits)),
        }
    }
}

macro_rules! temp_ids {
    ($($ty:ty, $kind:ident, $bytes:literal, $limit:expr,
        |$number:ident, $index:ident| $make:expr, |$id:ident| $is:expr, $bits:expr, |$raw:ident| $from:expr;)*) => {
        $(
            impl TempId for $ty {
                const LIMIT: u32 = $limit;

                fn temp_id($number: u64, $index: u32) -> Self {
                    $make
                }

                fn is_temp_id(&self) -> bool {
                    let $id = self;
                    $is
                }

                fn to_any(&self) -> AnyId {
                    let $id = *self;
                    AnyId { kind: IdKind::$kind, bits: $bits }
                }

                fn from_any(id: AnyId) -> Option<Self> {
                    let $raw = id.bits;
                    (id.kind == IdKind::$kind).then(|| $from)
                }
            }
        )*

        impl AnyId {
            /// A key, if it is of a type that has temporary ids.
            pub(in crate::cache) fn of<K: 'static>(key: &K) -> Option<Self> {
                let key: &dyn Any = key;
                $(
                    if let Some(key) = key.downcast_ref::<$ty>() {
                        return Some(key.to_any());
                    }
                )*
                None
            }

            /// Returns `true` if it is a temporary one.
            pub fn is_temp_id(self) -> bool {
                match self.kind {
                    $(IdKind::$kind => <$ty>::from_any(self).is_some_and(|id| id.is_temp_id()),)*
                }
            }
        }

        impl IdKind {
            /// Size of an id in bytes.
            pub(crate) fn size(self) -> usize {
                match self {
                    $(Self::$kind => $bytes,)*
                }
            }
        }
    };
}

temp_ids! {
    u32, U32, 4, SMALL_LIMIT,
        |number, index| Self::MAX - SMALL_IDS + 1 + small(number, index),
        |id| *id > Self::MAX - SMALL_IDS && *id < Self::MAX,
        u128::from(id), |bits| bits as Self;
    i32, I32, 4, SMALL_LIMIT,
        |number, index| Self::MAX - SMALL_IDS as Self + 1 + small(number, index) as Self,
        |id| *id > Self::MAX - SMALL_IDS as Self && *id < Self::MAX,
        u128::from(id as u32), |bits| bits as Self;
    u64, U64, 8, LIMIT,
        |number, index| Self::MAX - IDS + 1 + large(number, index),
        |id| *id > Self::MAX - IDS && *id < Self::MAX,
        u128::from(id), |bits| bits as Self;
    i64, I64, 8, LIMIT,
        |number, index| Self::MAX - IDS as Self + 1 + large(number, index) as Self,
        |id| *id > Self::MAX - IDS as Self && *id < Self::MAX,
        u128::from(id as u64), |bits| bits as Self;
    u128, U128, 16, LIMIT,
        |number, index| Self::MAX - Self::from(IDS) + 1 + Self::from(large(number, index)),
        |id| *id > Self::MAX - Self::from(IDS) && *id < Self::MAX,
        id, |bits| bits;
    i128, I128, 16, LIMIT,
        |number, index| Self::MAX - Self::from(IDS) + 1 + Self::from(large(number, index)),
        |id| *id > Self::MAX - Self::from(IDS) && *id < Self::MAX,
        id as u128, |bits| bits as Self;
    Uuid, Uuid, 16, LIMIT,
        |number, index| Self::from_u128(UUID_PREFIX | u128::from(large(number, index))),
        |id| id.to_u128() & UUID_MASK == UUID_PREFIX,
        id.to_u128(), |bits| Self::from_u128(bits);
}

/// Version 8, variant 1, and nothing else but what distinguishes ids.
const UUID_PREFIX: u128 = 0x6c69_6768_746c_8000_8000_0000_0000_0000;
const UUID_MASK: u128 = !((IDS as u128) - 1);

impl AnyId {
    /// The id that begins a value's encoding.
    pub(crate) fn read(kind: IdKind, bytes: &[u8]) -> Option<Self> {
        let mut bits = [0; 16];
        bits[..kind.size()].copy_from_slice(bytes.get(..kind.size())?);
        Some(Self { kind, bits: u128::from_le_bytes(bits) })
    }

    /// Its encoding.
    pub(crate) fn write(self, bytes: &mut [u8]) {
        let size = self.kind.size();
        if let Some(bytes) = bytes.get_mut(..size) {
            bytes.copy_from_slice(&self.bits.to_le_bytes()[..size]);
        }
    }

    pub(crate) fn kind(self) -> IdKind {
        self.kind
    }
}

/// The server's ids, by the temporary ones in whose place they came.
#[derive(Debug, Clone, Default)]
pub struct NewIds {
    by_temp: HashMap<AnyId, AnyId>,
    /// The mutations that had the temporary ones.
    owners: Vec<MutationId>,
}

impl NewIds {
    pub(crate) fn add(&mut self, temp: AnyId, server: AnyId) {
        self.by_temp.insert(temp, server);
    }

    pub(crate) fn add_owner(&mut self, owner: MutationId) {
        self.owners.push(owner);
    }

    /// The mutations that had the temporary ids.
    pub fn owners(&self) -> impl Iterator<Item = MutationId> {
        self.owners.iter().copied()
    }

    /// The server's id in the place of a temporary one.
    pub fn get(&self, temp: AnyId) -> Option<AnyId> {
        self.by_temp.get(&temp).copied()
    }

    /// Returns `true` if there is none.
    pub fn is_empty(&self) -> bool {
        self.by_temp.is_empty()
    }

    /// All of them, the temporary ones first, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (AnyId, AnyId)> {
        self.by_temp.iter().map(|(&temp, &server)| (temp, server))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorts_behind<K: TempId + Ord + Copy>(last: K, servers: &[K]) {
        let ids: Vec<K> = [(1, 0), (1, 1), (2, 0), (300, 7), (301, 0)]
            .map(|(number, index)| K::temp_id(number, index))
            .to_vec();
        assert!(ids.is_sorted() && ids.iter().all(TempId::is_temp_id));
        for server in servers {
            assert!(!server.is_temp_id() && ids.iter().all(|id| server < id));
        }
        assert!(!last.is_temp_id(), "the last value is often used for none");
        assert_eq!(K::from_any(ids[3].to_any()).map(|id| id == ids[3]), Some(true));
    }

    #[test]
    fn later_temporary_ids_sort_behind_earlier_and_servers() {
        sorts_behind(u32::MAX, &[0, 1, 1_000_000_000]);
        sorts_behind(i32::MAX, &[i32::MIN, -1, 1, 1_000_000_000]);
        sorts_behind(u64::MAX, &[0, 1, 1 << 60]);
        sorts_behind(i64::MAX, &[i64::MIN, -1, 1, 1 << 60]);
        sorts_behind(u128::MAX, &[0, 1 << 100]);
        sorts_behind(i128::MAX, &[i128::MIN, 1 << 100]);
        // Those of version 7 begin with the time.
        sorts_behind(Uuid::from_u128(u128::MAX), &[Uuid::from_u128(0x0199 << 112)]);
    }

    #[test]
    fn ids_are_written_as_they_are_read() {
        let id = i64::temp_id(7, 3).to_any();
        let mut bytes = [0; 9];
        id.write(&mut bytes);
        assert_eq!(AnyId::read(IdKind::I64, &bytes), Some(id));
        assert_eq!(bytes[..8], i64::temp_id(7, 3).to_le_bytes());
        assert_eq!(AnyId::read(IdKind::U128, &bytes), None);
    }
}
