//! Code of the application that panics inside of the machine, and ends that wait for nothing.

use std::time::Duration;

use lightlike_core::bsatn::{Decode, DecodeError, Encode, Reader, Writer};
use lightlike_core::conn::{Action, Config, Event, Progress, WhileDisconnected};
use lightlike_core::guard::Panic;
use lightlike_core::schema::{
    ColumnDef, FieldDef, IndexDef, IndexVisitor, ProductDef, Row, RowDef, Sats, SatsType, Table,
    TableDef, TableKind, TypeRef,
};
use lightlike_core::wire::{ClientMessage, Protocol, QuerySetId, ServerMessage, TransactionUpdate};

use crate::item::{Item, item};
use crate::rig::{Rig, committed, greeting, told, update};

/// A row whose order is no order: it panics over NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scored {
    id: u32,
    score: f32,
}

impl Scored {
    fn bytes(self) -> [u8; 8] {
        item(self.id, self.score.to_bits()).bytes()
    }
}

impl Encode for Scored {
    fn encode(&self, out: &mut Writer) {
        out.bytes(&self.bytes());
    }

    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        reader.take_if_equal(&self.bytes())
    }
}

impl<'a> Decode<'a> for Scored {
    const SIZE: Option<usize> = Some(8);

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let Item { id, value } = Item::decode(reader)?;
        Ok(Self { id, score: f32::from_bits(value) })
    }
}

impl Sats for Scored {
    const TYPE: SatsType = SatsType::Product(ProductDef {
        name: Some("Scored"),
        fields: &[
            FieldDef { name: Some("id"), ty: TypeRef::of::<u32>() },
            FieldDef { name: Some("score"), ty: TypeRef::of::<f32>() },
        ],
    });
}

impl Row for Scored {
    const DEF: RowDef = RowDef {
        lenient: false,
        name: "Scored",
        columns: &[
            ColumnDef { name: "id", ty: TypeRef::of::<u32>() },
            ColumnDef { name: "score", ty: TypeRef::of::<f32>() },
        ],
    };

    type Key = u32;

    fn key(&self) -> &u32 {
        &self.id
    }

    fn decode_key(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
        u32::decode(reader)
    }

    fn visit_indexes(visitor: &mut impl IndexVisitor<Self>) {
        visitor.ordered(&[1], |a, b| a.score.partial_cmp(&b.score).expect("an order"));
    }
}

impl Table for Scored {
    type Row = Self;

    const DEF: TableDef = TableDef {
        name: "t",
        kind: TableKind::Table,
        row: <Self as Row>::DEF,
        primary_key: Some(0),
        unique: &[0],
        indexes: &[IndexDef { columns: &[1] }],
    };
}

fn scored(id: u32, score: f32) -> [u8; 8] {
    Scored { id, score }.bytes()
}

const PANIC: &str = "row type of the table `t` panicked: an order";

fn inserted(set: u32, rows: &[&[u8]]) -> ServerMessage {
    ServerMessage::TransactionUpdate(update(QuerySetId(set), rows, &[]))
}

#[test]
fn row_without_order_ends_only_its_sets() {
    let mut rig = Rig::online();
    rig.connection.register::<Scored>().unwrap();
    let (first, second) = (scored(1, 1.0), scored(2, 2.0));
    let set = rig.applied(&[&first, &second]);
    let _ = rig.call("f");
    let sent = rig.sent();
    rig.server(inserted(0, &[&scored(3, f32::NAN)]));
    rig.server(committed(sent[0].request_id(), TransactionUpdate::default()));
    let events = rig.events();
    let lines = [PANIC, "transaction: Other", "set 0 ended: Panicked", "call 0: Committed"];
    assert_eq!(told(&events), lines);
    let ended = events.iter().find(|event| matches!(event, Event::Ended { .. }));
    assert!(format!("{ended:?}").contains("panicked") || format!("{ended:?}").contains("Panicked"));
    assert_eq!(
        events
            .iter()
            .filter(|event| matches!(event, Event::Ended { set: over, .. } if *over == set))
            .count(),
        1
    );
    assert!(rig.rows().is_empty() && rig.connection.is_ready());
    let sent = rig.sent();
    assert!(matches!(sent[..], [ClientMessage::Unsubscribe { .. }]), "{sent:?}");
    // Whoever asks again gets a table that works.
    rig.server(inserted(0, &[&scored(4, f32::NAN)]));
    assert!(rig.events().is_empty(), "of a set that is over nothing comes in");
    rig.applied(&[&first]);
    assert_eq!(rig.rows(), [first]);
    let view = rig.connection.reader().read();
    assert_eq!(view.table::<Scored>().unwrap().len(), 1);
}

