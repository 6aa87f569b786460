//! Out of sync heals: the rows are asked for again, then everything is loaded anew, and only then is it the end.

use std::time::Duration;

use lightlike_core::conn::SubscriptionId;
use lightlike_core::wire::{Protocol, QuerySetId, ServerMessage, Text};

use crate::item::item;
use crate::owning::{asked, bytes, come_back, dial, items, slices, typed};
use crate::rig::{Rig, applied, told, update};

#[test]
fn row_changed_between_resync_answers_is_in_sync() {
    let before = bytes(&[item(1, 0), item(2, 0)]);
    let mut rig = typed(Protocol::V2);
    rig.applied(&slices(&before));
    rig.applied(&slices(&before));
    come_back(&mut rig, Protocol::V2);
    let [first, second] = asked(&mut rig)[..] else { panic!("there are two sets") };
    let (then, now) = (bytes(&[item(1, 1), item(2, 0)]), bytes(&[item(1, 2)]));
    rig.server(applied(first.0, first.1, &slices(&then)));
    let changed = update(first.1, &slices(&now), &slices(&then[..1]));
    rig.server(ServerMessage::TransactionUpdate(changed));
    let after = bytes(&[item(1, 2), item(2, 0)]);
    rig.server(applied(second.0, second.1, &slices(&after)));
    assert_eq!(
        told(&rig.events()),
        ["transaction: Resync", "set 0 applied", "set 1 applied", "Ready"]
    );
    assert_eq!(items(&rig), [item(1, 2), item(2, 0)]);
}

/// Two sets of the same row, of which the server has said something that cannot be.
fn out_of_sync() -> Rig {
    let mut rig = typed(Protocol::V2);
    let row = bytes(&[item(1, 0), item(2, 0)]);
    rig.applied(&slices(&row));
    rig.applied(&slices(&row));
    contradict(&mut rig, QuerySetId(0));
    assert_eq!(told(&rig.events()), ["Reconnecting"]);
    rig
}

/// A row leaves that was never there.
fn contradict(rig: &mut Rig, set: QuerySetId) {
    let unknown = bytes(&[item(9, 9)]);
    rig.server(ServerMessage::TransactionUpdate(update(set, &[], &slices(&unknown))));
}

/// Waits for the next socket, and answers the sets with these versions of the row.
fn come_back_with<const SETS: usize>(rig: &mut Rig, values: [u32; SETS]) -> Vec<String> {
    dial(rig, Protocol::V2);
    for ((request, set), value) in asked(rig).into_iter().zip(values) {
        rig.server(applied(request, set, &slices(&bytes(&[item(1, value)]))));
    }
    told(&rig.events())
}

fn reloads(rig: &Rig) -> u64 {
    rig.connection.stats().reloads
}

const IN_SYNC: [&str; 4] = ["transaction: Resync", "set 0 applied", "set 1 applied", "Ready"];

#[test]
fn second_failed_resync_loads_everything_anew() {
    let mut rig = out_of_sync();
    assert_eq!(come_back_with(&mut rig, [1, 2]), ["Reconnecting"], "two versions of one row");
    assert_eq!(items(&rig), [item(1, 0), item(2, 0)], "rows stay readable");
    assert_eq!(come_back_with(&mut rig, [3, 3]), IN_SYNC);
    assert_eq!((items(&rig), reloads(&rig)), (vec![item(1, 3)], 1));
}

#[test]
fn first_failed_resync_asks_again_for_the_sets() {
    let mut rig = out_of_sync();
    assert_eq!(come_back_with(&mut rig, [3, 3]), IN_SYNC);
    assert_eq!((items(&rig), reloads(&rig)), (vec![item(1, 3)], 0));
}

#[test]
fn failed_load_of_everything_closes_the_connection() {
    let mut rig = out_of_sync();
    assert_eq!(come_back_with(&mut rig, [1, 2]), ["Reconnecting"]);
    let end = ["set 0 ended: Closed", "set 1 ended: Closed", "Closed"];
    assert_eq!(come_back_with(&mut rig, [1, 2]), end);
    assert_eq!(items(&rig), [item(1, 0), item(2, 0)], "rows stay readable");
}

