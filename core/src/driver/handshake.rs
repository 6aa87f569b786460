//! The client's side of the WebSocket handshake (RFC 6455, section 4.1).
//!
//! Done here and not by the WebSocket library because of what it does not let through: the whole body of a refusal,
//! and an answer that names no protocol, which means v2. Its hashing is `ring`'s, which TLS brings anyway.

use std::io;
use std::sync::Arc;

use data_encoding::BASE64;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::socket::Io;
use crate::conn::DialError;
use crate::wire::Protocol;

/// How large the head of an answer may be. Tokens travel in it, and proxies add their own.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How many headers an answer may have.
const MAX_HEADERS: usize = 128;
/// How much of a refusal's body is kept: the server's are a line of text.
const MAX_BODY_BYTES: usize = 4 * 1024;

/// What is asked for.
pub(super) struct Request<'a> {
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) token: Option<&'a str>,
    pub(super) headers: &'a [(Box<str>, Box<str>)],
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Upgraded {
    pub(super) protocol: Protocol,
    /// Bytes that were read beyond the answer: the first of the socket's.
    pub(super) read: Vec<u8>,
}

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    protocol: Option<Box<str>>,
    accept: Option<Box<str>>,
    is_upgrade: bool,
    content_length: Option<usize>,
    /// Where the body starts.
    len: usize,
}

/// Asks for the upgrade and reads the answer.
pub(super) async fn run(
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
    let head = loop {
        match parse(&read)? {
            Some(head) => break head,
            None if read.len() >= MAX_HEAD_BYTES => {
                return Err(not_a_handshake("its head is too large"));
            }
            None if io.read_buf(&mut read).await.map_err(broken)? == 0 => {
                // Whoever is there may be better in a moment: a server that starts, a proxy without one behind it.
                let cut_off = "the server hung up before it answered";
                return Err(broken(io::Error::new(io::ErrorKind::UnexpectedEof, cut_off)));
            }
            None => (),
        }
    };
    if head.status != 101 {
        return Err(DialError::Status { status: head.status, body: body(io, read, &head).await });
    }
    if !head.is_upgrade || head.accept.as_deref() != Some(&accept_key(&key)) {
        return Err(not_a_handshake("it does not prove that it read the request"));
    }
    let protocol = match head.protocol.as_deref() {
        // What a server says that does not say: v2.
        None | Some("") => Protocol::V2,
        Some(name) => {
            Protocol::from_subprotocol(name).ok_or_else(|| DialError::Protocol(name.into()))?
        }
    };
    read.drain(..head.len);
    Ok(Upgraded { protocol, read })
}

/// What a server proves with that it read the request with this key: for servers, and for tests.
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
        let Self { host, path, token, headers } = self;
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

/// Reads the head of an answer, if all of it is there.
fn parse(bytes: &[u8]) -> Result<Option<Head>, DialError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let len = match response.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(DialError::Handshake(Arc::new(error))),
    };
    let status = response.code.unwrap_or_default();
    let value = |name: &str| {
        let header =
            response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok().map(str::trim)
    };
    Ok(Some(Head {
        status,
        protocol: value("sec-websocket-protocol").map(Box::from),
        accept: value("sec-websocket-accept").map(Box::from),
        is_upgrade: value("upgrade").is_some_and(|name| name.eq_ignore_ascii_case("websocket")),
        content_length: value("content-length").and_then(|length| length.parse().ok()),
        len,
    }))
}

/// The start of a refusal's body, as text. What cannot be read of it is left out: the status counts.
async fn body(io: &mut Box<dyn Io>, mut read: Vec<u8>, head: &Head) -> Box<str> {
    let wanted = head.content_length.unwrap_or(0).min(MAX_BODY_BYTES);
    while read.len() - head.len < wanted {
        match io.read_buf(&mut read).await {
            Ok(0) | Err(_) => break,
            Ok(_) => (),
        }
    }
    let body = &read[head.len..];
    String::from_utf8_lossy(&body[..body.len().min(MAX_BODY_BYTES)]).trim().into()
}

fn not_a_handshake(why: &'static str) -> DialError {
    DialError::Handshake(Arc::new(io::Error::new(io::ErrorKind::InvalidData, why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_head_of_an_upgrade() {
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nUPGRADE: WebSocket\r\n\
            sec-websocket-accept: abc\r\nSec-WebSocket-Protocol: v3.bsatn.spacetimedb\r\n\r\n\x89\0";
        let head = parse(answer).unwrap().unwrap();
        assert_eq!(
            head,
            Head {
                status: 101,
                protocol: Some("v3.bsatn.spacetimedb".into()),
                accept: Some("abc".into()),
                is_upgrade: true,
                content_length: None,
                len: answer.len() - 2,
            }
        );
    }

    #[test]
    fn waits_for_the_rest_of_a_head_cut_anywhere() {
        let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\n";
        for len in 0..answer.len() {
            assert_eq!(parse(&answer[..len]).unwrap(), None, "{len}");
        }
    }

    #[test]
    fn proves_with_the_words_of_the_standard() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn every_request_has_a_key_of_its_own() {
        let (one, other) = (random_key().unwrap(), random_key().unwrap());
        assert_eq!((one.len(), one == other), (24, false));
    }

    #[test]
    fn rejects_what_is_not_http() {
        assert!(matches!(parse(b"SSH-2.0-OpenSSH_9.2\r\n"), Err(DialError::Handshake(_))));
    }
}
