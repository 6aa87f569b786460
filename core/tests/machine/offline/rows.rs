//! Rows that are there at the next start, before any network.

use std::time::Duration;

use lightlike_core::bsatn::{self, Bsatn, Decode, DecodeError, Encode, Reader, Writer};
use lightlike_core::conn::SubscriptionId;
use lightlike_core::limits::Limits;
use lightlike_core::schema::{
    ColumnDef, IndexVisitor, Row, RowDef, Sats, SatsType, Table, TableDef, TableKind, TypeRef,
};
use lightlike_core::wire::{
    ClientMessage, QuerySetId, RequestId, RowList, ServerMessage, TableRows,
};

use super::Offline;
use crate::rig::{applied, committed, update};

const QUERY: &str = "SELECT * FROM t";

fn subscribe(offline: &mut Offline) -> SubscriptionId {
    offline.connection().subscribe(vec![QUERY.into()])
}

/// The sets that are asked for on the wire, in order.
fn asked(offline: &mut Offline) -> Vec<ClientMessage> {
    offline.rig.sent()
}

fn answer(offline: &mut Offline, rows: &[&[u8]]) -> Vec<String> {
    let sent = asked(offline);
    let [ClientMessage::Subscribe { request_id, query_set_id, .. }] = sent[..] else {
        panic!("{sent:?}")
    };
    offline.rig.server(applied(request_id, query_set_id, rows));
    let told = offline.told();
    offline.store();
    told
}

/// A run that had these rows.
fn with_rows(rows: &[&[u8]]) -> Offline {
    let mut offline = Offline::new();
    let _ = offline.connect();
    subscribe(&mut offline);
    assert_eq!(answer(&mut offline, rows), ["transaction: Applied", "set 0 applied"]);
    offline
}

/// A run that had a row, whose type is known.
pub(super) fn with_typed_rows() -> Offline {
    let mut offline = with_rows(&[&encoded(&Number(7))]);
    offline.connection().register::<Number>().unwrap();
    offline.store();
    offline
}

#[test]
fn persisted_rows_are_readable_before_network() {
    let offline = with_rows(&[b"a", b"b"]).restart();
    assert_eq!(offline.rig.rows(), [b"a", b"b"]);
    assert!(!offline.rig.connection.is_ready());
}

#[test]
fn resubscribed_set_gets_one_difference() {
    let mut offline = with_rows(&[b"a", b"b"]).restart();
    subscribe(&mut offline);
    assert_eq!(offline.connect(), ["Connected", "Resyncing"]);
    let told = answer(&mut offline, &[b"b", b"c"]);
    assert_eq!(told, ["transaction: Resync", "set 0 applied", "Ready"]);
    assert_eq!(offline.rig.rows(), [b"b", b"c"]);
    let offline = offline.restart();
    assert_eq!(offline.rig.rows(), [b"b", b"c"]);
}

#[test]
fn unchanged_rows_are_silent_after_a_restart() {
    let mut offline = with_rows(&[b"a"]).restart();
    subscribe(&mut offline);
    let _ = offline.connect();
    assert_eq!(answer(&mut offline, &[b"a"]), ["set 0 applied", "Ready"]);
}

#[test]
fn late_subscription_adopts_persisted_rows() {
    let mut offline = with_rows(&[b"a"]).restart();
    assert_eq!(offline.connect(), ["Connected", "Ready"]);
    assert_eq!(offline.rig.rows(), [b"a"]);
    subscribe(&mut offline);
    assert_eq!(answer(&mut offline, &[b"a", b"b"]), ["transaction: Resync", "set 0 applied"]);
    assert_eq!(offline.rig.rows(), [b"a", b"b"]);
}

#[test]
fn unclaimed_rows_expire() {
    let mut offline = with_rows(&[b"a"]).restart();
    let _ = offline.connect();
    offline.rig.now += Duration::from_secs(30);
    offline.rig.connection.handle_timeout(offline.rig.now);
    assert_eq!(offline.told(), ["transaction: Resync"]);
    assert!(offline.rig.rows().is_empty());
    offline.store();
    assert!(offline.restart().rig.rows().is_empty());
}

