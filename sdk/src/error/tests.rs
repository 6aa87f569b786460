//! Each error says in its own text what happened and what the peer or the system said.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::io;
use std::time::Duration;

use lightlike_core::bsatn::{EncodeError, from_slice};
use lightlike_core::conn::NotSent;
use lightlike_core::driver::{Proxy, Tls, check_header};
use lightlike_core::limits::Limits;
use lightlike_core::secret::check_token;

use super::*;
use crate::calls::Unanswered;

/// Stands for what a peer, the system or the application said.
const WORDS: &str = "these very words";

fn words() -> Box<str> {
    WORDS.into()
}

fn system() -> io::Error {
    io::Error::other(WORDS)
}

fn lost() -> Lost {
    Lost::Violation(WORDS)
}

fn token() -> InvalidToken {
    check_token("two\nlines").unwrap_err()
}

fn undecodable() -> lightlike_core::bsatn::DecodeError {
    from_slice::<bool>(&[7]).unwrap_err()
}

fn store() -> StoreError {
    StoreError::new("open", "/a/file", system())
}

fn failure() -> SetFailure {
    let reason = RowMismatch::Row(undecodable());
    let (set, table) = (SetId(1), TableId(0));
    SetFailure { set, table, table_name: "player".into(), row_type: "Player", reason }
}

/// The kind's number, and what each says besides its own words. Not to be answered with a wildcard: a new kind belongs here.
fn expected(repr: &Repr) -> (usize, &'static str) {
    match repr {
        Repr::Endpoint(_) => (0, "`nonsense`"),
        Repr::Limit(_) => (1, "max_calls"),
        Repr::Token(_) => (2, "token"),
        Repr::Header(_) => (3, "header"),
        Repr::NoRuntime => (4, "start_thread"),
        Repr::NoTimers => (5, "enable_all"),
        Repr::AlreadyDriven => (6, "started before"),
        Repr::NotManual => (7, "build_manual"),
        Repr::Busy(_) => (8, "tick"),
        Repr::NoThread(_) => (9, WORDS),
        Repr::JoinsItself => (10, "callback"),
        Repr::DriverPanicked(_) => (11, WORDS),
        Repr::Tls(_) => (12, "PEM"),
        Repr::NotBuilt(_) => (13, "`brotli`"),
        Repr::Connect { .. } => {
            (14, "`chat` at http://host: the server broke the protocol: these very words")
        }
        Repr::Closed => (15, "closed"),
        Repr::Lost(_) => (16, "lost: the server broke the protocol: these very words"),
        Repr::Refused { .. } => (17, "[\"SELECT 1\"]: these very words"),
        Repr::Undecodable { .. } => (
            18,
            "[\"SELECT 1\"] do not decode: rows of the table `player` are not `Player`: cannot decode `bool`",
        ),
        Repr::Unsubscribed => (19, "ended before"),
        Repr::Register(_) => (20, "`player`"),
        #[cfg(feature = "http")]
        Repr::SchemaDrift(_) => (21, "the program differs from the module"),
        #[cfg(feature = "http")]
        Repr::NoSchema(_) => (22, WORDS),
        Repr::Rejected { .. } => (23, "refused: these very words"),
        Repr::CallFailed { .. } => (24, "could not run it: these very words"),
        Repr::Query(_) => (25, WORDS),
        Repr::NoTables => (26, "ClientBuilder::tables"),
        Repr::Unwritable(_) => (27, "by `player.x`: SQL has no literal for NaN"),
        Repr::QueryRow { .. } => (28, "row 3 of the answer does not decode: cannot decode `bool`"),
        Repr::NotSent(_) => {
            (29, "there is no connection: the server broke the protocol: these very words")
        }
        Repr::Unanswered(_) => (
            30,
            "it was not sent: there is no connection: the server broke the protocol: these very words",
        ),
        #[cfg(feature = "http")]
        Repr::Http(_) => (31, WORDS),
        Repr::Load(_) => (32, "cannot open /a/file: these very words"),
        Repr::Store(_) => (33, "cannot open /a/file: these very words"),
        Repr::DiskThread(_) => (34, WORDS),
        Repr::Untyped(_) => (35, "`nobody`"),
        Repr::TimedOut(_) => (36, "2s"),
        Repr::StoredToken { .. } => (37, "/a/file cannot be a token: the token"),
        Repr::TokenStore { .. } => (38, "cannot save the token: these very words"),
        Repr::CannotSwitch(_) => (40, "offline store, which is one user's"),
        Repr::RowPanicked { .. } => (41, "[\"SELECT 1\"] panicked: "),
        Repr::Panicked(_) => (42, "closed, because row type panicked: these very words"),
        Repr::Route(_) => (39, "names a proxy that speaks `socks5`"),
    }
}

