//! The form that addresses and bodies have (`application/x-www-form-urlencoded`).

use std::borrow::Cow;
use std::fmt::Write as _;

/// Adds a pair of a name and a value.
pub(super) fn push(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() && !form.ends_with(['?', '&']) {
        form.push('&');
    }
    escape(name, form);
    form.push('=');
    escape(value, form);
}

fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// The value of a name; the first, if there are several.
pub(super) fn get<'a>(form: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(key, _)| unescape(key) == name);
    named.next().map(|(_, value)| unescape(value))
}

fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match after.get(..2).and_then(hex) {
                Some(escaped) => {
                    rest = &after[2..];
                    escaped
                }
                // What is no escape stays as it is.
                None => b'%',
            },
            other => other,
        });
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let [high, low] = *digits else { return None };
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pushed_is_got() {
        let mut form = String::from("https://host/path?");
        for (name, value) in [("a b", "c&d=e"), ("ü", "100 %+"), ("empty", "")] {
            push(&mut form, name, value);
        }
        assert_eq!(form, "https://host/path?a%20b=c%26d%3De&%C3%BC=100%20%25%2B&empty=");
        let (_, query) = form.split_once('?').unwrap();
        assert_eq!(get(query, "a b").as_deref(), Some("c&d=e"));
        assert_eq!(get(query, "ü").as_deref(), Some("100 %+"));
        assert_eq!(get(query, "empty").as_deref(), Some(""));
        assert_eq!(get(query, "other"), None);
    }

    #[test]
    fn odd_forms_are_read_leniently() {
        let cases = [
            ("a=1+2", "1 2"),
            ("b&a=%", "%"),
            ("a=%4", "%4"),
            ("a=%zz%41", "%zzA"),
            ("a=%+1", "% 1"),
            ("a=%ff", "\u{fffd}"),
        ];
        for (form, want) in cases {
            assert_eq!(get(form, "a").as_deref(), Some(want), "{form}");
        }
    }
}