/// Runs that end before rows expire do not keep them for ever.
#[test]
fn unclaimed_rows_expire_over_several_runs() {
    let mut offline = with_rows(&[b"a"]);
    for seconds in [20, 9] {
        offline = offline.restart();
        let _ = offline.connect();
        offline.store();
        offline.rig.now += Duration::from_secs(seconds);
        offline.rig.connection.handle_timeout(offline.rig.now);
        assert_eq!(offline.rig.rows(), [b"a"]);
    }
    let mut offline = offline.restart();
    let _ = offline.connect();
    offline.rig.now += Duration::from_secs(1);
    offline.rig.connection.handle_timeout(offline.rig.now);
    assert_eq!(offline.told(), ["transaction: Resync"]);
    offline.store();
    assert!(offline.restart().rig.rows().is_empty());
}

#[test]
fn claimed_rows_expire_from_their_last_claim() {
    let mut offline = with_rows(&[b"a"]).restart();
    let _ = offline.connect();
    offline.rig.now += Duration::from_secs(20);
    subscribe(&mut offline);
    let _ = answer(&mut offline, &[b"a"]);
    offline.store();
    let mut offline = offline.restart();
    let _ = offline.connect();
    offline.rig.now += Duration::from_secs(29);
    offline.rig.connection.handle_timeout(offline.rig.now);
    assert_eq!(offline.rig.rows(), [b"a"]);
}

#[test]
fn ended_set_is_absent_after_restart() {
    let mut offline = with_rows(&[b"a"]);
    offline.connection().unsubscribe(SubscriptionId(0));
    let sent = asked(&mut offline);
    let [ClientMessage::Unsubscribe { request_id, query_set_id, .. }] = sent[..] else { panic!() };
    offline.rig.server(ServerMessage::UnsubscribeApplied { request_id, query_set_id, rows: None });
    let _ = offline.told();
    offline.store();
    assert!(offline.restart().rig.rows().is_empty());
}

#[test]
fn persisted_set_can_end_while_disconnected() {
    let mut offline = with_rows(&[b"a"]).restart();
    let set = subscribe(&mut offline);
    offline.connection().unsubscribe(set);
    assert_eq!(offline.told(), ["transaction: Unsubscribed", "set 0 ended: Unsubscribed"]);
    offline.store();
    assert!(offline.restart().rig.rows().is_empty());
}

#[test]
fn refused_subscription_leaves_kept_rows_unclaimed() {
    let small = |limits: &mut Limits| limits.max_outgoing_bytes = 10;
    let mut offline = with_rows(&[b"a"]).restart_limited(small);
    subscribe(&mut offline);
    assert_eq!(offline.told(), ["set 0 ended: NotSent"]);
    offline.rig.check_rows();
    let _ = offline.connect();
    offline.rig.now += Duration::from_secs(30);
    offline.rig.connection.handle_timeout(offline.rig.now);
    assert_eq!(offline.told(), ["transaction: Resync"]);
    assert!(offline.rig.rows().is_empty());
}

#[test]
fn call_leaves_journal_with_its_rows() {
    let mut offline = with_rows(&[b"a"]);
    offline.lose();
    offline.call("f", lightlike_core::journal::Delivery::AtLeastOnce);
    offline.store();
    let _ = offline.come_back();
    let sent = asked(&mut offline);
    let [ClientMessage::Subscribe { request_id, query_set_id, .. }] = sent[..] else { panic!() };
    offline.rig.server(applied(request_id, query_set_id, &[b"a"]));
    let _ = offline.told();
    offline.store();
    let sent = asked(&mut offline);
    let [ClientMessage::CallReducer { request_id, .. }] = sent[..] else { panic!("{sent:?}") };
    offline.rig.server(committed(request_id, update(QuerySetId(1), &[b"b"], &[])));
    let _ = offline.told();
    let batch = offline.connection().poll_commit().unwrap();
    assert!(offline.connection().poll_commit().is_none(), "one batch for both");
    assert_eq!(batch.ops.len(), 2, "{batch:?}");
    // The program is killed before it is written: the call is still there, and its row is not.
    let before = offline.restart();
    assert_eq!(before.rig.rows(), [b"a"]);
    assert_eq!(before.restored.len(), 1);
}

