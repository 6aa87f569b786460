//! Calls at which the server hangs up.

use std::time::Duration;

use lightlike_core::cache::LocalTx;
use lightlike_core::conn::{
    Action, CallId, CallOptions, Config, Event, Lost, Reply, WhileDisconnected,
};
use lightlike_core::journal::Delivery;
use lightlike_core::wire::{ClientMessage, Protocol, RequestId, TransactionUpdate};

use crate::item::{Item, item};
use crate::naming::items;
use crate::rig::{Rig, committed, greeting, reducer, told};

fn too_large() -> Lost {
    Lost::Closed { code: 1009, reason: "too large".into() }
}

impl Rig {
    fn idempotent(&mut self, name: &'static str) -> CallId {
        let options = CallOptions { delivery: Delivery::AtLeastOnce, ..CallOptions::default() };
        self.connection.call_with(self.now, reducer(name), options)
    }

    /// The calls that have been sent since the last time, with the numbers to answer them by.
    fn called(&mut self) -> Vec<(String, RequestId)> {
        let calls = self.sent().into_iter().filter_map(|message| match message {
            ClientMessage::CallReducer { reducer, request_id, .. } => {
                Some((reducer.to_string(), request_id))
            }
            _ => None,
        });
        calls.collect()
    }

    fn names(&mut self) -> Vec<String> {
        self.called().into_iter().map(|(name, _)| name).collect()
    }

    /// The socket ends, and the next one is opened as soon as may be. What was told before that.
    fn hang_up(&mut self, reason: Lost) -> Vec<String> {
        self.connection.handle_lost(self.now, reason);
        let told = told(&self.events());
        self.come_back();
        told
    }

    fn come_back(&mut self) {
        while !self.actions().iter().any(|action| matches!(action, Action::Dial(_))) {
            self.sleep();
        }
        self.connection.handle_opened(Protocol::V3);
        self.server(greeting());
        let _ = self.events();
    }

    fn answer(&mut self, request: RequestId) -> Vec<String> {
        self.server(committed(request, TransactionUpdate::default()));
        told(&self.events())
    }
}

fn rig() -> Rig {
    Rig::with(Config::default()).greeted(Protocol::V3)
}

#[test]
fn call_that_ends_connections_is_abandoned() {
    let mut rig = rig();
    let call = rig.idempotent("bad");
    for _ in 0..2 {
        assert_eq!(rig.names(), ["bad"]);
        assert_eq!(rig.hang_up(too_large()), ["Reconnecting"]);
    }
    assert_eq!(rig.names(), ["bad"]);
    rig.connection.handle_lost(rig.now, too_large());
    let events = rig.events();
    assert_eq!(told(&events), ["call 0: Abandoned", "Reconnecting"]);
    let Event::Answered { call: answered, reply: Reply::Abandoned { sent: 3, reason }, .. } =
        &events[0]
    else {
        panic!("{events:?}")
    };
    assert_eq!((*answered, reason.close_code()), (call, Some(1009)));
    // And that is the end of it.
    rig.sleep();
    let _ = rig.actions();
    rig.connection.handle_opened(Protocol::V3);
    rig.server(greeting());
    assert_eq!(told(&rig.events()), ["Connected", "Ready"]);
    assert_eq!(rig.names(), [""; 0]);
}

#[test]
fn end_without_close_frame_counts_half() {
    let leaving = || Lost::Closed { code: 1001, reason: "going away".into() };
    for end in [|| Lost::HungUp, leaving] {
        let mut rig = rig();
        rig.idempotent("bad");
        for _ in 0..5 {
            assert_eq!(rig.names(), ["bad"]);
            assert_eq!(rig.hang_up(end()), ["Reconnecting"]);
        }
        assert_eq!(rig.names(), ["bad"]);
        assert_eq!(rig.hang_up(end()), ["call 0: Abandoned", "Reconnecting"]);
    }
}

#[test]
fn losses_allowed_are_a_limit() {
    let mut config = Config::default();
    config.limits.max_call_losses = 1;
    let mut rig = Rig::with(config).greeted(Protocol::V3);
    rig.idempotent("bad");
    assert_eq!(rig.names(), ["bad"]);
    assert_eq!(rig.hang_up(too_large()), ["call 0: Abandoned", "Reconnecting"]);
}

#[test]
fn suspects_are_sent_one_by_one() {
    let mut rig = rig();
    for name in ["good", "bad", "fine"] {
        rig.idempotent(name);
    }
    assert_eq!(rig.names(), ["good", "bad", "fine"]);
    assert_eq!(rig.hang_up(too_large()), ["Reconnecting"]);
    let [(good, request)] = &rig.called()[..] else { panic!() };
    assert_eq!(good, "good");
    assert_eq!(rig.answer(*request), ["call 0: Committed"]);
    // Two may be in flight now, and one of them ends the connection: which, is not known.
    assert_eq!(rig.names(), ["bad", "fine"]);
    assert_eq!(rig.hang_up(too_large()), ["Reconnecting"]);
    for _ in 0..2 {
        assert_eq!(rig.names(), ["bad"]);
        assert_eq!(rig.hang_up(too_large()), ["Reconnecting"]);
    }
    assert_eq!(rig.names(), ["bad"]);
    assert_eq!(rig.hang_up(too_large()), ["call 1: Abandoned", "Reconnecting"]);
    let [(fine, request)] = &rig.called()[..] else { panic!() };
    assert_eq!(fine, "fine");
    assert_eq!(rig.answer(*request), ["call 2: Committed"]);
}