/// How many kinds there are, and which are there with the feature `http` alone.
const KINDS: usize = 43;
#[cfg(not(feature = "http"))]
const OF_HTTP: [usize; 3] = [21, 22, 31];
#[cfg(feature = "http")]
const OF_HTTP: [usize; 0] = [];

fn all() -> Vec<Repr> {
    let queries = || -> Box<[Box<str>]> { ["SELECT 1".into()].into() };
    let mut limit = Limits::DEFAULT;
    limit.max_calls = 0;
    let register = RegisterError::Definition { table: "player", what: "keys" };
    let unwritable = lightlike_core::query::QueryError::NoLiteral {
        what: "player.x".into(),
        source: lightlike_core::query::NoLiteral::NotANumber,
    };
    let not_sent = || NotSent::Lost(lost());
    let untyped = UntypedError::NotCallable { function: "nobody".into() };
    let compression = lightlike_core::wire::Compression::Brotli;
    vec![
        Repr::Endpoint(EndpointError::InvalidUri { uri: "nonsense".into() }),
        Repr::Limit(limit.check().unwrap_err()),
        Repr::Token(token()),
        Repr::Header(check_header("host", "x").unwrap_err()),
        Repr::NoRuntime,
        Repr::NoTimers,
        Repr::AlreadyDriven,
        Repr::NotManual,
        Repr::Busy(Busy),
        Repr::NoThread(system()),
        Repr::JoinsItself,
        Repr::DriverPanicked(words()),
        Repr::Tls(Tls::new().root_certificates(b"-----BEGIN CERTIFICATE-----\n!").unwrap_err()),
        Repr::NotBuilt(compression),
        Repr::Connect {
            database: "chat".into(),
            server: "http://host".into(),
            stored: None,
            lost: lost(),
        },
        Repr::Closed,
        Repr::Lost(lost()),
        Repr::Refused { queries: queries(), message: words() },
        Repr::Undecodable { queries: queries(), failure: failure() },
        Repr::Unsubscribed,
        Repr::Register(register),
        #[cfg(feature = "http")]
        Repr::SchemaDrift([].into()),
        #[cfg(feature = "http")]
        Repr::NoSchema(crate::http::Error::invalid(WORDS)),
        Repr::Rejected { message: words() },
        Repr::CallFailed { kind: CallErrorKind::Failed, error: CallError::Failed(words()) },
        Repr::Query(words()),
        Repr::NoTables,
        Repr::Unwritable(unwritable),
        Repr::QueryRow { row: 3, error: undecodable() },
        Repr::NotSent(not_sent()),
        Repr::Unanswered(Unanswered::NotSent(not_sent())),
        #[cfg(feature = "http")]
        Repr::Http(crate::http::Error::invalid(WORDS)),
        Repr::Load(LoadError::Store(store())),
        Repr::Store(store()),
        Repr::DiskThread(system()),
        Repr::Untyped(untyped),
        Repr::TimedOut(Duration::from_secs(2)),
        Repr::StoredToken { location: "/a/file".into(), error: token() },
        Repr::TokenStore { verb: "save", error: system().into() },
        Repr::CannotSwitch(CannotSwitch::Offline),
        Repr::RowPanicked { queries: queries(), failure: failure() },
        Repr::Panicked(Panic::new("row type", WORDS)),
        Repr::Route(Proxy::url("socks5://tor:9050").unwrap_err().into()),
    ]
}

