//! Ends at once: of a query set, of the connection, and of a user.

use lightlike_core::conn::{
    Action, CannotSwitch, Cause, Config, ConnectionState, Dial, Event, NotSent, Reply,
    TransactionEvent,
};
use lightlike_core::types::{ConnectionId, Identity};
use lightlike_core::wire::{ClientMessage, Protocol, QuerySetId, ServerMessage, Text};

use crate::item::item;
use crate::owning::{asked, bytes, come_back, forty, items, let_go, slices, step, typed};
use crate::rig::{Rig, applied, committed, told, update};

/// Rows of the numbers from 0, as the server sends them.
fn rows(count: u32, value: u32) -> Vec<[u8; 8]> {
    bytes(&(0..count).map(|id| item(id, value)).collect::<Vec<_>>())
}

fn says(rig: &mut Rig, set: u32, inserts: &[[u8; 8]], deletes: &[[u8; 8]]) {
    let update = update(QuerySetId(set), &slices(inserts), &slices(deletes));
    rig.server(ServerMessage::TransactionUpdate(update));
}

fn causes(events: &[Event]) -> Vec<&Cause> {
    fn cause(event: &Event) -> Option<&Cause> {
        match event {
            Event::Transaction(TransactionEvent { cause, .. }) => Some(cause),
            _ => None,
        }
    }
    events.iter().filter_map(cause).collect()
}

fn dials(rig: &mut Rig) -> Vec<Dial> {
    let dial = |action| match action {
        Action::Dial(dial) => Some(dial),
        _ => None,
    };
    rig.actions().into_iter().filter_map(dial).collect()
}

#[test]
fn set_ended_now_applies_nothing_more() {
    for protocol in [Protocol::V2, Protocol::V3] {
        for steps in 0..=40 {
            let mut rig = typed(protocol);
            let set = rig.applied(&slices(&rows(40, 1)));
            for value in 1..5 {
                says(&mut rig, 0, &rows(40, value + 1), &rows(40, value));
            }
            let before = step(&mut rig, steps, 7);
            let heard = causes(&before).len();
            rig.connection.unsubscribe_now(set);
            rig.check_rows();
            assert_eq!(items(&rig), [], "after {steps} steps");
            let after = rig.events();
            let told_of = causes(&after);
            assert!(matches!(told_of[..], [.., Cause::Unsubscribed(ended)] if *ended == set));
            assert!(heard + told_of.len() <= 5, "what was applied before is told, and no more");
            assert_eq!(told(&after).last().unwrap(), "set 0 ended: Unsubscribed");
            says(&mut rig, 0, &rows(40, 9), &rows(40, 5));
            let_go(&mut rig);
            assert_eq!(told(&rig.events()), [""; 0]);
            assert_eq!(items(&rig), []);
        }
    }
}

#[test]
fn set_ended_now_in_resync_leaves_nothing() {
    for steps in 0..=25 {
        let mut rig = typed(Protocol::V2);
        let (set, other) = (rig.applied(&slices(&forty(1))), rig.applied(&[]));
        come_back(&mut rig, Protocol::V2);
        for (request, wire) in asked(&mut rig) {
            rig.server(applied(request, wire, &slices(&forty(2))));
        }
        let _ = step(&mut rig, steps, 5);
        rig.connection.unsubscribe_now(set);
        rig.check_rows();
        let _ = rig.events();
        let_go(&mut rig);
        let _ = rig.events();
        assert_eq!(items(&rig).len(), 40, "the other set has them: after {steps} steps");
        rig.connection.unsubscribe_now(other);
        assert_eq!(items(&rig), []);
        let_go(&mut rig);
        let _ = rig.events();
    }
}

#[test]
fn set_ended_now_before_its_answer_never_applies() {
    let mut rig = typed(Protocol::V3);
    let set = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
    let [(request, wire)] = asked(&mut rig)[..] else { panic!("there is one set") };
    rig.connection.unsubscribe_now(set);
    assert_eq!(told(&rig.events()), ["set 0 ended: Unsubscribed"]);
    rig.server(applied(request, wire, &slices(&forty(1))));
    let_go(&mut rig);
    assert_eq!((told(&rig.events()).len(), items(&rig).len()), (0, 0));
    rig.connection.unsubscribe_now(set);
    rig.connection.unsubscribe(set);
    assert_eq!((rig.sent().len(), rig.events().len()), (0, 0), "it is over");
}

