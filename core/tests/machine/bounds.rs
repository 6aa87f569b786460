//! Memory that a server or an application can make the machine keep.

use std::time::Duration;

use bytes::Bytes;
use lightlike_core::conn::{
    Action, CallOptions, CallRequest, Config, Event, NotSent, Reply, SetEnd, StaleReason,
    SubscriptionId,
};
use lightlike_core::limits::Limits;
use lightlike_core::wire::{
    ClientMessage, Protocol, QuerySetId, ReducerOutcome, RequestId, ServerMessage, Text,
    TransactionUpdate,
};

use crate::rig::{Rig, applied, greeting, told, update};

/// Comes back after every loss.
fn rig(change: impl FnOnce(&mut Limits)) -> Rig {
    let mut config = Config::default();
    change(&mut config.limits);
    Rig::with(config).greeted(Protocol::V2)
}

/// Loses the socket, opens another and has it greeted; the sets that are asked for again.
fn come_back(rig: &mut Rig) -> Vec<(RequestId, QuerySetId)> {
    rig.lose();
    let _ = rig.events();
    while !rig.actions().iter().any(|action| matches!(action, Action::Dial(_))) {
        rig.sleep();
    }
    rig.connection.handle_opened(Protocol::V2);
    rig.server(greeting());
    let _ = rig.events();
    let asked = rig.sent().into_iter().filter_map(|message| match message {
        ClientMessage::Subscribe { request_id, query_set_id, .. } => {
            Some((request_id, query_set_id))
        }
        _ => None,
    });
    asked.collect()
}

fn transaction(update: TransactionUpdate) -> ServerMessage {
    ServerMessage::TransactionUpdate(update)
}

/// A row that is told apart by its number, of a thousand bytes.
fn row(number: u32) -> Vec<u8> {
    [&number.to_le_bytes()[..], &[7; 996]].concat()
}

#[test]
fn resync_beyond_bound_goes_on_without_unanswered_sets() {
    let mut rig = rig(|limits| limits.max_resync_bytes = 100_000);
    let first = rig.applied(&[&row(0)]);
    let second = rig.applied(&[b"other"]);
    let asked = come_back(&mut rig);
    rig.server(applied(asked[0].0, asked[0].1, &[&row(0)]));
    let mut gathered = 0;
    let events = loop {
        rig.server(transaction(update(asked[0].1, &[&row(gathered + 1)], &[&row(gathered)])));
        gathered += 1;
        let events = rig.events();
        if !events.is_empty() {
            break events;
        }
        assert!(gathered < 100, "100 kB are gathered");
    };
    // Each message takes its two rows.
    assert!((30..60).contains(&gathered), "{gathered} messages of 2 kB");
    let limit = 100_000;
    assert!(matches!(
        &events[0],
        Event::Stale { set, reason: StaleReason::NotGathered { limit: of } } if *set == second && *of == limit
    ));
    let SubscriptionId(first) = first;
    assert_eq!(
        told(&events[1..]),
        ["transaction: Resync".to_owned(), format!("set {first} applied"), "Ready".to_owned(),]
    );
    let mut expected = vec![row(gathered), b"other".to_vec()];
    expected.sort();
    assert_eq!(rig.rows(), expected);
    // What follows is applied as it comes, and the other set when it is answered.
    rig.server(transaction(update(asked[0].1, &[b"new"], &[&row(gathered)])));
    assert_eq!(told(&rig.events()), ["transaction: Other"]);
    rig.server(applied(asked[1].0, asked[1].1, &[b"another"]));
    let SubscriptionId(second) = second;
    assert_eq!(
        told(&rig.events()),
        ["transaction: Resync".to_owned(), format!("set {second} applied")]
    );
    assert_eq!(rig.rows(), [b"another".to_vec(), b"new".to_vec()]);
}

