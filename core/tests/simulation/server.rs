//! A server with true semantics: one history, answers in order, sets that are kept up to date.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use lightlike_core::types::{ConnectionId, Identity, Timestamp};
use lightlike_core::wire::{
    BatchResult, ClientMessage, QueryRows, QuerySetId, QuerySetUpdate, ReducerOutcome, RequestId,
    RowList, ServerMessage, TableName, TableRows, TableUpdate, Text, TransactionUpdate, UpdateRows,
};

use crate::item::Item;

pub(crate) type Items = BTreeMap<u32, u32>;

/// Act of a reducer. Its encoding is its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Put(u32, u32),
    /// Another value, of a row that is there.
    Slide(u32, u32),
    Remove(u32),
    Increment(u32),
    /// A new row, under the server's own key.
    Add(u32),
    Refuse,
}

/// A call: what it does, under a number that no other call has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deed {
    pub(crate) tag: u64,
    pub(crate) act: Act,
}

impl Deed {
    pub(crate) fn bytes(self) -> Bytes {
        let (kind, id, value) = match self.act {
            Act::Put(id, value) => (0, id, value),
            Act::Remove(id) => (1, id, 0),
            Act::Increment(id) => (2, id, 0),
            Act::Add(value) => (3, 0, value),
            Act::Refuse => (4, 0, 0),
            Act::Slide(id, value) => (5, id, value),
        };
        let mut bytes = self.tag.to_le_bytes().to_vec();
        bytes.push(kind);
        bytes.extend(id.to_le_bytes());
        bytes.extend(value.to_le_bytes());
        bytes.into()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let (id, value) = (number(9), number(13));
        let act = match bytes[8] {
            0 => Act::Put(id, value),
            1 => Act::Remove(id),
            2 => Act::Increment(id),
            3 => Act::Add(value),
            5 => Act::Slide(id, value),
            _ => Act::Refuse,
        };
        Self { tag: u64::from_le_bytes(bytes[..8].try_into().unwrap()), act }
    }
}

/// A message on its way to the client, with what the client's sets are when it is applied.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) message: ServerMessage,
    pub(crate) sets: BTreeMap<QuerySetId, (u64, Items)>,
    /// The request whose call this answers.
    pub(crate) answers: Option<RequestId>,
}

/// The database, and one socket at most.
#[derive(Debug, Default)]
pub(crate) struct Server {
    pub(crate) items: Items,
    next_id: u32,
    /// Number of times that each deed was done.
    pub(crate) done: BTreeMap<u64, u32>,
    /// The sets of the socket, by the number in their query.
    sets: BTreeMap<QuerySetId, u64>,
    pub(crate) outbox: VecDeque<Sent>,
    /// Of the sets that it is asked for it answers one a socket, and says nothing of the others.
    pub(crate) withholds: bool,
}

/// The rows of a query: the numbers that are multiples of the last digit of its number.
fn matching(items: &Items, query: u64) -> Items {
    let modulus = (query % 10) as u32;
    items.iter().filter(|(id, _)| *id % modulus == 0).map(|(id, value)| (*id, *value)).collect()
}

fn rows(items: impl IntoIterator<Item = (u32, u32)>) -> RowList {
    RowList::from_rows(items.into_iter().map(|(id, value)| Item { id, value }.bytes()))
}

fn query_of(queries: &[Text]) -> u64 {
    queries[0].as_str().rsplit(' ').next().unwrap().parse().unwrap()
}

impl Server {
    /// A socket is opened.
    pub(crate) fn greet(&mut self) {
        self.hang_up();
        self.send(ServerMessage::InitialConnection {
            identity: Identity::from_le_bytes([7; 32]),
            connection_id: ConnectionId::from_u128(9),
            token: Text::from("token"),
        });
    }

    /// The socket is gone.
    pub(crate) fn hang_up(&mut self) {
        self.sets.clear();
        self.outbox.clear();
    }

    fn send(&mut self, message: ServerMessage) {
        self.send_answer(message, None);
    }

    fn send_answer(&mut self, message: ServerMessage, answers: Option<RequestId>) {
        let sets =
            self.sets.iter().map(|(set, query)| (*set, (*query, matching(&self.items, *query))));
        self.outbox.push_back(Sent { message, sets: sets.collect(), answers });
    }

