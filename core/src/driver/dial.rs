//! Opening a socket: TCP, TLS, handshake.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::handshake;
use super::socket::{Io, Socket};
use crate::conn::{Dial, DialError, Endpoint, SubscribeParameters};
use crate::limits::Limits;
use crate::wire::Protocol;

/// A socket that is being opened.
pub type Dialing = Pin<Box<dyn Future<Output = Result<(Socket, Protocol), DialError>> + Send>>;

/// Opens sockets.
pub trait Dialer: Send + Sync + 'static {
    /// Opens one. The machine bounds how long that may take.
    fn dial(&self, dial: &Dial) -> Dialing;
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
}

/// Opens sockets over TCP, with TLS where the address says so.
#[derive(Debug, Clone)]
pub struct TcpDialer {
    options: Arc<DialOptions>,
    tls: Option<Arc<ClientConfig>>,
}

impl TcpDialer {
    /// A dialer that trusts the web's root certificates.
    ///
    /// # Errors
    ///
    /// Those of rustls, if its provider lacks the protocol versions that it needs.
    pub fn new(options: DialOptions) -> Result<Self, rustls::Error> {
        let tls = if options.endpoint.server().is_secure() { Some(web_tls()?) } else { None };
        Ok(Self { options: Arc::new(options), tls })
    }

    /// A dialer with TLS of your own making: other roots, or a certificate of the client's.
    pub fn with_tls(options: DialOptions, tls: Arc<ClientConfig>) -> Self {
        let tls = options.endpoint.server().is_secure().then_some(tls);
        Self { options: Arc::new(options), tls }
    }
}

impl Dialer for TcpDialer {
    fn dial(&self, dial: &Dial) -> Dialing {
        let Self { options, tls } = self.clone();
        let dial = dial.clone();
        Box::pin(async move {
            let io = connect(&options.endpoint, tls).await?;
            open(io, &options, &dial).await
        })
    }
}

/// TLS with the web's root certificates and no certificate of our own.
///
/// # Errors
///
/// Those of rustls, if its provider lacks the protocol versions that it needs.
pub fn web_tls() -> Result<Arc<ClientConfig>, rustls::Error> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

async fn connect(
    endpoint: &Endpoint,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Box<dyn Io>, DialError> {
    let server = endpoint.server();
    let unreachable = |source: io::Error| DialError::Io {
        authority: server.authority().into(),
        source: Arc::new(source),
    };
    let tcp = TcpStream::connect((server.host(), server.port())).await.map_err(unreachable)?;
    // A call is one small message that should leave at once.
    tcp.set_nodelay(true).map_err(unreachable)?;
    let Some(config) = tls else { return Ok(Box::new(tcp)) };
    let name = ServerName::try_from(server.host().to_owned())
        .map_err(|error| DialError::Tls(Arc::new(error)))?;
    match TlsConnector::from(config).connect(name, tcp).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
            Err(DialError::Tls(Arc::new(error)))
        }
        Err(error) => Err(unreachable(error)),
    }
}

/// Does the handshake over an open stream.
async fn open(
    mut io: Box<dyn Io>,
    options: &DialOptions,
    dial: &Dial,
) -> Result<(Socket, Protocol), DialError> {
    let endpoint = &options.endpoint;
    let path = endpoint.subscribe_path(&options.parameters, Some(dial.session_id));
    let (host, token) = (endpoint.server().authority(), dial.token.as_deref());
    let request = handshake::Request { host, path: &path, token };
    let upgraded = handshake::run(&mut io, &request).await?;
    let socket = Socket::open(io, upgraded.read, &options.limits).await;
    Ok((socket, upgraded.protocol))
}

/// A token cannot be put into an HTTP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the token has a character at byte {at} that no token has; is it the whole of what the server gave, and no more?"
)]
pub struct InvalidToken {
    /// Where the first such character is.
    pub at: usize,
}

/// Checks that a token can be presented: it is text without spaces or controls.
///
/// # Errors
///
/// [`InvalidToken`] otherwise.
pub fn check_token(token: &str) -> Result<(), InvalidToken> {
    match token.bytes().position(|byte| !byte.is_ascii_graphic()) {
        None if token.is_empty() => Err(InvalidToken { at: 0 }),
        None => Ok(()),
        Some(at) => Err(InvalidToken { at }),
    }
}
