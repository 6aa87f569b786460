//! Tokens as secrets: which texts can be one, and how they stay out of errors, logs and `Debug`.
//!
//! Owns the placeholder that stands for a secret, the check that every token passes before it is kept or sent, and the
//! masks for texts that may contain one: addresses, and what a peer says.

use std::borrow::Cow;
use std::fmt;

use crate::limits::MAX_TOKEN_BYTES;

/// Placeholder for a secret in `Debug` and in masked texts.
pub const HIDDEN: &str = "***";

/// Token that is never shown: `Debug` writes [`HIDDEN`], and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// The token itself, for a header or a store.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The token itself, owned.
    pub fn into_exposed(self) -> Box<str> {
        self.0
    }
}

impl<T: Into<Box<str>>> From<T> for Secret {
    fn from(token: T) -> Self {
        Self(token.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// Text that cannot be a token. The text is not shown: it may be most of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidToken {
    /// Nothing at all.
    #[error("the token is empty")]
    Empty,
    /// A space, a line break, or another character that no header may have.
    #[error(
        "the token has a character at byte {at} that no token has; is it the whole of what the server gave, and no more?"
    )]
    Character {
        /// Position of the first such character.
        at: usize,
    },
    /// More bytes than [`MAX_TOKEN_BYTES`].
    #[error(
        "the token has {len} bytes, and more than {MAX_TOKEN_BYTES} (`MAX_TOKEN_BYTES`) are not taken"
    )]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
}

/// Checks that a text can be presented as a token: visible ASCII without spaces, at most [`MAX_TOKEN_BYTES`] of it.
///
/// JWTs are that, and so is every other token that fits into an `Authorization` header. Whatever passes cannot end the
/// header and begin another.
///
/// # Errors
///
/// [`InvalidToken`] otherwise.
pub fn check_token(token: &str) -> Result<(), InvalidToken> {
    if token.is_empty() {
        return Err(InvalidToken::Empty);
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(InvalidToken::TooLong { len: token.len() });
    }
    match token.bytes().position(|byte| !byte.is_ascii_graphic()) {
        None => Ok(()),
        Some(at) => Err(InvalidToken::Character { at }),
    }
}

/// Replaces each occurrence of `secret` in what a peer said: servers and proxies quote requests in their refusals. What
/// was cut off within the secret is replaced too.
pub fn hide<'t>(text: &'t str, secret: Option<&str>) -> Cow<'t, str> {
    let Some(secret) = secret.filter(|secret| !secret.is_empty()) else {
        return Cow::Borrowed(text);
    };
    let mut hidden = match text.contains(secret) {
        true => Cow::Owned(text.replace(secret, HIDDEN)),
        false => Cow::Borrowed(text),
    };
    if let Some(tail) = tail(&hidden, secret) {
        let kept = hidden.len() - tail;
        hidden = Cow::Owned(format!("{}{HIDDEN}", &hidden[..kept]));
    }
    hidden
}

/// Length of the beginning of `secret` that `text` ends with, if that is enough of it to matter.
fn tail(text: &str, secret: &str) -> Option<usize> {
    const ENOUGH: usize = 8;
    let longest = text.len().min(secret.len().saturating_sub(1));
    (ENOUGH..=longest)
        .rev()
        .find(|len| secret.is_char_boundary(*len) && text.ends_with(&secret[..*len]))
}

/// An address, or what was given as one, without its user and password and without the values of query parameters that
/// name a secret (`token`, `access_token`, `code`, `password` and the like).
///
/// Works on text and not on a parsed address, because most of what is masked could not be parsed. It hides too much
/// rather than too little: everything from the scheme to the last `@` counts as user and password.
pub fn mask_uri(uri: &str) -> Cow<'_, str> {
    let (before, query) = match uri.find(['?', '#']) {
        Some(at) => uri.split_at(at),
        None => (uri, ""),
    };
    let has_user = uri.contains('@');
    if !has_user && !pairs(query).any(|(name, _)| names_secret(name)) {
        return Cow::Borrowed(uri);
    }
    let (before, query) = match uri.rfind('@') {
        // A password may have any character, a question mark included.
        Some(at) if at >= before.len() => uri.split_at(at + 1),
        _ => (before, query),
    };
    let mut masked = match before.rfind('@') {
        Some(at) => {
            let scheme = before[..at].find("://").map_or(0, |at| at + 3);
            format!("{}{HIDDEN}{}", &before[..scheme], &before[at..])
        }
        None => before.to_owned(),
    };
    mask_query(query, &mut masked);
    Cow::Owned(masked)
}

