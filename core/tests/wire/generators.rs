//! Messages at random.

use bytes::Bytes;
use lightlike_core::types::{ConnectionId, Identity, TimeDuration, Timestamp};
use lightlike_core::wire::{
    BatchResult, BatchSet, ClientMessage, ProcedureStatus, QueryRows, QuerySetId, QuerySetUpdate,
    ReducerOutcome, RequestId, RowList, ServerMessage, TableName, TableRows, TableUpdate, Text,
    TransactionUpdate, UpdateRows,
};
use proptest::array::uniform32;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = Text> {
    vec(any::<char>(), 0..8).prop_map(|chars| chars.into_iter().collect::<String>().into())
}

fn table_name() -> impl Strategy<Value = TableName> {
    text().prop_map(TableName)
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..12).prop_map(Bytes::from)
}

fn request_id() -> impl Strategy<Value = RequestId> {
    any::<u32>().prop_map(RequestId)
}

fn query_set_id() -> impl Strategy<Value = QuerySetId> {
    any::<u32>().prop_map(QuerySetId)
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

/// Rows of one size, or of any.
pub(crate) fn rows() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let fixed = (0_usize..5).prop_flat_map(|size| vec(vec(any::<u8>(), size), 0..10));
    prop_oneof![fixed, vec(vec(any::<u8>(), 0..5), 0..10)]
}

fn row_list() -> impl Strategy<Value = RowList> {
    rows().prop_map(RowList::from_rows)
}

fn query_rows() -> impl Strategy<Value = QueryRows> {
    let table = (table_name(), row_list()).prop_map(|(table, rows)| TableRows { table, rows });
    vec(table, 0..4).prop_map(|tables| QueryRows { tables })
}

fn rows_or_error() -> impl Strategy<Value = Result<QueryRows, Text>> {
    prop_oneof![query_rows().prop_map(Ok), text().prop_map(Err)]
}

fn update_rows() -> impl Strategy<Value = UpdateRows> {
    prop_oneof![
        (row_list(), row_list())
            .prop_map(|(inserts, deletes)| UpdateRows::Persistent { inserts, deletes }),
        row_list().prop_map(|events| UpdateRows::Event { events }),
    ]
}

fn update() -> impl Strategy<Value = TransactionUpdate> {
    let table = (table_name(), vec(update_rows(), 0..3))
        .prop_map(|(table, rows)| TableUpdate { table, rows });
    let set = (query_set_id(), vec(table, 0..3))
        .prop_map(|(query_set_id, tables)| QuerySetUpdate { query_set_id, tables });
    vec(set, 0..3).prop_map(|query_sets| TransactionUpdate { query_sets })
}

fn outcome() -> impl Strategy<Value = ReducerOutcome> {
    prop_oneof![
        (bytes(), update())
            .prop_map(|(ret_value, update)| ReducerOutcome::Ok { ret_value, update }),
        Just(ReducerOutcome::OkEmpty),
        bytes().prop_map(ReducerOutcome::Err),
        text().prop_map(ReducerOutcome::InternalError),
    ]
}

fn status() -> impl Strategy<Value = ProcedureStatus> {
    prop_oneof![
        bytes().prop_map(ProcedureStatus::Returned),
        text().prop_map(ProcedureStatus::InternalError),
    ]
}

pub(crate) fn server_message() -> impl Strategy<Value = ServerMessage> {
    let batch_result = (query_set_id(), rows_or_error())
        .prop_map(|(query_set_id, outcome)| BatchResult { query_set_id, outcome });
    prop_oneof![
        (uniform32(any::<u8>()), any::<u128>(), text()).prop_map(|(identity, id, token)| {
            ServerMessage::InitialConnection {
                identity: Identity::from_le_bytes(identity),
                connection_id: ConnectionId::from_u128(id),
                token,
            }
        }),
        (request_id(), query_set_id(), query_rows()).prop_map(
            |(request_id, query_set_id, rows)| {
                ServerMessage::SubscribeApplied { request_id, query_set_id, rows }
            }
        ),
        (request_id(), query_set_id(), option::of(query_rows())).prop_map(
            |(request_id, query_set_id, rows)| {
                ServerMessage::UnsubscribeApplied { request_id, query_set_id, rows }
            }
        ),
        (option::of(request_id()), query_set_id(), text()).prop_map(
            |(request_id, query_set_id, error)| {
                ServerMessage::SubscriptionError { request_id, query_set_id, error }
            }
        ),
        update().prop_map(ServerMessage::TransactionUpdate),
        (request_id(), rows_or_error()).prop_map(|(request_id, result)| {
            ServerMessage::OneOffQueryResult { request_id, result }
        }),
        (request_id(), timestamp(), outcome()).prop_map(|(request_id, timestamp, outcome)| {
            ServerMessage::ReducerResult { request_id, timestamp, outcome }
        }),
        (status(), timestamp(), any::<i64>(), request_id()).prop_map(
            |(status, timestamp, micros, request_id)| {
                let duration = TimeDuration::from_micros(micros);
                ServerMessage::ProcedureResult { status, timestamp, duration, request_id }
            }
        ),
        (request_id(), vec(batch_result, 0..3)).prop_map(|(request_id, results)| {
            ServerMessage::SubscribeBatchApplied { request_id, results }
        }),
    ]
}

pub(crate) fn client_message() -> impl Strategy<Value = ClientMessage> {
    let queries = || vec(text(), 0..3);
    let batch_set = (query_set_id(), queries())
        .prop_map(|(query_set_id, queries)| BatchSet { query_set_id, queries });
    prop_oneof![
        (request_id(), query_set_id(), queries()).prop_map(
            |(request_id, query_set_id, queries)| {
                ClientMessage::Subscribe { request_id, query_set_id, queries }
            }
        ),
        (request_id(), query_set_id(), any::<bool>()).prop_map(
            |(request_id, query_set_id, send_dropped_rows)| {
                ClientMessage::Unsubscribe { request_id, query_set_id, send_dropped_rows }
            }
        ),
        (request_id(), text())
            .prop_map(|(request_id, query)| ClientMessage::OneOffQuery { request_id, query }),
        (request_id(), text(), bytes()).prop_map(|(request_id, reducer, args)| {
            ClientMessage::CallReducer { request_id, reducer, args }
        }),
        (request_id(), text(), bytes()).prop_map(|(request_id, procedure, args)| {
            ClientMessage::CallProcedure { request_id, procedure, args }
        }),
        (request_id(), vec(batch_set, 0..3))
            .prop_map(|(request_id, sets)| { ClientMessage::SubscribeBatch { request_id, sets } }),
    ]
}
