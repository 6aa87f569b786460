//! Numbers in hex, big-endian: the text form of identities and of connection ids.

use core::fmt::Write as _;

use super::{ParseError, ParseErrorKind};

/// Two digits for each of `bytes`, the most significant first.
pub(super) fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // A `String` takes whatever is written to it.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Reads `N` bytes, the most significant first, in digits of either case, with or without `0x` before them.
pub(super) fn parse<const N: usize>(
    target: &'static str,
    text: &str,
) -> Result<[u8; N], ParseError> {
    let prefix = if text.starts_with("0x") { 2 } else { 0 };
    let digits = &text.as_bytes()[prefix..];
    let mut bytes = [0; N];
    for (at, &digit) in digits.iter().enumerate() {
        let Some(value) = char::from(digit).to_digit(16) else {
            return Err(ParseError::new(target, ParseErrorKind::InvalidDigit { at: prefix + at }));
        };
        if let Some(byte) = bytes.get_mut(at / 2) {
            *byte = *byte << 4 | value as u8;
        }
    }
    if digits.len() == 2 * N {
        Ok(bytes)
    } else {
        let kind = ParseErrorKind::WrongLength { expected: 2 * N, found: digits.len() };
        Err(ParseError::new(target, kind))
    }
}