/// An end that was asked for waits for the server's answer; now it does not.
#[test]
fn set_that_is_ending_ends_now() {
    let mut rig = typed(Protocol::V3);
    let set = rig.applied(&slices(&forty(1)));
    rig.connection.unsubscribe(set);
    rig.connection.unsubscribe_now(set);
    assert_eq!(told(&rig.events()), ["transaction: Unsubscribed", "set 0 ended: Unsubscribed"]);
    let_go(&mut rig);
    assert!(rig.events().is_empty() && !rig.connection.is_closed());
}

/// The rest of the message counts: another set's rows, and the answer to a call.
#[test]
fn set_ended_now_leaves_rest_of_the_message() {
    for steps in 0..=12 {
        let mut rig = typed(Protocol::V3);
        let (first, _second) = (rig.applied(&[]), rig.applied(&[]));
        let call = rig.call("f");
        let [ClientMessage::CallReducer { request_id, .. }] = rig.sent()[..] else {
            panic!("one call is sent")
        };
        let mut of_both = update(QuerySetId(0), &slices(&rows(10, 1)), &[]);
        let of_second = update(QuerySetId(1), &slices(&rows(10, 1)), &[]);
        of_both.query_sets.extend(of_second.query_sets);
        rig.server(committed(request_id, of_both));
        let mut events = step(&mut rig, steps, 3);
        rig.connection.unsubscribe_now(first);
        events.extend(rig.events());
        assert_eq!(items(&rig).len(), 10, "after {steps} steps");
        let answered = |event: &&Event| matches!(event, Event::Answered { call: it, reply: Reply::Committed { .. }, .. } if *it == call);
        assert_eq!(events.iter().filter(answered).count(), 1, "{:?}", told(&events));
        let ended = told(&events).iter().filter(|event| event.contains("ended")).count();
        assert_eq!(ended, 1);
    }
}

#[test]
fn closed_at_once_applies_nothing_more() {
    for steps in 0..=12 {
        let mut rig = typed(Protocol::V3);
        let _ = rig.applied(&slices(&rows(10, 1)));
        let call = rig.call("f");
        let _ = rig.sent();
        for value in 1..4 {
            says(&mut rig, 0, &rows(10, value + 1), &rows(10, value));
        }
        let mut events = step(&mut rig, steps, 3);
        let seen = items(&rig);
        rig.connection.close_at_once(rig.now);
        events.extend(rig.events());
        assert_eq!(items(&rig), seen, "rows stay as they were: after {steps} steps");
        assert!(rig.connection.is_closed());
        let end = ["call 0: Unknown", "set 0 ended: Closed", "Closed"];
        assert_eq!(told(&events)[told(&events).len() - 3..], end);
        assert_eq!(call.0, 0);
        assert!(matches!(rig.actions()[..], [Action::Abandon]));
        rig.connection.close_at_once(rig.now);
        assert!(rig.actions().is_empty(), "again");
    }
}

#[test]
fn other_user_starts_over_with_the_same_sets() {
    for steps in 0..=12 {
        let mut rig = typed(Protocol::V3);
        let set = rig.applied(&slices(&rows(10, 1)));
        let ending = rig.applied(&slices(&bytes(&[item(99, 1)])));
        rig.connection.unsubscribe(ending);
        let call = rig.call("f");
        let _ = rig.sent();
        says(&mut rig, 0, &rows(10, 2), &rows(10, 1));
        let before = step(&mut rig, steps, 3);
        rig.connection.switch_user(rig.now, Some("another".into())).unwrap();
        rig.check_rows();
        assert_eq!(items(&rig), [], "after {steps} steps");
        assert_eq!((rig.connection.greeting().is_some(), rig.connection.token()), (false, None));
        let events = rig.events();
        let said = told(&events);
        assert!(matches!(causes(&events)[..], [.., Cause::UserChanged]), "{said:?}");
        let end = ["set 1 ended: Unsubscribed", "another user", "Connecting"];
        assert_eq!(said[said.len() - 3..], end, "{said:?}, {before:?} after {steps} steps");
        assert!(said.contains(&format!("call {}: Unknown", call.0)), "{said:?}, {before:?}");
        let [Dial { token, .. }] = &dials(&mut rig)[..] else { panic!("it dials") };
        assert_eq!(token.as_deref(), Some("another"));
        greet_as(&mut rig, [8; 32]);
        let [(request, wire)] = asked(&mut rig)[..] else { panic!("one set is left") };
        rig.server(applied(request, wire, &slices(&rows(3, 1))));
        assert_eq!(
            told(&rig.events()),
            ["transaction: Applied", &format!("set {} applied", set.0)]
        );
        assert_eq!(items(&rig).len(), 3);
    }
}