    /// A set cannot be kept up.
    pub(crate) fn refuse_one(&mut self) {
        if let Some((query_set_id, _)) = self.sets.pop_first() {
            let error = Text::from_static("no more");
            self.send(ServerMessage::SubscriptionError { request_id: None, query_set_id, error });
        }
    }

    pub(crate) fn has_sets(&self) -> bool {
        !self.sets.is_empty()
    }

    /// The rows of all sets of the socket.
    pub(crate) fn subscribed(&self) -> Items {
        self.sets.values().flat_map(|query| matching(&self.items, *query)).collect()
    }

    fn initial(&mut self, set: QuerySetId, queries: &[Text]) -> QueryRows {
        let query = query_of(queries);
        self.sets.insert(set, query);
        let rows = rows(matching(&self.items, query));
        QueryRows { tables: vec![TableRows { table: TableName::from("t"), rows }] }
    }

    pub(crate) fn receive(&mut self, message: ClientMessage) {
        match message {
            ClientMessage::Subscribe { .. } if self.withholds && self.has_sets() => (),
            ClientMessage::Subscribe { request_id, query_set_id, queries } => {
                let rows = self.initial(query_set_id, &queries);
                self.send(ServerMessage::SubscribeApplied { request_id, query_set_id, rows });
            }
            ClientMessage::SubscribeBatch { request_id, sets } => {
                let answered = if self.withholds { 1 } else { sets.len() };
                let results = sets.into_iter().take(answered).map(|set| BatchResult {
                    query_set_id: set.query_set_id,
                    outcome: Ok(self.initial(set.query_set_id, &set.queries)),
                });
                let results = results.collect();
                self.send(ServerMessage::SubscribeBatchApplied { request_id, results });
            }
            ClientMessage::Unsubscribe { request_id, query_set_id, .. } => {
                let rows = None;
                let ended = self.sets.remove(&query_set_id).is_some();
                let (error, refused) = (Text::from_static("no such set"), Some(request_id));
                self.send(if ended {
                    ServerMessage::UnsubscribeApplied { request_id, query_set_id, rows }
                } else {
                    ServerMessage::SubscriptionError { request_id: refused, query_set_id, error }
                });
            }
            ClientMessage::CallReducer { request_id, args, .. } => {
                let deed = Deed::from_bytes(&args);
                *self.done.entry(deed.tag).or_default() += 1;
                let outcome = match self.act(deed.act) {
                    Some(update) => ReducerOutcome::Ok { ret_value: Bytes::new(), update },
                    None => ReducerOutcome::Err(Bytes::from_static(b"no")),
                };
                let timestamp = Timestamp::from_micros(5);
                let message = ServerMessage::ReducerResult { request_id, timestamp, outcome };
                self.send_answer(message, Some(request_id));
            }
            other => panic!("{other:?}"),
        }
    }

    /// Somebody else changes rows.
    pub(crate) fn transact(&mut self, act: Act) {
        if let Some(update) = self.act(act)
            && !update.query_sets.is_empty()
        {
            self.send(ServerMessage::TransactionUpdate(update));
        }
    }

    fn act(&mut self, act: Act) -> Option<TransactionUpdate> {
        let before = self.items.clone();
        match act {
            Act::Put(id, value) => drop(self.items.insert(id, value)),
            Act::Remove(id) => drop(self.items.remove(&id)),
            Act::Increment(id) => *self.items.get_mut(&id)? += 1,
            Act::Slide(id, value) => *self.items.get_mut(&id)? = value,
            Act::Add(value) => {
                self.next_id += 1;
                self.items.insert(100 + self.next_id, value);
            }
            Act::Refuse => return None,
        }
        let mut query_sets = Vec::new();
        for (&query_set_id, &query) in &self.sets {
            let (before, after) = (matching(&before, query), matching(&self.items, query));
            let not_in = |from: &Items, other: &Items| -> Vec<_> {
                let rows = from.iter().filter(|(id, value)| other.get(id) != Some(value));
                rows.map(|(id, value)| (*id, *value)).collect()
            };
            let (came, left) = (not_in(&after, &before), not_in(&before, &after));
            if came.is_empty() && left.is_empty() {
                continue;
            }
            let rows = UpdateRows::Persistent { inserts: rows(came), deletes: rows(left) };
            let tables = vec![TableUpdate { table: TableName::from("t"), rows: vec![rows] }];
            query_sets.push(QuerySetUpdate { query_set_id, tables });
        }
        Some(TransactionUpdate { query_sets })
    }
}
