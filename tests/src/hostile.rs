//! A server that means no good: on a bare socket, it upgrades, greets, and then says what it is told to, whether the
//! protocol allows that or not.
//!
//! The test kit's server is polite where it matters here: it reads, it answers, and it sends whole frames.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use lightlike_core::driver::accept_key;
use lightlike_core::limits::Limits;
use lightlike_core::types::{ConnectionId, Identity, Timestamp};
use lightlike_core::wire::{
    BatchResult, ClientMessage, Protocol, QueryRows, QuerySetId, QuerySetUpdate, ReducerOutcome,
    RequestId, RowList, ServerMessage, TableName, TableRows, TableUpdate, Text, TransactionUpdate,
    UpdateRows, decode_client, encode_server,
};

/// First byte of a frame that is a whole binary message.
const BINARY: u8 = 0x82;
/// As `BINARY`, for a ping.
pub const PING: u8 = 0x89;
/// The tags that a message's body starts with.
const PLAIN: u8 = 0;
/// The body is compressed with brotli.
pub const BROTLI: u8 = 1;
/// The body is compressed with gzip.
pub const GZIP: u8 = 2;

/// A server, which listens for as long as the process lives.
#[derive(Debug)]
pub struct Hostile {
    uri: String,
}

impl Hostile {
    /// Starts one that tells each connection the same `story`, with how many there were before. A story ends, without an
    /// error, where the client hangs up.
    ///
    /// # Errors
    ///
    /// The system's, if it has no port left.
    pub fn start(
        story: impl Fn(Peer, usize) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let uri = format!("http://{}", listener.local_addr()?);
        let story = Arc::new(story);
        thread::spawn(move || {
            for (before, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let story = Arc::clone(&story);
                thread::spawn(move || Peer::upgraded(stream).and_then(|peer| story(peer, before)));
            }
        });
        Ok(Self { uri })
    }

    /// Base URI at which it listens.
    pub fn uri(&self) -> &str {
        &self.uri
    }
}

/// One client, upgraded to v3 and greeted.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    /// Bytes that were read of it and are not taken.
    read: Vec<u8>,
    /// Messages of a frame that are not taken, the next one last.
    messages: Vec<ClientMessage>,
}

impl Peer {
    fn upgraded(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let mut peer = Self { stream, read: Vec::new(), messages: Vec::new() };
        let head = peer.head()?;
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let key = key.ok_or_else(|| io::Error::other("no key"))?;
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Protocol: {}\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            Protocol::V3.subprotocol(),
            accept_key(key.trim()),
        );
        peer.raw(answer.as_bytes())?;
        peer.send(&ServerMessage::InitialConnection {
            identity: Identity::from_le_bytes([7; 32]),
            connection_id: ConnectionId::from_u128(9),
            token: Text::from("token"),
        })?;
        Ok(peer)
    }

    fn head(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = self.read.drain(..end + 4).collect();
                return String::from_utf8(head).map_err(io::Error::other);
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> io::Result<()> {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            len => {
                self.read.extend_from_slice(&bytes[..len]);
                Ok(())
            }
        }
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    ///
    /// The socket's, as all of these.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a WebSocket frame: `first` is its first byte.
    ///
    /// # Errors
    ///
    /// As [`raw`](Self::raw).
    pub fn frame(&mut self, first: u8, payload: &[u8]) -> io::Result<()> {
        self.raw(&frame(first, payload))
    }

    /// Sends a body after the tag of its compression.
    ///
    /// # Errors
    ///
    /// As [`raw`](Self::raw).
    pub fn body(&mut self, tag: u8, body: &[u8]) -> io::Result<()> {
        self.raw(&body_frame(tag, body))
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// As [`raw`](Self::raw).
    pub fn send(&mut self, message: &ServerMessage) -> io::Result<()> {
        self.raw(&message_frame(message))
    }

    /// The client's next message.
    ///
    /// # Errors
    ///
    /// As [`raw`](Self::raw), and if what comes is no message.
    pub fn message(&mut self) -> io::Result<ClientMessage> {
        loop {
            if let Some(message) = self.messages.pop() {
                return Ok(message);
            }
            let frame = Bytes::from(self.whole_message()?);
            let messages = decode_client(&frame, Protocol::V3, &Limits::DEFAULT);
            let messages: Result<Vec<_>, _> = messages.collect();
            self.messages = messages.map_err(io::Error::other)?;
            self.messages.reverse();
        }
    }

    /// The next binary message, out of as many frames as it has.
    fn whole_message(&mut self) -> io::Result<Vec<u8>> {
        let mut message = Vec::new();
        loop {
            let (first, payload) = self.client_frame()?;
            match first & 0x0f {
                0 | 2 => message.extend(payload),
                8 => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ => continue,
            }
            if first & 0x80 != 0 {
                return Ok(message);
            }
        }
    }

    /// A client's frame, which is masked.
    fn client_frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let [first, second] = self.bytes()?;
        let len = match second & 0x7f {
            126 => usize::from(u16::from_be_bytes(self.bytes()?)),
            127 => u64::from_be_bytes(self.bytes()?) as usize,
            len => usize::from(len),
        };
        let mask: [u8; 4] = self.bytes()?;
        while self.read.len() < len {
            self.more()?;
        }
        let masked = self.read.drain(..len).zip(mask.iter().cycle());
        Ok((first, masked.map(|(byte, mask)| byte ^ mask).collect()))
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        while self.read.len() < N {
            self.more()?;
        }
        let bytes: Vec<u8> = self.read.drain(..N).collect();
        bytes.try_into().map_err(|_| io::ErrorKind::UnexpectedEof.into())
    }

    /// Waits for one query set, and gives it rows of a table.
    ///
    /// # Errors
    ///
    /// As [`message`](Self::message).
    pub fn apply(&mut self, table: &str, rows: &[impl AsRef<[u8]>]) -> io::Result<QuerySetId> {
        loop {
            if let ClientMessage::Subscribe { request_id, query_set_id, .. } = self.message()? {
                self.send(&ServerMessage::SubscribeApplied {
                    request_id,
                    query_set_id,
                    rows: query_rows(table, rows),
                })?;
                return Ok(query_set_id);
            }
        }
    }
}

