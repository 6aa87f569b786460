//! Identities of clients, modules and databases.

use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

use ethnum::U256;

use super::{ParseError, hex};
use crate::bsatn::{Decode, DecodeError, Encode, Reader, Writer};
use crate::sats::{Sats, SatsType};

/// Identity of a client, a module or a database: a number of 256 bits that the server derives from its owner's
/// credentials.
///
/// The text form is the number in 64 hex digits, with or without `0x` when it is read. Identities are ordered as
/// numbers, like the server orders them.
///
/// # Source
///
/// A product of one `u256`, whose field is called `__identity__`, so 32 bytes with the least significant first.
//
// Four words, the least significant first, and not 32 bytes: bytes may lie anywhere in a `Result`, and are then moved
// about piece by piece.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Identity([u64; 4]);

impl Identity {
    /// The number zero, which no client has; also the default.
    pub const ZERO: Self = Self([0; 4]);

    /// From the bytes as they are on the wire, the least significant first.
    #[inline]
    pub const fn from_le_bytes(bytes: [u8; 32]) -> Self {
        let (words, _) = bytes.as_chunks();
        Self([
            u64::from_le_bytes(words[0]),
            u64::from_le_bytes(words[1]),
            u64::from_le_bytes(words[2]),
            u64::from_le_bytes(words[3]),
        ])
    }

    /// The bytes as they are on the wire, the least significant first.
    #[inline]
    pub fn to_le_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let (words, _) = bytes.as_chunks_mut();
        for (bytes, word) in words.iter_mut().zip(self.0) {
            *bytes = word.to_le_bytes();
        }
        bytes
    }

    /// From the bytes in the order of the text form, the most significant first.
    #[inline]
    pub fn from_be_bytes(mut bytes: [u8; 32]) -> Self {
        bytes.reverse();
        Self::from_le_bytes(bytes)
    }

    /// The bytes in the order of the text form, the most significant first.
    #[inline]
    pub fn to_be_bytes(self) -> [u8; 32] {
        let mut bytes = self.to_le_bytes();
        bytes.reverse();
        bytes
    }

    /// From the number.
    #[inline]
    pub fn from_u256(number: U256) -> Self {
        Self::from_le_bytes(number.to_le_bytes())
    }

    /// The number.
    #[inline]
    pub fn to_u256(self) -> U256 {
        U256::from_le_bytes(self.to_le_bytes())
    }

    /// Derives the identity of whoever presents a token with these claims, as the server does.
    ///
    /// # Source
    ///
    /// Two bytes `c200`, four of a checksum, and 26 of BLAKE3 over `issuer|subject`: `spacetimedb-lib`, `identity.rs`.
    #[cfg(feature = "claims")]
    pub fn from_claims(issuer: &str, subject: &str) -> Self {
        let digest = blake3::hash(format!("{issuer}|{subject}").as_bytes());
        let mut bytes = [0; 32];
        bytes[6..].copy_from_slice(&digest.as_bytes()[..26]);
        // The checksum is over the prefix and the digest, as if nothing stood between them.
        bytes[4..6].copy_from_slice(&Self::CLAIMS_PREFIX);
        let checksum = blake3::hash(&bytes[4..]);
        bytes[..2].copy_from_slice(&Self::CLAIMS_PREFIX);
        bytes[2..6].copy_from_slice(&checksum.as_bytes()[..4]);
        Self::from_be_bytes(bytes)
    }

    /// The first bytes of each identity that comes from claims.
    #[cfg(feature = "claims")]
    const CLAIMS_PREFIX: [u8; 2] = [0xc2, 0x00];

    /// Reads the text form: 64 hex digits, with or without `0x` before them.
    ///
    /// # Errors
    ///
    /// A [`ParseError`] that says how many digits there are, or which is none.
    pub fn from_hex(text: &str) -> Result<Self, ParseError> {
        hex::parse("Identity", text).map(Self::from_be_bytes)
    }

    /// The text form: 64 hex digits.
    pub fn to_hex(self) -> String {
        hex::text(&self.to_be_bytes())
    }

    /// The first and the last four digits, as in `2ab4...9f1c`: enough for a person to tell identities apart, and not
    /// for a program.
    pub fn abbreviated(self) -> impl fmt::Display {
        Abbreviated(self)
    }
}

struct Abbreviated(Identity);

impl fmt::Display for Abbreviated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, .., y, z] = self.0.to_be_bytes();
        write!(f, "{a:02x}{b:02x}...{y:02x}{z:02x}")
    }
}

impl Ord for Identity {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

impl PartialOrd for Identity {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_hex())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({self})")
    }
}

impl FromStr for Identity {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::from_hex(text)
    }
}

impl From<U256> for Identity {
    fn from(number: U256) -> Self {
        Self::from_u256(number)
    }
}

impl From<Identity> for U256 {
    fn from(identity: Identity) -> Self {
        identity.to_u256()
    }
}

impl Encode for Identity {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        out.bytes(&self.to_le_bytes());
    }

    #[inline]
    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        reader.take_if_equal(&self.to_le_bytes())
    }
}

impl<'de> Decode<'de> for Identity {
    const SIZE: Option<usize> = Some(32);

    #[inline]
    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        reader.array("Identity").map(|bytes| Self::from_le_bytes(*bytes))
    }
}

impl Sats for Identity {
    const TYPE: SatsType = SatsType::Identity;
}