#[test]
fn kept_part_of_frame_counts_whole_frame() {
    let mut rig = rig(|limits| limits.max_resync_bytes = 100_000);
    rig.applied(&[b"a"]);
    rig.applied(&[b"b"]);
    let asked = come_back(&mut rig);
    rig.server(applied(asked[0].0, asked[0].1, &[b"a"]));
    assert!(rig.events().is_empty());
    // One update of two sets, of which only the first is kept: the other has no rows yet.
    let large = vec![9; 120_000];
    let mut both = update(asked[0].1, &[b"c"], &[b"a"]);
    both.query_sets.extend(update(asked[1].1, &[&large], &[]).query_sets);
    rig.server(transaction(both));
    assert_eq!(told(&rig.events()).last().map(String::as_str), Some("Ready"));
}

#[test]
fn tiny_frames_fill_inbox_by_what_they_take() {
    let mut rig = Rig::limited(|limits| limits.max_received_bytes = 100_000).greeted(Protocol::V2);
    let mut count = 0;
    while rig.connection.can_receive() {
        rig.server(transaction(TransactionUpdate::default()));
        count += 1;
    }
    assert!((500..1000).contains(&count), "{count} frames of five bytes");
    assert!(rig.events().is_empty());
    assert!(rig.connection.can_receive());
}

#[test]
fn frame_under_way_counts_until_it_is_applied() {
    let mut rig = Rig::limited(|limits| limits.max_received_bytes = 1000).greeted(Protocol::V3);
    let set = rig.applied(&[b"a"]);
    let rows: Vec<_> = (0..10).map(row).collect();
    let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
    rig.server(transaction(update(QuerySetId(set.0), &rows, &[])));
    let mut steps = 0;
    while rig.connection.poll_event().is_none() {
        assert!(!rig.connection.can_receive(), "its rows are in memory twice");
        let _ = rig.connection.step(rig.now, 2);
        steps += 1;
    }
    assert!(steps > 5, "{steps} steps");
    let _ = rig.events();
    assert!(rig.connection.can_receive());
}

