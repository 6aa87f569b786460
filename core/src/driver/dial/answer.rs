//! Answers to a handshake, and to a proxy's: heads, and what of a refusal can be shown.
//!
//! What is shown is cleaned: a head is never quoted, because tokens travel in it, and in bodies and locations the token
//! that was presented is left out, should whoever answers repeat it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::io::AsyncReadExt;

use crate::conn::{AnswerOrigin, DialError};
use crate::driver::socket::Io;
use crate::secret::{hide, mask_uri};

/// Largest head of an answer. Tokens travel in it, and proxies add their own.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Most headers of an answer.
const MAX_HEADERS: usize = 128;
/// Most interim answers (1xx) before the one that counts.
const MAX_INTERIM: usize = 16;
/// Bytes of a refusal's body that are kept: the server's are a line of text.
const MAX_BODY_BYTES: usize = 4 * 1024;
/// Bytes of a location that are kept.
const MAX_LOCATION_CHARS: usize = 1024;
/// Longest time that the body of a refusal may take: the status is what counts.
const BODY_PATIENCE: Duration = Duration::from_secs(1);

/// The head of an answer.
#[derive(Debug, PartialEq, Eq, Default)]
pub(in crate::driver) struct Head {
    pub(in crate::driver) status: u16,
    pub(in crate::driver) protocol: Option<Box<str>>,
    pub(in crate::driver) accept: Option<Box<str>>,
    pub(in crate::driver) is_upgrade: bool,
    pub(in crate::driver) extensions: Option<Box<str>>,
    content_length: Option<usize>,
    is_chunked: bool,
    location: Option<Box<str>>,
    retry_after: Option<Duration>,
    /// Has a header that only SpacetimeDB sends.
    has_mark: bool,
    /// Has a header that SpacetimeDB does not send: it is HTML, or asks for a sign-in of HTTP's own.
    has_foreign_mark: bool,
    /// Offset of the body.
    pub(in crate::driver) len: usize,
}

/// Reads the head of the answer that counts; `read` begins with it then.
pub(in crate::driver) async fn head(
    io: &mut Box<dyn Io>,
    read: &mut Vec<u8>,
    token: Option<&str>,
    broken: impl Fn(io::Error) -> DialError,
) -> Result<Head, DialError> {
    for _ in 0..=MAX_INTERIM {
        let head = one_head(io, read, token, &broken).await?;
        if !(100..200).contains(&head.status) || head.status == 101 {
            return Ok(head);
        }
        read.drain(..head.len);
    }
    Err(not_a_handshake("it gives interim answers (1xx) without end"))
}

async fn one_head(
    io: &mut Box<dyn Io>,
    read: &mut Vec<u8>,
    token: Option<&str>,
    broken: impl Fn(io::Error) -> DialError,
) -> Result<Head, DialError> {
    loop {
        match parse(read, token)? {
            Some(head) => return Ok(head),
            None if read.len() >= MAX_HEAD_BYTES => {
                return Err(not_a_handshake("its head is too large"));
            }
            None if io.read_buf(read).await.map_err(&broken)? == 0 => {
                // Whoever is there may be better in a moment: a server that starts, a proxy without one behind it.
                let cut_off = "the server hung up before it answered";
                return Err(broken(io::Error::new(io::ErrorKind::UnexpectedEof, cut_off)));
            }
            None => (),
        }
    }
}

/// Reads the head of an answer, if all of it is there.
fn parse(bytes: &[u8], token: Option<&str>) -> Result<Option<Head>, DialError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let len = match response.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(no_http(bytes, token, error)),
    };
    let status = response.code.unwrap_or_default();
    let value = |name: &str| {
        let header =
            response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok().map(str::trim)
    };
    let has = |name: &str, part: &str| {
        value(name).is_some_and(|value| value.to_ascii_lowercase().contains(part))
    };
    Ok(Some(Head {
        status,
        protocol: value("sec-websocket-protocol").map(Box::from),
        accept: value("sec-websocket-accept").map(Box::from),
        is_upgrade: value("upgrade").is_some_and(|name| name.eq_ignore_ascii_case("websocket")),
        extensions: value("sec-websocket-extensions").filter(|it| !it.is_empty()).map(Box::from),
        content_length: value("content-length").and_then(|length| length.parse().ok()),
        is_chunked: has("transfer-encoding", "chunked"),
        location: value("location").map(Box::from),
        retry_after: value("retry-after").and_then(|text| retry_after(text, value("date"))),
        has_mark: value("spacetime-identity").is_some(),
        has_foreign_mark: has("content-type", "html")
            || value("www-authenticate").or_else(|| value("proxy-authenticate")).is_some(),
        len,
    }))
}

