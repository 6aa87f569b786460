//! What client and server agree on in the handshake: protocol, compression, and what the client asks for in its query.

use crate::http::{Answer, Refusal};
use axum::http::HeaderMap;
use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use serde::Deserialize;
use spacetimedb::client::{ClientConfig, Protocol, SessionId, WsVersion};
use spacetimedb_client_api_messages::websocket::{common, v1, v2, v3};
use spacetimedb_lib::ConnectionId;

/// Protocols of the server. The first that the client offers is taken, whatever the client's order.
const PROTOCOLS: [(&str, Protocol, WsVersion); 4] = [
    (v3::BIN_PROTOCOL, Protocol::Binary, WsVersion::V3),
    (v2::BIN_PROTOCOL, Protocol::Binary, WsVersion::V2),
    (v1::BIN_PROTOCOL, Protocol::Binary, WsVersion::V1),
    (v1::TEXT_PROTOCOL, Protocol::Text, WsVersion::V1),
];

/// The query of the subscribe route.
#[derive(Deserialize)]
pub(crate) struct SubscribeQuery {
    connection_id: Option<String>,
    session_id: Option<String>,
    #[serde(default)]
    compression: Compression,
    /// Version 1 only: updates without what caused them.
    #[serde(default)]
    light: bool,
    confirmed: Option<bool>,
}

#[derive(Clone, Copy, Default, Deserialize)]
enum Compression {
    None,
    #[default]
    Brotli,
    Gzip,
}

impl SubscribeQuery {
    /// The connection id that the client chose. All zeroes is taken.
    pub(super) fn connection_id(&self) -> Answer<Option<ConnectionId>> {
        let id = parse_u128(self.connection_id.as_deref(), "connection_id")?;
        match id {
            Some(0) => {
                Err(Refusal::bad_request("Invalid connection ID: the all-zeros ID is reserved."))
            }
            id => Ok(id.map(ConnectionId::from_u128)),
        }
    }

    pub(super) fn session_id(&self) -> Answer<Option<SessionId>> {
        Ok(parse_u128(self.session_id.as_deref(), "session_id")?.map(SessionId::from_u128))
    }
}

/// Reads 32 hex digits.
fn parse_u128(digits: Option<&str>, field: &str) -> Answer<Option<u128>> {
    let Some(digits) = digits else { return Ok(None) };
    let parsed = if digits.len() == 32 { u128::from_str_radix(digits, 16).ok() } else { None };
    let bad = || {
        Refusal::bad_request(format!(
            "Failed to deserialize query string: {field}: expected 32 hex digits"
        ))
    };
    parsed.map(Some).ok_or_else(bad)
}

/// Terms of a connection.
pub(super) struct Agreed {
    /// The name of the protocol, for the answer.
    pub(super) protocol: &'static str,
    pub(super) config: ClientConfig,
}

/// Picks the protocol and fills in what the client left open.
pub(super) fn agree(headers: &HeaderMap, query: &SubscribeQuery) -> Answer<Agreed> {
    let offers = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .into_iter()
        .filter_map(|header| header.to_str().ok());
    let offered: Vec<&str> = offers.flat_map(|header| header.split(',')).map(str::trim).collect();
    let chosen = PROTOCOLS.into_iter().find(|(name, ..)| offered.contains(name));
    let (name, protocol, version) =
        chosen.ok_or_else(|| Refusal::bad_request("no valid protocol selected"))?;
    let compression = match query.compression {
        Compression::None => common::Compression::None,
        Compression::Brotli => common::Compression::Brotli,
        Compression::Gzip => common::Compression::Gzip,
    };
    let tx_update_full = !query.light;
    // Version 1 came before the question, and answered no.
    let confirmed_reads = query.confirmed.unwrap_or(version != WsVersion::V1);
    let config = ClientConfig { protocol, version, compression, tx_update_full, confirmed_reads };
    Ok(Agreed { protocol: name, config })
}
