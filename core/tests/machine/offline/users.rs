//! Users of a journal: it has the calls of several, and a user may come with another token.

use lightlike_core::journal::Delivery::{AtLeastOnce, AtMostOnce};
use lightlike_core::types::{ConnectionId, Identity};
use lightlike_core::wire::{Protocol, ServerMessage};

use super::Offline;

#[test]
fn restored_calls_are_reported_before_answers() {
    let mut offline = Offline::new();
    let _ = offline.connect();
    offline.lose();
    offline.call("sent", AtMostOnce);
    offline.store();
    let _ = offline.come_back();
    assert_eq!(offline.called(), ["sent"]);
    offline.call("again", AtLeastOnce);
    offline.store();
    let mut offline = offline.restart_as("renewed");
    assert!(offline.restored.is_empty(), "nobody knows yet whose the token is");
    assert_eq!(
        offline.connect(),
        [
            "call 0 restored: sent",
            "call 0: Unknown",
            "call 1 restored: again",
            "Connected",
            "Ready"
        ]
    );
    assert_eq!(offline.called(), ["again"]);
}

#[test]
fn another_users_calls_are_never_sent() {
    let mut offline = Offline::new();
    let _ = offline.connect();
    offline.lose();
    offline.call("f", AtMostOnce);
    offline.store();
    let mut offline = offline.restart();
    offline.rig.connection.start(offline.rig.now);
    let _ = offline.rig.actions();
    offline.rig.connection.handle_opened(Protocol::V3);
    offline.rig.server(ServerMessage::InitialConnection {
        identity: Identity::from_le_bytes([8; 32]),
        connection_id: ConnectionId::from_u128(9),
        token: "another".into(),
    });
    assert_eq!(offline.told(), ["Connecting", "call 0: Kept", "Closed"]);
    offline.store();
    let mut offline = offline.restart();
    let _ = offline.connect();
    assert_eq!(offline.called(), ["f"], "it is still there for its own user");
}