#[test]
fn calls_are_bounded_by_bytes_until_answered() {
    let mut rig = Rig::limited(|limits| limits.max_call_bytes = 100_000).greeted(Protocol::V3);
    let large = || CallRequest::Reducer {
        name: Text::from_static("f"),
        args: Bytes::from(vec![0; 30_000]),
    };
    for _ in 0..3 {
        let _ = rig.connection.call(large(), None);
    }
    assert!(rig.events().is_empty());
    let refused = rig.connection.call(large(), None);
    let events = rig.events();
    let [Event::Answered { call, reply: Reply::NotSent(why), .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*call, refused);
    assert!(matches!(why, NotSent::TooManyBytes { waiting: 90_000..100_000, limit: 100_000 }));
    assert!(why.to_string().contains("`max_call_bytes`"), "{why}");
    // A small one has room, and so has a large one when another is answered.
    let _ = rig.call("small");
    rig.server(ServerMessage::ReducerResult {
        request_id: RequestId(0),
        timestamp: lightlike_core::types::Timestamp::from_micros(5),
        outcome: ReducerOutcome::OkEmpty,
    });
    assert_eq!(told(&rig.events()), ["call 0: Committed"]);
    let _ = rig.connection.call(large(), None);
    assert!(rig.events().is_empty());
    rig.lose();
    assert_eq!(rig.events().len(), 5, "all are answered, and the connection is closed");
}

#[test]
fn waiting_calls_give_their_bytes_back() {
    let mut config = Config::default();
    config.limits.max_call_bytes = 10_000;
    let mut rig = Rig::with(config);
    assert!(rig.connection.start(rig.now));
    let request = || CallRequest::Query { sql: Text::from("x".repeat(5000)) };
    for round in 0..10 {
        let call = rig.connection.call(request(), None);
        assert!(rig.events().len() <= 1, "round {round}: it waits");
        assert!(rig.connection.cancel(call));
        let options = CallOptions {
            deadline: Some(rig.now + Duration::from_millis(1)),
            ..CallOptions::default()
        };
        let _ = rig.connection.call_with(rig.now, request(), options);
        rig.now += Duration::from_millis(1);
        rig.connection.handle_timeout(rig.now);
        let told = told(&rig.events());
        assert!(told.iter().all(|line| !line.contains("NotSent")), "{told:?}");
    }
}

#[test]
fn query_sets_count_until_server_confirms_end() {
    let mut rig = Rig::limited(|limits| limits.max_query_set_bytes = 4096).greeted(Protocol::V3);
    let query = || vec!["SELECT * FROM t".into()];
    let sets: Vec<_> = (0..3).map(|_| rig.connection.subscribe(query())).collect();
    assert!(rig.events().is_empty());
    let _ = rig.connection.subscribe(query());
    let events = rig.events();
    let [Event::Ended { reason: SetEnd::NotSent(why), .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert!(matches!(why, NotSent::TooManySets { limit: 4096, .. }), "{why:?}");
    assert!(why.to_string().contains("`max_query_set_bytes`"), "{why}");
    rig.connection.unsubscribe(sets[0]);
    let _ = rig.connection.subscribe(query());
    assert_eq!(
        told(&rig.events()),
        ["set 4 ended: NotSent"],
        "the server has not said that it ended"
    );
    let asked: Vec<_> = rig.sent();
    let ClientMessage::Subscribe { request_id, query_set_id, .. } = asked[0] else { panic!() };
    rig.server(applied(request_id, query_set_id, &[]));
    let _ = rig.events();
    rig.server(ServerMessage::UnsubscribeApplied { request_id, query_set_id, rows: None });
    let _ = rig.events();
    let _ = rig.connection.subscribe(query());
    assert!(rig.events().is_empty());
}

#[test]
fn texts_of_server_are_kept_as_excerpts() {
    let mut rig = Rig::online();
    let words = "\u{e9}".repeat(1 << 20);
    let call = rig.call("f");
    rig.server(ServerMessage::ReducerResult {
        request_id: RequestId(0),
        timestamp: lightlike_core::types::Timestamp::from_micros(5),
        outcome: ReducerOutcome::InternalError(Text::from(&*words)),
    });
    let events = rig.events();
    let [Event::Answered { call: answered, reply: Reply::Failed(text), .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*answered, call);
    assert!(text.len() < 17_000 && text.starts_with('\u{e9}'));
    assert!(text.ends_with("... (2097152 bytes in all)"), "{}", &text[text.len() - 40..]);
}

#[test]
fn unread_socket_is_not_lost_for_silence() {
    let mut rig = Rig::online();
    rig.connection.set_reading(false);
    let mut pings = 0;
    for _ in 0..20 {
        rig.sleep();
        pings += rig.actions().iter().filter(|action| matches!(action, Action::Ping)).count();
        assert!(rig.events().is_empty());
    }
    assert!(pings >= 8, "the server hears of us: {pings} pings");
    rig.connection.set_reading(true);
    let mut events = Vec::new();
    while events.is_empty() {
        rig.sleep();
        events = rig.events();
    }
    assert_eq!(told(&events), ["Closed"]);
}

#[test]
fn unapplied_greeting_is_in_time() {
    let mut rig = Rig::new();
    assert!(rig.connection.start(rig.now));
    let _ = rig.actions();
    rig.connection.handle_opened(Protocol::V3);
    rig.server(greeting());
    // Nobody ticks for a minute.
    rig.now += Duration::from_secs(60);
    rig.connection.handle_timeout(rig.now);
    assert_eq!(told(&rig.events()), ["Connecting", "Connected", "Ready"]);
}

#[test]
fn undelivered_failed_attempts_are_one_event() {
    let mut rig = rig(|_| ());
    for _ in 0..100 {
        rig.connection.handle_lost(rig.now, lightlike_core::conn::Lost::HungUp);
        while !rig.actions().iter().any(|action| matches!(action, Action::Dial(_))) {
            rig.now = rig.connection.poll_timeout().unwrap();
            rig.connection.handle_timeout(rig.now);
        }
    }
    let told = told(&rig.events());
    // The outage is told to be long in between.
    assert_eq!(told, ["Reconnecting", "lost for long", "Reconnecting"]);
}
