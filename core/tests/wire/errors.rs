//! Bytes that are not a message, and the errors that they give.

use bytes::Bytes;
use lightlike_core::limits::Limits;
use lightlike_core::wire::{
    ClientMessage, Protocol, ServerMessage, WireErrorKind, decode_client, decode_server,
};

use crate::hex::unhex;
use crate::{client, server};

/// Bytes, what is wrong with them, in which message, in which field, at which byte.
type Case = (&'static str, WireErrorKind, &'static str, &'static str, usize);

#[test]
fn broken_server_message_names_error_and_offset() {
    use WireErrorKind::*;
    let cases: &[Case] = &[
        ("", Empty, "ServerMessage", "tag", 0),
        ("09", UnknownTag(9), "ServerMessage", "tag", 0),
        ("01 0000", UnexpectedEnd { missing: 2 }, "SubscribeApplied", "request_id", 1),
        (
            "01 00000000 00000000 02000000 00000000",
            UnexpectedEnd { missing: 18 },
            "SubscribeApplied",
            "tables",
            13,
        ),
        (
            "01 00000000 00000000 01000000 01000000 ff 00 0100 00000000",
            InvalidUtf8,
            "SubscribeApplied",
            "table",
            17,
        ),
        (
            "01 00000000 00000000 01000000 00000000 02 00000000 00000000",
            UnknownTag(2),
            "SubscribeApplied",
            "rows.size_hint",
            17,
        ),
        (
            "01 00000000 00000000 01000000 00000000 00 0000 00000000",
            FixedSizeZero,
            "SubscribeApplied",
            "rows.size_hint",
            18,
        ),
        ("02 00000000 00000000 02", UnknownTag(2), "UnsubscribeApplied", "rows", 9),
        ("03 02", UnknownTag(2), "SubscriptionError", "request_id", 1),
        ("03 01 00000000 02000000 c328", InvalidUtf8, "SubscriptionError", "error", 10),
        (
            "04 01000000 00000000 01000000 00000000 01000000 02 0000000000000000",
            UnknownTag(2),
            "TransactionUpdate",
            "rows",
            21,
        ),
        (
            "04 ffffffff 00000000",
            UnexpectedEnd { missing: 8 * 0xffff_ffff - 4 },
            "TransactionUpdate",
            "query_sets",
            5,
        ),
        ("05 00000000 02", UnknownTag(2), "OneOffQueryResult", "result", 5),
        ("06 00000000 0000000000000000 04", UnknownTag(4), "ReducerResult", "outcome", 13),
        (
            "06 00000000 0000000000000000 01 00",
            TrailingBytes { left: 1 },
            "ReducerResult",
            "end",
            14,
        ),
        ("07 02", UnknownTag(2), "ProcedureResult", "status", 1),
        (
            "08 00000000 01000000 00000000 02 00000000",
            UnknownTag(2),
            "SubscribeBatchApplied",
            "outcome",
            13,
        ),
    ];
    for &(bytes, kind, message, field, offset) in cases {
        let error = server(&unhex(bytes)).expect_err(bytes);
        let found = (error.kind(), error.message(), error.field(), error.offset());
        assert_eq!(found, (kind, message, field, offset), "{bytes}");
    }
}

#[test]
fn broken_client_message_names_error_and_offset() {
    use WireErrorKind::*;
    let cases: &[Case] = &[
        ("", Empty, "ClientMessage", "tag", 0),
        ("06", UnknownTag(6), "ClientMessage", "tag", 0),
        ("00 00000000 00000000 01000000 01000000 80", InvalidUtf8, "Subscribe", "queries", 17),
        ("01 00000000 00000000 02", UnknownTag(2), "Unsubscribe", "flags", 9),
        ("02 00000000 ffffffff", UnexpectedEnd { missing: 0xffff_ffff }, "OneOffQuery", "query", 9),
        ("03 00000000 01", UnknownTag(1), "CallReducer", "flags", 5),
        ("04 00000000 01", UnknownTag(1), "CallProcedure", "flags", 5),
        (
            "05 00000000 01000000 00000000",
            UnexpectedEnd { missing: 4 },
            "SubscribeBatch",
            "sets",
            9,
        ),
    ];
    for &(bytes, kind, message, field, offset) in cases {
        let error = client(&unhex(bytes)).expect_err(bytes);
        let found = (error.kind(), error.message(), error.field(), error.offset());
        assert_eq!(found, (kind, message, field, offset), "{bytes}");
    }
}

#[test]
fn an_error_reads_as_a_sentence() {
    let error = server(&unhex("01 0000")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot decode `SubscribeApplied`: request_id at byte 1: 2 more bytes needed"
    );
}

const OK_EMPTY: &str = "06 00000000 0000000000000000 01";

#[test]
fn v3_frame_yields_messages_in_order() {
    let body = Bytes::from(unhex("03 01 07000000 00000000 06 05000000 0000000000000000 01"));
    let mut messages = decode_server(&body, Protocol::V3, &Limits::default());
    assert!(matches!(messages.next(), Some(Ok(ServerMessage::SubscriptionError { .. }))));
    assert_eq!(messages.offset(), 10);
    assert!(matches!(messages.next(), Some(Ok(ServerMessage::ReducerResult { .. }))));
    assert_eq!((messages.next(), messages.offset()), (None, body.len()));
}

#[test]
fn v2_frame_with_two_messages_yields_none() {
    let body = Bytes::from(unhex(&OK_EMPTY.repeat(2)));
    let mut messages = decode_server(&body, Protocol::V2, &Limits::default());
    let error = messages.next().unwrap().unwrap_err();
    assert_eq!(error.kind(), WireErrorKind::TrailingBytes { left: body.len() / 2 });
    assert_eq!(messages.next(), None);
}

#[test]
fn v3_messages_before_broken_one_are_good() {
    let body = Bytes::from(unhex(&format!("{OK_EMPTY} ff {OK_EMPTY}")));
    let mut messages = decode_server(&body, Protocol::V3, &Limits::default());
    assert!(messages.next().unwrap().is_ok());
    let error = messages.next().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.offset()), (WireErrorKind::UnknownTag(0xff), 14));
    assert_eq!(messages.next(), None);
}

#[test]
fn empty_frame_is_an_error_on_both_versions() {
    for protocol in Protocol::ALL {
        let from_server = decode_server(&Bytes::new(), protocol, &Limits::default());
        let results: Vec<Result<ServerMessage, _>> = from_server.collect();
        assert!(matches!(&*results, [Err(error)] if error.kind() == WireErrorKind::Empty));

        let from_client = decode_client(&Bytes::new(), protocol, &Limits::default());
        let results: Vec<Result<ClientMessage, _>> = from_client.collect();
        assert!(matches!(&*results, [Err(error)] if error.kind() == WireErrorKind::Empty));
    }
}
