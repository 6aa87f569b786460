//! As much HTTP/1.1 as the server's routes and the WebSocket handshake need.
//!
//! By hand and not by a framework: the handshake has to be refused, broken and cut in ways that no framework offers, and
//! the few routes are smaller than what would have to be configured.

pub(crate) mod routes;
#[cfg(feature = "http")]
mod schema;
#[cfg(feature = "http")]
mod sql;

use std::fmt::Write as _;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The largest head of a request that is read, in bytes.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// The largest body of a request that is read, in bytes.
const MAX_BODY_BYTES: usize = 32 << 20;

/// A request as it was read.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path's parts, decoded.
    pub(crate) path: Vec<String>,
    query: Vec<(String, String)>,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Result of reading a request.
#[derive(Debug)]
pub(crate) enum Incoming {
    Request(Request),
    /// The peer ended the connection, or it broke.
    End,
    /// It is no request that this server understands.
    Bad(Response),
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Request {
    /// The header called `name`, which is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns `true` if the list in the header `name` has the element `token`, in any case.
    pub(crate) fn header_has(&self, name: &str, token: &str) -> bool {
        let values = self.headers.iter().filter(|(known, _)| known == name);
        values
            .flat_map(|(_, value)| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(token))
    }

    /// All elements of the lists in the headers called `name`.
    pub(crate) fn header_list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.headers.iter().filter(move |(known, _)| known == name);
        values.flat_map(|(_, value)| value.split(',')).map(str::trim)
    }

    /// The query's parameter called `name`.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Reads one request; `buffer` has what was read before, and keeps what follows it.
    pub(crate) async fn read(
        stream: &mut (impl AsyncRead + Unpin),
        buffer: &mut Vec<u8>,
    ) -> Incoming {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if buffer.len() > MAX_HEAD_BYTES {
                return Incoming::Bad(Response::text(431, "Request Header Fields Too Large"));
            }
            match stream.read_buf(buffer).await {
                Ok(0) | Err(_) => return Incoming::End,
                Ok(_) => {}
            }
        };
        let head = buffer.drain(..end + 4).collect::<Vec<_>>();
        let Some(mut request) = std::str::from_utf8(&head).ok().and_then(Self::parse) else {
            return Incoming::Bad(Response::text(400, "Bad Request"));
        };
        match request.read_body(stream, buffer).await {
            Ok(()) => Incoming::Request(request),
            Err(incoming) => incoming,
        }
    }

    /// Reads the body, whether or not the route wants one.
    async fn read_body(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        buffer: &mut Vec<u8>,
    ) -> Result<(), Incoming> {
        if self.header("transfer-encoding").is_some() {
            return Err(Incoming::Bad(Response::text(411, "Length Required")));
        }
        let length = self.header("content-length").map_or(Ok(0), str::parse::<usize>);
        let length = length.map_err(|_| Incoming::Bad(Response::text(400, "Bad Request")))?;
        if length > MAX_BODY_BYTES {
            return Err(Incoming::Bad(Response::text(413, "Payload Too Large")));
        }
        while buffer.len() < length {
            match stream.read_buf(buffer).await {
                Ok(0) | Err(_) => return Err(Incoming::End),
                Ok(_) => {}
            }
        }
        self.body = buffer.drain(..length).collect();
        Ok(())
    }

    fn parse(head: &str) -> Option<Self> {
        let mut lines = head.trim_end().split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, target, version) = (first.next()?, first.next()?, first.next()?);
        if first.next().is_some() || !version.starts_with("HTTP/1.") || !target.starts_with('/') {
            return None;
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        Some(Self {
            method: method.to_owned(),
            path: path.split('/').skip(1).map(percent_decode).collect(),
            query: query
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| {
                    (percent_decode(name), percent_decode(&value.replace('+', " ")))
                })
                .collect(),
            headers: headers.collect::<Option<_>>()?,
            body: Vec::new(),
        })
    }
}

/// Undoes `%20`; what is no such escape stays as it is.
fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after
            .get(..2)
            .filter(|_| first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Response {
    /// Nothing but a status.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    pub(crate) fn text(status: u16, body: impl Into<String>) -> Self {
        let headers = vec![("content-type", "text/plain; charset=utf-8".to_owned())];
        Self { status, headers, body: body.into() }
    }

    pub(crate) fn json(body: impl Into<String>) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.into(),
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// Writes the response; the connection can take another request if `keep_alive`.
    pub(crate) async fn write(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
        keep_alive: bool,
    ) -> std::io::Result<()> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            // Writing to a string does not fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if self.status != 101 {
            let connection = if keep_alive { "keep-alive" } else { "close" };
            let _ =
                write!(head, "content-length: {}\r\nconnection: {connection}\r\n", self.body.len());
        }
        head.push_str("\r\n");
        head.push_str(&self.body);
        stream.write_all(head.as_bytes()).await?;
        stream.flush().await
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        426 => "Upgrade Required",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        // The reason is only for people.
        _ => "Status",
    }
}
