//! Rows are owned by somebody, whatever is commanded between receiving and committing.

use lightlike_core::conn::{Action, Config, Event};
use lightlike_core::schema::{Table, TableDef};
use lightlike_core::wire::{
    ClientMessage, Protocol, QueryRows, QuerySetId, RequestId, RowList, ServerMessage, TableRows,
    Text,
};

use crate::item::{Item, item};
use crate::rig::{Rig, applied, greeting, told, update};

/// A connection that knows the table `t` by its type.
pub(crate) fn typed(protocol: Protocol) -> Rig {
    let mut rig = Rig::with(Config::default());
    rig.connection.register::<Item>().unwrap();
    rig.greeted(protocol)
}

pub(crate) fn bytes(items: &[Item]) -> Vec<[u8; 8]> {
    items.iter().map(|item| item.bytes()).collect()
}

pub(crate) fn slices(rows: &[[u8; 8]]) -> Vec<&[u8]> {
    rows.iter().map(|row| &row[..]).collect()
}

/// Forty rows, of this value.
pub(crate) fn forty(value: u32) -> Vec<[u8; 8]> {
    bytes(&(0..40).map(|id| item(id, value)).collect::<Vec<_>>())
}

pub(crate) fn items(rig: &Rig) -> Vec<Item> {
    let view = rig.connection.reader().read();
    let mut items: Vec<_> = view.table::<Item>().unwrap().iter().copied().collect();
    items.sort();
    items
}

pub(crate) fn come_back(rig: &mut Rig, protocol: Protocol) {
    rig.lose();
    let _ = rig.events();
    dial(rig, protocol);
}

/// Waits for the pause's end, opens the next socket and lets the server greet.
pub(crate) fn dial(rig: &mut Rig, protocol: Protocol) {
    while !rig.actions().iter().any(|action| matches!(action, Action::Dial(_))) {
        rig.sleep();
    }
    rig.connection.handle_opened(protocol);
    rig.server(greeting());
    let _ = rig.events();
}

/// The sets that were asked for, each in a message of its own.
pub(crate) fn asked(rig: &mut Rig) -> Vec<(RequestId, QuerySetId)> {
    let asked = |message| match message {
        ClientMessage::Subscribe { request_id, query_set_id, .. } => (request_id, query_set_id),
        other => panic!("{other:?}"),
    };
    rig.sent().into_iter().map(asked).collect()
}

/// Lets the server end the sets that it is asked to end.
pub(crate) fn let_go(rig: &mut Rig) {
    for message in rig.sent() {
        let ClientMessage::Unsubscribe { request_id, query_set_id, .. } = message else {
            panic!("{message:?}")
        };
        rig.server(ServerMessage::UnsubscribeApplied { request_id, query_set_id, rows: None });
    }
}

/// A few single steps, and what happened in them.
pub(crate) fn step(rig: &mut Rig, times: usize, max_rows: usize) -> Vec<Event> {
    let mut events = Vec::new();
    for _ in 0..times {
        events.extend(std::iter::from_fn(|| rig.connection.poll_event()));
        let _ = rig.connection.step(rig.now, max_rows);
        rig.check_rows();
    }
    events
}

/// A new set may have other versions of the rows of one that is over.
fn subscribes_anew(rig: &mut Rig) {
    let set = rig.applied(&slices(&forty(99)));
    assert_eq!(items(rig).len(), 40);
    rig.connection.unsubscribe(set);
    let_go(rig);
    assert_eq!(told(&rig.events()).last().unwrap(), &format!("set {} ended: Unsubscribed", set.0));
    assert_eq!(items(rig), []);
}

#[test]
fn set_ended_during_resync_leaves_nothing() {
    for protocol in [Protocol::V2, Protocol::V3] {
        for steps in 1..=25 {
            let mut rig = typed(protocol);
            let set = rig.applied(&slices(&forty(1)));
            come_back(&mut rig, protocol);
            let [(request, wire)] = asked(&mut rig)[..] else { panic!("there is one set") };
            rig.server(applied(request, wire, &slices(&forty(2))));
            let mut events = step(&mut rig, steps, 5);
            rig.connection.unsubscribe(set);
            rig.check_rows();
            events.extend(rig.events());
            let_go(&mut rig);
            events.extend(rig.events());
            assert_eq!(items(&rig), [], "after {steps} steps");
            let ended =
                told(&events).iter().filter(|event| event.ends_with("Unsubscribed")).count();
            assert_eq!(ended, 2, "a transaction and an end: {:?}", told(&events));
            subscribes_anew(&mut rig);
        }
    }
}

#[test]
fn set_ended_during_first_rows_leaves_nothing() {
    for steps in 1..=25 {
        let mut rig = typed(Protocol::V3);
        let set = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
        let [(request, wire)] = asked(&mut rig)[..] else { panic!("there is one set") };
        rig.server(applied(request, wire, &slices(&forty(1))));
        let _ = step(&mut rig, steps, 5);
        rig.connection.unsubscribe(set);
        let _ = rig.events();
        let_go(&mut rig);
        let _ = rig.events();
        assert_eq!(items(&rig), [], "after {steps} steps");
        subscribes_anew(&mut rig);
    }
}

