//! Bytes written as hex digits.

/// The bytes that hex digits say; blanks between bytes are skipped.
pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "half a byte");
    let value = |digit: &u8| char::from(*digit).to_digit(16).expect("a hex digit") as u8;
    digits.chunks(2).map(|pair| value(&pair[0]) << 4 | value(&pair[1])).collect()
}
