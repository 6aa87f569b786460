//! The WebSocket of a client: the handshake is here, what is agreed in it in `negotiate`, the life after it in `actor`.

mod actor;
mod encode;
mod negotiate;

use crate::http::{Answer, Refusal, Shared, find};
use crate::node::keys::Caller;
use crate::node::{Node, Record, fresh_u128};
use actor::Goodbye;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use negotiate::{Agreed, SubscribeQuery};
use spacetimedb::client::messages::IdentityTokenMessage;
use spacetimedb::client::{ClientActorId, ClientConnection, OutboundMessage, SessionId, WsVersion};
use spacetimedb::identity::AuthCtx;
use spacetimedb_client_api_messages::websocket::v2::InitialConnection;
use spacetimedb_lib::ConnectionId;
use std::sync::Arc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// The largest message that a client may send, in bytes.
const MAX_MESSAGE_BYTES: usize = 32 << 20;

/// Agrees with a client on a protocol, then hands its socket to an actor.
pub(crate) async fn subscribe(
    State(node): Shared,
    Path(name): Path<String>,
    query: Result<Query<SubscribeQuery>, QueryRejection>,
    Extension(caller): Extension<Caller>,
    mut request: Request,
) -> Answer<Response> {
    let query = query.map_err(|error| Refusal::bad_request(error.body_text()))?.0;
    let record = find(&node, &name)?;
    let accept = accept_key(request.headers())?;
    let agreed = negotiate::agree(request.headers(), &query)?;
    let protocol = agreed.protocol;
    let upgrade = hyper::upgrade::on(&mut request);
    let client = Client {
        id: ClientActorId {
            identity: caller.identity,
            connection_id: query
                .connection_id()?
                .unwrap_or_else(|| ConnectionId::from_u128(fresh_u128())),
            name: node.clients.next_client_name(),
        },
        session: query.session_id()?,
        caller,
        record,
        agreed,
    };
    tokio::spawn(async move {
        let who = client.id;
        if let Err(error) = client.serve(&node, upgrade).await {
            log::info!("{who:?} is not served: {error:#}");
        }
    });
    let headers = [
        (header::CONNECTION, "upgrade"),
        (header::UPGRADE, "websocket"),
        (header::SEC_WEBSOCKET_ACCEPT, &accept),
        (header::SEC_WEBSOCKET_PROTOCOL, protocol),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}

/// The answer to the client's key, which proves that a WebSocket server answers.
fn accept_key(headers: &HeaderMap) -> Answer<String> {
    let has = |name: HeaderName, value: &str| {
        headers
            .get(name)
            .and_then(|given| given.to_str().ok())
            .is_some_and(|given| given.eq_ignore_ascii_case(value))
    };
    if !has(header::UPGRADE, "websocket") {
        return Err(Refusal::new(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket"));
    }
    if !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(Refusal::bad_request("`Sec-WebSocket-Version` header did not include '13'"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let key = key.ok_or_else(|| Refusal::bad_request("`Sec-WebSocket-Key` header missing"))?;
    Ok(derive_accept_key(key.as_bytes()))
}

/// A client between its handshake and its actor.
struct Client {
    id: ClientActorId,
    session: Option<SessionId>,
    caller: Caller,
    record: Record,
    agreed: Agreed,
}

impl Client {
    /// Runs `client_connected`, starts the actor, and greets. A module that refuses just leaves a socket that ends.
    async fn serve(self, node: &Arc<Node>, upgrade: OnUpgrade) -> anyhow::Result<()> {
        let Some(open) = node.socket_guard() else { return Ok(()) };
        let io = TokioIo::new(upgrade.await?);
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(None);
        let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(limits)).await;

        let sessions = node.clients.sessions();
        let reserved = self
            .session
            .map(|session| sessions.try_reserve(self.record.identity, self.id, session));
        let session = match reserved.transpose() {
            Ok(session) => session.map(Arc::new),
            Err(_) => {
                actor::close(socket, Goodbye::SessionBusy).await;
                return Ok(());
            }
        };
        let mut module = node.watch_module(&self.record).await?;
        let auth = self.caller.connection_auth()?;
        let admitted = ClientConnection::call_client_connected_maybe_reject(
            &mut module,
            self.id,
            auth.clone(),
        )
        .await?;
        let sql_auth = AuthCtx::new(self.record.owner, self.id.identity);
        let guards = (session.clone(), open);
        let actor = |client, outgoing| actor::run(client, outgoing, socket, guards);
        let config = self.agreed.config;
        let client = ClientConnection::spawn(
            self.id,
            auth,
            sql_auth,
            config,
            self.record.id,
            module,
            actor,
            admitted,
        );
        let client = client.await;
        if let Some(session) = session {
            session.establish(&client.sender());
        }
        client.send_message(None, self.greeting())?;
        Ok(())
    }

    /// The first message: who the client is.
    fn greeting(&self) -> OutboundMessage {
        let (identity, connection_id) = (self.id.identity, self.id.connection_id);
        let token = self.caller.token.as_str().into();
        match self.agreed.config.version {
            WsVersion::V1 => {
                OutboundMessage::V1(IdentityTokenMessage { identity, token, connection_id }.into())
            }
            WsVersion::V2 | WsVersion::V3 => {
                OutboundMessage::V2(InitialConnection { identity, connection_id, token }.into())
            }
        }
    }
}

/// The socket of a client, after the handshake.
type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;