#[test]
fn lost_socket_does_not_cancel_reload() {
    let mut rig = out_of_sync();
    assert_eq!(come_back_with(&mut rig, [1, 2]), ["Reconnecting"]);
    dial(&mut rig, Protocol::V2);
    rig.lose();
    let _ = rig.events();
    assert_eq!(come_back_with(&mut rig, [3, 3]), IN_SYNC);
    assert_eq!((items(&rig), reloads(&rig)), (vec![item(1, 3)], 1));
}

#[test]
fn sync_that_does_not_last_loads_everything_anew() {
    for (pause, expected) in [(0, 1), (120, 0)] {
        let mut rig = out_of_sync();
        dial(&mut rig, Protocol::V2);
        let sets = asked(&mut rig);
        for (request, set) in &sets {
            rig.server(applied(*request, *set, &slices(&bytes(&[item(1, 1)]))));
        }
        assert_eq!(told(&rig.events()), IN_SYNC);
        rig.now += Duration::from_secs(pause);
        contradict(&mut rig, sets[0].1);
        assert_eq!(told(&rig.events()), ["Reconnecting"]);
        assert_eq!(come_back_with(&mut rig, [3, 3]), IN_SYNC);
        assert_eq!(reloads(&rig), expected, "after {pause} seconds in sync");
    }
}

#[test]
fn reload_keeps_no_rows_of_refused_sets() {
    let mut rig = out_of_sync();
    assert_eq!(come_back_with(&mut rig, [1, 2]), ["Reconnecting"]);
    dial(&mut rig, Protocol::V2);
    let [first, second] = asked(&mut rig)[..] else { panic!("there are two sets") };
    rig.server(ServerMessage::SubscriptionError {
        request_id: Some(first.0),
        query_set_id: first.1,
        error: Text::from("no"),
    });
    rig.server(applied(second.0, second.1, &slices(&bytes(&[item(1, 3)]))));
    let refused = "set 0 stale: the server refused to resync it: no";
    assert_eq!(told(&rig.events()), [refused, "transaction: Resync", "set 1 applied", "Ready"]);
    assert_eq!(items(&rig), [item(1, 3)]);
    rig.connection.unsubscribe(SubscriptionId(0));
    assert_eq!(told(&rig.events()), ["set 0 ended: Unsubscribed"]);
}

#[test]
fn rows_applied_during_the_load_of_everything_stay() {
    let mut rig = out_of_sync();
    assert_eq!(come_back_with(&mut rig, [1, 2]), ["Reconnecting"]);
    dial(&mut rig, Protocol::V2);
    let sets = asked(&mut rig);
    let _ = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
    let [(request, set)] = asked(&mut rig)[..] else { panic!("there is a new set") };
    rig.server(applied(request, set, &slices(&bytes(&[item(5, 5)]))));
    assert_eq!(told(&rig.events()), ["transaction: Applied", "set 2 applied"]);
    for (request, set) in sets {
        rig.server(applied(request, set, &slices(&bytes(&[item(1, 3)]))));
    }
    assert_eq!(told(&rig.events()), IN_SYNC);
    assert_eq!(items(&rig), [item(1, 3), item(5, 5)]);
}

#[test]
fn local_changes_between_two_faults_are_no_progress() {
    let mut rig = typed(Protocol::V2);
    let row = bytes(&[item(1, 0), item(2, 0)]);
    for _ in 0..3 {
        rig.applied(&slices(&row));
    }
    contradict(&mut rig, QuerySetId(0));
    assert_eq!(told(&rig.events()), ["Reconnecting"]);
    assert_eq!(come_back_with(&mut rig, [1, 2, 2]), ["Reconnecting"]);
    rig.connection.unsubscribe(SubscriptionId(2));
    assert_eq!(told(&rig.events()), ["set 2 ended: Unsubscribed"]);
    let end = ["set 0 ended: Closed", "set 1 ended: Closed", "Closed"];
    assert_eq!(come_back_with(&mut rig, [1, 2]), end);
}
