//! A lost socket, and what comes back: pauses, resync, and what is told of it.

use std::time::Duration;

use lightlike_core::conn::{
    Action, Config, ConnectionState, DialError, Event, Lost, SubscriptionId, WhileDisconnected,
};
use lightlike_core::types::{ConnectionId, Identity};
use lightlike_core::wire::{
    BatchResult, ClientMessage, FrameError, Protocol, QueryRows, QuerySetId, RequestId, RowList,
    ServerMessage, TableName, TableRows, Text, TransactionUpdate,
};

use crate::rig::{Rig, applied, committed, greeting, told, update};

fn rig() -> Rig {
    Rig::with(Config::default())
}

/// Ready, with one applied set of these rows a list.
fn ready(protocol: Protocol, sets: &[&[&[u8]]]) -> Rig {
    let mut rig = rig().greeted(protocol);
    for rows in sets {
        rig.applied(rows);
    }
    rig
}

fn status(status: u16) -> Lost {
    Lost::Dial(DialError::status(status, "no"))
}

/// The pause that was announced last, and for which attempt.
fn pause(rig: &mut Rig) -> (Duration, u32) {
    match rig.events().pop() {
        Some(Event::State(ConnectionState::Reconnecting { attempt, next_at, .. })) => {
            (next_at - rig.now, attempt)
        }
        other => panic!("{other:?}"),
    }
}

/// Waits for the next attempt, opens its socket and lets the server greet.
fn come_back(rig: &mut Rig, protocol: Protocol) -> Vec<String> {
    while !rig.actions().iter().any(|action| matches!(action, Action::Dial(_))) {
        rig.sleep();
    }
    rig.connection.handle_opened(protocol);
    rig.server(greeting());
    told(&rig.events())
}

fn lose_and_come_back(rig: &mut Rig, protocol: Protocol) {
    rig.lose();
    let _ = rig.events();
    let _ = come_back(rig, protocol);
}

/// Ids of the sets that were asked for, each in a message of its own.
fn subscribed(rig: &mut Rig) -> Vec<(RequestId, QuerySetId)> {
    let id = |message: ClientMessage| match message {
        ClientMessage::Subscribe { request_id, query_set_id, .. } => (request_id, query_set_id),
        other => panic!("{other:?}"),
    };
    rig.sent().into_iter().map(id).collect()
}

fn rows_of(rows: &[&[u8]]) -> QueryRows {
    let table = TableRows { table: TableName::from("t"), rows: RowList::from_rows(rows) };
    QueryRows { tables: vec![table] }
}