#[test]
fn rows_are_not_persisted_when_disabled() {
    let mut offline = Offline::with(|config| config.keeps_rows = false);
    let _ = offline.connect();
    subscribe(&mut offline);
    let _ = answer(&mut offline, &[b"a"]);
    assert!(offline.restart().rig.rows().is_empty());
}

/// Rows of the table `t` as four bytes.
#[derive(Debug, Clone, PartialEq)]
struct Number(u32);

/// Rows of the table `t` as four bytes of another name.
#[derive(Debug, Clone, PartialEq)]
struct Renamed(u32);

macro_rules! row_of_a_number {
    ($row:ident, $column:literal) => {
        impl Encode for $row {
            fn encode(&self, out: &mut Writer) {
                self.0.encode(out);
            }
        }
        impl<'de> Decode<'de> for $row {
            const SIZE: Option<usize> = Some(4);
            fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
                u32::decode(reader).map(Self)
            }
        }
        impl Sats for $row {
            const TYPE: SatsType = SatsType::U32;
        }
        impl Row for $row {
            const DEF: RowDef = RowDef {
                lenient: false,
                name: stringify!($row),
                columns: &[ColumnDef { name: $column, ty: TypeRef::of::<u32>() }],
            };
            type Key = ();
            fn key(&self) -> &() {
                &()
            }
            fn decode_key(_: &mut Reader<'_>) -> Result<(), DecodeError> {
                Ok(())
            }
            fn visit_indexes(_: &mut impl IndexVisitor<Self>) {}
        }
        impl Table for $row {
            type Row = Self;
            const DEF: TableDef = TableDef {
                name: "t",
                kind: TableKind::Table,
                row: <Self as Row>::DEF,
                primary_key: None,
                unique: &[],
                indexes: &[],
            };
        }
    };
}
row_of_a_number!(Number, "number");
row_of_a_number!(Renamed, "renamed");

fn encoded(value: &impl Bsatn) -> Vec<u8> {
    bsatn::to_vec(value).unwrap()
}

fn len<T: Table>(offline: &mut Offline) -> usize {
    offline.connection().register::<T>().unwrap();
    let view = offline.rig.connection.reader().read();
    view.table::<T>().map_or(0, |table| table.len())
}

#[test]
fn a_table_gets_its_type_after_its_rows() {
    let mut offline = with_rows(&[&encoded(&Number(7))]);
    offline.connection().register::<Number>().unwrap();
    offline.store();
    let mut offline = offline.restart();
    assert_eq!(len::<Number>(&mut offline), 1);
}

#[test]
fn changed_table_drops_rows_and_keeps_queue() {
    let mut offline = with_rows(&[&encoded(&Number(7))]);
    offline.connection().register::<Number>().unwrap();
    offline.lose();
    offline.call("f", lightlike_core::journal::Delivery::AtMostOnce);
    offline.store();
    let mut offline = offline.restart();
    let set = subscribe(&mut offline);
    assert_eq!(len::<Renamed>(&mut offline), 0);
    offline.store();
    assert_eq!(offline.told(), [""; 0], "nobody is told of rows that nobody could have seen");
    assert_eq!(offline.restored.len(), 1);
    // The set is asked for as if it were new.
    let _ = offline.connect();
    let sent = asked(&mut offline);
    let subscribes = sent.iter().filter_map(|message| match message {
        ClientMessage::Subscribe { request_id, query_set_id, .. } => {
            Some((*request_id, *query_set_id))
        }
        _ => None,
    });
    let (request_id, query_set_id) = subscribes.last().unwrap();
    offline.rig.server(applied(request_id, query_set_id, &[&encoded(&Renamed(8))]));
    assert!(offline.told().contains(&format!("set {} applied", set.0)));
    assert_eq!(len::<Renamed>(&mut offline), 1);
}

#[test]
fn undecodable_persisted_rows_do_not_fail_set() {
    let mut offline = with_rows(&[b"five!"]).restart();
    let set = subscribe(&mut offline);
    assert_eq!(len::<Number>(&mut offline), 0);
    assert_eq!(offline.told(), [""; 0]);
    let _ = offline.connect();
    let told = answer(&mut offline, &[&encoded(&Number(1))]);
    assert_eq!(told, ["transaction: Applied".to_owned(), format!("set {} applied", set.0)]);
}