/// The rows of a set in the tables `t` and `u`.
fn in_both(rows: &[&[u8]]) -> QueryRows {
    let rows = RowList::from_rows(rows);
    let tables = ["t", "u"].map(|table| TableRows { table: table.into(), rows: rows.clone() });
    QueryRows { tables: tables.into() }
}

fn rows_of_u(rig: &Rig) -> usize {
    rig.connection.reader().read().untyped("u").map_or(0, |table| table.rows().len())
}

/// No row of the table `t`.
const SHORT: &[u8] = b"x";

#[test]
fn set_failing_at_registration_leaves_no_rows() {
    for steps in 0..4 {
        let mut rig = Rig::with(Config::default()).greeted(Protocol::V3);
        let set = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
        let [(request_id, query_set_id)] = asked(&mut rig)[..] else { panic!("there is one set") };
        let rows = in_both(&[SHORT]);
        rig.server(ServerMessage::SubscribeApplied { request_id, query_set_id, rows });
        assert_eq!(told(&rig.events()).last().unwrap(), &format!("set {} applied", set.0));
        // A change of the set is under way.
        let change = update(query_set_id, &[b"y", b"z"], &[]);
        rig.server(ServerMessage::TransactionUpdate(change));
        let mut events = step(&mut rig, steps, 1);
        rig.connection.register::<Item>().unwrap();
        rig.check_rows();
        events.extend(rig.events());
        assert_eq!(told(&events), ["transaction: Failed", "set 0 ended: Undecodable"]);
        assert_eq!((items(&rig), rows_of_u(&rig)), (vec![], 0));
        let_go(&mut rig);
        assert!(rig.events().is_empty());
    }
}

#[test]
fn resync_does_not_wait_for_failed_set() {
    let mut rig = Rig::with(Config::default()).greeted(Protocol::V2);
    rig.applied(&[SHORT]);
    let other = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
    let [(request, wire)] = asked(&mut rig)[..] else { panic!("there is a new set") };
    rig.server(applied(request, wire, &slices(&bytes(&[item(1, 1)]))));
    let _ = rig.events();
    come_back(&mut rig, Protocol::V2);
    let [_, (request, wire)] = asked(&mut rig)[..] else { panic!("there are two sets") };
    rig.server(applied(request, wire, &slices(&bytes(&[item(1, 2)]))));
    assert!(rig.events().is_empty());
    rig.connection.register::<Item>().unwrap();
    assert_eq!(
        told(&rig.events()),
        [
            "set 0 ended: Undecodable".to_owned(),
            "transaction: Resync".to_owned(),
            format!("set {} applied", other.0),
            "Ready".to_owned(),
        ]
    );
    assert_eq!(items(&rig), [item(1, 2)]);
}

#[test]
fn set_failed_by_registration_is_reported() {
    for steps in 0..20 {
        let mut rig = typed(Protocol::V3);
        let rows = bytes(&[item(1, 1), item(2, 2)]);
        let _ = rig.applied(&slices(&rows));
        let wire = QuerySetId(0);
        rig.server(ServerMessage::TransactionUpdate(update(wire, &[SHORT], &[])));
        let mut events = step(&mut rig, steps, 1);
        rig.connection.register::<Numbers>().unwrap();
        events.extend(rig.events());
        let story = ["transaction: Other", "set 0 ended: Undecodable"];
        assert_eq!(told(&events), story, "after {steps} steps");
        assert_eq!(items(&rig), []);
    }
}

/// Another table.
struct Numbers;

impl Table for Numbers {
    type Row = Item;

    const DEF: TableDef = TableDef { name: "numbers", ..<Item as Table>::DEF };
}

#[test]
fn rows_of_ended_sets_go_despite_closing() {
    for steps in 0..10 {
        let mut rig = typed(Protocol::V3);
        let set = rig.applied(&slices(&forty(1)));
        let kept = rig.applied(&slices(&bytes(&[item(50, 1)])));
        rig.lose();
        let mut events = rig.events();
        rig.connection.unsubscribe(set);
        events.extend(step(&mut rig, steps, 5));
        rig.connection.close(rig.now);
        rig.check_rows();
        events.extend(rig.events());
        assert_eq!(items(&rig), [item(50, 1)], "after {steps} steps");
        assert_eq!(
            told(&events)[1..],
            [
                "transaction: Unsubscribed".to_owned(),
                format!("set {} ended: Unsubscribed", set.0),
                format!("set {} ended: Closed", kept.0),
                "Closed".to_owned(),
            ]
        );
    }
}

#[test]
fn set_with_unapplied_first_rows_starts_over() {
    let mut rig = typed(Protocol::V3);
    let _ = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
    let [(request, wire)] = asked(&mut rig)[..] else { panic!("there is one set") };
    let two_of_one_key = bytes(&[item(1, 1), item(1, 2)]);
    rig.server(applied(request, wire, &slices(&two_of_one_key)));
    assert_eq!(told(&rig.events()), ["Reconnecting"]);
    dial(&mut rig, Protocol::V3);
    let [(request, wire)] = asked(&mut rig)[..] else { panic!("it is asked for again") };
    rig.server(ServerMessage::SubscriptionError {
        request_id: Some(request),
        query_set_id: wire,
        error: Text::from("no"),
    });
    assert_eq!(told(&rig.events()), ["set 0 ended: refused, no"], "it has no rows to keep");
}
