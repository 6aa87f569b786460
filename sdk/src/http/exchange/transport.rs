//! HTTP clients that trust whom connections trust, go through the same proxy, and follow no redirects.

use std::time::Duration;

#[cfg(feature = "auth")]
use lightlike_core::conn::EndpointError;
use lightlike_core::conn::Server;
use lightlike_core::driver::{Proxy, Tls};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A client for one server, which trusts whom connections trust, and goes through the proxy that they go through. It
/// follows no redirects.
pub(crate) fn default_client(
    server: &Server,
    tls: &Tls,
    proxy: &Proxy,
) -> Result<reqwest::Client, Failure> {
    let tls = tls.config()?;
    // Its own reading of the environment differs: it sends this machine's requests to the proxy too.
    let builder = reqwest::Client::builder().no_proxy();
    let builder = match proxy.address_for(server)? {
        Some(address) => builder.proxy(reqwest::Proxy::all(address)?),
        None => builder,
    };
    let builder = builder
        .tls_backend_preconfigured((*tls).clone())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .tcp_nodelay(true);
    Ok(builder.build()?)
}

/// Reply to a form.
#[cfg(feature = "auth")]
pub(crate) struct FormReply {
    pub(crate) status: u16,
    /// Where a redirect leads.
    pub(crate) location: Option<Box<str>>,
    pub(crate) body: Vec<u8>,
}

/// Sends a form to somebody who is no SpacetimeDB server, and reads the reply, whatever its status.
#[cfg(feature = "auth")]
pub(crate) async fn post_form(uri: &str, form: String) -> Result<FormReply, Failure> {
    use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
    /// Tokens are some kilobytes at most.
    const MAX_REPLY_BYTES: usize = 1 << 20;
    let client = default_client(&server_of(uri)?, &Tls::new(), &Proxy::environment())?;
    let request = client
        .post(uri)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json")
        .timeout(crate::http::Http::TIMEOUT)
        .body(form);
    let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
    let status = response.status().as_u16();
    let location = response.headers().get(LOCATION);
    let location = location.map(|it| String::from_utf8_lossy(it.as_bytes()).into());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        if chunk.len() > MAX_REPLY_BYTES - body.len() {
            return Err("the reply is too large".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(FormReply { status, location, body })
}

/// The server of an address with a path.
#[cfg(feature = "auth")]
fn server_of(uri: &str) -> Result<Server, EndpointError> {
    let (scheme, rest) = uri.split_once("://").unwrap_or(("", uri));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    Server::parse(&format!("{scheme}://{authority}"))
}
