//! The client's side of the WebSocket handshake (RFC 6455, section 4.1).
//!
//! Done here and not by the WebSocket library because of what it does not let through: the whole body of a refusal,
//! and an answer that names no protocol, which means v2. Its hashing is `ring`'s, which TLS brings anyway.

use std::io;
use std::sync::Arc;

use data_encoding::BASE64;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::io::AsyncWriteExt;

use super::answer::{self, Head, not_a_handshake};
use crate::conn::DialError;
use crate::driver::socket::Io;
use crate::wire::Protocol;

/// Request of a handshake.
pub(in crate::driver) struct Request<'a> {
    pub(in crate::driver) host: &'a str,
    pub(in crate::driver) path: &'a str,
    /// The database's name, as an answer that does not know it repeats it.
    pub(in crate::driver) database: &'a str,
    pub(in crate::driver) token: Option<&'a str>,
    /// The token, wherever it is presented: not to be shown should an answer repeat it.
    pub(in crate::driver) secret: Option<&'a str>,
    pub(in crate::driver) headers: &'a [(Box<str>, Box<str>)],
}

/// Result of a handshake.
#[derive(Debug)]
pub(in crate::driver) struct Upgraded {
    pub(in crate::driver) protocol: Protocol,
    /// Bytes that were read beyond the answer: the first of the socket's.
    pub(in crate::driver) read: Vec<u8>,
}

/// Asks for the upgrade and reads the answer.
pub(in crate::driver) async fn run(
    io: &mut Box<dyn Io>,
    request: &Request<'_>,
) -> Result<Upgraded, DialError> {
    let broken = |source: io::Error| DialError::Io {
        authority: request.host.into(),
        source: Arc::new(source),
    };
    let key = random_key().map_err(broken)?;
    io.write_all(request.text(&key).as_bytes()).await.map_err(broken)?;
    io.flush().await.map_err(broken)?;
    let mut read = Vec::with_capacity(2048);
    let head = answer::head(io, &mut read, request.secret, broken).await?;
    if head.status != 101 {
        return Err(answer::refusal(io, read, head, request.database, request.secret).await);
    }
    let protocol = check(&head, &key, request.secret)?;
    read.drain(..head.len);
    Ok(Upgraded { protocol, read })
}

/// Checks that the answer is the upgrade that was asked for; which protocol it chooses.
fn check(head: &Head, key: &str, token: Option<&str>) -> Result<Protocol, DialError> {
    if !head.is_upgrade || head.accept.as_deref() != Some(&accept_key(key)) {
        return Err(not_a_handshake("it does not prove that it read the request"));
    }
    // RFC 6455, section 4.1: what was not asked for changes what frames mean.
    if let Some(extensions) = &head.extensions {
        let named = answer::clean(extensions, token, 100);
        return Err(not_a_handshake(format!(
            "it uses the WebSocket extension `{named}`, which was not asked for"
        )));
    }
    match head.protocol.as_deref() {
        // What a server says that does not say: v2.
        None | Some("") => Ok(Protocol::V2),
        Some(name) => Protocol::from_subprotocol(name)
            .ok_or_else(|| DialError::Protocol(answer::clean(name, token, 100))),
    }
}

/// Proof of a server that it read the request with this key: for servers, and for tests.
///
/// # Source
///
/// RFC 6455, section 4.2.2.
pub fn accept_key(key: &str) -> String {
    const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key.as_bytes());
    hash.update(MAGIC);
    BASE64.encode(hash.finish().as_ref())
}

fn random_key() -> io::Result<String> {
    let mut key = [0; 16];
    let filled = SystemRandom::new().fill(&mut key);
    filled.map_err(|_| io::Error::other("the system has no random numbers"))?;
    Ok(BASE64.encode(&key))
}

impl Request<'_> {
    fn text(&self, key: &str) -> String {
        let Self { host, path, token, headers, .. } = self;
        let (v3, v2) = (Protocol::V3.subprotocol(), Protocol::V2.subprotocol());
        let authorization =
            token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        let own: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\
             Sec-WebSocket-Protocol: {v3}, {v2}\r\n{authorization}{own}\r\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proves_with_the_words_of_the_standard() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn every_request_has_a_key_of_its_own() {
        let (one, other) = (random_key().unwrap(), random_key().unwrap());
        assert_eq!((one.len(), one == other), (24, false));
    }
}
