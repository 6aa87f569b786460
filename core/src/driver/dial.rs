//! Opening a socket: a stream of bytes, TLS, handshake.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::handshake;
use super::socket::{Io, Socket};
use super::tls::{Tls, TlsError};
use crate::conn::{Dial, DialError, Endpoint, Server, SubscribeParameters};
use crate::limits::Limits;
use crate::secret::check_token;
use crate::wire::Protocol;

/// A socket that is being opened.
pub type Dialing = Pin<Box<dyn Future<Output = Result<Opened, DialError>> + Send>>;

/// Opens sockets.
pub trait Dialer: Send + Sync + 'static {
    /// Opens one. The machine bounds how long that may take.
    fn dial(&self, dial: &Dial) -> Dialing;
}

impl<D: Dialer + ?Sized> Dialer for Arc<D> {
    fn dial(&self, dial: &Dial) -> Dialing {
        (**self).dial(dial)
    }
}

/// An open socket.
#[derive(Debug)]
pub struct Opened {
    /// The socket.
    pub socket: Box<Socket>,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// The token to keep, where the socket was opened with one that stands in for it. The server's greeting names the
    /// latter.
    pub token: Option<Box<str>>,
}

/// A stream of bytes that is being opened.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Io>>> + Send>>;

/// Opens streams of bytes to a server.
pub trait Connect: Send + Sync + 'static {
    /// Opens one, without TLS.
    fn connect(&self, server: &Server) -> Connecting;
}

/// What a socket is opened with, whoever opens it.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// Which database.
    pub endpoint: Endpoint,
    /// What its address says besides.
    pub parameters: SubscribeParameters,
    /// How much a frame may hold.
    pub limits: Limits,
    /// Headers of the application's own, which [`check_header`] lets through.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// The token goes into the address, and not into a header. Addresses are logged: it should be a short-lived one.
    pub token_in_query: bool,
}

impl DialOptions {
    /// No headers of the application's own, and the token in a header.
    pub fn new(endpoint: Endpoint, parameters: SubscribeParameters, limits: Limits) -> Self {
        Self { endpoint, parameters, limits, headers: Vec::new(), token_in_query: false }
    }
}

/// Opens sockets over streams of bytes, with TLS where the address says so.
#[derive(Clone)]
pub struct StreamDialer {
    options: Arc<DialOptions>,
    tls: Option<Arc<ClientConfig>>,
    connect: Arc<dyn Connect>,
}

impl StreamDialer {
    /// A dialer over TCP that trusts the web's root certificates.
    ///
    /// # Errors
    ///
    /// As [`Tls::config`].
    pub fn new(options: DialOptions) -> Result<Self, TlsError> {
        Self::with(options, &Tls::new())
    }

    /// A dialer over TCP that trusts whom `tls` says.
    ///
    /// # Errors
    ///
    /// As [`Tls::config`].
    pub fn with(options: DialOptions, tls: &Tls) -> Result<Self, TlsError> {
        let is_secure = options.endpoint.server().is_secure();
        let tls = if is_secure { Some(tls.config()?) } else { None };
        Ok(Self { options: Arc::new(options), tls, connect: Arc::new(Tcp) })
    }

    /// A dialer with TLS of your own making: other roots, or a certificate of the client's.
    pub fn with_tls(options: DialOptions, tls: Arc<ClientConfig>) -> Self {
        let tls = options.endpoint.server().is_secure().then_some(tls);
        Self { options: Arc::new(options), tls, connect: Arc::new(Tcp) }
    }

    /// As before, and over streams of your own making.
    #[must_use]
    pub fn over(self, connect: Arc<dyn Connect>) -> Self {
        Self { connect, ..self }
    }
}

impl Dialer for StreamDialer {
    fn dial(&self, dial: &Dial) -> Dialing {
        let Self { options, tls, connect } = self.clone();
        let dial = dial.clone();
        Box::pin(async move {
            let server = options.endpoint.server();
            let connected = connect.connect(server).await;
            let stream = connected.map_err(|source| unreachable(server, source))?;
            let io = match tls {
                Some(config) => encrypt(server, config, stream).await?,
                None => stream,
            };
            open(io, &options, &dial).await
        })
    }
}

impl std::fmt::Debug for StreamDialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamDialer")
            .field("endpoint", &self.options.endpoint)
            .finish_non_exhaustive()
    }
}

struct Tcp;

impl Connect for Tcp {
    fn connect(&self, server: &Server) -> Connecting {
        let (host, port) = (server.host().to_owned(), server.port());
        Box::pin(async move {
            let stream = with_io(TcpStream::connect((&*host, port))).await?;
            // A call is one small message that should leave at once.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Io>)
        })
    }
}

/// Does what needs the runtime's I/O. A runtime without any panics then, and there is no way to ask before.
async fn with_io<T>(connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let mut connecting = pin!(connecting);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| connecting.as_mut().poll(cx)));
        // It is not polled again after a panic.
        polled.unwrap_or_else(|_| {
            let why = "the tokio runtime has no I/O: build it with `enable_io` or `enable_all`";
            Poll::Ready(Err(io::Error::new(io::ErrorKind::Unsupported, why)))
        })
    })
    .await
}

