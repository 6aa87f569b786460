//! A machine without a socket, and the server's half of what it is told.

use std::time::Instant;

use bytes::Bytes;
use lightlike_core::cache::{CacheReader, Transaction, View};
use lightlike_core::conn::{Action, CallRequest, Config, Connection, Event, Progress, Reply};
use lightlike_core::limits::Limits;
use lightlike_core::schema::Table;
use lightlike_core::types::{ConnectionId, Identity, Timestamp};
use lightlike_core::wire::{
    ClientMessage, Protocol, QueryRows, QuerySetId, QuerySetUpdate, ReducerOutcome, RequestId,
    RowList, ServerMessage, TableName, TableRows, TableUpdate, Text, TransactionUpdate, UpdateRows,
    decode_client, encode_server,
};

use crate::input::{self, Entity};

pub(crate) struct Rig {
    pub(crate) connection: Connection,
    reader: CacheReader,
    pub(crate) now: Instant,
    pub(crate) set: QuerySetId,
    pub(crate) requests: u32,
}

pub(crate) fn body(message: &ServerMessage) -> Bytes {
    let mut body = Vec::new();
    encode_server(message, &mut body).expect("a message that is small enough");
    body.into()
}

impl Rig {
    /// Connected and greeted, on v3.
    pub(crate) fn online() -> Self {
        let connection = Connection::new(Config::default(), None, 1);
        let reader = connection.reader();
        let set = QuerySetId(0);
        let mut rig = Self { connection, reader, now: Instant::now(), set, requests: 0 };
        assert!(rig.connection.start(rig.now));
        while rig.connection.poll_action().is_some() {}
        rig.connection.handle_opened(Protocol::V3);
        rig.receive(body(&ServerMessage::InitialConnection {
            identity: Identity::from_le_bytes([7; 32]),
            connection_id: ConnectionId::from_u128(9),
            token: Text::from("token"),
        }));
        rig.settle(|_| ());
        rig
    }

    /// With the first `rows` entities in the cache.
    pub(crate) fn holding_entities(rows: u64) -> Self {
        let mut rig = Self::online();
        rig.register::<Entity>();
        let body = rig.subscribe::<Entity>(input::entities(0..rows, 0));
        rig.receive(body);
        rig.settle(|_| ());
        rig
    }

    pub(crate) fn register<T: Table>(&mut self) {
        self.connection.register::<T>().expect("a table of one type");
    }

    pub(crate) fn read(&self) -> View {
        self.reader.read()
    }

    pub(crate) fn receive(&mut self, body: Bytes) {
        self.connection.handle_body(self.now, body);
    }

    /// Applies all that came and delivers its events, as a driver does.
    pub(crate) fn settle(&mut self, mut see: impl FnMut(&Transaction)) {
        loop {
            while let Some(event) = self.connection.poll_event() {
                if let Event::Transaction(event) = event {
                    see(&event.transaction);
                }
            }
            if self.connection.step(self.now, 4096) == Progress::Idle {
                return;
            }
        }
    }

    pub(crate) fn sent(&mut self) -> ClientMessage {
        let Some(Action::Send(frame)) = self.connection.poll_action() else {
            panic!("nothing is to be sent")
        };
        let mut messages = decode_client(&frame, Protocol::V3, &Limits::DEFAULT);
        messages.next().expect("a message").expect("a message that decodes")
    }

    /// Subscribes to a table; the body of the answer with these rows.
    pub(crate) fn subscribe<T: Table>(&mut self, rows: Vec<Vec<u8>>) -> Bytes {
        let table = TableName::from(T::DEF.name);
        self.ask_for_set(vec![TableRows { table, rows: RowList::from_rows(rows) }])
    }

    fn transaction<T: Table>(&self, rows: UpdateRows) -> Bytes {
        let table = TableName::from(T::DEF.name);
        let tables = vec![TableUpdate { table, rows: vec![rows] }];
        let query_sets = vec![QuerySetUpdate { query_set_id: self.set, tables }];
        body(&ServerMessage::TransactionUpdate(TransactionUpdate { query_sets }))
    }

    /// A transaction with these rows.
    pub(crate) fn update<T: Table>(&self, came: Vec<Vec<u8>>, left: Vec<Vec<u8>>) -> Bytes {
        let (inserts, deletes) = (RowList::from_rows(came), RowList::from_rows(left));
        self.transaction::<T>(UpdateRows::Persistent { inserts, deletes })
    }

    /// A transaction with these events.
    pub(crate) fn events<T: Table>(&self, rows: Vec<Vec<u8>>) -> Bytes {
        self.transaction::<T>(UpdateRows::Event { events: RowList::from_rows(rows) })
    }

    /// One call, its frame, its answer; whether it was committed.
    pub(crate) fn call_and_answer(&mut self, n: u64) -> bool {
        let args = Bytes::copy_from_slice(&n.to_le_bytes());
        let name = Text::from_static("ping");
        let call = self.connection.call(CallRequest::Reducer { name, args }, None);
        let sent = matches!(self.connection.poll_action(), Some(Action::Send(_)));
        let request_id = RequestId(self.requests);
        self.requests += 1;
        self.receive(body(&ServerMessage::ReducerResult {
            request_id,
            timestamp: Timestamp::from_micros(5),
            outcome: ReducerOutcome::OkEmpty,
        }));
        let _ = self.connection.step(self.now, 4096);
        let event = self.connection.poll_event();
        sent && matches!(
            event,
            Some(Event::Answered { call: answered, reply: Reply::Committed { .. }, .. }) if answered == call
        )
    }
}

/// Many query sets.
impl Rig {
    /// Asks for a query set; the body of the answer with these rows.
    pub(crate) fn ask_for_set(&mut self, tables: Vec<TableRows>) -> Bytes {
        self.connection.subscribe(vec!["SELECT".into()]);
        let ClientMessage::Subscribe { request_id, query_set_id, .. } = self.sent() else {
            panic!("a subscription is to be sent")
        };
        self.set = query_set_id;
        let rows = QueryRows { tables };
        body(&ServerMessage::SubscribeApplied { request_id, query_set_id, rows })
    }

    /// A query set with these rows.
    pub(crate) fn add_set(&mut self, tables: Vec<TableRows>) -> QuerySetId {
        let body = self.ask_for_set(tables);
        self.receive(body);
        self.settle(|_| ());
        self.set
    }

    /// A transaction with these rows in each of the sets.
    pub(crate) fn update_in<T: Table>(
        &self,
        sets: &[QuerySetId],
        came: &[Vec<u8>],
        left: &[Vec<u8>],
    ) -> Bytes {
        let query_sets = sets.iter().map(|&query_set_id| {
            let (inserts, deletes) = (RowList::from_rows(came), RowList::from_rows(left));
            let rows = vec![UpdateRows::Persistent { inserts, deletes }];
            let tables = vec![TableUpdate { table: TableName::from(T::DEF.name), rows }];
            QuerySetUpdate { query_set_id, tables }
        });
        let query_sets = query_sets.collect();
        body(&ServerMessage::TransactionUpdate(TransactionUpdate { query_sets }))
    }
}
