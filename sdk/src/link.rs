//! How a client reaches its server: streams, TLS, headers.

use std::io;
use std::sync::Arc;

use lightlike_core::conn::{Endpoint, Server, SubscribeParameters};
use lightlike_core::driver::{
    Connect, Connecting, DialOptions, Dialer, Io, StreamDialer, Tls, check_header,
};
use lightlike_core::limits::Limits;

use crate::builder::ClientBuilder;
use crate::error::{Error, Repr};

/// The wishes of a builder about how to reach the server.
#[derive(Default)]
pub(crate) struct Link {
    connect: Option<Arc<dyn Connect>>,
    tls: Option<Tls>,
    headers: Vec<(Box<str>, Box<str>)>,
}

impl Link {
    /// What opens sockets as wished.
    pub(crate) fn dialer(
        self,
        endpoint: Endpoint,
        parameters: SubscribeParameters,
        limits: Limits,
    ) -> Result<Arc<dyn Dialer>, Error> {
        for (name, value) in &self.headers {
            check_header(name, value).map_err(Repr::Header)?;
        }
        let mut options = DialOptions::new(endpoint, parameters, limits);
        options.headers = self.headers;
        let tls = self.tls.unwrap_or_default();
        let dialer = StreamDialer::with(options, &tls).map_err(Repr::Tls)?;
        let dialer: Arc<dyn Dialer> = match self.connect {
            Some(connect) => Arc::new(dialer.over(connect)),
            None => Arc::new(dialer),
        };
        Ok(dialer)
    }
}

/// How the server is reached.
impl ClientBuilder {
    /// Opens the streams that connections run over, in place of TCP: through a proxy, over a Unix socket, in memory. TLS,
    /// where the address says `https`, and the handshake are done over what `connect` gives; it is asked again for every
    /// attempt at a connection.
    ///
    /// A `tokio` stream is polled by the client's driver: on the caller's runtime, or on the thread that clients
    /// without one share.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[cfg(unix)]
    /// # async fn example() -> Result<(), lightlike::Error> {
    /// let db = Client::builder("http://localhost", "chat")
    ///     .transport(|_| tokio::net::UnixStream::connect("/run/spacetimedb.sock"))
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn transport<S, F>(self, connect: impl Fn(&Server) -> F + Send + Sync + 'static) -> Self
    where
        S: Io + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
    {
        self.change_link(|link| link.connect = Some(Arc::new(Streams(connect))))
    }

    /// Whom encrypted connections trust, and the certificate that they show: see [`Tls`]. By default they trust the web's root
    /// certificates, and show none.
    pub fn tls(self, tls: Tls) -> Self {
        self.change_link(|link| link.tls = Some(tls))
    }

    /// Sends a header with the handshake, for what stands before the server. May be called for several.
    ///
    /// The headers of the handshake itself, and the one with the token, cannot be set.
    pub fn header(self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let header = (name.as_ref().into(), value.as_ref().into());
        self.change_link(|link| link.headers.push(header))
    }
}

struct Streams<F>(F);

impl<S, F, C> Connect for Streams<C>
where
    S: Io + 'static,
    F: Future<Output = io::Result<S>> + Send + 'static,
    C: Fn(&Server) -> F + Send + Sync + 'static,
{
    fn connect(&self, server: &Server) -> Connecting {
        let connecting = (self.0)(server);
        Box::pin(async move { Ok(Box::new(connecting.await?) as Box<dyn Io>) })
    }
}
