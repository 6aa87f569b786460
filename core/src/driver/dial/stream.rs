//! Opening a stream of bytes to a server: TCP, a tunnel through a proxy, TLS.

use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::answer::{self, not_a_handshake};
use super::proxy::{Hop, Proxy, ProxyError};
use super::tcp::Tcp;
use super::tls::{Tls, TlsError};
use crate::conn::{DialError, Server};
use crate::driver::socket::Io;

/// Route of a server's streams: its proxy, and the certificates that are trusted.
#[derive(Clone)]
pub(in crate::driver) struct Route {
    hop: Option<Arc<Hop>>,
    tls: Option<Arc<ClientConfig>>,
}

/// Reason for which no stream can be opened to a server, ever.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The certificates that are to be trusted are not valid.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The proxy cannot be one.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
}

impl Route {
    pub(in crate::driver) fn new(
        server: &Server,
        tls: &Tls,
        proxy: &Proxy,
    ) -> Result<Self, RouteError> {
        let hop = proxy.hop(server)?;
        let is_secure =
            server.is_secure() || hop.as_ref().is_some_and(|hop| hop.server.is_secure());
        let tls = if is_secure { Some(tls.config()?) } else { None };
        Ok(Self { hop, tls })
    }

    /// No proxy.
    pub(in crate::driver) fn direct(server: &Server, tls: &Tls) -> Result<Self, TlsError> {
        let tls = if server.is_secure() { Some(tls.config()?) } else { None };
        Ok(Self { hop: None, tls })
    }

    /// No proxy, and TLS of the caller's making.
    pub(in crate::driver) fn encrypted(tls: Arc<ClientConfig>) -> Self {
        Self { hop: None, tls: Some(tls) }
    }

    /// Opens a stream.
    pub(in crate::driver) async fn open(&self, server: &Server) -> Result<Box<dyn Io>, DialError> {
        let stream = match &self.hop {
            Some(hop) => self.through(hop, server).await.map_err(|source| DialError::Proxy {
                proxy: hop.server.authority().into(),
                source: Arc::new(source),
            })?,
            None => tcp(server).await?,
        };
        self.encrypt(server, stream).await
    }

    /// Encrypts an open stream, where the server's address says so.
    pub(in crate::driver) async fn encrypt(
        &self,
        server: &Server,
        stream: Box<dyn Io>,
    ) -> Result<Box<dyn Io>, DialError> {
        match &self.tls {
            Some(config) if server.is_secure() => encrypt(server, config, stream).await,
            _ => Ok(stream),
        }
    }

    async fn through(&self, hop: &Hop, server: &Server) -> Result<Box<dyn Io>, DialError> {
        let stream = tcp(&hop.server).await?;
        let mut stream = self.encrypt(&hop.server, stream).await?;
        tunnel(&mut stream, hop, server).await?;
        Ok(stream)
    }
}

/// Opens streams to one server as its clients do: through a proxy, and encrypted where its address says so.
#[derive(Clone)]
pub struct Streams {
    server: Server,
    route: Route,
}

impl Streams {
    /// Streams to `server`.
    ///
    /// # Errors
    ///
    /// [`RouteError`] if the certificates or the proxy cannot be used.
    pub fn new(server: Server, tls: &Tls, proxy: &Proxy) -> Result<Self, RouteError> {
        let route = Route::new(&server, tls, proxy)?;
        Ok(Self { server, route })
    }

    /// Opens one.
    ///
    /// # Errors
    ///
    /// [`DialError`] if that is not possible now.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the stream.
    pub async fn open(&self) -> Result<Box<dyn Io>, DialError> {
        self.route.open(&self.server).await
    }
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").field("server", &self.server).finish_non_exhaustive()
    }
}

async fn tcp(server: &Server) -> Result<Box<dyn Io>, DialError> {
    let connecting = TcpStream::connect((server.host(), server.port()));
    let stream = with_io(connecting).await.map_err(|source| unreachable(server, source))?;
    // A call is one small message that should leave at once.
    stream.set_nodelay(true).map_err(|source| unreachable(server, source))?;
    Ok(Box::new(Tcp::new(stream)))
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

pub(in crate::driver) fn unreachable(server: &Server, source: io::Error) -> DialError {
    DialError::Io { authority: server.authority().into(), source: Arc::new(source) }
}

async fn encrypt(
    server: &Server,
    config: &Arc<ClientConfig>,
    stream: Box<dyn Io>,
) -> Result<Box<dyn Io>, DialError> {
    let name = ServerName::try_from(server.host().to_owned())
        .map_err(|error| DialError::Tls(Arc::new(error)))?;
    match TlsConnector::from(Arc::clone(config)).connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
            Err(DialError::Tls(Arc::new(error)))
        }
        Err(error) => Err(unreachable(server, error)),
    }
}

/// Asks a proxy for a tunnel.
///
/// # Source
///
/// RFC 9110, section 9.3.6.
async fn tunnel(stream: &mut Box<dyn Io>, hop: &Hop, server: &Server) -> Result<(), DialError> {
    let broken = |source| unreachable(&hop.server, source);
    let target = match server.host() {
        host if host.contains(':') => format!("[{host}]:{}", server.port()),
        host => format!("{host}:{}", server.port()),
    };
    let authorization = hop.authorization.as_ref();
    let authorization =
        authorization.map_or_else(String::new, |value| format!("Proxy-Authorization: {value}\r\n"));
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut read = Vec::with_capacity(1024);
    let head = answer::head(stream, &mut read, None, broken).await?;
    if !(200..300).contains(&head.status) {
        return Err(answer::refusal(stream, read, head, "", None).await);
    }
    // In the tunnel we are the first to speak.
    if read.len() > head.len {
        return Err(not_a_handshake("the tunnel has bytes that nobody asked for"));
    }
    Ok(())
}
