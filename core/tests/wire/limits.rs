//! Each limit of the wire is reached, and let through at its last byte.

use bytes::Bytes;
use lightlike_core::limits::Limits;
use lightlike_core::wire::{
    Compression, FrameError, Protocol, QueryRows, QuerySetId, RequestId, RowList, ServerMessage,
    TableRows, WireError, WireErrorKind, decode_server, open_frame, seal_frame,
};

use crate::frames::{brotli, gzip};
use crate::server_bytes;

fn limits(set: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    set(&mut limits);
    limits
}

fn tables(lists: Vec<RowList>) -> ServerMessage {
    let tables = lists.into_iter().map(|rows| TableRows { table: "t".into(), rows }).collect();
    ServerMessage::SubscribeApplied {
        request_id: RequestId(1),
        query_set_id: QuerySetId(1),
        rows: QueryRows { tables },
    }
}

fn decode(message: &ServerMessage, limits: &Limits) -> Result<ServerMessage, WireError> {
    decode_server(&server_bytes(message).into(), Protocol::V2, limits).next().unwrap()
}

#[test]
fn a_frame_has_at_most_max_frame_bytes() {
    let frame = Bytes::from_static(&[0, 1, 2, 3]);
    let enough = limits(|limits| limits.max_frame_bytes = 4);
    assert_eq!(open_frame(frame.clone(), &enough).unwrap(), [1, 2, 3].as_slice());

    let one_less = limits(|limits| limits.max_frame_bytes = 3);
    let error = open_frame(frame, &one_less).unwrap_err();
    assert_eq!(error, FrameError::FrameTooLarge { bytes: 4, limit: 3 });
    assert_eq!(error.to_string(), "frame of 4 bytes exceeds `max_frame_bytes` (3)");
}

#[test]
fn message_limit_applies_to_every_compression() {
    for size in [2000, 4096, 100_000] {
        let body: Vec<u8> = (0..size).map(|byte| (byte % 251) as u8).collect();
        let frames = [
            seal_frame(&body, Compression::None, |_, _| ()),
            seal_frame(&body, Compression::Gzip, gzip),
            seal_frame(&body, Compression::Brotli, brotli),
        ];
        for frame in frames {
            let enough = limits(|limits| limits.max_message_bytes = size);
            assert_eq!(open_frame(frame.clone(), &enough).unwrap(), body);

            let one_less = limits(|limits| limits.max_message_bytes = size - 1);
            let error = open_frame(frame.clone(), &one_less).unwrap_err();
            assert_eq!(error, FrameError::MessageTooLarge { frame: frame.len(), limit: size - 1 });
        }
    }
}

#[test]
fn a_limit_of_nothing_lets_nothing_through() {
    let body = [7; 2000];
    let none = limits(|limits| limits.max_message_bytes = 0);
    let gzip = seal_frame(&body, Compression::Gzip, gzip);
    let brotli = seal_frame(&body, Compression::Brotli, brotli);
    for frame in [gzip, brotli] {
        assert!(matches!(open_frame(frame, &none), Err(FrameError::MessageTooLarge { .. })));
    }
}

#[test]
fn a_row_has_at_most_max_row_bytes() {
    let of_one_size = RowList::from_rows([[0; 8], [0; 8]]);
    let with_offsets = RowList::from_rows([&[0; 2][..], &[0; 8], &[0; 5]]);
    let last = RowList::from_rows([&[0; 2][..], &[0; 8]]);
    for (rows, row) in [(of_one_size, 0), (with_offsets, 1), (last, 1)] {
        let message = tables(vec![rows]);
        assert!(decode(&message, &limits(|limits| limits.max_row_bytes = 8)).is_ok());

        let error = decode(&message, &limits(|limits| limits.max_row_bytes = 7)).unwrap_err();
        assert_eq!(error.kind(), WireErrorKind::RowTooLarge { row, bytes: 8, limit: 7 });
        assert!(error.to_string().ends_with("of 8 bytes exceeds `max_row_bytes` (7)"), "{error}");
    }
}

#[test]
fn a_message_names_at_most_max_message_parts() {
    let message = tables(vec![RowList::new(); 3]);
    assert!(decode(&message, &limits(|limits| limits.max_message_parts = 3)).is_ok());

    let error = decode(&message, &limits(|limits| limits.max_message_parts = 2)).unwrap_err();
    assert_eq!(error.kind(), WireErrorKind::TooManyParts { limit: 2 });
    assert!(error.to_string().contains("`max_message_parts` (2)"), "{error}");
}

#[test]
fn v3_frame_parts_count_per_message() {
    let limits = limits(|limits| limits.max_message_parts = 2);
    let body = server_bytes(&tables(vec![RowList::new(); 2])).repeat(3);
    let messages = decode_server(&body.into(), Protocol::V3, &limits);
    assert_eq!(messages.filter(Result::is_ok).count(), 3);
}
