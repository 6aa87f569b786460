//! Takes tokens out of what is recorded.
//!
//! Until the server has greeted, a frame that cannot be understood may be the greeting: it is blotted out whole. After
//! that every token is known, and is replaced wherever it occurs.

use bytes::Bytes;
use lightlike_core::limits::Limits;
use lightlike_core::secret::names_secret;
use lightlike_core::wire::{
    Compression, Protocol, ServerMessage, decode_server, encode_server, open_frame, seal_frame,
};

/// What a token is replaced by, as often as it has bytes.
const BLOT: u8 = b'x';
/// Bytes of a token that is looked for everywhere. Shorter ones, which only test servers give, are parts of other words.
const MIN_BYTES: usize = 16;

/// The tokens of one connection.
pub(super) struct Redactor {
    protocol: Option<Protocol>,
    known: Vec<Box<[u8]>>,
    greeted: bool,
}

impl Redactor {
    /// For a connection on which the client presented these tokens.
    pub(super) fn new<'t>(
        protocol: Option<Protocol>,
        presented: impl IntoIterator<Item = &'t str>,
    ) -> Self {
        let mut redactor = Self { protocol, known: Vec::new(), greeted: false };
        presented.into_iter().for_each(|token| redactor.learn(token));
        redactor
    }

    fn learn(&mut self, token: &str) {
        if token.len() >= MIN_BYTES {
            self.known.push(token.as_bytes().into());
        }
    }

    /// A binary message of the server's. A frame with a token in it comes back uncompressed.
    pub(super) fn frame(&mut self, frame: &Bytes) -> Bytes {
        let limits = Limits::default();
        let opened = self.protocol.zip(open_frame(frame.clone(), &limits).ok());
        let Some((protocol, body)) = opened else {
            return if self.greeted { self.payload(frame) } else { blotted(frame) };
        };
        let mut messages = decode_server(&body, protocol, &limits);
        let (mut clean, mut has_token) = (Vec::new(), false);
        loop {
            let at = messages.offset();
            match messages.next() {
                None => break,
                Some(Ok(mut message)) => {
                    has_token |= self.greeting(&mut message);
                    if encode_server(&message, &mut clean).is_err() {
                        return blotted(frame);
                    }
                }
                Some(Err(_)) => {
                    let is_secret = !self.greeted || is_greeting(&body[at..]);
                    if !is_secret && !has_token {
                        return self.payload(frame);
                    }
                    let rest = Bytes::copy_from_slice(&body[at..]);
                    clean.extend_from_slice(&if is_secret {
                        blots(&rest)
                    } else {
                        self.payload(&rest)
                    });
                    has_token = true;
                    break;
                }
            }
        }
        match has_token {
            true => seal_frame(&clean, Compression::None, |_, _| ()),
            false => self.payload(frame),
        }
    }

    /// Any other payload, with x's for every token that is known.
    pub(super) fn payload(&self, payload: &Bytes) -> Bytes {
        let mut clean = payload.to_vec();
        for token in &self.known {
            let mut from = 0;
            while let Some(at) = clean[from..].windows(token.len()).position(|it| it == &**token) {
                clean[from + at..][..token.len()].fill(BLOT);
                from += at + token.len();
            }
        }
        if clean == *payload { payload.clone() } else { clean.into() }
    }

    /// Takes the token out of a greeting; whether it was one.
    fn greeting(&mut self, message: &mut ServerMessage) -> bool {
        let ServerMessage::InitialConnection { token, .. } = message else { return false };
        self.learn(token);
        self.greeted = true;
        *token = "x".repeat(token.len()).as_str().into();
        true
    }
}

/// Whether these bytes are a greeting, by the tag that they begin with.
fn is_greeting(message: &[u8]) -> bool {
    message.first() == Some(&0)
}

/// A frame of which nothing but how it is compressed can be told.
fn blotted(frame: &Bytes) -> Bytes {
    let mut clean = blots(frame).to_vec();
    if let (Some(tag), Some(first)) = (clean.first_mut(), frame.first()) {
        *tag = *first;
    }
    clean.into()
}

fn blots(bytes: &Bytes) -> Bytes {
    vec![BLOT; bytes.len()].into()
}

/// What the client asked for, with x's for every secret in its query, and the secrets.
pub(super) fn target(target: &str) -> (String, Vec<&str>) {
    let Some((path, query)) = target.split_once('?') else {
        return (target.to_owned(), Vec::new());
    };
    let mut secrets = Vec::new();
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, value)) if names_secret(name) => {
            secrets.push(value);
            format!("{name}={}", "x".repeat(value.len()))
        }
        _ => pair.to_owned(),
    });
    let query = pairs.collect::<Vec<_>>().join("&");
    (format!("{path}?{query}"), secrets)
}

