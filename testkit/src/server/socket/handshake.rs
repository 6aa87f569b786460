//! Handshakes: who may open a WebSocket, and on which terms.

use std::sync::Arc;

use lightlike_core::driver::accept_key;
use lightlike_core::types::{ConnectionId, Identity};
use lightlike_core::wire::{Compression, Protocol};

use crate::accounts::random;
use crate::fault::{Fault, Occasion};
use crate::server::http::{Request, Response};
use crate::server::state::{ConnectionInfo, Shared, State};

/// A client that is let in.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) info: ConnectionInfo,
    pub(crate) session: Option<u128>,
    pub(crate) token: String,
    pub(crate) knows_batches: bool,
}

/// Outcome of a handshake.
#[derive(Debug)]
pub(crate) enum Outcome {
    Accepted(Accepted, Response),
    Refused(Response),
    /// The socket ends without an answer.
    Dropped,
}

/// Identity of a request, and the token that proves it.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) identity: Identity,
    pub(crate) token: String,
}

/// Answers the request for a WebSocket to `database`.
pub(crate) fn answer(shared: &Arc<Shared>, request: &Request, database: &str) -> Outcome {
    shared.with(|state| {
        state.counts.handshakes += 1;
        let fault = state.faults.take(Occasion::Handshake, None);
        let mut knows_batches = true;
        match fault {
            Some(Fault::DropHandshake) => return Outcome::Dropped,
            Some(Fault::RefuseHandshake { status, body }) => {
                return Outcome::Refused(Response::text(status, body));
            }
            Some(Fault::NoProtocol) => return Outcome::Refused(no_protocol()),
            Some(Fault::NoSubscribeBatch) => knows_batches = false,
            _ => {}
        }
        match accept(shared, state, request, database) {
            Ok((accepted, response)) => {
                Outcome::Accepted(Accepted { knows_batches, ..accepted }, response)
            }
            Err(response) => Outcome::Refused(response),
        }
    })
}

fn accept(
    shared: &Shared,
    state: &mut State,
    request: &Request,
    database: &str,
) -> Result<(Accepted, Response), Response> {
    let Credentials { identity, token } = authenticate(state, request)?;
    let key = websocket_key(request)?;
    let parameters = Parameters::parse(request)?;
    if database != shared.database_name && database != shared.identity.to_hex() {
        return Err(Response::text(404, format!("`{database}` not found")));
    }
    let offered: Vec<_> = request.header_list("sec-websocket-protocol").collect();
    let protocol = Protocol::ALL.into_iter().find(|known| offered.contains(&known.subprotocol()));
    let protocol = protocol.ok_or_else(no_protocol)?;
    let response = Response::empty(101)
        .with("connection", "upgrade")
        .with("upgrade", "websocket")
        .with("sec-websocket-accept", accept_key(key))
        .with("sec-websocket-protocol", protocol.subprotocol())
        .with("spacetime-identity", identity)
        .with("spacetime-identity-token", &token);
    let Parameters { connection_id, compression, confirmed, session } = parameters;
    let info = ConnectionInfo { identity, id: connection_id, protocol, compression, confirmed };
    Ok((Accepted { info, session, token, knows_batches: true }, response))
}

fn no_protocol() -> Response {
    Response::text(400, "no valid protocol selected")
}

/// The identity behind the request's token; without one, a new one.
pub(crate) fn authenticate(state: &mut State, request: &Request) -> Result<Credentials, Response> {
    let now = state.now();
    match token(request)? {
        None => {
            let (identity, token) = state.accounts.create(now);
            Ok(Credentials { identity, token })
        }
        Some(token) => match state.accounts.check(token, now) {
            Some(identity) => Ok(Credentials { identity, token: token.to_owned() }),
            None => Err(Response::text(401, "Invalid token: InvalidToken")),
        },
    }
}

/// The token in the request's header, else in its query.
pub(crate) fn token(request: &Request) -> Result<Option<&str>, Response> {
    let Some(header) = request.header("authorization") else { return Ok(request.query("token")) };
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Response::text(400, "Authorization is not a valid header")),
    }
}

fn websocket_key(request: &Request) -> Result<&str, Response> {
    if request.method != "GET" {
        return Err(Response::text(405, "Request method must be `GET`"));
    }
    if !request.header_has("connection", "upgrade") || !request.header_has("upgrade", "websocket") {
        return Err(Response::text(426, "WebSocket upgrade required").with("upgrade", "websocket"));
    }
    if request.header("sec-websocket-version") != Some("13") {
        return Err(Response::text(400, "`Sec-WebSocket-Version` header did not include '13'"));
    }
    request
        .header("sec-websocket-key")
        .ok_or_else(|| Response::text(400, "`Sec-WebSocket-Key` header missing"))
}

/// Parameters of the connection in the request's query.
struct Parameters {
    connection_id: ConnectionId,
    compression: Compression,
    confirmed: bool,
    session: Option<u128>,
}

impl Parameters {
    fn parse(request: &Request) -> Result<Self, Response> {
        let bad = |name: &str, why: &str| {
            Response::text(400, format!("Failed to deserialize query string: {name}: {why}"))
        };
        let compression = match request.query("compression") {
            None => Compression::Brotli,
            Some(text) => Compression::from_query(text).ok_or_else(|| {
                let why =
                    format!("unknown variant `{text}`, expected one of `None`, `Gzip`, `Brotli`");
                bad("compression", &why)
            })?,
        };
        let flag = |name: &str, default: bool| match request.query(name) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(bad(name, "provided string was not `true` or `false`")),
        };
        let confirmed = flag("confirmed", true)?;
        flag("light", false)?;
        let connection_id = match request.query("connection_id") {
            None => ConnectionId::from_u128(u128::from_le_bytes(random()).max(1)),
            Some(text) => ConnectionId::from_hex(text)
                .map_err(|error| bad("connection_id", &error.to_string()))?,
        };
        if connection_id == ConnectionId::ZERO {
            return Err(Response::text(
                400,
                "Invalid connection ID: the all-zeros ConnectionId is reserved.",
            ));
        }
        let session = match request.query("session_id") {
            None => None,
            Some(text) => match u128::from_str_radix(text, 16) {
                Ok(session) if text.len() == 32 => Some(session),
                _ => return Err(bad("session_id", "expected 32 hex digits")),
            },
        };
        Ok(Self { connection_id, compression, confirmed, session })
    }
}
