//! The handle: which server, who asks, and how long to wait.

use std::fmt;
use std::time::Duration;

use lightlike_core::conn::{Endpoint, Server};
use lightlike_core::driver::{Proxy, Tls};
use lightlike_core::limits::Limits;
use lightlike_core::secret::Secret;

use super::error::{Error, Repr};
use super::exchange::Success;
use crate::client::plain_text::PlainText;
use crate::http::exchange::reply::Reply;
use crate::http::exchange::request::{Request, escape};
use crate::http::exchange::transport::default_client;

/// A server's HTTP API: a cheap handle, which can be cloned.
///
/// See the [module](super) for a tour.
#[derive(Clone)]
pub struct Http {
    server: Server,
    client: reqwest::Client,
    token: Option<Secret>,
    pub(super) timeout: Option<Duration>,
    pub(super) limits: Limits,
    plain_text: PlainText,
}

impl Http {
    /// Time limit of an exchange unless [`with_timeout`](Self::with_timeout) says otherwise: 30 s.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
    /// Time limit of publishing unless [`with_timeout`](Self::with_timeout) says otherwise: 5 min, because the server
    /// compiles the module.
    pub const PUBLISH_TIMEOUT: Duration = Duration::from_secs(300);

    /// The API of the server at an address such as `http://127.0.0.1:3000` or `https://host/base`. Asks nothing yet.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](super::ErrorKind::InvalidInput) if the address is none.
    ///
    /// ```
    /// use lightlike::http::{ErrorKind, Http};
    ///
    /// assert!(Http::new("https://maincloud.spacetimedb.com").is_ok());
    /// assert!(Http::new("127.0.0.1:3000").is_ok(), "without a scheme it is `http`");
    /// assert_eq!(Http::new("127.0.0.1:99999").unwrap_err().kind(), ErrorKind::InvalidInput);
    /// ```
    pub fn new(uri: &str) -> Result<Self, Error> {
        Self::for_server(Server::parse(uri)?, &Tls::new(), &Proxy::environment())
    }

    /// The API of a server, through a proxy, of which encrypted connections trust whom `tls` says.
    pub(crate) fn for_server(server: Server, tls: &Tls, proxy: &Proxy) -> Result<Self, Error> {
        let client = default_client(&server, tls, proxy);
        let client =
            client.map_err(|source| Error::new(server.http_uri(""), Repr::Client(source)))?;
        Ok(Self {
            server,
            client,
            token: None,
            timeout: None,
            limits: Limits::DEFAULT,
            plain_text: PlainText::default(),
        })
    }