#[cfg(test)]
mod tests {
    use lightlike::types::{ConnectionId, Identity};
    use lightlike_core::wire::TransactionUpdate;

    use super::*;

    const TOKEN: &str = "marker.marker.marker";

    fn greeting(token: &str) -> ServerMessage {
        let (identity, connection_id) = (Identity::ZERO, ConnectionId::ZERO);
        ServerMessage::InitialConnection { identity, connection_id, token: token.into() }
    }

    fn body(messages: &[ServerMessage]) -> Vec<u8> {
        let mut body = Vec::new();
        messages.iter().for_each(|message| encode_server(message, &mut body).unwrap());
        body
    }

    fn seal(body: &[u8]) -> Bytes {
        seal_frame(body, Compression::None, |_, _| ())
    }

    fn has_token(bytes: &[u8]) -> bool {
        bytes.windows(6).any(|window| window == b"marker")
    }

    #[test]
    fn greeting_token_is_replaced_wherever_it_stands() {
        let other = ServerMessage::TransactionUpdate(TransactionUpdate::default());
        for messages in [vec![greeting(TOKEN)], vec![other.clone(), greeting(TOKEN), other]] {
            let mut redactor = Redactor::new(Some(Protocol::V3), []);
            let clean = redactor.frame(&seal(&body(&messages)));
            assert!(!has_token(&clean));
            let body = open_frame(clean, &Limits::default()).unwrap();
            let read: Vec<_> = decode_server(&body, Protocol::V3, &Limits::default())
                .map(|message| message.unwrap())
                .collect();
            assert_eq!(read.len(), messages.len());
            assert!(read.contains(&greeting(&"x".repeat(TOKEN.len()))));
            // From now on it is known.
            let repeated = Bytes::from(format!("quoted: {TOKEN}, {TOKEN}"));
            assert!(!has_token(&redactor.payload(&repeated)));
            assert!(!has_token(&redactor.frame(&seal(&body_of_text(TOKEN)))));
            assert!(!has_token(&redactor.frame(&seal(&self::body(&[greeting(TOKEN)])))), "twice");
        }
    }

    /// Nothing that is a message.
    fn body_of_text(text: &str) -> Vec<u8> {
        [b"\xffquoted ", text.as_bytes()].concat()
    }

    #[test]
    fn what_may_be_a_greeting_is_blotted_out() {
        let whole = body(&[greeting(TOKEN)]);
        let cut = &whole[..whole.len() - 1];
        let not_text = [&whole[..whole.len() - 1], &[0xff]].concat();
        let behind = [&whole[..], &[200, 1, 2]].concat();
        for (protocol, body) in [
            (Some(Protocol::V3), cut),
            (Some(Protocol::V3), &not_text),
            (Some(Protocol::V3), &behind),
            // One message a frame.
            (Some(Protocol::V2), &behind),
            (None, &whole),
        ] {
            let mut redactor = Redactor::new(protocol, []);
            let frame = seal(body);
            let clean = redactor.frame(&frame);
            assert!(!has_token(&clean), "{protocol:?}");
            assert_eq!(clean.len(), frame.len(), "{protocol:?}");
        }
        // A frame that cannot be opened.
        let broken = Bytes::from(["\u{7f}", TOKEN].concat());
        assert!(!has_token(&Redactor::new(Some(Protocol::V3), []).frame(&broken)));
    }

    #[test]
    fn what_has_no_token_stays_as_it_is() {
        let mut redactor = Redactor::new(Some(Protocol::V3), [TOKEN]);
        redactor.frame(&seal(&body(&[greeting(TOKEN)])));
        let update = body(&[ServerMessage::TransactionUpdate(TransactionUpdate::default())]);
        for body in [&update[..], &[200, 1, 2], b""] {
            assert_eq!(redactor.frame(&seal(body)), seal(body));
        }
    }

    #[test]
    fn a_target_has_no_secrets() {
        for (given, want, secrets) in [
            ("/v1/x?a=1&token=secret&b=2", "/v1/x?a=1&token=xxxxxx&b=2", &["secret"][..]),
            ("/v1/x?token=secret", "/v1/x?token=xxxxxx", &["secret"]),
            ("/v1/x?%74oken=a&token=b", "/v1/x?%74oken=x&token=x", &["a", "b"]),
            ("/v1/x?compression=None", "/v1/x?compression=None", &[]),
            ("/v1/x", "/v1/x", &[]),
        ] {
            assert_eq!(target(given), (want.to_owned(), secrets.to_vec()), "{given}");
        }
    }
}