/// A WebSocket frame, not masked.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..126 => frame.push(len as u8),
        len @ 126..65_536 => {
            frame.push(126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

/// The frame of a body.
pub fn body_frame(tag: u8, body: &[u8]) -> Vec<u8> {
    frame(BINARY, &[&[tag], body].concat())
}

/// The frame of a message.
///
/// # Panics
///
/// If the message is longer than the protocol can say.
pub fn message_frame(message: &ServerMessage) -> Vec<u8> {
    let mut body = Vec::new();
    encode_server(message, &mut body).expect("it is shorter than lengths can say");
    body_frame(PLAIN, &body)
}

/// Rows of a table.
pub fn query_rows(table: &str, rows: &[impl AsRef<[u8]>]) -> QueryRows {
    let rows = RowList::from_rows(rows);
    QueryRows { tables: vec![TableRows { table: TableName::from(table), rows }] }
}

/// A transaction of somebody else's that inserts and deletes rows of a table.
pub fn update(
    set: QuerySetId,
    table: &str,
    inserts: &[impl AsRef<[u8]>],
    deletes: &[impl AsRef<[u8]>],
) -> ServerMessage {
    let rows = vec![UpdateRows::Persistent {
        inserts: RowList::from_rows(inserts),
        deletes: RowList::from_rows(deletes),
    }];
    let tables = vec![TableUpdate { table: TableName::from(table), rows }];
    let query_sets = vec![QuerySetUpdate { query_set_id: set, tables }];
    ServerMessage::TransactionUpdate(TransactionUpdate { query_sets })
}

/// The answer to a batch of query sets: rows for each.
pub fn batch_applied(
    request_id: RequestId,
    sets: impl IntoIterator<Item = (QuerySetId, QueryRows)>,
) -> ServerMessage {
    let results = sets
        .into_iter()
        .map(|(query_set_id, rows)| BatchResult { query_set_id, outcome: Ok(rows) })
        .collect();
    ServerMessage::SubscribeBatchApplied { request_id, results }
}

/// The answer to a call that changed nothing.
pub fn committed(request_id: RequestId) -> ServerMessage {
    let timestamp = Timestamp::from_micros(5);
    ServerMessage::ReducerResult { request_id, timestamp, outcome: ReducerOutcome::OkEmpty }
}
