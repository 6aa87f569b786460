//! Sending a request, and judging whether its reply is a success of the server's.
//!
//! Not every 2xx is one. What stands between here and the server (a proxy, the login page of a network) answers with
//! redirects and pages of its own, so each route names the status and the kind of body that the server answers with, and
//! everything else is an error. No redirect is followed: it would turn a `POST` into a `GET`, or carry a token to
//! another host.

pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod transport;
pub(crate) mod upload;

use std::fmt;
use std::time::Duration;

use bytes::BytesMut;
use lightlike_core::secret::{Secret, check_token, hide, mask_uri};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Response, StatusCode};

use crate::http::client::Http;
use crate::http::error::{Error, Repr, excerpt};
use crate::http::exchange::reply::Reply;
use crate::http::exchange::request::Request;
use crate::http::exchange::upload::Upload;

/// Bytes that are read of a reply that has nothing to say but why: a refusal, or what should be empty.
const MAX_WORDS_BYTES: usize = 64 << 10;

/// Reply by which a route says that it did what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Success {
    /// Any 2xx, of a route that is not known here.
    Any,
    /// Status 200 without content; `"Success"` as JSON is taken too.
    Unit,
    /// Status 204.
    NoContent,
    /// Status 200 with content, which whoever asked reads.
    Content,
    /// Status 200 with lines of JSON (`application/x-ndjson`), which may be none.
    Lines,
    /// Status 200; no content of a reducer, JSON of a procedure. A refusal with status 530 is the reducer's.
    Call,
}

impl Success {
    fn takes(self, status: StatusCode) -> bool {
        match self {
            Self::Any => status.is_success(),
            Self::NoContent => status == StatusCode::NO_CONTENT,
            Self::Unit | Self::Content | Self::Lines | Self::Call => status == StatusCode::OK,
        }
    }

    fn limit(self, limit: usize) -> usize {
        match self {
            Self::Unit | Self::NoContent => limit.min(MAX_WORDS_BYTES),
            Self::Any | Self::Content | Self::Lines | Self::Call => limit,
        }
    }

    /// Checks a reply whose status is a success.
    fn check(self, reply: &Reply) -> Result<(), Error> {
        if is_page(&reply.headers, &reply.body) {
            return Err(reply.wrong(page(&reply.headers)));
        }
        let body = reply.body.trim_ascii();
        match self {
            Self::Any | Self::Content | Self::Lines => Ok(()),
            Self::Unit | Self::NoContent | Self::Call if body.is_empty() => Ok(()),
            Self::Call => reply.parse::<serde::de::IgnoredAny>().map(drop),
            Self::Unit | Self::NoContent => succeeded(reply),
        }
    }
}

/// Checks for the reply by which some routes say that they did it: with status 200 they can say that they did not.
pub(crate) fn succeeded(reply: &Reply) -> Result<(), Error> {
    match reply.parse()? {
        serde_json::Value::String(said) if said == "Success" => Ok(()),
        serde_json::Value::Object(said) if said.contains_key("Success") => Ok(()),
        said => Err(reply.wrong(format_args!("the server said {said}"))),
    }
}

impl Http {
    /// Sends a request, reads its reply, and checks that it is a success.
    pub(crate) async fn ask(&self, request: Request, success: Success) -> Result<Reply, Error> {
        let description = request.to_string();
        let response = self.open(request, success, true).await?;
        let limit = success.limit(self.limits.max_http_reply_bytes);
        let reply = self.read(response, description, limit).await?;
        success.check(&reply)?;
        Ok(reply)
    }

    /// Sends a request, and reads its reply whatever that is.
    pub(crate) async fn ask_whatever(&self, request: Request) -> Result<Reply, Error> {
        let description = request.to_string();
        let response = self.exchange(request, true).await?;
        self.read(response, description, self.limits.max_http_reply_bytes).await
    }

    /// Sends a request; a status that is no success, and a web page, become errors. The body is not read yet. `whole`
    /// says whether the timeout is that of the whole exchange.
    pub(crate) async fn open(
        &self,
        request: Request,
        success: Success,
        whole: bool,
    ) -> Result<Response, Error> {
        let description = request.to_string();
        let timeout = self.timeout_of(&request);
        let response = self.exchange(request, whole).await?;
        let status = response.status();
        if success.takes(status) {
            let headers = response.headers();
            return match success {
                _ if is_html(headers) => Err(Error::content(description, page(headers), None)),
                Success::Lines if !is_of(headers, "application/x-ndjson") => {
                    Err(Error::content(description, no_lines(headers), None))
                }
                _ => Ok(response),
            };
        }
        if status.is_redirection() {
            let location = self.location(response.headers());
            return Err(Error::new(description, Repr::Redirect { status, location }));
        }
        // Of a stream, only the head was waited for with the timeout.
        let words = tokio::time::timeout(timeout, words(response)).await.unwrap_or_default();
        let text = excerpt(&hide(&words, self.token().map(Secret::expose))).into();
        let repr = match status.as_u16() {
            530 if success == Success::Call => Repr::Rejected(text),
            _ if status.is_success() => {
                return Err(Error::content(description, other(status), None));
            }
            status => Repr::Status { status, text },
        };
        Err(Error::new(description, repr))
    }

