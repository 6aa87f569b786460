//! Connection ids.

use core::fmt;
use core::str::FromStr;

use super::{ParseError, hex, transparent};

/// One connection of a client: a number of 128 bits. An identity may have several connections at a time.
///
/// The text form is the number in 32 hex digits, with or without `0x` when it is read.
///
/// # Source
///
/// A product of one `u128`, whose field is called `__connection_id__`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ConnectionId(u128);

transparent!(ConnectionId, u128);

impl ConnectionId {
    /// No connection: the server refuses it as the id of one.
    pub const ZERO: Self = Self(0);

    /// From the number.
    #[inline]
    pub const fn from_u128(number: u128) -> Self {
        Self(number)
    }

    /// The number.
    #[inline]
    pub const fn to_u128(self) -> u128 {
        self.0
    }

    /// The id, unless it is [`ZERO`](Self::ZERO): the server's form of an optional one.
    pub fn none_if_zero(self) -> Option<Self> {
        (self != Self::ZERO).then_some(self)
    }

    /// Reads the text form: 32 hex digits, with or without `0x` before them.
    ///
    /// # Errors
    ///
    /// A [`ParseError`] that says how many digits there are, or which is none.
    pub fn from_hex(text: &str) -> Result<Self, ParseError> {
        hex::parse("ConnectionId", text).map(|bytes| Self(u128::from_be_bytes(bytes)))
    }

    /// The text form: 32 hex digits.
    pub fn to_hex(self) -> String {
        hex::text(&self.0.to_be_bytes())
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_hex())
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({self})")
    }
}

impl FromStr for ConnectionId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::from_hex(text)
    }
}

impl From<u128> for ConnectionId {
    fn from(number: u128) -> Self {
        Self(number)
    }
}

impl From<ConnectionId> for u128 {
    fn from(id: ConnectionId) -> Self {
        id.0
    }
}
