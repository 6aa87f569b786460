//! Numbers as SQL writes them: with a sign, a fraction, an exponent.

/// More digits than any number of 256 bits has: an exponent must not make a literal expensive.
const MAX_DIGITS: usize = 80;

/// A decimal number in its parts.
struct Decimal {
    negative: bool,
    whole: String,
    fraction: String,
    exponent: i64,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let (whole, fraction) = (digits(whole)?, digits(fraction)?);
        let any = !whole.is_empty() || !fraction.is_empty();
        any.then_some(Self { negative, whole, fraction, exponent })
    }
}

/// Digits without the `_` that may stand behind the first; none if there is anything else.
fn digits(text: &str) -> Option<String> {
    let digits = text.replace('_', "");
    let all = digits.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('_');
    all.then_some(digits)
}

/// The plain digits of an integer, with `-` where it is negative; none if it has a fraction or is absurdly long.
pub(super) fn integer(text: &str) -> Option<String> {
    let decimal = Decimal::parse(text)?;
    let digits = format!("{}{}", decimal.whole, decimal.fraction);
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    // Where the decimal point lies, counted from the end of `significant`; negative is to the left of it.
    let shift = decimal.exponent.checked_sub(i64::try_from(decimal.fraction.len()).ok()?)?;
    let mut plain = significant.to_owned();
    match usize::try_from(shift) {
        Ok(zeros) if zeros + plain.len() <= MAX_DIGITS => plain.push_str(&"0".repeat(zeros)),
        Ok(_) => return None,
        Err(_) => {
            let dropped = usize::try_from(shift.unsigned_abs()).ok()?;
            let kept = plain.len().checked_sub(dropped)?;
            if plain[kept..].bytes().any(|digit| digit != b'0') {
                return None;
            }
            plain.truncate(kept);
        }
    }
    let sign = if decimal.negative { "-" } else { "" };
    (!plain.is_empty() && plain.len() <= MAX_DIGITS).then(|| format!("{sign}{plain}"))
}

/// The number in the form that Rust's floats are parsed from; `inf` and `NaN` have no literal.
pub(super) fn float(text: &str) -> Option<String> {
    let Decimal { negative, whole, fraction, exponent } = Decimal::parse(text)?;
    let sign = if negative { "-" } else { "" };
    Some(format!("{sign}{whole}.{fraction}e{exponent}"))
}

/// The bytes that hex digits stand for, after an optional `0x`.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let nibble =
        |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    digits.chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_may_have_fraction_or_exponent() {
        #[rustfmt::skip]
        let cases = [
            ("0", Some("0")), ("-0", Some("0")), ("007", Some("7")), ("+7", Some("7")), ("-7", Some("-7")),
            ("1.0", Some("1")), ("1.50", None), ("1.5e1", Some("15")), ("1e3", Some("1000")), ("100e-2", Some("1")),
            ("1e-1", None), (".5e1", Some("5")), ("5.", Some("5")), ("", None), (".", None), ("-", None),
            ("1e999999999999", None), ("1e-999999999999", None), ("0e999999999999", Some("0")), ("1e", None),
            ("1_000", Some("1000")), ("_1", None), ("0x10", None), ("ff", None), ("1 ", None),
        ];
        for (text, want) in cases {
            assert_eq!(integer(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn bytes_are_pairs_of_hex_digits() {
        assert_eq!(hex("0x00fF"), Some(vec![0, 255]));
        assert_eq!(hex(""), Some(vec![]));
        assert_eq!(hex("0xabc"), None);
        assert_eq!(hex("zz"), None);
    }
}
