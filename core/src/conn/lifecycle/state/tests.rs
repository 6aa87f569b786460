//! Each state and loss says what happened and what the peer or the system said, in its own text.

use super::*;
use crate::cache::{Cache, Change, Part, SetId, Step};
use crate::limits::Limits;
use crate::secret::check_token;
use crate::wire::{Protocol, RowList, decode_server, open_frame};

/// Stands for what the system or the peer said.
const WORDS: &str = "these very words";

fn system() -> Arc<io::Error> {
    Arc::new(io::Error::other(WORDS))
}

fn out_of_sync() -> OutOfSync {
    let mut cache = Cache::default();
    let rows = RowList::from_rows([b"row"]);
    cache.begin(Change::of(vec![Part::Deletes { set: SetId(1), table: "t".into(), rows }]));
    loop {
        match cache.step(10) {
            Step::More => (),
            Step::OutOfSync(error) => return error,
            Step::Committed(_) => panic!("a row that is not there was deleted"),
        }
    }
}

fn wire_error() -> WireError {
    let body = bytes::Bytes::from_static(&[255]);
    let decoded = decode_server(&body, Protocol::V3, &Limits::DEFAULT).next();
    decoded.expect("there is a message").expect_err("no message has this tag")
}

/// Text of each, besides its own kind. Not to be answered with a wildcard: a new kind belongs here.
fn expected(lost: &Lost) -> &'static str {
    match lost {
        Lost::Dial(DialError::Io { .. }) => "cannot reach host:1: these very words",
        Lost::Dial(DialError::TimedOut(_)) => "no connection within 2s; `connect_timeout`",
        Lost::Dial(DialError::Tls(_)) => "TLS failed: these very words",
        Lost::Dial(DialError::Status { .. }) => "HTTP status 418: these very words",
        Lost::Dial(DialError::Proxy { .. }) => {
            "no way through the proxy proxy:2: cannot reach host:1: these very words"
        }
        Lost::Dial(DialError::NoToken(_)) => "no token is to be had: these very words",
        Lost::Dial(DialError::Panicked(_)) => "a socket was being opened: these very words",
        Lost::Dial(DialError::Request(_)) => "cannot be written: these very words",
        Lost::Dial(DialError::Protocol(_)) => "the server speaks \"these very words\"",
        Lost::Dial(DialError::Handshake(_)) => "not a WebSocket handshake: these very words",
        Lost::NotGreeted(_) => "did not greet within 2s; `connect_timeout`",
        Lost::Closed { .. } => "with code 4321: these very words",
        Lost::HungUp => "hung up without a word",
        Lost::Io(_) => "the socket failed: these very words",
        Lost::Silent(_) => "for 2s; `idle_timeout`",
        Lost::Frame(_) => "cannot take a frame of the server's: cannot open an empty frame",
        Lost::Wire(_) => "cannot read a message of the server's: cannot decode",
        Lost::OutOfSync(_) => "a row that the cache does not hold",
        Lost::Violation(_) => "broke the protocol: these very words",
        Lost::Token(_) => "neither kept nor sent back: ",
        Lost::IdentityChanged { .. } => "not this identity's",
    }
}

fn all() -> Vec<Lost> {
    let two = Duration::from_secs(2);
    let other = || -> Arc<dyn std::error::Error + Send + Sync> { system() };
    let unreachable = || DialError::Io { authority: "host:1".into(), source: system() };
    let mut all: Vec<_> = [
        unreachable(),
        DialError::Proxy { proxy: "proxy:2".into(), source: Arc::new(unreachable()) },
        DialError::TimedOut(two),
        DialError::Tls(other()),
        DialError::status(418, WORDS),
        DialError::NoToken(other()),
        DialError::Request(other()),
        DialError::Panicked(WORDS.into()),
        DialError::Protocol(WORDS.into()),
        DialError::Handshake(other()),
    ]
    .map(Lost::Dial)
    .into();
    let empty = open_frame(bytes::Bytes::new(), &Limits::DEFAULT);
    all.extend([
        Lost::NotGreeted(two),
        Lost::Closed { code: 4321, reason: WORDS.into() },
        Lost::HungUp,
        Lost::Io(system()),
        Lost::Silent(two),
        Lost::Frame(empty.expect_err("it is empty")),
        Lost::Wire(wire_error()),
        Lost::OutOfSync(out_of_sync()),
        Lost::Violation(WORDS),
        Lost::Token(check_token("two\nlines").expect_err("it has a line break")),
        Lost::IdentityChanged { before: Identity::ZERO, now: Identity::ZERO },
    ]);
    all
}

#[test]
fn loss_quotes_peer_and_has_no_source() {
    for lost in all() {
        let text = lost.to_string();
        assert!(text.contains(expected(&lost)), "{text}");
        assert!(std::error::Error::source(&lost).is_none(), "{text}: it would be printed twice");
    }
}

#[test]
fn each_state_says_why() {
    #[expect(clippy::disallowed_methods, reason = "any moment is as good")]
    let next_at = Instant::now();
    for lost in all() {
        let states = [
            ConnectionState::Reconnecting { attempt: 3, next_at, reason: lost.clone() },
            ConnectionState::NeedsAuth(lost.clone()),
            ConnectionState::Closed(CloseReason::Lost(lost.clone())),
        ];
        for state in states {
            let text = state.to_string();
            assert!(text.contains(&lost.to_string()), "{text}");
            assert_eq!(state, state.clone());
        }
    }
    let panic = Panic::new("row type", WORDS);
    let closed = ConnectionState::Closed(CloseReason::Panicked(panic)).to_string();
    assert_eq!(closed, "closed: because row type panicked: these very words");
    assert_eq!(ConnectionState::Ready.to_string(), "ready");
    assert_ne!(ConnectionState::Ready, ConnectionState::Idle);
    assert_ne!(Lost::HungUp, Lost::Violation(WORDS));
}

#[test]
fn close_frame_without_a_reason_leaves_no_colon() {
    let text = Lost::Closed { code: 1000, reason: "".into() }.to_string();
    assert_eq!(text, "the server closed the connection with code 1000");
}
