//! A client of the tests' own: it says what a test says and checks nothing, so that the server is what is tested.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use lightlike_core::bsatn;
use lightlike_core::limits::Limits;
use lightlike_core::schema::{Procedure, Reducer, Row};
use lightlike_core::types::{ConnectionId, Identity};
use lightlike_core::wire::{
    BatchSet, ClientMessage, Protocol, QueryRows, QuerySetId, RequestId, RowList, ServerMessage,
    Text, TransactionUpdate, UpdateRows, decode_server, encode_client, open_frame,
};
use lightlike_testkit::Server;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::Response;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Time for which a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Parameters of a client's connection.
#[derive(Debug, Clone)]
pub struct Options {
    pub protocols: String,
    pub query: String,
    pub token: Option<String>,
    pub database: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            protocols: "v3.bsatn.spacetimedb, v2.bsatn.spacetimedb".into(),
            query: "compression=None".into(),
            token: None,
            database: "app".into(),
        }
    }
}

impl Options {
    pub fn v2() -> Self {
        Self { protocols: "v2.bsatn.spacetimedb".into(), ..Self::default() }
    }

    pub fn query(query: &str) -> Self {
        Self { query: query.into(), ..Self::default() }
    }

    pub fn token(token: &str) -> Self {
        Self { token: Some(token.into()), ..Self::default() }
    }
}

/// Event that a client sees.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    Message(ServerMessage),
    Close {
        code: u16,
        reason: String,
    },
    /// The socket ended without a close frame.
    Lost,
}

pub struct Client {
    socket: WebSocketStream<TcpStream>,
    pub protocol: Protocol,
    pub response: Response<Option<Vec<u8>>>,
    pub identity: Identity,
    pub id: ConnectionId,
    pub token: String,
    /// Messages of frames that were read.
    waiting: std::collections::VecDeque<ServerMessage>,
    /// The payloads of the binary messages so far, with their compression tag.
    pub payloads: Vec<Bytes>,
    request_id: u32,
}

impl Client {
    /// Connects, and reads the server's greeting.
    pub async fn connect(server: &Server) -> Self {
        Self::connect_with(server, &Options::default()).await
    }

    pub async fn connect_with(server: &Server, options: &Options) -> Self {
        Self::connect_at(&server.uri(), options).await
    }

    /// Connects to whatever server is there, and reads its greeting.
    pub async fn connect_at(server: &str, options: &Options) -> Self {
        let mut client = Self::open_at(server, options).await.unwrap();
        let ServerMessage::InitialConnection { identity, connection_id, token } =
            client.message().await
        else {
            panic!("the first message is no greeting")
        };
        client.identity = identity;
        client.id = connection_id;
        client.token = token.as_str().to_owned();
        client
    }

    /// Connects, without reading anything.
    pub async fn open(server: &Server, options: &Options) -> Result<Self, Error> {
        Self::open_at(&server.uri(), options).await
    }

