//! Every message in every variant, beside its bytes written by hand.

use bytes::Bytes;
use lightlike_core::bsatn::Encode;
use lightlike_core::types::{ConnectionId, Identity, TimeDuration, Timestamp};
use lightlike_core::wire::{
    BatchResult, BatchSet, ClientMessage, ProcedureStatus, QueryRows, QuerySetId, QuerySetUpdate,
    ReducerOutcome, RequestId, RowList, ServerMessage, TableRows, TableUpdate, TransactionUpdate,
    UpdateRows, encode_client, encode_procedure_call, encode_reducer_call,
};

use crate::hex::unhex;
use crate::{client, client_bytes, server, server_bytes};

const REQUEST: RequestId = RequestId(0x0102_0304);
const SET: QuerySetId = QuerySetId(7);

fn rows<const N: usize>(rows: [&[u8]; N]) -> RowList {
    RowList::from_rows(rows)
}

/// The table `t` with two rows of two bytes.
fn query_rows() -> QueryRows {
    QueryRows { tables: vec![TableRows { table: "t".into(), rows: rows([&[1, 2], &[3, 4]]) }] }
}
const QUERY_ROWS: &str = "01000000 01000000 74 00 0200 04000000 01020304";

/// One row came to `t` and one of another size went; one event in `e`.
fn update() -> TransactionUpdate {
    let changed = UpdateRows::Persistent { inserts: rows([&[5]]), deletes: rows([&[], &[6, 7]]) };
    let happened = UpdateRows::Event { events: rows([&[8], &[8]]) };
    TransactionUpdate {
        query_sets: vec![QuerySetUpdate {
            query_set_id: SET,
            tables: vec![
                TableUpdate { table: "t".into(), rows: vec![changed] },
                TableUpdate { table: "e".into(), rows: vec![happened] },
            ],
        }],
    }
}
const UPDATE: &str = "01000000 07000000 02000000 \
     01000000 74 01000000 00  00 0100 01000000 05 \
                              01 02000000 0000000000000000 0000000000000000 02000000 0607 \
     01000000 65 01000000 01  00 0100 02000000 0808";

fn client_table() -> Vec<(ClientMessage, String)> {
    let queries = || vec!["SELECT".into(), "".into()];
    let queries_bytes = "02000000 06000000 53454c454354 00000000";
    vec![
        (
            ClientMessage::Subscribe { request_id: REQUEST, query_set_id: SET, queries: queries() },
            format!("00 04030201 07000000 {queries_bytes}"),
        ),
        (
            ClientMessage::Unsubscribe {
                request_id: REQUEST,
                query_set_id: SET,
                send_dropped_rows: false,
            },
            "01 04030201 07000000 00".into(),
        ),
        (
            ClientMessage::Unsubscribe {
                request_id: REQUEST,
                query_set_id: SET,
                send_dropped_rows: true,
            },
            "01 04030201 07000000 01".into(),
        ),
        (
            ClientMessage::OneOffQuery { request_id: REQUEST, query: "é".into() },
            "02 04030201 02000000 c3a9".into(),
        ),
        (
            ClientMessage::CallReducer {
                request_id: REQUEST,
                reducer: "add".into(),
                args: Bytes::from_static(&[0xff]),
            },
            "03 04030201 00 03000000 616464 01000000 ff".into(),
        ),
        (
            ClientMessage::CallProcedure {
                request_id: REQUEST,
                procedure: "p".into(),
                args: Bytes::new(),
            },
            "04 04030201 00 01000000 70 00000000".into(),
        ),
        (
            ClientMessage::SubscribeBatch {
                request_id: REQUEST,
                sets: vec![
                    BatchSet { query_set_id: SET, queries: queries() },
                    BatchSet { query_set_id: QuerySetId(8), queries: vec![] },
                ],
            },
            format!("05 04030201 02000000 07000000 {queries_bytes} 08000000 00000000"),
        ),
    ]
}

fn server_table() -> Vec<(ServerMessage, String)> {
    [connection_table(), subscription_table(), call_table()].concat()
}

fn connection_table() -> Vec<(ServerMessage, String)> {
    let mut identity = [0; 32];
    identity[0] = 0xaa;
    identity[31] = 0xbb;
    vec![
        (
            ServerMessage::InitialConnection {
                identity: Identity::from_le_bytes(identity),
                connection_id: ConnectionId::from_u128(0x0c0d),
                token: "jwt".into(),
            },
            format!("00 aa{}bb 0d0c{} 03000000 6a7774", "00".repeat(30), "00".repeat(14)),
        ),
        (ServerMessage::TransactionUpdate(update()), format!("04 {UPDATE}")),
        (
            ServerMessage::OneOffQueryResult { request_id: REQUEST, result: Ok(query_rows()) },
            format!("05 04030201 00 {QUERY_ROWS}"),
        ),
        (
            ServerMessage::OneOffQueryResult { request_id: REQUEST, result: Err("no".into()) },
            "05 04030201 01 02000000 6e6f".into(),
        ),
    ]
}

