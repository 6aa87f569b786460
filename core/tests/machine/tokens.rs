//! Tokens: which of the server's are taken, and that none is shown.

use lightlike_core::conn::{CloseReason, Config, Connection, ConnectionState, Event, Lost};
use lightlike_core::limits::{Limits, MAX_TOKEN_BYTES};
use lightlike_core::secret::InvalidToken;
use lightlike_core::types::{ConnectionId, Identity};
use lightlike_core::wire::{Protocol, ServerMessage, Text, decode_server, encode_server};

use crate::rig::Rig;

/// Nothing else contains it.
const MARKER: &str = "marker.marker.marker";

fn greeting(token: &str) -> ServerMessage {
    ServerMessage::InitialConnection {
        identity: Identity::from_le_bytes([7; 32]),
        connection_id: ConnectionId::from_u128(9),
        token: Text::from(token),
    }
}

/// A connection that hears this token first.
fn greeted_with(mut rig: Rig, token: &str) -> (Rig, Vec<Event>) {
    rig.connection.start(rig.now);
    let _ = rig.actions();
    rig.connection.handle_opened(Protocol::V3);
    rig.server(greeting(token));
    let events = rig.events();
    (rig, events)
}

fn close_reason(events: &[Event]) -> Option<InvalidToken> {
    events.iter().find_map(|event| match event {
        Event::State(ConnectionState::Closed(CloseReason::Lost(Lost::Token(why)))) => Some(*why),
        _ => None,
    })
}

#[test]
fn greeting_with_invalid_token_ends_connection() {
    let long = "x".repeat(MAX_TOKEN_BYTES + 1);
    let character = |at| InvalidToken::Character { at };
    for (token, why) in [
        ("a.b.c\r\nX-Evil: 1", character(5)),
        ("a b", character(1)),
        ("a\u{0}b", character(1)),
        ("t\u{f6}ken", character(1)),
        ("", InvalidToken::Empty),
        (&*long, InvalidToken::TooLong { len: long.len() }),
    ] {
        let (rig, events) = greeted_with(Rig::new(), token);
        assert_eq!(close_reason(&events), Some(why), "{events:?}");
        assert_eq!(rig.connection.token(), None, "it is not kept");
        assert!(!events.iter().any(|event| matches!(event, Event::Connected(_))), "nor told");
    }
    let (rig, events) = greeted_with(Rig::new(), &"x".repeat(MAX_TOKEN_BYTES));
    assert_eq!((close_reason(&events), rig.connection.is_ready()), (None, true));
}

#[test]
fn impossible_token_after_a_reconnect_is_not_sent() {
    let mut rig = Rig::with(Config::default()).greeted(Protocol::V3);
    rig.lose();
    let _ = (rig.events(), rig.sleep(), rig.actions());
    rig.connection.handle_opened(Protocol::V3);
    rig.server(greeting("a.b.c\r\nX-Evil: 1"));
    let _ = (rig.events(), rig.sleep());
    let dials = rig.actions();
    let dial = dials.iter().find_map(|action| match action {
        lightlike_core::conn::Action::Dial(dial) => Some(dial),
        _ => None,
    });
    assert_eq!(dial.and_then(|dial| dial.token.as_deref()), Some("token"), "the one before");
}

#[test]
fn no_token_is_shown_by_debug() {
    let connection = Connection::new(Config::default(), Some(MARKER.into()), 1);
    assert!(!format!("{connection:?}").contains(MARKER));

    let mut rig = Rig::new();
    rig.connection.start(rig.now);
    rig.connection.set_token(rig.now, MARKER.into());
    let actions = rig.actions();
    assert!(!format!("{:?}{actions:?}", rig.connection).contains(MARKER));
    rig.connection.handle_opened(Protocol::V3);
    rig.connection.keep_token(MARKER.into());
    rig.server(greeting(MARKER));
    // Received and not applied; then applied and not told; then told.
    assert!(!format!("{:?}", rig.connection).contains(MARKER));
    let _ = rig.connection.step(rig.now, 1);
    assert!(!format!("{:?}", rig.connection).contains(MARKER));
    let events = rig.events();
    assert!(!format!("{events:?}{:?}", rig.connection).contains(MARKER));

    let mut body = Vec::new();
    encode_server(&greeting(MARKER), &mut body).unwrap();
    let messages = decode_server(&body.into(), Protocol::V3, &Limits::DEFAULT);
    assert!(!format!("{messages:?}").contains("marker"), "as text");
    assert!(!format!("{messages:?}").contains("109, 97"), "as bytes");
    let message = greeting(MARKER);
    assert!(!format!("{message:?}{message:#?}").contains(MARKER));
}