/// A run that subscribed to the tables `t` and `u` with one set, and had these rows of `t` and the row `b"u"` of `u`.
fn with_two_tables(rows: &[&[u8]]) -> Offline {
    let mut offline = Offline::new();
    let _ = offline.connect();
    subscribe(&mut offline);
    let sent = asked(&mut offline);
    let [ClientMessage::Subscribe { request_id, query_set_id, .. }] = sent[..] else { panic!() };
    offline.rig.server(applied_to_two(request_id, query_set_id, rows));
    offline.store();
    let _ = offline.told();
    offline.store();
    offline
}

fn applied_to_two(request_id: RequestId, set: QuerySetId, rows: &[&[u8]]) -> ServerMessage {
    let mut message = applied(request_id, set, rows);
    let ServerMessage::SubscribeApplied { rows, .. } = &mut message else { panic!() };
    rows.tables.push(TableRows { table: "u".into(), rows: RowList::from_rows([b"u"]) });
    message
}

fn rows_of_u(offline: &Offline) -> Vec<Vec<u8>> {
    let view = offline.rig.connection.reader().read();
    view.untyped("u").map(|table| table.rows()).unwrap_or_default()
}

#[test]
fn changed_table_alone_loses_its_rows() {
    let mut offline = with_two_tables(&[&encoded(&Number(7))]);
    offline.connection().register::<Number>().unwrap();
    offline.store();
    let mut offline = offline.restart();
    let set = subscribe(&mut offline);
    assert_eq!(len::<Renamed>(&mut offline), 0);
    assert_eq!(rows_of_u(&offline), [b"u"]);
    assert_eq!(offline.told(), [""; 0]);
    offline.store();
    // The loss is on disk too, and no third run sees rows of either type.
    let mut again = offline.restart();
    assert_eq!((len::<Renamed>(&mut again), rows_of_u(&again)), (0, vec![b"u".to_vec()]));
    assert_eq!(subscribe(&mut again), set);
    assert_eq!(again.connect(), ["Connected", "Resyncing"]);
    let sent = asked(&mut again);
    let [ClientMessage::Subscribe { request_id, query_set_id, .. }] = sent[..] else { panic!() };
    again.rig.server(applied_to_two(request_id, query_set_id, &[&encoded(&Renamed(8))]));
    assert_eq!(again.told(), ["transaction: Resync", "set 0 applied", "Ready"]);
    assert_eq!((len::<Renamed>(&mut again), rows_of_u(&again)), (1, vec![b"u".to_vec()]));
}

#[test]
fn undecodable_table_alone_loses_its_rows() {
    let mut offline = with_two_tables(&[b"five!"]).restart();
    subscribe(&mut offline);
    assert_eq!(len::<Number>(&mut offline), 0);
    assert_eq!((offline.told(), rows_of_u(&offline)), (vec![], vec![b"u".to_vec()]));
    offline.store();
    let mut again = offline.restart();
    assert_eq!((len::<Number>(&mut again), rows_of_u(&again)), (0, vec![b"u".to_vec()]));
}

#[test]
fn changed_table_registered_mid_change_hides_old_rows() {
    let mut offline = with_two_tables(&[&encoded(&Number(7))]);
    offline.connection().register::<Number>().unwrap();
    offline.store();
    let mut offline = offline.restart();
    subscribe(&mut offline);
    let _ = offline.connect();
    let sent = asked(&mut offline);
    let [ClientMessage::Subscribe { request_id, query_set_id, .. }] = sent[..] else { panic!() };
    offline.rig.server(applied_to_two(request_id, query_set_id, &[&encoded(&Renamed(8))]));
    let now = offline.rig.now;
    let _ = offline.connection().step(now, 1);
    assert_eq!(len::<Renamed>(&mut offline), 0, "the change is not committed");
    let _ = offline.told();
    assert_eq!((len::<Renamed>(&mut offline), rows_of_u(&offline)), (1, vec![b"u".to_vec()]));
}