    fn timeout_of(&self, request: &Request) -> Duration {
        request.timeout.or(self.timeout).unwrap_or(Self::TIMEOUT)
    }

    async fn exchange(&self, request: Request, whole: bool) -> Result<Response, Error> {
        let description = request.to_string();
        let timeout = self.timeout_of(&request);
        let mut builder = self.client().request(request.method, self.uri(&request.path));
        builder = builder.headers(request.headers);
        if let Some(token) = self.token() {
            builder = builder.header(AUTHORIZATION, bearer(token.expose())?);
            self.tell_plain_text();
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
        let request = builder.build().map_err(|error| Error::transport(&description, error))?;
        let asked = request.url().clone();
        match tokio::time::timeout(timeout, self.client().execute(request)).await {
            Err(_) => Err(Error::new(description, Repr::Timeout)),
            Ok(Err(error)) => Err(Error::transport(description, error)),
            // An application's own client may follow redirects: what another address says is no answer.
            Ok(Ok(response)) if *response.url() != asked => {
                let location = self.masked(response.url().as_str());
                Err(Error::new(description, Repr::Followed { location }))
            }
            Ok(Ok(response)) => Ok(response),
        }
    }

    /// Reads a reply to its end.
    async fn read(
        &self,
        mut response: Response,
        request: String,
        limit: usize,
    ) -> Result<Reply, Error> {
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
            presented: self.token().cloned(),
        })
    }

    fn location(&self, headers: &HeaderMap) -> Option<Box<str>> {
        let location = String::from_utf8_lossy(headers.get(LOCATION)?.as_bytes()).into_owned();
        Some(self.masked(&location))
    }

    fn masked(&self, uri: &str) -> Box<str> {
        excerpt(&hide(&mask_uri(uri), self.token().map(Secret::expose))).into()
    }
}

fn bearer(token: &str) -> Result<HeaderValue, Error> {
    check_token(token)?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| Error::invalid("the token has characters that no token has"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A refusal in words, as far as they come: the status says the most.
async fn words(mut response: Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MAX_WORDS_BYTES - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    let text = String::from_utf8_lossy(&body);
    if is_page(response.headers(), &body) {
        return title(&text)
            .map_or_else(|| "a web page".to_owned(), |it| format!("a web page, `{it}`"));
    }
    other_error(&text).unwrap_or_else(|| text.trim().to_owned())
}

/// The text in `{"OtherError": text}`, which some routes answer with.
fn other_error(body: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Other {
        #[serde(rename = "OtherError")]
        text: String,
    }
    serde_json::from_str(body).ok().map(|Other { text }| text)
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()
}

fn is_of(headers: &HeaderMap, ty: &str) -> bool {
    let essence = content_type(headers).unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(ty)
}

fn is_html(headers: &HeaderMap) -> bool {
    is_of(headers, "text/html") || is_of(headers, "application/xhtml+xml")
}

/// Whether a reply is a web page, whatever it says that it is.
fn is_page(headers: &HeaderMap, body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    let starts =
        |with: &[u8]| body.get(..with.len()).is_some_and(|it| it.eq_ignore_ascii_case(with));
    is_html(headers) || starts(b"<!doctype html") || starts(b"<html")
}

/// The title of a web page.
fn title(page: &str) -> Option<&str> {
    let lower = page.to_ascii_lowercase();
    let start = lower.find("<title>")? + "<title>".len();
    let end = start + lower[start..].find('<')?;
    Some(page[start..end].trim()).filter(|title| !title.is_empty())
}

/// Says that a web page came in place of the server's reply.
fn page(headers: &HeaderMap) -> impl fmt::Display {
    let ty = content_type(headers).unwrap_or("of no type");
    format!(
        "the reply ({ty}) is not what a SpacetimeDB server says here: it is a web page; a proxy or a network that \
         wants a login may have answered, or the address is of something else"
    )
}

fn other(status: StatusCode) -> impl fmt::Display {
    format!(
        "the status {status} is not what a SpacetimeDB server says here; something between here and the server may \
         have answered, or the address is of something else"
    )
}

/// Says that the lines of a log did not come. Without a look at the type, an empty reply would be an empty log.
fn no_lines(headers: &HeaderMap) -> impl fmt::Display {
    let ty = content_type(headers).unwrap_or("of no type");
    format!(
        "the reply ({ty}) is not what a SpacetimeDB server says here: it has no log (application/x-ndjson)"
    )
}
