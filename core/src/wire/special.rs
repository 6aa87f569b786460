//! Stand-ins until `types` has them; same constructors.
#![allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity([u8; 32]);
impl Identity {
    pub const fn from_le_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
    pub const fn to_le_bytes(self) -> [u8; 32] {
        self.0
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionId(u128);
impl ConnectionId {
    pub const fn from_u128(number: u128) -> Self {
        Self(number)
    }
    pub const fn to_u128(self) -> u128 {
        self.0
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp(i64);
impl Timestamp {
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeDuration(i64);
impl TimeDuration {
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}
