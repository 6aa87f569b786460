//! Opening a socket: a stream of bytes and the handshake over it.

mod answer;
mod handshake;
mod proxy;
mod stream;
pub(super) mod tcp;
mod tls;

use std::fmt::Write as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use rustls::ClientConfig;

use self::stream::{Route, unreachable};
use crate::conn::{Dial, DialError, Endpoint, Server, SubscribeParameters};
use crate::driver::socket::{Io, Socket};
use crate::limits::Limits;
use crate::secret::check_token;
use crate::wire::Protocol;

pub use self::handshake::accept_key;
pub use self::proxy::{Proxy, ProxyError};
pub use self::stream::{RouteError, Streams};
pub use self::tls::{Tls, TlsError};

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
pub struct Opened {
    /// The socket.
    pub socket: Box<Socket>,
    /// Protocol of the socket.
    pub protocol: Protocol,
    /// The token to keep, where the socket was opened with one that stands in for it. The server's greeting names the
    /// latter.
    pub token: Option<Box<str>>,
}

/// Without the token.
impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("socket", &self.socket)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// A stream of bytes that is being opened.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Io>>> + Send>>;

/// Opens streams of bytes to a server.
pub trait Connect: Send + Sync + 'static {
    /// Opens one, without TLS.
    fn connect(&self, server: &Server) -> Connecting;
}

/// Parameters of a socket, for any dialer.
#[derive(Clone)]
pub struct DialOptions {
    /// Database.
    pub endpoint: Endpoint,
    /// Parameters of its address.
    pub parameters: SubscribeParameters,
    /// Limits on frames.
    pub limits: Limits,
    /// Headers of the application's own, which [`check_header`] lets through.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// The token goes into the address, and not into a header. Addresses are logged: it should be a short-lived one.
    pub token_in_query: bool,
}

/// Without the values of headers: some are secrets.
impl std::fmt::Debug for DialOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("DialOptions")
            .field("endpoint", &self.endpoint)
            .field("parameters", &self.parameters)
            .field("headers", &headers)
            .field("token_in_query", &self.token_in_query)
            .finish_non_exhaustive()
    }
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
    route: Route,
    /// Source of streams in place of TCP.
    connect: Option<Arc<dyn Connect>>,
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
        let route = Route::direct(options.endpoint.server(), tls)?;
        Ok(Self { options: Arc::new(options), route, connect: None })
    }

    /// A dialer over TCP, through a proxy.
    ///
    /// # Errors
    ///
    /// [`RouteError`] if the certificates or the proxy cannot be used.
    pub fn through(options: DialOptions, tls: &Tls, proxy: &Proxy) -> Result<Self, RouteError> {
        let route = Route::new(options.endpoint.server(), tls, proxy)?;
        Ok(Self { options: Arc::new(options), route, connect: None })
    }

    /// A dialer with TLS of your own making: other roots, or a certificate of the client's.
    pub fn with_tls(options: DialOptions, tls: Arc<ClientConfig>) -> Self {
        Self { options: Arc::new(options), route: Route::encrypted(tls), connect: None }
    }

    /// As before, and over streams of your own making: no proxy is asked for them.
    #[must_use]
    pub fn over(self, connect: Arc<dyn Connect>) -> Self {
        Self { connect: Some(connect), ..self }
    }
}

impl Dialer for StreamDialer {
    fn dial(&self, dial: &Dial) -> Dialing {
        let Self { options, route, connect } = self.clone();
        let dial = dial.clone();
        Box::pin(async move {
            let server = options.endpoint.server();
            let io = match connect {
                None => route.open(server).await?,
                Some(connect) => {
                    let connected = connect.connect(server).await;
                    let stream = connected.map_err(|source| unreachable(server, source))?;
                    route.encrypt(server, stream).await?
                }
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
        /// Beginning of what was given, up to what no name has: behind it there may be a value.
        name: Box<str>,
    },
    /// Its value has characters that no header has. They are not shown: it may be a secret.
    #[error("the value of the header `{name}` has characters that no header has")]
    Value {
        /// Header's name.
        name: Box<str>,
    },
    /// The handshake sets it itself.
    #[error("the handshake sets the header `{name}` itself")]
    Reserved {
        /// Header's name.
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
    let Ok(parsed) = parsed else { return Err(InvalidHeader::Name { name: beginning(name) }) };
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

/// The beginning of a name that is none.
fn beginning(name: &str) -> Box<str> {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    name.find(|letter: char| !is_letter(letter)).map_or(name, |end| &name[..end]).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Compression;

    #[test]
    fn headers_that_would_break_the_handshake_are_refused() {
        let name = Box::from;
        #[rustfmt::skip]
        let cases = [
            ("x-tenant", "blue", Ok(())),
            ("Cookie", "a=b; c=d", Ok(())),
            ("", "x", Err(InvalidHeader::Name { name: name("") })),
            ("a b", "x", Err(InvalidHeader::Name { name: name("a") })),
            ("Cookie: secret", "", Err(InvalidHeader::Name { name: name("Cookie") })),
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
    fn header_values_are_not_shown_by_debug() {
        let endpoint = Endpoint::new(Server::parse("http://host").unwrap(), "db").unwrap();
        let parameters = SubscribeParameters {
            compression: Compression::None,
            confirmed: None,
            connection_id: None,
        };
        let mut options = DialOptions::new(endpoint, parameters, Limits::DEFAULT);
        options.headers.push(("cookie".into(), "marker".into()));
        let shown = format!("{options:?}");
        assert!(shown.contains("cookie") && !shown.contains("marker"), "{shown}");
    }

    #[test]
    fn a_token_is_escaped_in_an_address() {
        let mut path = String::new();
        escape("a.b-c_d~e&f=g%h+i/j", &mut path);
        assert_eq!(path, "a.b-c_d~e%26f%3Dg%25h%2Bi%2Fj");
    }
}
