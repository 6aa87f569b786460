//! Kept calls at which the server hangs up, and those that wait behind them.

use lightlike_core::conn::Lost;
use lightlike_core::journal::Delivery::{AtLeastOnce, AtMostOnce, Probe};
use lightlike_core::journal::{Failure, QueuedState};
use lightlike_core::wire::{ClientMessage, RequestId, TransactionUpdate};

use super::Offline;
use crate::rig::committed;

impl Offline {
    /// The server closes the connection, and takes the next one.
    fn hang_up(&mut self) {
        let reason = Lost::Closed { code: 1009, reason: "too large".into() };
        self.rig.connection.handle_lost(self.rig.now, reason);
    }

    /// Answers the one call that was sent.
    fn answer_one(&mut self) -> String {
        let sent = self.rig.sent();
        let [ClientMessage::CallReducer { reducer, request_id, .. }] = &sent[..] else {
            panic!("{sent:?}")
        };
        self.rig.server(committed(*request_id, TransactionUpdate::default()));
        reducer.to_string()
    }
}

#[test]
fn kept_call_that_ends_connections_becomes_dead_letter() {
    let mut offline = Offline::new();
    offline.call("bad", AtLeastOnce);
    offline.call("once", AtMostOnce);
    offline.call("again", AtLeastOnce);
    offline.store();
    let _ = offline.connect();
    for _ in 0..2 {
        assert_eq!(offline.called(), ["bad"]);
        offline.hang_up();
        let _ = offline.come_back();
    }
    assert_eq!(offline.called(), ["bad"]);
    let _ = offline.told();
    offline.hang_up();
    assert_eq!(offline.told(), ["call 0: Abandoned", "Reconnecting"]);
    let letters = offline.connection().dead_letters();
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!(letter.reducer, "bad");
    let Failure::Abandoned { sent: 3, close_code: Some(1009), reason } = &letter.failure else {
        panic!("{letter:?}")
    };
    assert!(reason.contains("too large"), "{reason}");
    // The others go on, each answered.
    let _ = offline.come_back();
    offline.store();
    assert_eq!(offline.called(), ["once", "again"]);
    for request in 0..2 {
        offline.rig.server(committed(RequestId(request + 3), TransactionUpdate::default()));
    }
    assert_eq!(offline.told(), ["call 1: Committed", "call 2: Committed"]);
    offline.store();
    let mut offline = offline.restart();
    assert_eq!(offline.connection().queued_calls(), []);
    assert_eq!(offline.connection().dead_letters(), letters);
}

#[test]
fn losses_are_counted_over_restarts() {
    let mut offline = Offline::new();
    offline.call("bad", AtLeastOnce);
    offline.call("once", AtMostOnce);
    offline.store();
    for run in 1..=3 {
        let told = offline.connect();
        assert!(told.contains(&"Ready".to_owned()), "{told:?}");
        assert_eq!(offline.called(), ["bad"]);
        offline.hang_up();
        let abandoned = offline.told().contains(&"call 0: Abandoned".to_owned());
        assert_eq!(abandoned, run == 3);
        offline.store();
        offline = offline.restart();
    }
    assert_eq!(offline.connection().dead_letters().len(), 1);
    let waiting = offline.connection().queued_calls();
    let [once] = &waiting[..] else { panic!("{waiting:?}") };
    assert_eq!((once.reducer.as_str(), once.state), ("once", QueuedState::Queued));
    let _ = offline.connect();
    assert_eq!(offline.answer_one(), "once");
    assert_eq!(offline.told(), ["call 0: Committed"]);
}

#[test]
fn unrepeatable_call_is_not_marked_behind_unanswered_one() {
    let mut offline = Offline::new();
    for (name, delivery) in [("a", AtMostOnce), ("b", AtLeastOnce), ("c", AtMostOnce)] {
        offline.call(name, delivery);
    }
    offline.store();
    let _ = offline.connect();
    assert_eq!(offline.called(), ["a", "b"]);
    // The program is killed: of the third call it is certain that it has not run.
    let mut offline = offline.restart();
    assert_eq!(offline.told(), ["call 0: Unknown"]);
    let _ = offline.connect();
    assert_eq!(offline.answer_one(), "b");
    assert_eq!(offline.told(), ["call 1: Committed"]);
    offline.store();
    assert_eq!(offline.answer_one(), "c");
    assert_eq!(offline.told(), ["call 2: Committed"]);
}

#[test]
fn probe_that_ends_connections_abandons_its_call() {
    let mut offline = Offline::new();
    let _ = offline.connect();
    offline.call("asked", Probe("SELECT 1".into()));
    offline.call("behind", AtLeastOnce);
    offline.store();
    assert_eq!(offline.called(), ["asked", "behind"]);
    let _ = offline.told();
    for _ in 0..3 {
        offline.hang_up();
        let told = offline.told();
        assert_eq!(told, ["Reconnecting"]);
        let _ = offline.come_back();
        assert_eq!(offline.called(), ["probe: SELECT 1"]);
    }
    offline.hang_up();
    assert_eq!(offline.told(), ["call 0: Abandoned", "Reconnecting"]);
    let _ = offline.come_back();
    assert_eq!(offline.answer_one(), "behind");
}
