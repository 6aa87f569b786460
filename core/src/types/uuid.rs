//! Universally unique identifiers.

use core::fmt;
use core::str::FromStr;

use super::{ParseError, ParseErrorKind, Timestamp, transparent};

/// A universally unique identifier (RFC 9562): 128 bits.
///
/// The text form is the number in hex, hyphenated: `01888d6e-5c00-7000-8000-000000000000`. When it is read, the hyphens
/// may all be missing, and `0x` may stand before the digits. They are ordered as numbers, so those of version 7 by the
/// time they were made at.
///
/// # Source
///
/// A product of one `u128`, whose field is called `__uuid__`; the number is the big-endian one, as in the text form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Uuid(u128);

transparent!(Uuid, u128);

/// Position of the variant and of the version in the number.
const VARIANT_SHIFT: u32 = 62;
const VERSION_SHIFT: u32 = 76;

impl Uuid {
    /// All bits are zero.
    pub const NIL: Self = Self(0);
    /// All bits are one.
    pub const MAX: Self = Self(u128::MAX);

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

    /// From the bytes in the order of the text form.
    #[inline]
    pub const fn from_be_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// The bytes in the order of the text form.
    #[inline]
    pub const fn to_be_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Reads the text form; the same as [`FromStr`].
    ///
    /// # Errors
    ///
    /// A [`ParseError`] that shows the form.
    pub fn parse_str(text: &str) -> Result<Self, ParseError> {
        text.parse()
    }

    /// One of version 4, out of random bytes, of which it takes all but six bits.
    pub const fn v4(random: [u8; 16]) -> Self {
        Self::of_version(4, u128::from_be_bytes(random))
    }

    /// One of version 7: the milliseconds of `now` (zero before 1970), then random bytes but for two bits. Those made at
    /// a later millisecond are greater.
    pub fn v7(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = now.as_micros().max(0) as u128 / 1_000;
        let mut bytes = [0; 16];
        bytes[6..].copy_from_slice(&random);
        Self::of_version(7, millis << 80 | u128::from_be_bytes(bytes))
    }

    /// The number that says how it was made, from 1; none if it does not say so.
    pub const fn version(self) -> Option<u8> {
        let version = (self.0 >> VERSION_SHIFT) as u8 & 0xf;
        let is_rfc_variant = (self.0 >> VARIANT_SHIFT) & 0b11 == 0b10;
        if is_rfc_variant && version != 0 { Some(version) } else { None }
    }

    const fn of_version(version: u128, bits: u128) -> Self {
        let mask = 0xf << VERSION_SHIFT | 0b11 << VARIANT_SHIFT;
        Self(bits & !mask | version << VERSION_SHIFT | 0b10 << VARIANT_SHIFT)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0;
        f.pad(&format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            number >> 96,
            number >> 80 & 0xffff,
            number >> 64 & 0xffff,
            number >> 48 & 0xffff,
            number & 0xffff_ffff_ffff,
        ))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

impl FromStr for Uuid {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
        let hyphens: &[usize] = match digits.len() {
            32 => &[],
            36 => &[8, 13, 18, 23],
            _ => return Err(invalid_form()),
        };
        let mut number = 0;
        for (at, &byte) in digits.iter().enumerate() {
            match (hyphens.contains(&at), char::from(byte).to_digit(16)) {
                (true, _) if byte == b'-' => {}
                (false, Some(digit)) => number = number << 4 | u128::from(digit),
                _ => return Err(invalid_form()),
            }
        }
        Ok(Self(number))
    }
}

fn invalid_form() -> ParseError {
    let expected = "01888d6e-5c00-7000-8000-000000000000";
    ParseError::new("Uuid", ParseErrorKind::InvalidForm { expected })
}

impl From<u128> for Uuid {
    fn from(number: u128) -> Self {
        Self(number)
    }
}

impl From<Uuid> for u128 {
    fn from(uuid: Uuid) -> Self {
        uuid.0
    }
}