#[test]
fn suspects_in_flight_double_each_round_trip() {
    let mut rig = rig();
    for _ in 0..20 {
        rig.idempotent("f");
    }
    assert_eq!(rig.called().len(), 20);
    rig.hang_up(Lost::HungUp);
    let mut rounds = Vec::new();
    loop {
        let called = rig.called();
        if called.is_empty() {
            break;
        }
        rounds.push(called.len());
        for (_, request) in called {
            rig.answer(request);
        }
    }
    assert_eq!(rounds, [1, 2, 4, 8, 5]);
    assert_eq!(rig.connection.pending_calls(), 0);
}

#[test]
fn calls_behind_suspects_are_not_failed() {
    let mut rig = rig();
    rig.idempotent("bad");
    assert_eq!(rig.names(), ["bad"]);
    assert_eq!(rig.hang_up(too_large()), ["Reconnecting"]);
    assert_eq!(rig.names(), ["bad"]);
    // They are made on a connection that is ready, and would fail without one.
    assert_eq!(rig.connection.config().while_disconnected, WhileDisconnected::Fail);
    let options = || CallOptions { tell_accepted: true, ..CallOptions::default() };
    rig.connection.call_with(rig.now, reducer("plain"), options());
    rig.idempotent("again");
    assert_eq!(told(&rig.events()), ["call 1 accepted: Waiting"]);
    assert_eq!(rig.names(), [""; 0], "nothing goes beside a suspect");
    assert_eq!(rig.hang_up(too_large()), ["Reconnecting"]);
    assert_eq!(rig.names(), ["bad"]);
    assert_eq!(rig.hang_up(too_large()), ["call 0: Abandoned", "Reconnecting"]);
    let called = rig.called();
    assert_eq!(called.len(), 2);
    assert_eq!(rig.answer(called[0].1), ["call 1: Committed"]);
    assert_eq!(rig.answer(called[1].1), ["call 2: Committed"]);
}

#[test]
fn calls_that_wait_behind_suspects_fail_without_server() {
    let mut rig = rig();
    rig.idempotent("bad");
    rig.hang_up(too_large());
    let _ = rig.names();
    rig.call("plain");
    rig.connection.handle_lost(rig.now, too_large());
    assert_eq!(told(&rig.events()), ["Reconnecting"]);
    // The server is not there at all: they would wait for that, and not for the suspect.
    rig.sleep();
    let _ = rig.actions();
    rig.connection.handle_lost(rig.now, Lost::HungUp);
    assert_eq!(told(&rig.events()), ["call 1: NotSent", "Reconnecting"]);
}

#[test]
fn end_with_unanswered_subscription_blames_no_call() {
    let mut rig = rig();
    rig.idempotent("good");
    for _ in 0..20 {
        let set = rig.connection.subscribe(vec!["SELECT * FROM t".into()]);
        assert_eq!(rig.names(), ["good"]);
        rig.connection.handle_lost(rig.now, too_large());
        rig.connection.unsubscribe(set);
        let _ = rig.events();
        rig.come_back();
    }
    assert_eq!(rig.connection.pending_calls(), 1);
}

#[test]
fn call_in_flight_with_others_is_not_blamed() {
    let mut rig = rig();
    for _ in 0..20 {
        // Each time another plain call is in flight beside it, before it is a suspect.
        let mut rig = Rig::with(rig.connection.config().clone()).greeted(Protocol::V3);
        rig.idempotent("good");
        rig.call("plain");
        assert_eq!(rig.hang_up(too_large()), ["call 1: Unknown", "Reconnecting"]);
        assert_eq!(rig.names().len(), 1);
    }
    rig.idempotent("good");
    let [(_, request)] = &rig.called()[..] else { panic!() };
    assert_eq!(rig.answer(*request), ["call 0: Committed"]);
}

#[test]
fn call_that_is_not_repeated_stays_unknown() {
    let mut rig = rig();
    rig.call("bad");
    assert_eq!(rig.hang_up(too_large()), ["call 0: Unknown", "Reconnecting"]);
    assert_eq!(rig.names(), [""; 0]);
}

#[test]
fn suspect_that_times_out_unsent_leaves_no_prediction() {
    let mut rig = rig();
    rig.connection.register::<Item>().unwrap();
    rig.idempotent("slow");
    let deadline = rig.now + Duration::from_secs(100);
    let options = CallOptions {
        delivery: Delivery::AtLeastOnce,
        deadline: Some(deadline),
        ..CallOptions::default()
    };
    let call = rig.connection.call_with(rig.now, reducer("late"), options);
    let run = |tx: &mut LocalTx| tx.upsert(item(1, 1));
    rig.connection.optimistic(rig.now, call, Box::new(run)).unwrap();
    rig.hang_up(Lost::HungUp);
    assert_eq!(items(&rig.connection).len(), 1);
    // It was in flight on the last connection, and waits for the first suspect on this one.
    rig.now = deadline;
    rig.connection.handle_timeout(rig.now);
    let told = told(&rig.events());
    assert!(told.contains(&"call 1: timed out, sent: true".to_owned()), "{told:?}");
    assert_eq!(items(&rig.connection), []);
}