fn subscription_table() -> Vec<(ServerMessage, String)> {
    vec![
        (
            ServerMessage::SubscribeApplied {
                request_id: REQUEST,
                query_set_id: SET,
                rows: query_rows(),
            },
            format!("01 04030201 07000000 {QUERY_ROWS}"),
        ),
        (
            ServerMessage::UnsubscribeApplied {
                request_id: REQUEST,
                query_set_id: SET,
                rows: Some(query_rows()),
            },
            format!("02 04030201 07000000 00 {QUERY_ROWS}"),
        ),
        (
            ServerMessage::UnsubscribeApplied {
                request_id: REQUEST,
                query_set_id: SET,
                rows: None,
            },
            "02 04030201 07000000 01".into(),
        ),
        (
            ServerMessage::SubscriptionError {
                request_id: Some(REQUEST),
                query_set_id: SET,
                error: "no".into(),
            },
            "03 00 04030201 07000000 02000000 6e6f".into(),
        ),
        (
            ServerMessage::SubscriptionError {
                request_id: None,
                query_set_id: SET,
                error: "no".into(),
            },
            "03 01 07000000 02000000 6e6f".into(),
        ),
        (
            ServerMessage::SubscribeBatchApplied {
                request_id: REQUEST,
                results: vec![
                    BatchResult { query_set_id: SET, outcome: Ok(query_rows()) },
                    BatchResult { query_set_id: QuerySetId(8), outcome: Err("no".into()) },
                ],
            },
            format!("08 04030201 02000000 07000000 00 {QUERY_ROWS} 08000000 01 02000000 6e6f"),
        ),
    ]
}

fn call_table() -> Vec<(ServerMessage, String)> {
    let reducer = |outcome| ServerMessage::ReducerResult {
        request_id: REQUEST,
        timestamp: Timestamp::from_micros(-2),
        outcome,
    };
    let reducer_bytes = "06 04030201 feffffffffffffff";
    let procedure = |status| ServerMessage::ProcedureResult {
        status,
        timestamp: Timestamp::from_micros(1),
        duration: TimeDuration::from_micros(2),
        request_id: REQUEST,
    };
    let procedure_bytes = "0100000000000000 0200000000000000 04030201";
    vec![
        (
            reducer(ReducerOutcome::Ok { ret_value: Bytes::from_static(&[9]), update: update() }),
            format!("{reducer_bytes} 00 01000000 09 {UPDATE}"),
        ),
        (reducer(ReducerOutcome::OkEmpty), format!("{reducer_bytes} 01")),
        (
            reducer(ReducerOutcome::Err(Bytes::from_static(&[0xff, 0xfe]))),
            format!("{reducer_bytes} 02 02000000 fffe"),
        ),
        (
            reducer(ReducerOutcome::InternalError("no".into())),
            format!("{reducer_bytes} 03 02000000 6e6f"),
        ),
        (
            procedure(ProcedureStatus::Returned(Bytes::from_static(&[9]))),
            format!("07 00 01000000 09 {procedure_bytes}"),
        ),
        (
            procedure(ProcedureStatus::InternalError("no".into())),
            format!("07 01 02000000 6e6f {procedure_bytes}"),
        ),
    ]
}

#[test]
fn client_messages_have_protocol_bytes() {
    for (message, bytes) in client_table() {
        assert_eq!(client_bytes(&message), unhex(&bytes), "{message:?}");
        assert_eq!(client(&unhex(&bytes)).as_ref(), Ok(&message));
    }
}

#[test]
fn server_messages_have_protocol_bytes() {
    for (message, bytes) in server_table() {
        assert_eq!(server_bytes(&message), unhex(&bytes), "{message:?}");
        assert_eq!(server(&unhex(&bytes)).as_ref(), Ok(&message));
    }
}

#[test]
fn every_answer_names_the_request_that_it_answers() {
    for (message, _) in client_table() {
        assert_eq!(message.request_id(), REQUEST);
    }
    for (message, _) in server_table() {
        let answers = match message {
            ServerMessage::InitialConnection { .. } | ServerMessage::TransactionUpdate(_) => false,
            ServerMessage::SubscriptionError { request_id, .. } => request_id.is_some(),
            _ => true,
        };
        assert_eq!(message.request_id(), answers.then_some(REQUEST), "{message:?}");
    }
}

#[test]
fn calls_encoded_in_place_have_same_bytes() {
    let args = (7_u32, "x".to_owned());
    let encoded = Bytes::from_static(&[7, 0, 0, 0, 1, 0, 0, 0, b'x']);

    let mut in_place = vec![0xee];
    let encode = |out: &mut _| {
        args.0.encode(out);
        args.1.encode(out);
    };
    encode_reducer_call(REQUEST, "add", encode, &mut in_place).unwrap();
    encode_procedure_call(REQUEST, "p", encode, &mut in_place).unwrap();

    let mut separate = vec![0xee];
    let calls = [
        ClientMessage::CallReducer {
            request_id: REQUEST,
            reducer: "add".into(),
            args: encoded.clone(),
        },
        ClientMessage::CallProcedure { request_id: REQUEST, procedure: "p".into(), args: encoded },
    ];
    for call in &calls {
        encode_client(call, &mut separate).unwrap();
    }
    assert_eq!(in_place, separate);
}

#[test]
fn unencodable_arguments_leave_buffer_unchanged() {
    let mut out = vec![0xee];
    let too_long = u32::MAX as usize + 1;
    let error = encode_reducer_call(REQUEST, "add", |out| out.len(too_long), &mut out).unwrap_err();
    assert_eq!((error.len, out), (too_long, vec![0xee]));
}