/// The server greets a new socket as this identity's.
fn greet_as(rig: &mut Rig, identity: [u8; 32]) {
    rig.connection.handle_opened(Protocol::V3);
    rig.server(ServerMessage::InitialConnection {
        identity: Identity::from_le_bytes(identity),
        connection_id: ConnectionId::from_u128(10),
        token: Text::from("of.this.user"),
    });
    let greeted = told(&rig.events());
    assert!(greeted.contains(&"Connected".to_owned()), "{greeted:?}");
    assert_eq!(rig.connection.token().as_deref(), Some("of.this.user"));
}

#[test]
fn other_user_takes_over_while_connection_is_lost() {
    let mut rig = Rig::with(Config::default()).greeted(Protocol::V3);
    let _ = rig.applied(&[b"a"]);
    rig.lose();
    let _ = rig.events();
    let waiting = rig.call("f");
    rig.connection.switch_user(rig.now, None).unwrap();
    let events = rig.events();
    let not_sent = |event: &Event| matches!(event, Event::Answered { call, reply: Reply::NotSent(_), .. } if *call == waiting);
    assert!(events.iter().any(not_sent), "{events:?}");
    assert!(matches!(events.last(), Some(Event::State(ConnectionState::Connecting))));
    let [Dial { token: None, attempt: 1, .. }] = &dials(&mut rig)[..] else {
        panic!("at once, and as nobody")
    };
    greet_as(&mut rig, [8; 32]);
    assert_eq!(asked(&mut rig).len(), 1);
}

#[test]
fn queued_call_is_not_sent_as_other_user() {
    let mut rig = Rig::with(Config::default());
    assert!(rig.connection.start(rig.now));
    let call = rig.call("f");
    rig.connection.switch_user(rig.now, Some("another".into())).unwrap();
    let events = rig.events();
    let user_changed = |event: &Event| matches!(event, Event::Answered { call: it, reply: Reply::NotSent(NotSent::UserChanged), .. } if *it == call);
    assert!(events.iter().any(user_changed), "{events:?}");
    assert_eq!(dials(&mut rig).len(), 1, "the attempt before is given up");
    greet_as(&mut rig, [8; 32]);
    assert_eq!(rig.sent().len(), 0);
}

#[test]
fn client_that_is_not_started_becomes_another_user() {
    let mut rig = Rig::with(Config::default());
    rig.connection.switch_user(rig.now, Some("another".into())).unwrap();
    assert!(rig.connection.is_idle() && rig.actions().is_empty());
    assert!(rig.connection.start(rig.now));
    let [Dial { token, .. }] = &dials(&mut rig)[..] else { panic!("it dials") };
    assert_eq!(token.as_deref(), Some("another"));
}

/// Another socket of the same client's would close the one before.
#[test]
fn other_user_is_another_client_to_the_server() {
    let mut rig = Rig::with(Config::default());
    assert!(rig.connection.start(rig.now));
    let [first] = &dials(&mut rig)[..] else { panic!("it dials") };
    rig.connection.switch_user(rig.now, None).unwrap();
    let [second] = &dials(&mut rig)[..] else { panic!("it dials") };
    assert_ne!(first.session_id, second.session_id);
}

#[test]
fn closed_connection_becomes_no_other_user() {
    let mut rig = Rig::online();
    rig.connection.close(rig.now);
    let refused = rig.connection.switch_user(rig.now, None);
    assert_eq!(refused, Err(CannotSwitch::Closed));
    rig.connection.close_at_once(rig.now);
    assert_eq!(rig.connection.switch_user(rig.now, None), Err(CannotSwitch::Closed));
    let mut rig = Rig::online();
    rig.connection.finish(rig.now, None);
    assert_eq!(rig.connection.switch_user(rig.now, None), Err(CannotSwitch::Closed));
}
