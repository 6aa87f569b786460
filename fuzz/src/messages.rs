//! Messages of both sides, and row lists inside them.

use core::fmt::Debug;

use bytes::Bytes;
use lightlike_core::limits::Limits;
use lightlike_core::wire::{
    Messages, Protocol, QueryRows, QuerySetId, RequestId, RowList, ServerMessage, TableName,
    TableRows, WireError, decode_client, decode_server, encode_client, encode_server,
};

pub(crate) fn server_v2(input: &[u8]) {
    server(input, Protocol::V2);
}

pub(crate) fn server_v3(input: &[u8]) {
    server(input, Protocol::V3);
}

pub(crate) fn client_v2(input: &[u8]) {
    client(input, Protocol::V2);
}

pub(crate) fn client_v3(input: &[u8]) {
    client(input, Protocol::V3);
}

fn server(input: &[u8], protocol: Protocol) {
    let messages = decode_server(&Bytes::copy_from_slice(input), protocol, &Limits::default());
    check(input, protocol, messages, |message, out| encode_server(message, out).is_ok());
}

fn client(input: &[u8], protocol: Protocol) {
    let messages = decode_client(&Bytes::copy_from_slice(input), protocol, &Limits::default());
    check(input, protocol, messages, |message, out| encode_client(message, out).is_ok());
}

/// Messages are the bytes that they are decoded from, an error is the last, and on v2 there is one of either.
fn check<M: Debug>(
    input: &[u8],
    protocol: Protocol,
    mut messages: Messages<M>,
    encode: impl Fn(&M, &mut Vec<u8>) -> bool,
) where
    Messages<M>: Iterator<Item = Result<M, WireError>>,
{
    let mut encoded = Vec::new();
    let mut items = 0;
    let mut failed = false;
    while let Some(item) = messages.next() {
        assert!(!failed, "a message after an error");
        items += 1;
        match item {
            Ok(message) => assert!(encode(&message, &mut encoded), "cannot encode {message:?}"),
            Err(error) => {
                assert!(error.offset() <= input.len(), "{error} lies outside");
                failed = true;
            }
        }
        assert_eq!(encoded, input[..messages.offset()], "another encoding");
    }
    assert!(items == 1 || items > 1 && protocol == Protocol::V3, "{items} items");
    assert!(failed || encoded.len() == input.len(), "bytes are left and nobody says so");
}

/// Bytes in front of the one row list of a message.
const HEAD: [u8; 17] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];

/// Any row list is refused, or its rows cover its data and are found in every way.
pub(crate) fn row_list(input: &[u8]) {
    let body = Bytes::from([&HEAD, input].concat());
    let message = decode_server(&body, Protocol::V2, &Limits::default()).next();
    let Some(Ok(ServerMessage::SubscribeApplied { rows, .. })) = message else { return };
    let rows = &rows.tables[0].rows;

    assert_eq!(rows.iter().count(), rows.len(), "another number of rows");
    assert_eq!(
        rows.iter().map(<[u8]>::len).sum::<usize>(),
        rows.data_bytes(),
        "rows do not cover the data"
    );
    for (position, row) in rows.iter().enumerate() {
        assert_eq!(rows.get(position), Some(row), "row {position} by position");
        assert_eq!(rows.iter_from(position).next(), Some(row), "row {position} from there on");
        assert!(
            rows.row_bytes().is_none_or(|size| size == row.len()),
            "row {position} has another size"
        );
    }
    assert_eq!(rows.get(rows.len()), None, "a row behind the last");

    // A server may pack rows of one size with offsets, so packing them again gives the same rows, not the same bytes.
    let packed = RowList::from_rows(rows);
    assert!(packed.iter().eq(rows.iter()), "other rows when packed again");
}

/// A row list as it is on the wire: the input of the target `row_list` that is this list.
pub fn row_list_input(rows: &RowList) -> Vec<u8> {
    let message = ServerMessage::SubscribeApplied {
        request_id: RequestId(0),
        query_set_id: QuerySetId(0),
        rows: QueryRows {
            tables: vec![TableRows { table: TableName::default(), rows: rows.clone() }],
        },
    };
    let mut bytes = Vec::new();
    encode_server(&message, &mut bytes).expect("a row list that was decoded can be encoded");
    bytes.split_off(HEAD.len())
}