#[test]
fn each_error_says_what_was_said_once() {
    let mut kinds = BTreeSet::from(OF_HTTP);
    for repr in all() {
        let (kind, said) = expected(&repr);
        kinds.insert(kind);
        let error = Error::from(repr);
        let text = error.to_string();
        assert!(text.contains(said), "{text}");
        assert_eq!(format!("{error:?}"), text);
        let mut behind = error.source();
        while let Some(source) = behind {
            assert!(!text.contains(&source.to_string()), "{text}: {source}");
            behind = source.source();
        }
        if let Some(cause) = error.cause() {
            assert!(text.contains(&cause.to_string()), "{text}: {cause}");
        }
    }
    assert!(kinds.into_iter().eq(0..KINDS), "each kind is tried");
}

/// What each call's end says. Not to be answered with a wildcard.
fn said<E>(error: &CallError<E>) -> &'static str {
    match error {
        CallError::Rejected(_) => "the reducer refused: these very words",
        CallError::Failed(_) => "the server could not run it: these very words",
        CallError::Unknown => "it may have run, or not",
        CallError::Abandoned { .. } => {
            "sent 3 times, and each time the connection ended before the answer"
        }
        CallError::TimedOut { sent: true } => "it may have run, or may yet",
        CallError::TimedOut { sent: false } => "it was not sent",
        CallError::Dropped => "it was not sent: it was dropped",
        CallError::Expired => "it was not sent: it became too old",
        CallError::Cancelled => "it was not sent: it was taken back",
        CallError::Kept => "for the next run of the program",
        CallError::NotSent(_) => "it was not sent: there is no connection: the server broke",
        CallError::Arguments(_) => "it was not sent: cannot encode",
        CallError::Undecodable { .. } => {
            "is of another type than was declared: cannot decode `bool`"
        }
    }
}

#[test]
fn boxed_call_error_keeps_the_words_of_the_peer() {
    let all = [
        CallError::Rejected(WORDS.to_owned()),
        CallError::Failed(words()),
        CallError::Unknown,
        CallError::Abandoned { sent: 3, reason: lost() },
        CallError::TimedOut { sent: true },
        CallError::TimedOut { sent: false },
        CallError::Dropped,
        CallError::Expired,
        CallError::Cancelled,
        CallError::Kept,
        CallError::NotSent(NotSent::Lost(lost())),
        CallError::Arguments(EncodeError { len: 5_000_000_000 }),
        CallError::Undecodable { committed: true, source: undecodable() },
    ];
    for error in all {
        let said = said(&error);
        let own = error.to_string();
        assert!(own.contains(said), "{own}");
        let boxed: Box<dyn std::error::Error> = error.into();
        assert!(boxed.to_string().contains(said) && boxed.source().is_none());
    }
}

#[test]
fn refusal_of_any_type_is_shown() {
    #[derive(Debug)]
    #[expect(dead_code, reason = "shown by its `Debug`")]
    enum Refusal {
        TooDear(u32),
    }
    let text = |words: &str| lightlike_core::bsatn::to_vec(words).unwrap();
    let cases: [(String, &str); 6] = [
        (CallError::Rejected(Refusal::TooDear(7)).to_string(), "the reducer refused: TooDear(7)"),
        (CallError::Rejected(()).to_string(), "the reducer refused"),
        (CallError::Rejected(words()).to_string(), "the reducer refused: these very words"),
        (
            CallError::Rejected(bytes::Bytes::from(text(WORDS))).to_string(),
            "the reducer refused: these very words",
        ),
        (
            CallError::Rejected(bytes::Bytes::from_static(&[1, 2])).to_string(),
            "the reducer refused: 0x0102",
        ),
        (
            Error::from(CallError::Rejected(Refusal::TooDear(7))).to_string(),
            "the reducer refused: TooDear(7)",
        ),
    ];
    for (shown, expected) in cases {
        assert_eq!(shown, expected);
    }
}