fn unreachable(server: &Server, source: io::Error) -> DialError {
    DialError::Io { authority: server.authority().into(), source: Arc::new(source) }
}

async fn encrypt(
    server: &Server,
    config: Arc<ClientConfig>,
    stream: Box<dyn Io>,
) -> Result<Box<dyn Io>, DialError> {
    let name = ServerName::try_from(server.host().to_owned())
        .map_err(|error| DialError::Tls(Arc::new(error)))?;
    match TlsConnector::from(config).connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
            Err(DialError::Tls(Arc::new(error)))
        }
        Err(error) => Err(unreachable(server, error)),
    }
}

/// Does the handshake over an open stream.
async fn open(
    mut io: Box<dyn Io>,
    options: &DialOptions,
    dial: &Dial,
) -> Result<Opened, DialError> {
    check_request(options, dial)?;
    let endpoint = &options.endpoint;
    let mut path = endpoint.subscribe_path(&options.parameters, Some(dial.session_id));
    let secret = dial.token.as_deref();
    let mut token = secret;
    if options.token_in_query
        && let Some(token) = token.take()
    {
        path.push_str("&token=");
        escape(token, &mut path);
    }
    let host = endpoint.server().authority();
    let (database, headers) = (endpoint.database(), &options.headers);
    let request = handshake::Request { host, path: &path, database, token, secret, headers };
    let upgraded = handshake::run(&mut io, &request).await?;
    let socket = Socket::open(io, upgraded.read, &options.limits).await;
    Ok(Opened { socket: Box::new(socket), protocol: upgraded.protocol, token: None })
}

/// The last gate before bytes are written, whoever the token and the headers are from: neither may end its line and begin
/// another.
fn check_request(options: &DialOptions, dial: &Dial) -> Result<(), DialError> {
    for (name, value) in &options.headers {
        check_header(name, value).map_err(|error| DialError::Request(Arc::new(error)))?;
    }
    match dial.token.as_deref().map(check_token) {
        Some(Err(error)) => Err(DialError::NoToken(Arc::new(error))),
        _ => Ok(()),
    }
}

/// Writes a text as a value of a query.
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

/// A header cannot be sent with the handshake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHeader {
    /// Its name is none.
    #[error("`{name}` is no name of a header")]
    Name {
        /// What was given.
        name: Box<str>,
    },
    /// Its value has characters that no header has. They are not shown: it may be a secret.
    #[error("the value of the header `{name}` has characters that no header has")]
    Value {
        /// Whose value.
        name: Box<str>,
    },
    /// The handshake sets it itself.
    #[error("the handshake sets the header `{name}` itself")]
    Reserved {
        /// Which one.
        name: Box<str>,
    },
}

/// Checks that a header can be sent with the handshake.
///
/// # Errors
///
/// [`InvalidHeader`] otherwise.
pub fn check_header(name: &str, value: &str) -> Result<(), InvalidHeader> {
    let parsed = http::HeaderName::from_bytes(name.as_bytes());
    let Ok(parsed) = parsed else { return Err(InvalidHeader::Name { name: name.into() }) };
    let parsed = parsed.as_str();
    let own =
        ["host", "connection", "upgrade", "authorization", "content-length", "transfer-encoding"];
    if own.contains(&parsed) || parsed.starts_with("sec-websocket-") {
        return Err(InvalidHeader::Reserved { name: name.into() });
    }
    match http::HeaderValue::from_str(value) {
        Ok(_) => Ok(()),
        Err(_) => Err(InvalidHeader::Value { name: name.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_would_break_the_handshake_are_refused() {
        let name = Box::from;
        #[rustfmt::skip]
        let cases = [
            ("x-tenant", "blue", Ok(())),
            ("Cookie", "a=b; c=d", Ok(())),
            ("", "x", Err(InvalidHeader::Name { name: name("") })),
            ("a b", "x", Err(InvalidHeader::Name { name: name("a b") })),
            ("a", "x\r\nHost: other", Err(InvalidHeader::Value { name: name("a") })),
            ("HOST", "x", Err(InvalidHeader::Reserved { name: name("HOST") })),
            ("Sec-WebSocket-Protocol", "x", Err(InvalidHeader::Reserved { name: name("Sec-WebSocket-Protocol") })),
            ("Authorization", "Bearer x", Err(InvalidHeader::Reserved { name: name("Authorization") })),
        ];
        for (name, value, want) in cases {
            assert_eq!(check_header(name, value), want, "{name}: {value}");
        }
    }

    #[test]
    fn a_token_is_escaped_in_an_address() {
        let mut path = String::new();
        escape("a.b-c_d~e&f=g%h+i/j", &mut path);
        assert_eq!(path, "a.b-c_d~e%26f%3Dg%25h%2Bi%2Fj");
    }
}