    /// Presents a token with every request from now on. It says who asks, and is the owner's for what only the owner may
    /// do. A token that cannot be one is an error of each request.
    ///
    /// ```
    /// # fn main() -> Result<(), lightlike::http::Error> {
    /// use lightlike::http::Http;
    ///
    /// let http = Http::new("http://127.0.0.1:3000")?.with_token("eyJ..");
    /// assert!(!format!("{http:?}").contains("eyJ"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_token(mut self, token: impl AsRef<str>) -> Self {
        self.token = Some(Secret::from(token.as_ref()));
        self
    }

    /// Presents no token: the server takes each request as coming from somebody new.
    ///
    /// ```
    /// # fn main() -> Result<(), lightlike::http::Error> {
    /// use lightlike::http::Http;
    ///
    /// let owner = Http::new("http://127.0.0.1:3000")?.with_token("eyJ..");
    /// let anybody = owner.clone().without_token();
    /// # let _ = anybody;
    /// # Ok(())
    /// # }
    /// ```
    pub fn without_token(mut self) -> Self {
        self.token = None;
        self
    }

    /// Sends through a client of your own, with its proxies, certificates and pools.
    ///
    /// The `reqwest` is [the one that this crate uses](super::reqwest). It has no TLS provider of its own: either install
    /// rustls's for the process, or give a configuration to `tls_backend_preconfigured`. It follows redirects unless it is
    /// told not to; build it with `redirect(Policy::none())`, as the one that this replaces is. A reply that comes from
    /// another address than the one asked is [`Redirected`](super::ErrorKind::Redirected).
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lightlike::http::{Http, reqwest};
    ///
    /// let proxy = reqwest::Proxy::all("http://proxy.example:8080")?;
    /// let no_redirects = reqwest::redirect::Policy::none();
    /// let client = reqwest::Client::builder().proxy(proxy).redirect(no_redirects).build()?;
    /// let http = Http::new("http://127.0.0.1:3000")?.with_client(client);
    /// # let _ = http;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_client(mut self, client: reqwest::Client) -> Self {
        self.client = client;
        self
    }

    /// Limits the time of a whole exchange, of a followed log up to its first byte.
    ///
    /// ```
    /// # fn main() -> Result<(), lightlike::http::Error> {
    /// use std::time::Duration;
    ///
    /// use lightlike::http::Http;
    ///
    /// let http = Http::new("http://127.0.0.1:3000")?.with_timeout(Duration::from_secs(5));
    /// # let _ = http;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Limits the size of a reply: [`Limits::max_http_reply_bytes`].
    ///
    /// ```
    /// # fn main() -> Result<(), lightlike::http::Error> {
    /// use lightlike::connection::Limits;
    /// use lightlike::http::Http;
    ///
    /// let mut limits = Limits::DEFAULT;
    /// limits.max_http_reply_bytes = 1 << 20;
    /// let http = Http::new("http://127.0.0.1:3000")?.with_limits(limits);
    /// # let _ = http;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sends a request that this client has no method for, and reads its reply.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind); a status that is no success is one, and so is a web page, which no route of the
    /// server's answers with.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// use lightlike::http::Request;
    /// use lightlike::http::reqwest::Method;
    ///
    /// let reply = http.send(Request::new(Method::GET, "/v1/ping")).await?;
    /// assert!(reply.body.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(&self, request: Request) -> Result<Reply, Error> {
        self.ask(request, Success::Any).await
    }

    /// Sends a request to a path of the module's own (`..` in `/v1/database/NAME/route/..`), and returns the reply
    /// whatever its status and content. A redirect (3xx) is a reply as well: it is not followed. The sender
    /// that a handler is given is not the token's identity: it is one of the request alone, zero before 2.14.
    ///
    /// # Errors
    ///
    /// Any [kind](super::ErrorKind) but those of a status.
    ///
    /// ```no_run
    /// # async fn example(http: &lightlike::http::Http) -> Result<(), lightlike::http::Error> {
    /// use lightlike::http::Request;
    /// use lightlike::http::reqwest::Method;
    ///
    /// let reply = http.route("chat", Request::new(Method::GET, "/rooms?open=true")).await?;
    /// println!("{} {}", reply.status, reply.text()?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn route(&self, database: &str, mut request: Request) -> Result<Reply, Error> {
        if !request.path.starts_with('/') {
            return Err(Error::invalid(format_args!(
                "the path `{}` does not start with a slash",
                request.path
            )));
        }
        request.path = format!("{}/route{}", self.database_path(database)?, request.path);
        self.ask_whatever(request).await
    }

    /// The address of a path.
    pub(super) fn uri(&self, path: &str) -> String {
        self.server.http_uri(path)
    }

    pub(super) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Shares a warning with whoever else sends this token.
    pub(crate) fn with_plain_text(mut self, plain_text: PlainText) -> Self {
        self.plain_text = plain_text;
        self
    }

    /// The token is about to be sent.
    pub(super) fn tell_plain_text(&self) {
        self.plain_text.token_sent_to(&self.server);
    }

    /// The token that is presented.
    pub(super) fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    /// Host and, where it was given, port.
    pub(super) fn authority(&self) -> &str {
        self.server.authority()
    }

    /// The path of a database, once its name is checked.
    pub(super) fn database_path(&self, database: &str) -> Result<String, Error> {
        Ok(Endpoint::new(self.server.clone(), database)?.database_path())
    }

    /// The path of something in a database.
    pub(super) fn path(&self, database: &str, route: &str) -> Result<String, Error> {
        Ok(self.database_path(database)? + route)
    }

    /// The path of a function of a database.
    pub(super) fn function_path(&self, database: &str, function: &str) -> Result<String, Error> {
        if function.is_empty() {
            return Err(Error::invalid("a reducer or procedure has a name"));
        }
        self.path(database, &format!("/call/{}", escape(function)))
    }
}

/// The token is a secret.
impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("server", &self.server.http_uri(""))
            .field("has_token", &self.token.is_some())
            .finish_non_exhaustive()
    }
}
