//! Accounts: identities and the tokens that prove them.

use std::collections::HashMap;
use std::fmt::Write as _;

use lightlike_core::types::{Identity, TimeDuration, Timestamp};

/// Life of a token for `?token=`.
///
/// # Source
///
/// `POST /v1/identity/websocket-token` of SpacetimeDB 2.8.3.
const WEBSOCKET_TOKEN_LIFE: TimeDuration = TimeDuration::from_micros(60_000_000);

/// The tokens that the server made. It takes no others.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    by_token: HashMap<String, Account>,
}

#[derive(Debug)]
struct Account {
    identity: Identity,
    /// None: never.
    expires: Option<Timestamp>,
}

impl Accounts {
    /// A new identity and a token that does not expire.
    pub(crate) fn create(&mut self, now: Timestamp) -> (Identity, String) {
        let identity = random_identity();
        (identity, self.token(identity, now, None))
    }

    /// A token for `identity` that is good for a minute.
    pub(crate) fn websocket_token(&mut self, identity: Identity, now: Timestamp) -> String {
        let expires = now.checked_add(WEBSOCKET_TOKEN_LIFE);
        self.token(identity, now, expires)
    }

    /// Identity of a token, if it is good.
    pub(crate) fn check(&self, token: &str, now: Timestamp) -> Option<Identity> {
        let account = self.by_token.get(token)?;
        account.expires.is_none_or(|expires| now < expires).then_some(account.identity)
    }

    /// No token of `identity` is taken any more.
    pub(crate) fn revoke(&mut self, identity: Identity) {
        self.by_token.retain(|_, account| account.identity != identity);
    }

    fn token(&mut self, identity: Identity, now: Timestamp, expires: Option<Timestamp>) -> String {
        let token = token_text(identity, now, expires);
        self.by_token.insert(token.clone(), Account { identity, expires });
        token
    }
}

/// A text of the shape that servers give, with their claims in it; the signature is only random, which is enough for a
/// server that knows its own tokens.
fn token_text(identity: Identity, now: Timestamp, expires: Option<Timestamp>) -> String {
    let seconds = |time: Timestamp| time.as_micros().div_euclid(1_000_000);
    let mut subject = String::new();
    for byte in random::<16>() {
        // Writing to a string does not fail.
        let _ = write!(subject, "{byte:02x}");
    }
    let expires = expires.map_or_else(|| "null".to_owned(), |time| seconds(time).to_string());
    let claims = format!(
        r#"{{"hex_identity":"{identity}","sub":"{subject}","iss":"localhost","aud":["spacetimedb"],"iat":{},"exp":{expires}}}"#,
        seconds(now),
    );
    let header = base64(br#"{"typ":"JWT","alg":"ES256"}"#);
    format!("{header}.{}.{}", base64(claims.as_bytes()), base64(&random::<64>()))
}

/// A random identity; all begin with `c200`, like those that servers make.
pub(crate) fn random_identity() -> Identity {
    let mut bytes = random::<32>();
    bytes[0] = 0xc2;
    bytes[1] = 0x00;
    Identity::from_be_bytes(bytes)
}

/// Random bytes.
///
/// # Panics
///
/// If the system has none, where no test could run.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(error) = getrandom::fill(&mut bytes) {
        panic!("the system has no randomness: {error}");
    }
    bytes
}

/// Base64 in the alphabet for URLs, without padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .chain([0; 3].iter())
            .take(3)
            .fold(0_usize, |group, byte| group << 8 | usize::from(*byte));
        for digit in 0..=chunk.len() {
            text.push(char::from(ALPHABET[group >> (18 - 6 * digit) & 63]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_urls_without_padding() {
        for (bytes, want) in
            [(&b""[..], ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (&[0xfb, 0xff], "-_8")]
        {
            assert_eq!(base64(bytes), want);
        }
    }

    #[test]
    fn a_websocket_token_is_good_for_a_minute() {
        let mut accounts = Accounts::default();
        let start = Timestamp::UNIX_EPOCH;
        let (identity, forever) = accounts.create(start);
        let short = accounts.websocket_token(identity, start);
        let after = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        assert_eq!(accounts.check(&short, after(59)), Some(identity));
        assert_eq!(accounts.check(&short, after(60)), None);
        assert_eq!(accounts.check(&forever, after(60)), Some(identity));
        accounts.revoke(identity);
        assert_eq!(accounts.check(&forever, start), None);
    }
}
