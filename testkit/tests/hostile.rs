//! Nothing that a client sends panics the server.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use common::client::{Client, Seen};
use common::conformance::{self as m, conformance};
use common::queries::{QUERIES, SUBSCRIBED_OR_NOT};
use lightlike::bsatn::to_vec;
use lightlike::schema::Reducer;
use lightlike_core::wire::{
    BatchSet, ClientMessage, QuerySetId, RequestId, ServerMessage, Text, encode_client,
};
use lightlike_testkit::Server;
use tokio_tungstenite::tungstenite::Message;

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts what panics from now on in this process.
fn count_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        usual(info);
    }));
}

/// A xorshift generator: the same bad input every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    /// Changes a few places.
    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, self.below(256) as u8),
                2 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0xff][self.below(4)],
                3 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                4 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.extend_from_slice(&bytes.clone()[at..]),
            }
        }
    }
}

fn messages() -> Vec<Vec<u8>> {
    let (request_id, query_set_id) = (RequestId(1), QuerySetId(1));
    let queries = vec![
        Text::from("SELECT * FROM s"),
        Text::from("SELECT r.* FROM r JOIN s ON r.s_id = s.id"),
    ];
    let put_s = to_vec(&m::put_s(1, true)).unwrap();
    let messages = [
        ClientMessage::Subscribe { request_id, query_set_id, queries: queries.clone() },
        ClientMessage::Unsubscribe { request_id, query_set_id, send_dropped_rows: true },
        ClientMessage::OneOffQuery {
            request_id,
            query: Text::from("SELECT * FROM s WHERE id = 1"),
        },
        ClientMessage::CallReducer {
            request_id,
            reducer: Text::from(m::PutS::DEF.name),
            args: put_s.into(),
        },
        ClientMessage::CallProcedure {
            request_id,
            procedure: Text::from("return_result"),
            args: vec![4, 0, 0, 0].into(),
        },
        ClientMessage::SubscribeBatch {
            request_id,
            sets: vec![BatchSet { query_set_id: QuerySetId(2), queries }],
        },
    ];
    let encode = |message: &ClientMessage| {
        let mut bytes = Vec::new();
        encode_client(message, &mut bytes).unwrap();
        bytes
    };
    messages.iter().map(encode).collect()
}

async fn still_works(server: &Server) {
    let mut client = Client::connect(server).await;
    client.send_call(&m::no_op()).await;
    assert!(matches!(client.message().await, ServerMessage::ReducerResult { .. }));
}

#[tokio::test]
async fn nothing_that_a_client_sends_panics_the_server() {
    count_panics();
    let server = conformance().start().await;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let messages = messages();
    let mut client = Client::connect(&server).await;
    for round in 0..4000 {
        let mut bytes = messages[random.below(messages.len())].clone();
        if random.below(4) == 0 {
            bytes.extend_from_slice(&messages[random.below(messages.len())]);
        }
        random.spoil(&mut bytes);
        client.send_raw(Message::Binary(bytes.into())).await;
        if round % 16 == 0 {
            client = Client::connect(&server).await;
        }
    }
    still_works(&server).await;

    let mut client = Client::connect(&server).await;
    for round in 0..4000 {
        let all = QUERIES.len() + SUBSCRIBED_OR_NOT.len();
        let query = QUERIES.iter().chain(SUBSCRIBED_OR_NOT).nth(random.below(all)).unwrap();
        let mut bytes = query.as_bytes().to_vec();
        random.spoil(&mut bytes);
        let query = String::from_utf8_lossy(&bytes);
        if round % 2 == 0 {
            client.send_query(&query).await;
        } else {
            client.send_subscribe(round, &[&query]).await;
        }
        assert!(matches!(client.next().await, Seen::Message(_)), "{query}");
    }
    still_works(&server).await;
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
}