#[test]
fn failed_first_mention_frees_rows_of_other_tables() {
    let mut rig = Rig::online();
    let nan = scored(3, f32::NAN);
    rig.applied(&[&scored(1, 1.0), &nan]);
    rig.connection.register::<Scored>().unwrap();
    assert_eq!(told(&rig.events()), [PANIC, "set 0 ended: Panicked"]);
    assert!(rig.rows().is_empty());
    assert!(matches!(rig.sent()[..], [ClientMessage::Unsubscribe { .. }]));
}

#[test]
fn broken_off_connection_answers_everything_with_its_reason() {
    let mut config = Config::default();
    config.while_disconnected = WhileDisconnected::Wait;
    let mut rig = Rig::with(config).greeted(Protocol::V3);
    rig.applied(&[b"a"]);
    let _ = (rig.call("sent"), rig.connection.verify());
    let _ = rig.sent();
    rig.server(inserted(0, &[b"received and not applied"]));
    let waiting = rig.connection.subscribe(vec!["SELECT * FROM u".into()]);
    rig.connection.break_off(rig.now, Panic::new("delivery", "on purpose"));
    let lines = [
        "delivery panicked: on purpose",
        "verified: None",
        "call 0: Unknown",
        "set 0 ended: Closed",
        "set 1 ended: Closed",
        "Closed",
    ];
    let events = rig.events();
    assert_eq!(told(&events), lines);
    assert_eq!(waiting.0, 1);
    assert!(format!("{:?}", events.last()).contains("on purpose"));
    assert!(matches!(rig.actions()[..], [Action::Abandon]));
    assert_eq!(rig.rows(), [b"a"], "what was applied stays readable");
    let _ = rig.call("too late");
    let late = rig.events();
    assert!(format!("{late:?}").contains("on purpose"), "{late:?}");
    rig.connection.break_off(rig.now, Panic::new("delivery", "again"));
    assert_eq!(told(&rig.events()), ["delivery panicked: again"]);
}

#[test]
fn bare_end_answers_everything_too() {
    let mut rig = Rig::online();
    rig.applied(&[b"a"]);
    let _ = rig.call("sent");
    let _ = rig.sent();
    rig.server(inserted(0, &[b"received and not applied"]));
    rig.connection.break_off_bare(Panic::new("client", "twice"));
    assert_eq!(told(&rig.events()), ["call 0: Unknown", "set 0 ended: Closed", "Closed"]);
    assert!(rig.connection.is_closed());
}

/// A connection that waits for a view, with a call that is answered behind what it cannot apply.
fn held_up() -> (Rig, lightlike_core::cache::View) {
    let mut rig = Rig::limited(|limits| limits.max_dead_rows = 1).greeted(Protocol::V3);
    rig.applied(&[b"a", b"b", b"c"]);
    let held = rig.connection.reader().read();
    let left = |rows| ServerMessage::TransactionUpdate(update(QuerySetId(0), &[], rows));
    rig.server(left(&[b"a", b"b"]));
    assert_eq!(told(&rig.events()), ["transaction: Other"]);
    let _ = rig.call("f");
    let sent = rig.sent();
    rig.server(left(&[b"c"]));
    rig.server(committed(sent[0].request_id(), TransactionUpdate::default()));
    for _ in 0..10 {
        let _ = rig.connection.step(rig.now, 100);
    }
    assert_eq!(rig.connection.step(rig.now, 100), Progress::Waiting);
    (rig, held)
}