/// Reads `Retry-After`: seconds, or a date. A date is compared with that of the answer, whose clock it is of.
///
/// # Source
///
/// RFC 9110, section 10.2.3.
#[expect(clippy::disallowed_methods, reason = "this is the driver")]
fn retry_after(text: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let now = date.and_then(|date| httpdate::parse_http_date(date).ok());
    Some(until.duration_since(now.unwrap_or_else(SystemTime::now)).unwrap_or_default())
}

/// Refusal with an answer of another status: reads the rest of it, as far as it is worth it.
pub(in crate::driver) async fn refusal(
    io: &mut Box<dyn Io>,
    read: Vec<u8>,
    head: Head,
    database: &str,
    token: Option<&str>,
) -> DialError {
    let body = body(io, read, &head).await;
    let body = String::from_utf8_lossy(&body);
    let location = head.location.as_deref();
    let location = location.map(|location| clean(&mask_uri(location), token, MAX_LOCATION_CHARS));
    DialError::Status {
        status: head.status,
        origin: origin(&head, body.trim(), database),
        body: clean(&body, token, MAX_BODY_BYTES),
        location,
        retry_after: head.retry_after,
    }
}

/// Origin of an answer, by what only SpacetimeDB or what it never sends.
///
/// # Source
///
/// A server's routes of a database send `spacetime-identity` with every status, once they know who asks; an unknown
/// database is 404 with one of two texts. Its other refusals are plain text, it never redirects, and it answers a
/// handshake with no success but 101.
fn origin(head: &Head, body: &str, database: &str) -> AnswerOrigin {
    let has_no_database = body == "No such database."
        || body.strip_prefix('`').and_then(|rest| rest.strip_suffix("` not found"))
            == Some(database);
    if head.has_mark || head.status == 404 && has_no_database {
        AnswerOrigin::Server
    } else if head.has_foreign_mark
        || body.starts_with('<')
        || (200..400).contains(&head.status)
        || matches!(head.status, 407 | 511)
    {
        AnswerOrigin::Elsewhere
    } else {
        AnswerOrigin::Unknown
    }
}

/// The start of a refusal's body. What cannot be read of it in time is left out.
async fn body(io: &mut Box<dyn Io>, mut read: Vec<u8>, head: &Head) -> Vec<u8> {
    let rest = async {
        while !is_enough(&read[head.len..], head) {
            match io.read_buf(&mut read).await {
                Ok(0) | Err(_) => break,
                Ok(_) => (),
            }
        }
    };
    let _ = tokio::time::timeout(BODY_PATIENCE, rest).await;
    let mut body = match &read[head.len..] {
        body if head.is_chunked => chunks(body).0,
        body => body[..body.len().min(head.content_length.unwrap_or(usize::MAX))].to_vec(),
    };
    body.truncate(MAX_BODY_BYTES);
    body
}

fn is_enough(body: &[u8], head: &Head) -> bool {
    // A body without a length ends with the connection.
    let whole = head.content_length.is_some_and(|length| body.len() >= length);
    body.len() >= MAX_BODY_BYTES || if head.is_chunked { chunks(body).1 } else { whole }
}

/// Received part of a body in chunks, and whether that is all of it.
fn chunks(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((start, len))) = httparse::parse_chunk_size(rest) else {
            // Nonsense does not get better.
            return (body, httparse::parse_chunk_size(rest).is_err());
        };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len == 0 {
            return (body, true);
        }
        let chunk = &rest[start..];
        body.extend_from_slice(&chunk[..chunk.len().min(len)]);
        match chunk.get(len..).and_then(|rest| rest.get(2..)) {
            Some(next) => rest = next,
            None => return (body, false),
        }
    }
}

/// One line of visible characters, without the token, and of so many characters at most before they are escaped.
pub(in crate::driver) fn clean(text: &str, token: Option<&str>, max_chars: usize) -> Box<str> {
    let text = hide(text, token);
    let mut line = String::new();
    for letter in text.trim().chars().take(max_chars) {
        match letter {
            '"' | '\'' | '\\' => line.push(letter),
            space if space.is_whitespace() && line.ends_with(' ') => (),
            space if space.is_whitespace() => line.push(' '),
            letter => line.extend(letter.escape_debug()),
        }
    }
    line.into()
}

pub(in crate::driver) fn not_a_handshake(why: impl Into<Box<str>>) -> DialError {
    let why = String::from(why.into());
    DialError::Handshake(Arc::new(io::Error::new(io::ErrorKind::InvalidData, why)))
}