    async fn open_at(server: &str, options: &Options) -> Result<Self, Error> {
        let uri = server.replace("http", "ws");
        let uri = format!("{uri}/v1/database/{}/subscribe?{}", options.database, options.query);
        let mut request = uri.into_client_request().unwrap();
        if !options.protocols.is_empty() {
            request
                .headers_mut()
                .insert("sec-websocket-protocol", options.protocols.parse().unwrap());
        }
        if let Some(token) = &options.token {
            request
                .headers_mut()
                .insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let stream = TcpStream::connect(server.trim_start_matches("http://")).await?;
        let opened = tokio::time::timeout(PATIENCE, client_async(request, stream)).await;
        let (socket, response) = opened.unwrap()?;
        let echo = response
            .headers()
            .get("sec-websocket-protocol")
            .map_or("", |value| value.to_str().unwrap());
        Ok(Self {
            socket,
            protocol: Protocol::from_subprotocol(echo).unwrap(),
            response,
            identity: Identity::ZERO,
            id: ConnectionId::ZERO,
            token: String::new(),
            waiting: Default::default(),
            payloads: Vec::new(),
            request_id: 0,
        })
    }

    /// The next thing that happens.
    pub async fn next(&mut self) -> Seen {
        tokio::time::timeout(PATIENCE, self.next_unbounded())
            .await
            .expect("the server says nothing")
    }

    /// Returns `true` if nothing comes before the server has answered something else.
    pub async fn hears_nothing(&mut self) -> bool {
        let request_id = self.send_query("SELECT * FROM no_such_table").await;
        matches!(self.message().await, ServerMessage::OneOffQueryResult { request_id: found, .. } if found == request_id)
    }

    async fn next_unbounded(&mut self) -> Seen {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Seen::Message(message);
            }
            match self.socket.next().await {
                Some(Ok(Message::Binary(payload))) => {
                    self.payloads.push(payload.clone());
                    let body = open_frame(payload, &Limits::DEFAULT).unwrap();
                    let messages = decode_server(&body, self.protocol, &Limits::DEFAULT);
                    self.waiting.extend(messages.map(Result::unwrap));
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    // Sends the answer, so that the server need not wait for it.
                    let _ = self.socket.flush().await;
                    return Seen::Close {
                        code: frame.code.into(),
                        reason: frame.reason.to_string(),
                    };
                }
                Some(Ok(_)) => {}
                None | Some(Err(_)) => return Seen::Lost,
            }
        }
    }

    /// The next binary message's payload, whatever is in it.
    pub async fn payload(&mut self) -> Bytes {
        loop {
            match tokio::time::timeout(PATIENCE, self.socket.next()).await.unwrap() {
                Some(Ok(Message::Binary(payload))) => return payload,
                Some(Ok(_)) => {}
                other => panic!("{other:?} instead of a message"),
            }
        }
    }

    pub async fn message(&mut self) -> ServerMessage {
        match self.next().await {
            Seen::Message(message) => message,
            other => panic!("{other:?} instead of a message"),
        }
    }

    pub async fn send(&mut self, messages: &[ClientMessage]) {
        let mut payload = Vec::new();
        for message in messages {
            encode_client(message, &mut payload).unwrap();
        }
        self.send_raw(Message::Binary(payload.into())).await;
    }

    pub async fn send_raw(&mut self, message: Message) {
        // The server may have ended the connection, which tests find out by reading.
        let _ = self.socket.send(message).await;
    }

    pub fn next_request(&mut self) -> RequestId {
        self.request_id += 1;
        RequestId(self.request_id)
    }

    pub async fn send_subscribe(&mut self, set: u32, queries: &[&str]) -> RequestId {
        let request_id = self.next_request();
        let queries = queries.iter().map(|query| Text::from(*query)).collect();
        self.send(&[ClientMessage::Subscribe {
            request_id,
            query_set_id: QuerySetId(set),
            queries,
        }])
        .await;
        request_id
    }

    /// Subscribes and returns the first rows.
    pub async fn subscribe(&mut self, set: u32, queries: &[&str]) -> QueryRows {
        let sent = self.send_subscribe(set, queries).await;
        match self.message().await {
            ServerMessage::SubscribeApplied { request_id, query_set_id, rows } => {
                assert_eq!((request_id, query_set_id), (sent, QuerySetId(set)));
                rows
            }
            other => panic!("{other:?} instead of SubscribeApplied"),
        }
    }

    /// Subscribes and returns why that failed.
    pub async fn subscribe_error(&mut self, set: u32, queries: &[&str]) -> String {
        let sent = self.send_subscribe(set, queries).await;
        match self.message().await {
            ServerMessage::SubscriptionError { request_id, query_set_id, error } => {
                assert_eq!((request_id, query_set_id), (Some(sent), QuerySetId(set)));
                error.as_str().to_owned()
            }
            other => panic!("{other:?} instead of SubscriptionError"),
        }
    }

    pub async fn send_unsubscribe(&mut self, set: u32, send_dropped_rows: bool) -> RequestId {
        let request_id = self.next_request();
        self.send(&[ClientMessage::Unsubscribe {
            request_id,
            query_set_id: QuerySetId(set),
            send_dropped_rows,
        }])
        .await;
        request_id
    }

    pub async fn send_query(&mut self, query: &str) -> RequestId {
        let request_id = self.next_request();
        self.send(&[ClientMessage::OneOffQuery { request_id, query: Text::from(query) }]).await;
        request_id
    }

    pub async fn query(&mut self, query: &str) -> Result<QueryRows, String> {
        let sent = self.send_query(query).await;
        match self.message().await {
            ServerMessage::OneOffQueryResult { request_id, result } => {
                assert_eq!(request_id, sent);
                result.map_err(|error| error.as_str().to_owned())
            }
            other => panic!("{other:?} instead of OneOffQueryResult"),
        }
    }

    pub async fn send_call<R: Reducer>(&mut self, args: &R) -> RequestId {
        self.send_call_bytes(R::DEF.name, bsatn::to_vec(args).unwrap()).await
    }

    pub async fn send_call_bytes(&mut self, reducer: &str, args: Vec<u8>) -> RequestId {
        let request_id = self.next_request();
        self.send(&[ClientMessage::CallReducer {
            request_id,
            reducer: Text::from(reducer),
            args: args.into(),
        }])
        .await;
        request_id
    }

    pub async fn send_procedure<P: Procedure>(&mut self, args: &P) -> RequestId {
        self.send_procedure_bytes(P::DEF.name, bsatn::to_vec(args).unwrap()).await
    }

    pub async fn send_procedure_bytes(&mut self, procedure: &str, args: Vec<u8>) -> RequestId {
        let request_id = self.next_request();
        let procedure = Text::from(procedure);
        self.send(&[ClientMessage::CallProcedure { request_id, procedure, args: args.into() }])
            .await;
        request_id
    }

    pub async fn send_batch(&mut self, sets: &[(u32, &[&str])]) -> RequestId {
        let request_id = self.next_request();
        let sets = sets.iter().map(|(set, queries)| BatchSet {
            query_set_id: QuerySetId(*set),
            queries: queries.iter().map(|query| Text::from(*query)).collect(),
        });
        self.send(&[ClientMessage::SubscribeBatch { request_id, sets: sets.collect() }]).await;
        request_id
    }

    pub async fn update(&mut self) -> TransactionUpdate {
        match self.message().await {
            ServerMessage::TransactionUpdate(update) => update,
            other => panic!("{other:?} instead of TransactionUpdate"),
        }
    }
}

/// The rows of a list.
pub fn rows<R: Row>(list: &RowList) -> Vec<R> {
    list.iter().map(|row| bsatn::from_slice(row).unwrap()).collect()
}

/// All rows of an answer, of whichever table, as one type.
pub fn all_rows<R: Row>(answer: &QueryRows) -> Vec<R> {
    answer.tables.iter().flat_map(|table| rows(&table.rows)).collect()
}

/// Inserts and deletes of an update, over all its sets, tables and queries.
pub fn changes<R: Row>(update: &TransactionUpdate) -> (Vec<R>, Vec<R>) {
    let (mut inserted, mut deleted) = (Vec::new(), Vec::new());
    for table in update.query_sets.iter().flat_map(|set| &set.tables).flat_map(|table| &table.rows)
    {
        match table {
            UpdateRows::Persistent { inserts, deletes } => {
                inserted.extend(rows::<R>(inserts));
                deleted.extend(rows::<R>(deletes));
            }
            UpdateRows::Event { events } => inserted.extend(rows::<R>(events)),
        }
    }
    (inserted, deleted)
}
