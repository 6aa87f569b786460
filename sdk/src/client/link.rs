//! Routes to a server: streams, TLS, headers.

use std::io;
use std::sync::Arc;

use lightlike_core::conn::{Endpoint, Server, SubscribeParameters};
use lightlike_core::driver::{
    Connect, Connecting, DialOptions, Dialer, Io, Proxy, StreamDialer, Tls, check_header,
};
use lightlike_core::limits::Limits;

use crate::client::builder::ClientBuilder;
use crate::client::plain_text::{PlainText, Watched};
use crate::error::{Error, Repr};
use crate::observe::spans::{Origin, Traced};

/// The wishes of a builder about how to reach the server.
#[derive(Default)]
pub(crate) struct Link {
    connect: Option<Arc<dyn Connect>>,
    proxy: Proxy,
    tls: Option<Tls>,
    headers: Vec<(Box<str>, Box<str>)>,
    #[cfg(feature = "http")]
    token_in_query: bool,
    #[cfg(feature = "auth")]
    refresh: Option<crate::auth::Refresh>,
}

/// Route of a client to its server, as its drivers see it.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) dialer: Arc<dyn Dialer>,
    /// Told of every token that is sent, on sockets and over HTTP.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "only HTTP shares it"))]
    pub(crate) plain_text: PlainText,
    #[cfg(feature = "auth")]
    pub(crate) refresh: Option<crate::auth::Refresh>,
}

impl Link {
    /// Makes the dialer of the route.
    pub(crate) fn route(
        self,
        endpoint: Endpoint,
        parameters: SubscribeParameters,
        limits: Limits,
    ) -> Result<Route, Error> {
        for (name, value) in &self.headers {
            check_header(name, value).map_err(Repr::Header)?;
        }
        let origin = Origin::new(&endpoint);
        let (server, plain_text) = (endpoint.server().clone(), PlainText::default());
        let mut options = DialOptions::new(endpoint, parameters, limits);
        options.headers = self.headers;
        let tls = self.tls.unwrap_or_default();
        #[cfg(feature = "http")]
        let http = if self.token_in_query {
            options.token_in_query = true;
            let http = crate::http::Http::for_server(server.clone(), &tls, &self.proxy);
            let http = http.map_err(Repr::Http)?;
            Some(http.with_plain_text(plain_text.clone()))
        } else {
            None
        };
        let dialer: Arc<dyn Dialer> = match self.connect {
            Some(connect) => {
                let dialer = StreamDialer::with(options, &tls).map_err(Repr::Tls)?;
                Arc::new(dialer.over(connect))
            }
            None => {
                Arc::new(StreamDialer::through(options, &tls, &self.proxy).map_err(Repr::Route)?)
            }
        };
        let dialer: Arc<dyn Dialer> = Arc::new(Watched::new(dialer, server, plain_text.clone()));
        #[cfg(feature = "http")]
        let dialer: Arc<dyn Dialer> = match http {
            Some(http) => Arc::new(crate::http::ShortTokens::new(dialer, http)),
            None => dialer,
        };
        #[cfg(feature = "auth")]
        let dialer: Arc<dyn Dialer> = match self.refresh.clone() {
            Some(refresh) => Arc::new(refresh.around(dialer)),
            None => dialer,
        };
        Ok(Route {
            dialer: Arc::new(Traced::new(dialer, origin)),
            plain_text,
            #[cfg(feature = "auth")]
            refresh: self.refresh,
        })
    }
}

/// Route to the server.
impl ClientBuilder {
    /// Opens the streams that connections run over, in place of TCP: over a Unix socket, in memory. No
    /// [`proxy`](Self::proxy) is asked for them. TLS,
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

    /// The proxy through which the server is reached: by default the one that the environment names (`HTTPS_PROXY`,
    /// `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`), and none for this machine. The server's HTTP API is reached through the
    /// same.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use lightlike::connection::Proxy;
    ///
    /// let proxy = Proxy::url("http://ada:secret@proxy.example:3128")?.except("intern.example");
    /// let db = Client::builder("https://db.example", "chat").proxy(proxy).connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn proxy(self, proxy: Proxy) -> Self {
        self.change_link(|link| link.proxy = proxy)
    }

    /// Sets the certificates that encrypted connections trust, and the one that they show: see [`Tls`]. By default they
    /// trust the web's root certificates, and show none.
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

    /// Presents the token in the address, where something on the way takes headers out. As addresses end up in
    /// logs, it is a token of a minute, which the server gives in exchange for the real one before every attempt.
    #[cfg(feature = "http")]
    pub fn token_in_query(self, in_query: bool) -> Self {
        self.change_link(|link| link.token_in_query = in_query)
    }

    /// Asks for another token before the one at hand expires, and when the server does not accept it: see
    /// [`Refresh`](crate::auth::Refresh).
    #[cfg(feature = "auth")]
    pub fn refresh_token(self, refresh: crate::auth::Refresh) -> Self {
        self.change_link(|link| link.refresh = Some(refresh))
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