/// Error for an answer that is not HTTP. Its beginning tells what it is, unless it is HTTP up to something, and may hold a token.
fn no_http(bytes: &[u8], token: Option<&str>, error: httparse::Error) -> DialError {
    const SHOWN: usize = 40;
    if bytes.starts_with(b"HTTP/") {
        return not_a_handshake(format!("its head is no HTTP: {error}"));
    }
    // The token is looked for in more than is shown: what is cut off within it would not be found.
    let start = String::from_utf8_lossy(bytes);
    not_a_handshake(format!("it is no HTTP and begins with `{}`", clean(&start, token, SHOWN)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head_of(lines: &str) -> Head {
        parse(format!("HTTP/1.1 {lines}\r\n\r\n").as_bytes(), None).unwrap().unwrap()
    }

    #[test]
    fn reads_the_head_of_an_upgrade() {
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nUPGRADE: WebSocket\r\n\
            sec-websocket-accept: abc\r\nSec-WebSocket-Protocol: v3.bsatn.spacetimedb\r\n\r\n\x89\0";
        let head = parse(answer, None).unwrap().unwrap();
        assert_eq!(
            head,
            Head {
                status: 101,
                protocol: Some("v3.bsatn.spacetimedb".into()),
                accept: Some("abc".into()),
                is_upgrade: true,
                len: answer.len() - 2,
                ..Head::default()
            }
        );
    }

    #[test]
    fn partial_head_waits_at_every_cut() {
        let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\n";
        for len in 0..answer.len() {
            assert_eq!(parse(&answer[..len], None).unwrap(), None, "{len}");
        }
    }

    #[test]
    fn answer_without_http_is_refused_and_quoted() {
        let error = parse(b"SSH-2.0-OpenSSH_9.2\r\n", None).unwrap_err();
        let why = error.to_string();
        assert!(why.contains("SSH-2.0"), "{why}");
        let error =
            parse(b"HTTP/1.1 101 x\r\nspacetime-identity-token: secret\r\n\x01: 1\r\n\r\n", None);
        let why = error.unwrap_err().to_string();
        assert!(!why.contains("secret"), "{why}");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let wait = |lines: &str| head_of(lines).retry_after;
        assert_eq!(wait("503 x\r\nretry-after: 120"), Some(Duration::from_secs(120)));
        let date = "503 x\r\nDate: Mon, 30 Nov 2026 10:00:00 GMT\r\n\
            Retry-After: Mon, 30 Nov 2026 10:00:07 GMT";
        assert_eq!(wait(date), Some(Duration::from_secs(7)));
        let past = "503 x\r\nRetry-After: Mon, 30 Nov 2015 10:00:07 GMT";
        assert_eq!(wait(past), Some(Duration::ZERO));
        assert_eq!(wait("503 x\r\nretry-after: soon"), None);
        assert_eq!(wait("503 x\r\nretry-after: -1"), None);
    }

    #[test]
    fn the_servers_own_refusals_are_told_from_others() {
        use AnswerOrigin::{Elsewhere, Server, Unknown};
        let identity = "\r\nspacetime-identity: c200";
        #[rustfmt::skip]
        let cases = [
            ("404 x", "`chat` not found", Server),
            ("404 x", "No such database.", Server),
            ("404 x\r\nspacetime-identity: c200", "gone", Server),
            ("404 x", "`other` not found", Unknown),
            ("404 x\r\ncontent-type: text/plain", "404 page not found", Unknown),
            ("404 x\r\ncontent-type: text/html", "gone", Elsewhere),
            ("401 x", "Invalid token: InvalidToken", Unknown),
            ("401 x\r\nWWW-Authenticate: Basic realm=\"hotel\"", "", Elsewhere),
            ("403 x", "<!doctype html><title>Sign in</title>", Elsewhere),
            ("302 x\r\nLocation: http://portal", "", Elsewhere),
            ("200 x", "ok", Elsewhere),
            ("503 x", "", Unknown),
        ];
        for (lines, body, want) in cases {
            assert_eq!(origin(&head_of(lines), body, "chat"), want, "{lines}: {body}");
        }
        assert_eq!(origin(&head_of(&format!("500 x{identity}")), "", "chat"), Server);
    }

    #[test]
    fn chunked_body_is_joined_as_far_as_received() {
        let whole = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
        assert_eq!(chunks(whole), (b"hello world".to_vec(), true));
        for end in 0..whole.len() - 4 {
            let (body, done) = chunks(&whole[..end]);
            assert!(b"hello world".starts_with(&body) && !done, "{end}");
        }
        assert_eq!(chunks(b"zz\r\n"), (Vec::new(), true));
    }

    #[test]
    fn quoted_answer_has_no_controls_and_no_token() {
        let text = "one\r\n\x1b[31mred\u{202e} \"a.b.c\" it's";
        let shown = clean(text, Some("a.b.c"), 100);
        assert_eq!(&*shown, "one \\u{1b}[31mred\\u{202e} \"***\" it's");
    }
}