/// Answers the resync's requests, a list of rows a set.
fn answer(rig: &mut Rig, rows: &[&[&[u8]]]) {
    let mut rows = rows.iter();
    for message in rig.sent() {
        match message {
            ClientMessage::Subscribe { request_id, query_set_id, .. } => {
                rig.server(applied(request_id, query_set_id, rows.next().unwrap()));
            }
            ClientMessage::SubscribeBatch { request_id, sets } => {
                let results = sets.into_iter().map(|set| BatchResult {
                    query_set_id: set.query_set_id,
                    outcome: Ok(rows_of(rows.next().unwrap())),
                });
                let results = results.collect();
                rig.server(ServerMessage::SubscribeBatchApplied { request_id, results });
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn reconnect_pauses_have_jitter() {
    let mut rig = ready(Protocol::V3, &[]);
    rig.lose();
    let mut limit = Config::default().reconnect.pause_min;
    for attempt in 1..20 {
        let (pause, told) = pause(&mut rig);
        assert!(pause <= limit, "attempt {attempt}: {pause:?} is above {limit:?}");
        assert_eq!(told, attempt);
        let dialed =
            |action: &Action| matches!(action, Action::Dial(dial) if dial.attempt == attempt + 1);
        while !rig.actions().iter().any(dialed) {
            rig.sleep();
            let _ = rig.events();
        }
        rig.connection.handle_lost(rig.now, status(503));
        limit = (limit * 2).min(Config::default().reconnect.pause_max);
    }
}

#[test]
fn backoff_resets_after_stable_minute_only() {
    let mut rig = ready(Protocol::V3, &[]);
    for stable in [false, true] {
        rig.lose();
        let _ = pause(&mut rig);
        assert_eq!(come_back(&mut rig, Protocol::V3).last().unwrap(), "Ready");
        rig.now += Duration::from_secs(if stable { 60 } else { 59 });
        rig.connection.handle_activity(rig.now);
        rig.lose();
        assert_eq!(pause(&mut rig).1, if stable { 1 } else { 2 });
        let _ = come_back(&mut rig, Protocol::V3);
    }
}

#[test]
fn first_connection_retries_on_request_only() {
    for first in [false, true] {
        let mut config = Config::default();
        config.reconnect.first = first;
        let mut rig = Rig::with(config);
        rig.connection.start(rig.now);
        rig.connection.handle_lost(rig.now, status(503));
        let end = if first { "Reconnecting" } else { "Closed" };
        assert_eq!(told(&rig.events()), ["Connecting", end]);
    }
}

#[test]
fn refused_token_waits_and_other_losses_retry() {
    for (reason, end) in [
        (status(401), "NeedsAuth"),
        (status(403), "NeedsAuth"),
        (status(500), "Reconnecting"),
        (status(429), "Reconnecting"),
        (Lost::Closed { code: 1001, reason: "".into() }, "Reconnecting"),
    ] {
        let mut rig = ready(Protocol::V3, &[]);
        rig.connection.handle_lost(rig.now, reason.clone());
        assert_eq!(told(&rig.events()), [end], "{reason:?}");
    }
}

#[test]
fn new_token_resumes_awaiting_connection() {
    let mut rig = ready(Protocol::V3, &[&[b"a"]]);
    rig.connection.handle_lost(rig.now, status(401));
    let _ = rig.events();
    assert!(rig.actions().is_empty());
    rig.connection.set_token(rig.now, "new".into());
    let actions = rig.actions();
    assert!(matches!(&actions[..], [Action::Dial(dial)] if dial.token.as_deref() == Some("new")));
    assert_eq!(told(&rig.events()), ["Connecting"]);
}

#[test]
fn session_token_and_id_are_reused() {
    let mut rig = rig();
    rig.connection.start(rig.now);
    let Some(Action::Dial(first)) = rig.connection.poll_action() else { panic!() };
    assert_eq!(first.token, None);
    rig.connection.handle_opened(Protocol::V3);
    rig.server(greeting());
    let _ = rig.events();
    rig.lose();
    let _ = rig.events();
    rig.sleep();
    let Some(Action::Dial(second)) = rig.connection.poll_action() else { panic!() };
    assert_eq!(second.token.as_deref(), Some("token"));
    assert_eq!(second.session_id, first.session_id);
}

#[test]
fn busy_session_retries_without_counting() {
    let mut rig = ready(Protocol::V3, &[]);
    for _ in 0..5 {
        let busy = Lost::Closed { code: 4000, reason: "session busy".into() };
        rig.connection.handle_lost(rig.now, busy);
        let (pause, attempt) = pause(&mut rig);
        let limit = Config::default().reconnect.session_busy_pause;
        assert!(pause >= limit / 2 && pause <= limit && attempt == 0, "{pause:?}, {attempt}");
        let _ = come_back(&mut rig, Protocol::V3);
    }
}

#[test]
fn another_identity_is_the_end() {
    let mut rig = ready(Protocol::V3, &[]);
    rig.lose();
    let _ = rig.events();
    rig.sleep();
    let _ = rig.actions();
    rig.connection.handle_opened(Protocol::V3);
    rig.server(ServerMessage::InitialConnection {
        identity: Identity::from_le_bytes([8; 32]),
        connection_id: ConnectionId::from_u128(9),
        token: Text::from("token"),
    });
    assert_eq!(told(&rig.events()), ["Closed"]);
}

#[test]
fn reconnecting_now_does_not_wait_for_the_pause() {
    let mut rig = ready(Protocol::V3, &[]);
    rig.connection.reconnect_now(rig.now);
    assert!(matches!(rig.actions()[..], [Action::Ping]), "is it there?");
    rig.lose();
    let _ = rig.events();
    rig.connection.reconnect_now(rig.now);
    assert!(matches!(rig.actions()[..], [Action::Dial(_)]));
}

#[test]
fn a_long_outage_is_told_once() {
    let mut rig = ready(Protocol::V3, &[]);
    rig.lose();
    let mut story = told(&rig.events());
    let start = rig.now;
    while rig.now < start + Duration::from_secs(120) {
        rig.sleep();
        if rig.actions().iter().any(|action| matches!(action, Action::Dial(_))) {
            rig.connection.handle_lost(rig.now, status(503));
        }
        story.extend(told(&rig.events()));
    }
    assert_eq!(story.iter().filter(|event| *event == "lost for long").count(), 1);
}

#[test]
fn resync_reports_changed_rows_in_one_transaction() {
    for (protocol, sets) in
        [(Protocol::V2, 1), (Protocol::V2, 2), (Protocol::V3, 1), (Protocol::V3, 2)]
    {
        let before: &[&[u8]] = &[b"a", b"b", b"c"];
        let mut rig = ready(protocol, &vec![before; sets]);
        rig.lose();
        assert_eq!(told(&rig.events()), ["Reconnecting"]);
        assert_eq!(rig.rows().len(), 3, "rows stay readable");
        assert_eq!(come_back(&mut rig, protocol), ["Connected", "Resyncing"]);
        assert_eq!(rig.rows().len(), 3, "and while resyncing");
        answer(&mut rig, &vec![&[b"b".as_slice(), b"c", b"d"] as &[&[u8]]; sets]);
        let events = rig.events();
        let mut expected = vec!["transaction: Resync".to_owned()];
        expected.extend((0..sets).map(|set| format!("set {set} applied")));
        expected.push("Ready".into());
        assert_eq!(told(&events), expected, "{protocol:?}, {sets} sets");
        let Event::Transaction(event) = &events[0] else { panic!() };
        assert_eq!(event.transaction.tables().len(), 1);
        assert_eq!(rig.rows(), [b"b", b"c", b"d"]);
    }
}

#[test]
fn a_resync_without_a_difference_is_silent() {
    let mut rig = ready(Protocol::V3, &[&[b"a"], &[b"a", b"b"]]);
    lose_and_come_back(&mut rig, Protocol::V3);
    answer(&mut rig, &[&[b"a"], &[b"a", b"b"]]);
    assert_eq!(told(&rig.events()), ["set 0 applied", "set 1 applied", "Ready"]);
}

#[test]
fn updates_between_resync_answers_apply_to_new_rows() {
    let mut rig = ready(Protocol::V2, &[&[b"a"], &[b"a", b"b"]]);
    lose_and_come_back(&mut rig, Protocol::V2);
    let [first, second] = subscribed(&mut rig)[..] else { panic!("there are two sets") };
    rig.server(applied(first.0, first.1, &[b"x", b"y"]));
    rig.server(ServerMessage::TransactionUpdate(update(first.1, &[b"z"], &[b"x"])));
    assert!(rig.events().is_empty());
    assert_eq!(rig.rows(), [b"a", b"b"], "nothing flickers");
    rig.server(applied(second.0, second.1, &[b"y", b"z", b"w"]));
    assert_eq!(
        told(&rig.events()),
        ["transaction: Resync", "set 0 applied", "set 1 applied", "Ready"]
    );
    assert_eq!(rig.rows(), [b"w", b"y", b"z"]);
    rig.server(ServerMessage::TransactionUpdate(update(second.1, &[], &[b"w"])));
    assert_eq!(told(&rig.events()), ["transaction: Other"]);
}

#[test]
fn failed_set_keeps_rows_and_others_resync() {
    let mut rig = ready(Protocol::V2, &[&[b"a", b"s"], &[b"b", b"s"]]);
    lose_and_come_back(&mut rig, Protocol::V2);
    let [first, second] = subscribed(&mut rig)[..] else { panic!("there are two sets") };
    rig.server(ServerMessage::SubscriptionError {
        request_id: Some(first.0),
        query_set_id: first.1,
        error: Text::from("gone"),
    });
    rig.server(applied(second.0, second.1, &[b"c"]));
    assert_eq!(
        told(&rig.events()),
        [
            "set 0 stale: the server refused to resync it: gone",
            "transaction: Resync",
            "set 1 applied",
            "Ready"
        ]
    );
    assert_eq!(rig.rows(), [b"a", b"c", b"s"]);
    // The application lets go of it.
    rig.connection.unsubscribe(SubscriptionId(0));
    assert_eq!(told(&rig.events()), ["transaction: Unsubscribed", "set 0 ended: Unsubscribed"]);
    assert_eq!(rig.rows(), [b"c"]);
}

#[test]
fn unanswered_set_stays_stale_and_may_answer_later() {
    let mut rig = ready(Protocol::V2, &[&[b"a"], &[b"b"]]);
    lose_and_come_back(&mut rig, Protocol::V2);
    let [first, second] = subscribed(&mut rig)[..] else { panic!("there are two sets") };
    rig.server(applied(first.0, first.1, &[b"c"]));
    let _ = rig.events();
    let until = rig.now + Config::default().reconnect.resync_timeout;
    while rig.now < until {
        rig.sleep();
        rig.connection.handle_activity(rig.now);
        let _ = rig.actions();
    }
    assert_eq!(
        told(&rig.events()),
        [
            "lost for long",
            "set 1 stale: the server did not resync it within `resync_timeout`",
            "transaction: Resync",
            "set 0 applied",
            "Ready"
        ]
    );
    assert_eq!(rig.rows(), [b"b", b"c"]);
    rig.server(applied(second.0, second.1, &[b"d"]));
    assert_eq!(told(&rig.events()), ["transaction: Resync", "set 1 applied"]);
    assert_eq!(rig.rows(), [b"c", b"d"]);
}

#[test]
fn losing_the_socket_again_while_resyncing_starts_over() {
    let mut rig = ready(Protocol::V2, &[&[b"a"], &[b"b"]]);
    for _ in 0..3 {
        rig.lose();
        let _ = rig.events();
        assert_eq!(come_back(&mut rig, Protocol::V2), ["Connected", "Resyncing"]);
        let (request, set) = subscribed(&mut rig)[0];
        rig.server(applied(request, set, &[b"x"]));
        assert!(rig.events().is_empty());
        assert_eq!(rig.rows(), [b"a", b"b"]);
    }
    lose_and_come_back(&mut rig, Protocol::V2);
    answer(&mut rig, &[&[b"x"], &[b"b"]]);
    assert_eq!(told(&rig.events()).last().unwrap(), "Ready");
    assert_eq!(rig.rows(), [b"b", b"x"]);
}

#[test]
fn sets_resync_in_one_batch_when_supported() {
    let mut rig = ready(Protocol::V3, &[&[b"a"], &[b"b"]]);
    lose_and_come_back(&mut rig, Protocol::V3);
    let sent = rig.sent();
    assert!(matches!(&sent[..], [ClientMessage::SubscribeBatch { sets, .. }] if sets.len() == 2));
    // An older server hangs up on it: never again, and this attempt does not count.
    let close = Lost::Closed { code: 1011, reason: "unknown tag 5".into() };
    rig.connection.handle_lost(rig.now, close);
    assert_eq!(pause(&mut rig).0, Duration::ZERO);
    let _ = come_back(&mut rig, Protocol::V3);
    assert_eq!(subscribed(&mut rig).len(), 2);
}

#[test]
fn a_batch_may_fail_set_by_set() {
    let mut rig = ready(Protocol::V3, &[&[b"a"], &[b"b"]]);
    lose_and_come_back(&mut rig, Protocol::V3);
    let sent = rig.sent();
    let [ClientMessage::SubscribeBatch { request_id, sets }] = &sent[..] else {
        panic!("{sent:?}")
    };
    let results = vec![
        BatchResult { query_set_id: sets[0].query_set_id, outcome: Err(Text::from("no")) },
        BatchResult { query_set_id: sets[1].query_set_id, outcome: Ok(rows_of(&[b"c"])) },
    ];
    rig.server(ServerMessage::SubscribeBatchApplied { request_id: *request_id, results });
    assert_eq!(
        told(&rig.events()),
        [
            "set 0 stale: the server refused to resync it: no",
            "transaction: Resync",
            "set 1 applied",
            "Ready"
        ]
    );
    assert_eq!(rig.rows(), [b"a", b"c"]);
}

#[test]
fn sets_ended_while_disconnected_go_at_once() {
    let mut rig = ready(Protocol::V3, &[&[b"a"], &[b"b"]]);
    rig.connection.unsubscribe(SubscriptionId(0));
    rig.lose();
    assert_eq!(
        told(&rig.events()),
        ["Reconnecting", "transaction: Unsubscribed", "set 0 ended: Unsubscribed"]
    );
    rig.connection.unsubscribe(SubscriptionId(1));
    assert_eq!(told(&rig.events()), ["transaction: Unsubscribed", "set 1 ended: Unsubscribed"]);
    assert!(rig.rows().is_empty());
    assert_eq!(come_back(&mut rig, Protocol::V3), ["Connected", "Ready"]);
}

#[test]
fn set_ended_during_resync_brings_no_rows() {
    let mut rig = ready(Protocol::V2, &[&[b"a"], &[b"b"]]);
    lose_and_come_back(&mut rig, Protocol::V2);
    let [first, second] = subscribed(&mut rig)[..] else { panic!("there are two sets") };
    rig.server(applied(first.0, first.1, &[b"x"]));
    let _ = rig.events();
    rig.connection.unsubscribe(SubscriptionId(0));
    assert_eq!(told(&rig.events()), ["transaction: Unsubscribed", "set 0 ended: Unsubscribed"]);
    rig.server(applied(second.0, second.1, &[b"y"]));
    assert_eq!(told(&rig.events()), ["transaction: Resync", "set 1 applied", "Ready"]);
    assert_eq!(rig.rows(), [b"y"]);
    rig.server(ServerMessage::UnsubscribeApplied {
        request_id: RequestId(9),
        query_set_id: first.1,
        rows: None,
    });
    assert!(rig.events().is_empty());
}

#[test]
fn unanswered_sets_are_subscribed_again() {
    let mut rig = rig().greeted(Protocol::V3);
    let _ = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
    assert_eq!(rig.sent().len(), 1);
    rig.lose();
    let _ = rig.events();
    let _ = rig.connection.subscribe(vec!["SELECT * FROM u".into()]);
    assert_eq!(come_back(&mut rig, Protocol::V3), ["Connected", "Ready"]);
    assert_eq!(rig.sent().len(), 2);
}

#[test]
fn plain_calls_are_never_resent_after_loss() {
    let mut rig = Rig::with({
        let mut config = Config::default();
        config.limits.max_calls_in_flight = 1;
        config
    })
    .greeted(Protocol::V3);
    let _ = rig.call("sent");
    let _ = rig.call("waits");
    rig.lose();
    assert_eq!(told(&rig.events()), ["call 0: Unknown", "call 1: NotSent", "Reconnecting"]);
    let _ = rig.call("while lost");
    assert_eq!(told(&rig.events()), ["call 2: NotSent"]);
    let _ = come_back(&mut rig, Protocol::V3);
    assert!(rig.sent().is_empty());
}

#[test]
fn waiting_calls_are_sent_after_resync() {
    let mut rig = Rig::with({
        let mut config = Config::default();
        config.while_disconnected = WhileDisconnected::Wait;
        config.limits.max_calls_in_flight = 1;
        config
    })
    .greeted(Protocol::V3);
    rig.applied(&[b"a"]);
    let _ = rig.call("sent");
    let _ = rig.call("waits");
    let _ = rig.sent();
    rig.lose();
    assert_eq!(told(&rig.events()), ["call 0: Unknown", "Reconnecting"]);
    let _ = rig.call("while lost");
    let _ = come_back(&mut rig, Protocol::V3);
    answer(&mut rig, &[&[b"a"]]);
    let _ = rig.events();
    for name in ["waits", "while lost"] {
        let sent = rig.sent();
        assert!(
            matches!(&sent[..], [ClientMessage::CallReducer { reducer, .. }] if reducer.as_str() == name),
            "{sent:?}"
        );
        rig.server(committed(sent[0].request_id(), TransactionUpdate::default()));
        let _ = rig.events();
    }
}

/// A message over a limit of the client's: it would be downloaded and refused for ever.
fn too_large(rig: &mut Rig) {
    let reason = Lost::Frame(FrameError::MessageTooLarge { frame: 9, limit: 8 });
    rig.connection.handle_lost(rig.now, reason);
}

#[test]
fn repeated_fault_without_progress_closes() {
    let mut rig = ready(Protocol::V3, &[&[b"a"]]);
    too_large(&mut rig);
    assert_eq!(told(&rig.events()), ["Reconnecting"]);
    let _ = come_back(&mut rig, Protocol::V3);
    answer(&mut rig, &[&[b"b"]]);
    let _ = rig.events();
    too_large(&mut rig);
    assert_eq!(told(&rig.events()), ["Reconnecting"], "something was applied in between");
    let _ = come_back(&mut rig, Protocol::V3);
    too_large(&mut rig);
    assert_eq!(told(&rig.events()), ["set 0 ended: Closed", "Closed"]);
    assert_eq!(rig.rows(), [b"b"]);
}

#[test]
fn out_of_sync_resyncs() {
    let mut rig = ready(Protocol::V3, &[&[b"a"]]);
    rig.server(ServerMessage::TransactionUpdate(update(QuerySetId(0), &[], &[b"unknown"])));
    assert_eq!(told(&rig.events()), ["Reconnecting"]);
    let _ = come_back(&mut rig, Protocol::V3);
    answer(&mut rig, &[&[b"b"]]);
    assert_eq!(told(&rig.events()), ["transaction: Resync", "set 0 applied", "Ready"]);
}

#[test]
fn call_with_inapplicable_rows_is_unknown() {
    let mut rig = ready(Protocol::V3, &[&[b"a"]]);
    let _ = rig.call("f");
    let sent = rig.sent();
    rig.server(committed(sent[0].request_id(), update(QuerySetId(0), &[], &[b"unknown"])));
    assert_eq!(told(&rig.events()), ["call 0: Unknown", "Reconnecting"]);
}

#[test]
fn closing_ends_the_attempts() {
    let mut rig = ready(Protocol::V3, &[&[b"a"]]);
    rig.lose();
    let _ = rig.events();
    rig.connection.close(rig.now);
    assert_eq!(told(&rig.events()), ["set 0 ended: Closed", "Closed"]);
    assert!(rig.connection.poll_timeout().is_none());
    assert_eq!(rig.rows(), [b"a"]);
}

#[test]
fn sets_beyond_one_message_are_resynced_each_alone() {
    let batches = |limit: usize| {
        let mut config = Config::default();
        config.limits.max_outgoing_bytes = limit;
        let mut rig = Rig::with(config).greeted(Protocol::V3);
        rig.applied(&[b"a"]);
        rig.applied(&[b"b"]);
        lose_and_come_back(&mut rig, Protocol::V3);
        let sent = rig.sent();
        let longest = sent.iter().map(ClientMessage::encoded_len).max();
        (sent.len(), longest)
    };
    let (one, bytes) = batches(1000);
    assert_eq!(one, 1);
    assert_eq!(batches(bytes.unwrap()).0, 1);
    let (two, longest) = batches(bytes.unwrap() - 1);
    assert_eq!(two, 2);
    assert!(longest < bytes);
}
