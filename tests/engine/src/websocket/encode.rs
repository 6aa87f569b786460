//! From the engine's messages to WebSocket frames.

use bytes::Bytes;
use spacetimedb::client::messages::{SerializeBuffer, serialize, serialize_v2, serialize_v3};
use spacetimedb::client::{ClientConfig, DataMessage, OutboundMessage, WsVersion};
use spacetimedb::subscription::row_list_builder_pool::BsatnRowListBuilderPool;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// The payload of each frame but a message's last, in bytes. Clients must put large messages together again.
const FRAME_BYTES: usize = 4096;

/// Encodes a batch of messages: version 3 packs them into one payload, the others make a payload of each.
pub(super) fn payloads(
    batch: &mut Vec<OutboundMessage>,
    pool: &BsatnRowListBuilderPool,
    config: ClientConfig,
) -> Vec<DataMessage> {
    let buffer = || SerializeBuffer::new(config);
    let mut payloads = Vec::new();
    let mut packed = Vec::new();
    for message in batch.drain(..) {
        match message {
            OutboundMessage::V1(message) => {
                payloads.push(serialize(pool, buffer(), message, config).1)
            }
            OutboundMessage::V2(message) if config.version == WsVersion::V3 => packed.push(message),
            OutboundMessage::V2(message) => {
                payloads.push(serialize_v2(pool, buffer(), message, config.compression).1.into());
            }
        }
    }
    if !packed.is_empty() {
        payloads.push(serialize_v3(pool, buffer(), packed, config.compression).1.into());
    }
    payloads
}

/// Cuts a payload into the frames of one message.
pub(super) fn frames(payload: DataMessage) -> impl Iterator<Item = Frame> {
    let (kind, payload) = match payload {
        DataMessage::Text(text) => (Data::Text, text.into_bytes()),
        DataMessage::Binary(payload) => (Data::Binary, payload),
    };
    (0..payload.len()).step_by(FRAME_BYTES).map(move |start| frame(&payload, start, kind))
}

fn frame(payload: &Bytes, start: usize, kind: Data) -> Frame {
    let end = payload.len().min(start + FRAME_BYTES);
    let opcode = OpCode::Data(if start == 0 { kind } else { Data::Continue });
    Frame::message(payload.slice(start..end), opcode, end == payload.len())
}