#[test]
fn close_waits_for_no_view() {
    let (mut rig, held) = held_up();
    rig.connection.close(rig.now);
    assert!(matches!(rig.actions()[..], [Action::Close]));
    assert!(rig.events().is_empty());
    // The server still talks: that stands in nobody's way.
    for _ in 0..10 {
        rig.server(inserted(0, &[&[b'x'; 1000]]));
    }
    assert!(rig.connection.can_receive() && rig.events().is_empty());
    rig.lose();
    assert_eq!(told(&rig.events()), ["call 0: Unknown", "set 0 ended: Closed", "Closed"]);
    assert_eq!(rig.rows(), [b"c"]);
    drop(held);
}

#[test]
fn close_of_lost_connection_ignores_views() {
    let (mut rig, held) = held_up();
    rig.lose();
    for _ in 0..10 {
        let _ = rig.connection.step(rig.now, 100);
    }
    assert!(
        !rig.connection.is_closed(),
        "what was received is not given up before somebody closes"
    );
    rig.connection.close(rig.now);
    assert_eq!(told(&rig.events()), ["call 0: Unknown", "set 0 ended: Closed", "Closed"]);
    drop(held);
}

#[test]
fn close_ends_in_time_though_nobody_steps() {
    let (mut rig, held) = held_up();
    rig.connection.close(rig.now);
    rig.lose();
    assert_eq!(rig.sleep(), Duration::from_secs(2));
    let mut events = Vec::new();
    while let Some(event) = rig.connection.poll_event() {
        events.push(event);
    }
    assert_eq!(told(&events), ["call 0: Unknown", "set 0 ended: Closed", "Closed"]);
    drop(held);
}

#[test]
fn close_at_once_waits_for_nothing() {
    let (mut rig, held) = held_up();
    rig.connection.close_at_once(rig.now);
    assert!(matches!(rig.actions()[..], [Action::Abandon]));
    let mut events = Vec::new();
    while let Some(event) = rig.connection.poll_event() {
        events.push(event);
    }
    assert_eq!(told(&events), ["call 0: Unknown", "set 0 ended: Closed", "Closed"]);
    assert!(!rig.connection.has_work());
    rig.connection.close_at_once(rig.now);
    assert!(rig.connection.poll_event().is_none());
    drop(held);
}

#[test]
fn resync_goes_on_after_rows_panicked() {
    let mut rig = Rig::with(Config::default()).greeted(Protocol::V3);
    rig.connection.register::<Scored>().unwrap();
    let first = scored(1, 1.0);
    rig.applied(&[&first]);
    rig.lose();
    assert_eq!(told(&rig.events()), ["Reconnecting"]);
    rig.connection.reconnect_now(rig.now);
    let _ = rig.actions();
    rig.connection.handle_opened(Protocol::V3);
    rig.server(greeting());
    assert_eq!(told(&rig.events()), ["Connected", "Resyncing"]);
    let sent = rig.sent();
    let [ClientMessage::Subscribe { request_id, query_set_id, .. }] = sent[..] else {
        panic!("{sent:?}")
    };
    rig.server(crate::rig::applied(request_id, query_set_id, &[&first, &scored(2, f32::NAN)]));
    assert_eq!(
        told(&rig.events()),
        [PANIC, "transaction: Resync", "Ready", "set 0 ended: Panicked"]
    );
    assert!(rig.rows().is_empty());
    let _ = rig.call("f");
    assert_eq!(rig.sent().len(), 2, "the set's end, and the call");
}
