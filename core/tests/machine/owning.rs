//! Rows are owned by somebody, whatever is commanded between receiving and committing.

use lightlike_core::conn::{Action, Config, Event};
use lightlike_core::wire::{ClientMessage, Protocol, QuerySetId, RequestId, ServerMessage};

use crate::item::{Item, item};
use crate::rig::{Rig, applied, greeting, told};

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
fn set_ended_while_its_resync_is_applied_leaves_nothing() {
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
fn set_ended_while_its_first_rows_are_applied_leaves_nothing() {
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
