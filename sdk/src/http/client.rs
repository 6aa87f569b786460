//! The handle, and how a request is sent.

use std::fmt;
use std::time::Duration;

use bytes::BytesMut;
use lightlike_core::conn::{Endpoint, Server};
use lightlike_core::driver::{Tls, check_token};
use lightlike_core::limits::Limits;
use reqwest::header::{AUTHORIZATION, HeaderValue};

use super::error::{Error, Repr};
use super::request::{Reply, Request, escape};
use super::upload::Upload;

/// A server's HTTP API: a cheap handle, which can be cloned.
///
/// See the [module](super) for a tour.
#[derive(Clone)]
pub struct Http {
    server: Server,
    client: reqwest::Client,
    token: Option<Box<str>>,
    pub(super) timeout: Option<Duration>,
    pub(super) limits: Limits,
}

impl Http {
    /// How long an exchange may take unless [`with_timeout`](Self::with_timeout) says otherwise: 30 s.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
    /// How long publishing may take unless [`with_timeout`](Self::with_timeout) says otherwise: 5 min, because the
    /// server compiles the module.
    pub const PUBLISH_TIMEOUT: Duration = Duration::from_secs(300);
    /// How much is read of the text that comes with an error.
    const MAX_ERROR_BYTES: usize = 64 << 10;

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
    /// assert_eq!(Http::new("127.0.0.1:3000").unwrap_err().kind(), ErrorKind::InvalidInput);
    /// ```
    pub fn new(uri: &str) -> Result<Self, Error> {
        Self::for_server(Server::parse(uri)?, &Tls::new())
    }

    /// The API of a server, of which encrypted connections trust whom `tls` says.
    pub(crate) fn for_server(server: Server, tls: &Tls) -> Result<Self, Error> {
        let client = default_client(tls);
        let client =
            client.map_err(|source| Error::new(server.http_uri(""), Repr::Client(source)))?;
        Ok(Self { server, client, token: None, timeout: None, limits: Limits::DEFAULT })
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
        self.token = Some(token.as_ref().into());
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
    /// rustls's for the process, or give a configuration to `tls_backend_preconfigured`.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lightlike::http::{Http, reqwest};
    ///
    /// let proxy = reqwest::Proxy::all("http://proxy.example:8080")?;
    /// let client = reqwest::Client::builder().proxy(proxy).build()?;
    /// let http = Http::new("http://127.0.0.1:3000")?.with_client(client);
    /// # let _ = http;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_client(mut self, client: reqwest::Client) -> Self {
        self.client = client;
        self
    }

    /// How long a whole exchange may take, of a followed log up to its first byte.
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

    /// How much a reply may have: [`Limits::max_http_reply_bytes`].
    ///
    /// ```
    /// # fn main() -> Result<(), lightlike::http::Error> {
    /// use lightlike::Limits;
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
    /// Any [kind](super::ErrorKind); a status that is no success is one.
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
        let description = request.to_string();
        let response = self.open(request, true).await?;
        self.read(response, description).await
    }

    /// Sends a request to a path of the module's own (`..` in `/v1/database/NAME/route/..`), and returns the reply
    /// whatever its status.
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
        let description = request.to_string();
        let response = self.exchange(request, true).await?;
        self.read(response, description).await
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

    /// Sends a request; a status that is no success becomes an error. The reply is not read yet. `whole` says whether the
    /// timeout is that of the whole exchange.
    pub(super) async fn open(
        &self,
        request: Request,
        whole: bool,
    ) -> Result<reqwest::Response, Error> {
        let description = request.to_string();
        let response = self.exchange(request, whole).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = error_text(response, Self::MAX_ERROR_BYTES).await;
        let repr = match status.as_u16() {
            530 if description.contains("/call/") => Repr::Rejected(text),
            status => Repr::Status { status, text },
        };
        Err(Error::new(description, repr))
    }

    async fn exchange(&self, request: Request, whole: bool) -> Result<reqwest::Response, Error> {
        let description = request.to_string();
        let timeout = request.timeout.or(self.timeout).unwrap_or(Self::TIMEOUT);
        let uri = self.server.http_uri(&request.path);
        let mut builder = self.client.request(request.method, uri).headers(request.headers);
        if let Some(token) = &self.token {
            builder = builder.header(AUTHORIZATION, bearer(token)?);
        }
        if !request.body.is_empty() {
            builder = builder.body(match request.on_upload {
                Some(on_upload) => reqwest::Body::wrap(Upload::new(request.body, on_upload)),
                None => request.body.into(),
            });
        }
        if whole {
            builder = builder.timeout(timeout);
        }
        match tokio::time::timeout(timeout, builder.send()).await {
            Ok(sent) => sent.map_err(|error| Error::transport(description, error)),
            Err(_) => Err(Error::new(description, Repr::Timeout)),
        }
    }

    /// Reads a reply to its end.
    async fn read(&self, mut response: reqwest::Response, request: String) -> Result<Reply, Error> {
        let limit = self.limits.max_http_reply_bytes;
        let too_large = || Error::new(&request, Repr::TooLarge { limit });
        if response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| Error::transport(&request, error))?
        {
            if chunk.len() > limit - body.len() {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: body.freeze(),
            request: request.into(),
        })
    }
}

/// Sends a form to somebody who is no SpacetimeDB server, and reads the reply, whatever its status.
#[cfg(feature = "auth")]
pub(crate) async fn post_form(
    uri: &str,
    form: String,
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    /// Tokens are some kilobytes at most.
    const MAX_REPLY_BYTES: usize = 1 << 20;
    let client = default_client(&Tls::new())?;
    let request = client
        .post(uri)
        .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(reqwest::header::ACCEPT, "application/json")
        .timeout(Http::TIMEOUT)
        .body(form);
    let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        if chunk.len() > MAX_REPLY_BYTES - body.len() {
            return Err("the reply is too large".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
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

/// A client that trusts whom connections trust.
fn default_client(tls: &Tls) -> Result<reqwest::Client, Box<dyn std::error::Error + Send + Sync>> {
    let tls = tls.config()?;
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured((*tls).clone())
        .connect_timeout(Duration::from_secs(10))
        .tcp_nodelay(true);
    Ok(builder.build()?)
}

fn bearer(token: &str) -> Result<HeaderValue, Error> {
    check_token(token)?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| Error::invalid("the token has characters that no token has"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The server's words, as far as they come: the status says the most.
async fn error_text(mut response: reqwest::Response, limit: usize) -> Box<str> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = limit - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    let text = String::from_utf8_lossy(&body);
    other_error(&text).unwrap_or_else(|| text.trim().into())
}

/// The text in `{"OtherError": text}`, which some routes answer with.
fn other_error(body: &str) -> Option<Box<str>> {
    #[derive(serde::Deserialize)]
    struct Other {
        #[serde(rename = "OtherError")]
        text: Box<str>,
    }
    serde_json::from_str(body).ok().map(|Other { text }| text)
}