/// The pairs of a query or a fragment, each with the text of both; `?`, `#` and `&` stand before them.
fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split(['?', '#', '&']).filter_map(|pair| pair.split_once('='))
}

fn mask_query(query: &str, masked: &mut String) {
    for piece in query.split_inclusive(['?', '#', '&']) {
        let end = piece.trim_end_matches(['?', '#', '&']);
        match end.split_once('=') {
            Some((name, value)) if names_secret(name) && !value.is_empty() => {
                masked.push_str(name);
                masked.push('=');
                masked.push_str(HIDDEN);
                masked.push_str(&piece[end.len()..]);
            }
            _ => masked.push_str(piece),
        }
    }
}

/// Whether a query parameter of this name has a secret for its value. The name may be escaped.
pub fn names_secret(name: &str) -> bool {
    let name = unescape(name).to_ascii_lowercase();
    name.contains("token")
        || name.contains("secret")
        || name.contains("passw")
        || matches!(&*name, "code" | "pw" | "pwd" | "pass" | "key" | "api_key" | "apikey" | "auth")
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| byte == b'%').and_then(hex);
        rest = if escaped.is_some() { &after[2..] } else { after };
        bytes.push(escaped.unwrap_or(byte));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_visible_ascii_of_bounded_length() {
        assert_eq!(check_token("eyJ0.e30.c2ln"), Ok(()));
        assert_eq!(check_token(&"x".repeat(MAX_TOKEN_BYTES)), Ok(()));
        assert_eq!(check_token(""), Err(InvalidToken::Empty));
        let at = |at| Err(InvalidToken::Character { at });
        for (token, wrong) in
            [("a b", 1), ("a\r\nX: y", 1), ("ab\0", 2), ("\u{7f}", 0), ("a\u{85}", 1), ("ä", 0)]
        {
            assert_eq!(check_token(token), at(wrong), "{token:?}");
        }
        let len = MAX_TOKEN_BYTES + 1;
        assert_eq!(check_token(&"x".repeat(len)), Err(InvalidToken::TooLong { len }));
    }

    #[test]
    fn secrets_are_not_shown_by_debug() {
        let shown = format!("{:?} {:#?}", Secret::from("marker"), Some(Secret::from("marker")));
        assert!(!shown.contains("marker"), "{shown}");
    }

    #[test]
    fn addresses_are_masked_where_they_have_secrets() {
        for (uri, want) in [
            ("http://host:3000/base", "http://host:3000/base"),
            ("http://ada:pw@host/x", "http://***@host/x"),
            ("http://pw@host", "http://***@host"),
            ("ada:pw@host:3000", "***@host:3000"),
            ("http://ada:p/w@host", "http://***@host"),
            ("http://ada:p?w@host", "http://***@host"),
            ("http://ada:p#w@host/a?token=b", "http://***@host/a?token=***"),
            ("http://a@b:pw@host", "http://***@host"),
            ("/v1/x?a=1&token=b&c=2", "/v1/x?a=1&token=***&c=2"),
            ("/v1/x?Access_Token=b#id_token=c", "/v1/x?Access_Token=***#id_token=***"),
            ("/v1/x?%74oken=b", "/v1/x?%74oken=***"),
            ("/v1/x?token=a=b", "/v1/x?token=***"),
            ("/v1/x?num_lines=5&follow=true", "/v1/x?num_lines=5&follow=true"),
            ("https://app/cb?code=c&state=s", "https://app/cb?code=***&state=s"),
            ("", ""),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(mask_uri(uri), want, "{uri}");
        }
    }

    #[test]
    fn a_quoted_token_is_hidden() {
        assert_eq!(hide("bad token a.b.c: a.b.c", Some("a.b.c")), "bad token ***: ***");
        assert_eq!(hide("bad token", Some("a.b.c")), "bad token");
        assert_eq!(hide("bad token", None), "bad token");
        assert_eq!(hide("bad token", Some("")), "bad token");
        let cut = hide("bad token eyJ0eXAiOiJ", Some("eyJ0eXAiOiJKV1Qi.e30.c2ln"));
        assert_eq!(cut, "bad token ***", "an excerpt may end within the token");
    }
}
