//! Row lists: how rows are packed, found, and which packings are refused.

use lightlike_core::wire::{RowList, ServerMessage, WireErrorKind};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::hex::unhex;
use crate::{generators, server};

/// A `SubscribeApplied` with one table, whose rows are `rows`.
const HEAD: &str = "01 00000000 00000000 01000000 00000000";
const HEAD_BYTES: usize = 17;

/// The row list that `bytes` are, or why they are none.
fn row_list(bytes: &str) -> Result<RowList, WireErrorKind> {
    match server(&unhex(&format!("{HEAD} {bytes}"))) {
        Ok(ServerMessage::SubscribeApplied { mut rows, .. }) => Ok(rows.tables.remove(0).rows),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.kind()),
    }
}

fn collect(rows: &RowList) -> Vec<&[u8]> {
    rows.iter().collect()
}

#[test]
fn rows_of_one_size_follow_each_other() {
    let rows = row_list("00 0200 06000000 010203040506").unwrap();
    assert_eq!(collect(&rows), [&[1, 2], &[3, 4], &[5, 6]]);
    assert_eq!((rows.len(), rows.data_bytes(), rows.row_bytes()), (3, 6, Some(2)));
}

#[test]
fn row_offsets_end_at_next_start() {
    let rows = row_list(
        "01 04000000 0000000000000000 0100000000000000 0100000000000000 0300000000000000 \
         05000000 0102030405",
    );
    let rows = rows.unwrap();
    assert_eq!(collect(&rows), [&[1][..], &[], &[2, 3], &[4, 5]]);
    assert_eq!((rows.len(), rows.data_bytes(), rows.row_bytes()), (4, 5, None));
}

#[test]
fn rows_without_bytes_are_rows() {
    let rows = row_list("01 02000000 0000000000000000 0000000000000000 00000000").unwrap();
    assert_eq!(collect(&rows), [&[], &[]] as [&[u8]; 2]);
}

#[test]
fn an_empty_list_is_empty_in_both_packings() {
    for bytes in ["00 0200 00000000", "01 00000000 00000000"] {
        let rows = row_list(bytes).unwrap();
        assert!(rows.is_empty() && rows.iter().next().is_none() && rows.get(0).is_none());
    }
}

#[test]
fn packings_that_lose_or_invent_bytes_are_refused() {
    use WireErrorKind::*;
    let first_not_at_0 = "01 01000000 0100000000000000 02000000 0102";
    let descending = "01 03000000 0000000000000000 0200000000000000 0100000000000000 02000000 0102";
    let behind_data = "01 02000000 0000000000000000 0300000000000000 02000000 0102";
    let far_behind = "01 02000000 0000000000000000 ffffffffffffffff 02000000 0102";
    let cases = [
        ("00 0000 00000000", FixedSizeZero),
        ("00 0000 01000000 00", FixedSizeZero),
        ("00 0200 03000000 010203", PartialRow { row: 2, data: 3 }),
        ("01 00000000 02000000 0102", DataWithoutRows { data: 2 }),
        (first_not_at_0, MisplacedRow { row: 0, start: 1, min: 0, max: 0 }),
        (descending, MisplacedRow { row: 2, start: 1, min: 2, max: 2 }),
        (behind_data, MisplacedRow { row: 1, start: 3, min: 0, max: 2 }),
        (far_behind, MisplacedRow { row: 1, start: u64::MAX, min: 0, max: 2 }),
    ];
    for (bytes, kind) in cases {
        assert_eq!(row_list(bytes).unwrap_err(), kind, "{bytes}");
    }
}

#[test]
fn impossible_offset_count_costs_nothing() {
    let error = server(&unhex(&format!("{HEAD} 01 ffffffff 00000000"))).unwrap_err();
    let missing = 8 * 0xffff_ffff - 4;
    assert_eq!(error.kind(), WireErrorKind::UnexpectedEnd { missing });
    assert_eq!((error.field(), error.offset()), ("rows.size_hint", HEAD_BYTES + 5));
}

#[test]
fn rows_are_packed_as_a_server_does() {
    let row_65535 = vec![0; 65_535];
    let row_65536 = vec![0; 65_536];
    let cases: [(&[&[u8]], Option<usize>); 7] = [
        (&[], None),
        (&[&[]], None),
        (&[&[1], &[2]], Some(1)),
        (&[&[1], &[2, 3]], None),
        (&[&[], &[1, 2]], None),
        (&[&row_65535], Some(65_535)),
        (&[&row_65536, &row_65536], None),
    ];
    for (rows, row_bytes) in cases {
        let list = RowList::from_rows(rows);
        assert_eq!((list.row_bytes(), list.len()), (row_bytes, rows.len()));
        assert_eq!(collect(&list), rows);
    }
}

#[test]
fn empty_list_has_no_rows() {
    assert_eq!(RowList::new(), RowList::from_rows([] as [&[u8]; 0]));
    assert_eq!(RowList::default(), row_list("01 00000000 00000000").unwrap());
}

proptest! {
    #[test]
    fn rows_are_found_by_and_from_position(rows in generators::rows(), from in 0_usize..12) {
        let list = RowList::from_rows(&rows);
        let rest = rows.get(from..).unwrap_or_default();
        prop_assert_eq!(list.iter_from(from).collect::<Vec<_>>(), rest);
        prop_assert_eq!(list.iter_from(from).len(), rest.len());
        prop_assert_eq!(list.get(from), rows.get(from).map(Vec::as_slice));
        prop_assert_eq!(list.iter().nth(from), list.get(from));
        let mut started = list.iter();
        if started.next().is_some() {
            prop_assert_eq!(started.nth(from), list.get(from + 1));
        }
    }

    #[test]
    fn any_offsets_are_refused_or_cover_the_data(starts in vec(0_u64..9, 0..6), len in 0_usize..9) {
        let mut bytes = vec![1];
        bytes.extend((starts.len() as u32).to_le_bytes());
        starts.iter().for_each(|start| bytes.extend(start.to_le_bytes()));
        bytes.extend((len as u32).to_le_bytes());
        bytes.extend((0..len).map(|byte| byte as u8));

        let honest = starts.first().map_or(len == 0, |first| *first == 0)
            && starts.is_sorted()
            && starts.last().is_none_or(|last| *last <= len as u64);
        match server(&[unhex(HEAD), bytes].concat()) {
            Ok(ServerMessage::SubscribeApplied { rows, .. }) => {
                let rows = &rows.tables[0].rows;
                prop_assert!(honest);
                prop_assert_eq!(rows.len(), starts.len());
                prop_assert_eq!(rows.iter().flatten().count(), len);
            }
            Ok(other) => prop_assert!(false, "{other:?}"),
            Err(_) => prop_assert!(!honest),
        }
    }
}
