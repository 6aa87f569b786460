//! Each error, event, reason and state that a program sees says in its own text what happened, what it happened to, and what
//! the peer or the system said.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;

use crate::bsatn::{DecodeError, DecodeErrorKind, to_vec};
use crate::cache::{
    Drift, MutationError, MutationId, OutOfSyncKind, RegisterError, RowMismatch, RowStatus,
    SetFailure, SetId, TableId, TempId as _,
};
use crate::conn::{
    Accepted, AnswerOrigin, CallId, CannotSwitch, Cause, EndpointError, Lost, NotSent,
    PartialMessage, Receiving, Reply, SetEnd, SlowConsumer, SlowReason, StaleReason, Storage,
    SubscriptionId, SyncState, Verification,
};
use crate::driver::{InvalidHeader, ProxyError, RouteError, TlsError};
use crate::guard::Panic;
use crate::journal::{Failure, Held, LoadError, Loss, QueuedState, StoreError, StoreErrorKind};
use crate::query::{NoLiteral, QueryError};
use crate::schema::{DifferenceKind, Item};
use crate::secret::InvalidToken;
use crate::types::{ParseErrorKind, TimeDuration, Timestamp};
use crate::wire::{Compression, FrameError, QueryRows, WireErrorKind};

/// Stands for what a peer, the system or the application said.
const WORDS: &str = "these very words";

/// Checks what each variant of an enum says. A variant that is added does not compile before it is here.
macro_rules! each {
    ($enum:ty: $($pattern:pat = $value:expr => $text:expr,)+) => {{
        let _ = |value: &$enum| match value { $($pattern => (),)+ };
        $({
            let value: $enum = $value;
            assert!(matches!(value, $pattern));
            says(&value, $text);
        })+
    }};
}

fn says(value: &dyn fmt::Display, expected: &str) {
    let text = value.to_string();
    assert!(text.contains(expected) && !text.contains('\n'), "`{text}` does not say `{expected}`");
}

fn words() -> Box<str> {
    WORDS.into()
}

fn boxed() -> Box<dyn Error + Send + Sync> {
    WORDS.into()
}

fn undecodable() -> DecodeError {
    DecodeError::new(DecodeErrorKind::InvalidBool(7), "bool", 3)
}

fn store() -> StoreError {
    StoreError::new("open", "/a/file", io::Error::other(WORDS))
}

fn lost() -> NotSent {
    NotSent::Lost(Lost::Violation(WORDS))
}

fn text() -> Bytes {
    to_vec(WORDS).expect("a text has an encoding").into()
}

#[test]
fn errors_of_bytes_say_what_is_wrong() {
    says(&undecodable(), "cannot decode `bool` at byte 3: 7 is not a bool");
    each!(DecodeErrorKind:
        DecodeErrorKind::UnexpectedEnd { .. } = DecodeErrorKind::UnexpectedEnd { missing: 1 } => "1 more byte needed",
        DecodeErrorKind::TrailingBytes { .. } = DecodeErrorKind::TrailingBytes { left: 2 } => "2 bytes left over",
        DecodeErrorKind::InvalidBool(_) = DecodeErrorKind::InvalidBool(7) => "7 is not a bool",
        DecodeErrorKind::InvalidTag(_) = DecodeErrorKind::InvalidTag(7) => "the tag 7",
        DecodeErrorKind::UnknownVariant(_) = DecodeErrorKind::UnknownVariant(7) => "the tag 7; if the module has a newer one",
        DecodeErrorKind::InvalidUtf8 = DecodeErrorKind::InvalidUtf8 => "not UTF-8",
        DecodeErrorKind::WrongLength { .. } = DecodeErrorKind::WrongLength { expected: 4, found: 3 } => "3 elements instead of 4",
        DecodeErrorKind::TooDeep { .. } = DecodeErrorKind::TooDeep { limit: 9 } => "more than 9 levels",
        DecodeErrorKind::TooManyEmptyElements = DecodeErrorKind::TooManyEmptyElements => "elements of no bytes",
    );
    each!(WireErrorKind:
        WireErrorKind::UnexpectedEnd { .. } = WireErrorKind::UnexpectedEnd { missing: 2 } => "2 more bytes",
        WireErrorKind::TrailingBytes { .. } = WireErrorKind::TrailingBytes { left: 2 } => "2 bytes left over",
        WireErrorKind::Empty = WireErrorKind::Empty => "no message",
        WireErrorKind::UnknownTag(_) = WireErrorKind::UnknownTag(7) => "the tag 7",
        WireErrorKind::InvalidUtf8 = WireErrorKind::InvalidUtf8 => "not UTF-8",
        WireErrorKind::FixedSizeZero = WireErrorKind::FixedSizeZero => "fixed size 0",
        WireErrorKind::PartialRow { .. } = WireErrorKind::PartialRow { row: 8, data: 9 } => "9 bytes are no whole number of rows of 8",
        WireErrorKind::MisplacedRow { .. } = WireErrorKind::MisplacedRow { row: 1, start: 2, min: 3, max: 4 } => "row 1 starts at byte 2",
        WireErrorKind::DataWithoutRows { .. } = WireErrorKind::DataWithoutRows { data: 9 } => "9 bytes of data",
        WireErrorKind::RowTooLarge { .. } = WireErrorKind::RowTooLarge { row: 1, bytes: 2, limit: 3 } => "`max_row_bytes` (3)",
        WireErrorKind::TooManyParts { .. } = WireErrorKind::TooManyParts { limit: 3 } => "`max_message_parts` (3)",
    );
    let compression = Compression::Gzip;
    each!(FrameError:
        FrameError::Empty = FrameError::Empty => "empty frame",
        FrameError::UnknownCompression(_) = FrameError::UnknownCompression(7) => "the tag 7",
        FrameError::NotBuilt(_) = FrameError::NotBuilt(Compression::Brotli) => "with its feature `brotli`",
        FrameError::FrameTooLarge { .. } = FrameError::FrameTooLarge { bytes: 2, limit: 1 } => "`max_frame_bytes` (1)",
        FrameError::MessageTooLarge { .. } = FrameError::MessageTooLarge { frame: 2, limit: 1 } => "`max_message_bytes` (1)",
        FrameError::Truncated { .. } = FrameError::Truncated { compression, bytes: 5 } => "5 bytes as Gzip: it is cut off",
        FrameError::Corrupt { .. } = FrameError::Corrupt { compression, bytes: 5 } => "5 bytes as Gzip: it is damaged",
        FrameError::TrailingBytes { .. } = FrameError::TrailingBytes { compression, left: 5 } => "5 bytes left over",
    );
    each!(ParseErrorKind:
        ParseErrorKind::WrongLength { .. } = ParseErrorKind::WrongLength { expected: 4, found: 3 } => "3 hex digits instead of 4",
        ParseErrorKind::InvalidDigit { .. } = ParseErrorKind::InvalidDigit { at: 3 } => "at byte 3",
        ParseErrorKind::InvalidForm { .. } = ParseErrorKind::InvalidForm { expected: WORDS } => WORDS,
        ParseErrorKind::NoSuch { .. } = ParseErrorKind::NoSuch { part: "month" } => "no such month",
        ParseErrorKind::OutOfRange = ParseErrorKind::OutOfRange => "out of range",
    );
}

#[test]
fn errors_of_rows_name_table_and_column() {
    each!(OutOfSyncKind:
        OutOfSyncKind::UnknownRow { .. } = OutOfSyncKind::UnknownRow { row_bytes: 9 } => "the cache does not hold (9 bytes)",
        OutOfSyncKind::NotInSet { .. } = OutOfSyncKind::NotInSet { row_bytes: 9 } => "this set does not hold (9 bytes)",
        OutOfSyncKind::TwoRowsOfOneKey = OutOfSyncKind::TwoRowsOfOneKey => "two different rows with one primary key",
        OutOfSyncKind::Replaced = OutOfSyncKind::Replaced => "keeps the old one",
        OutOfSyncKind::TooManyRows = OutOfSyncKind::TooManyRows => "too many rows",
        OutOfSyncKind::TooManyTables { .. } = OutOfSyncKind::TooManyTables { limit: 8 } => "`max_table_bytes` (8)",
    );
    let expected = || "U32".to_owned();
    each!(RowMismatch:
        RowMismatch::Column { .. } = RowMismatch::Column { column: "name", expected: expected(), error: undecodable() } => "`name`, U32 in Rust, does not decode: cannot decode `bool`",
        RowMismatch::Longer { .. } = RowMismatch::Longer { column: "name", left: 4 } => "for 4 bytes behind `name`",
        RowMismatch::UnknownVariant { .. } = RowMismatch::UnknownVariant { column: "name", name: "Enum", tag: 7, error: undecodable() } => "`name` has a variant with the tag 7, which `Enum` does not know",
        RowMismatch::Row(_) = RowMismatch::Row(undecodable()) => "cannot decode `bool`",
        RowMismatch::Panicked { .. } = RowMismatch::Panicked { message: words() } => WORDS,
        RowMismatch::TwoRowsOfOneKey { .. } = RowMismatch::TwoRowsOfOneKey { column: "id" } => "in the column `id`",
    );
    let register = || RegisterError::RowType { table: "t", registered: "A", refused: "B" };
    each!(RegisterError:
        RegisterError::RowType { .. } = register() => "`t` has rows of the Rust type `A` and cannot have rows of `B`",
        RegisterError::Panicked { .. } = RegisterError::Panicked { table: "t", message: words() } => "`t` cannot have this index: comparing its rows panicked: these very words",
        RegisterError::Definition { .. } = RegisterError::Definition { table: "t", what: "keys" } => "`t` is defined twice, with different keys",
    );
    each!(MutationError:
        MutationError::KeyTaken { .. } = MutationError::KeyTaken { table: "t" } => "`t` has a row with this primary key already; `upsert`",
        MutationError::NoSuchRow { .. } = MutationError::NoSuchRow { table: "t" } => "`t` has no row with this primary key; `upsert`",
        MutationError::EventTable { .. } = MutationError::EventTable { table: "t" } => "`t` is an event table",
        MutationError::TooManyTempIds { .. } = MutationError::TooManyTempIds { limit: 5 } => "more than 5",
        MutationError::Table(_) = MutationError::Table(register()) => "`t` has rows of the Rust type",
        MutationError::Refused(_) = MutationError::Refused(words()) => WORDS,
        MutationError::Panicked(_) = MutationError::Panicked(words()) => WORDS,
    );
    each!(NoLiteral:
        NoLiteral::NotANumber = NoLiteral::NotANumber => "NaN",
        NoLiteral::Year(_) = NoLiteral::Year(Timestamp::from_micros(i64::MAX)) => "years 0 to 9999",
    );
    each!(QueryError:
        QueryError::NoLiteral { .. } = QueryError::NoLiteral { what: "player.x".into(), r#source: NoLiteral::NotANumber } => "by `player.x`: SQL has no literal for NaN",
        QueryError::TooDeep { .. } = QueryError::TooDeep { nesting: 9, limit: 8 } => "9 deep, with a limit of 8",
    );
    each!(DifferenceKind:
        DifferenceKind::Missing = DifferenceKind::Missing => "missing",
        DifferenceKind::Kind = DifferenceKind::Kind => "another kind",
        DifferenceKind::Field = DifferenceKind::Field => "column or parameter",
        DifferenceKind::PrimaryKey = DifferenceKind::PrimaryKey => "primary key",
        DifferenceKind::Unique = DifferenceKind::Unique => "not unique",
        DifferenceKind::Index = DifferenceKind::Index => "index",
        DifferenceKind::Visibility = DifferenceKind::Visibility => "not for clients",
        DifferenceKind::Returns = DifferenceKind::Returns => "return type",
    );
    each!(Item:
        Item::Table(_) = Item::Table("t") => "table t",
        Item::View(_) = Item::View("t") => "view t",
        Item::Reducer(_) = Item::Reducer("t") => "reducer t",
        Item::Procedure(_) = Item::Procedure("t") => "procedure t",
    );
}

#[test]
fn errors_of_configuration_quote_what_was_given() {
    let given = || Box::<str>::from("given");
    let nonsense = || EndpointError::InvalidUri { uri: given() };
    each!(EndpointError:
        EndpointError::Credentials { .. } = EndpointError::Credentials { uri: given() } => "`given` has a user",
        EndpointError::InvalidUri { .. } = nonsense() => "`given` is not an address",
        EndpointError::InvalidPort { .. } = EndpointError::InvalidPort { uri: given(), port: "x".into() } => "`given` has the port `x`",
        EndpointError::UnknownScheme { .. } = EndpointError::UnknownScheme { uri: given(), scheme: "ftp".into() } => "`given` has the scheme `ftp`",
        EndpointError::QueryInUri { .. } = EndpointError::QueryInUri { uri: given() } => "`given` has a query",
        EndpointError::InvalidName { .. } = EndpointError::InvalidName { name: given() } => "`given` is not a database",
    );
    each!(InvalidToken:
        InvalidToken::Empty = InvalidToken::Empty => "empty",
        InvalidToken::Character { .. } = InvalidToken::Character { at: 3 } => "at byte 3",
        InvalidToken::TooLong { .. } = InvalidToken::TooLong { len: 99_999 } => "99999 bytes",
    );
    each!(InvalidHeader:
        InvalidHeader::Name { .. } = InvalidHeader::Name { name: given() } => "`given`",
        InvalidHeader::Value { .. } = InvalidHeader::Value { name: given() } => "`given`",
        InvalidHeader::Reserved { .. } = InvalidHeader::Reserved { name: given() } => "sets the header `given` itself",
    );
    let scheme = || ProxyError::Scheme { from: "ALL_PROXY", scheme: "socks5".into() };
    each!(ProxyError:
        ProxyError::Address { .. } = ProxyError::Address { from: "ALL_PROXY", r#source: nonsense() } => "ALL_PROXY names a proxy by no address: `given`",
        ProxyError::Scheme { .. } = scheme() => "ALL_PROXY names a proxy that speaks `socks5`",
    );
    let pem = || TlsError::Pem { what: "private key", r#source: boxed() };
    each!(TlsError:
        TlsError::Pem { .. } = pem() => "the private key: it is not PEM: these very words",
        TlsError::NoCertificate { .. } = TlsError::NoCertificate { what: "certificate" } => "certificate",
        TlsError::Unusable { .. } = TlsError::Unusable { what: "certificate", r#source: boxed() } => "certificate cannot be used: these very words",
    );
    each!(RouteError:
        RouteError::Tls(_) = RouteError::Tls(pem()) => WORDS,
        RouteError::Proxy(_) = RouteError::Proxy(scheme()) => "socks5",
    );
}

#[test]
fn ends_of_calls_and_sets_say_why() {
    each!(NotSent:
        NotSent::Closed = NotSent::Closed => "the connection is closed",
        NotSent::Lost(_) = lost() => "there is no connection: the server broke the protocol: these very words",
        NotSent::Panicked(_) = NotSent::Panicked(Panic::new("row type", WORDS)) => "because row type panicked: these very words",
        NotSent::UserChanged = NotSent::UserChanged => "another user",
        NotSent::TooMany { .. } = NotSent::TooMany { waiting: 2, limit: 2 } => "`max_calls` (2)",
        NotSent::TooManyBytes { .. } = NotSent::TooManyBytes { waiting: 9, limit: 8 } => "`max_call_bytes` allows 8",
        NotSent::TooManySets { .. } = NotSent::TooManySets { bytes: 9, limit: 8 } => "`max_query_set_bytes` allows 8",
        NotSent::TempId { .. } = NotSent::TempId { id: 7_u64.to_any() } => "the temporary id ",
        NotSent::TooLarge { .. } = NotSent::TooLarge { bytes: 9, limit: 8 } => "`max_outgoing_bytes` (8)",
        NotSent::QueueFull { .. } = NotSent::QueueFull { limit: 8 } => "8 calls are kept",
    );
    let (returned, timestamp) = (Bytes::new(), Timestamp::from_micros(0));
    let duration = TimeDuration::from_micros(2_000_000);
    each!(Reply:
        Reply::Committed { .. } = Reply::Committed { returned: returned.clone(), timestamp } => "committed",
        Reply::Rejected { .. } = Reply::Rejected { error: text(), timestamp } => "the reducer refused: these very words",
        Reply::Failed(_) = Reply::Failed(words()) => "could not run it: these very words",
        Reply::Returned { .. } = Reply::Returned { value: returned, timestamp, duration } => "returned after +2",
        Reply::Rows(_) = Reply::Rows(QueryRows { tables: Vec::new() }) => "rows of 0 tables",
        Reply::QueryRefused(_) = Reply::QueryRefused(words()) => "refused the query: these very words",
        Reply::Unknown = Reply::Unknown => "it may have run, or not",
        Reply::Abandoned { .. } = Reply::Abandoned { sent: 3, reason: Lost::Violation(WORDS) } => "sent 3 times, and each time the connection ended before the answer; it may have run, or not: the server broke the protocol: these very words",
        Reply::Dropped = Reply::Dropped => "it was dropped",
        Reply::Expired = Reply::Expired => "too old",
        Reply::Cancelled = Reply::Cancelled => "taken back",
        Reply::Kept = Reply::Kept => "for the next run",
        Reply::NotSent(_) = Reply::NotSent(lost()) => "there is no connection: the server broke the protocol: these very words",
        Reply::TimedOut { .. } = Reply::TimedOut { sent: true } => "it may have run, or may yet",
    );
    says(&Reply::TimedOut { sent: false }, "it was not sent");
    let failure = || SetFailure {
        set: SetId(1),
        table: TableId(0),
        table_name: "t".into(),
        row_type: "Row",
        reason: RowMismatch::Row(undecodable()),
    };
    let panicked =
        || SetFailure { reason: RowMismatch::Panicked { message: words() }, ..failure() };
    each!(SetEnd:
        SetEnd::Unsubscribed = SetEnd::Unsubscribed => "the application ended it",
        SetEnd::Refused(_) = SetEnd::Refused(words()) => "refused it: these very words",
        SetEnd::NotSent(_) = SetEnd::NotSent(lost()) => "broke the protocol: these very words",
        SetEnd::Undecodable(_) = SetEnd::Undecodable(failure()) => "rows of the table `t` are not `Row`: cannot decode",
        SetEnd::Panicked(_) = SetEnd::Panicked(panicked()) => "`t`, panicked: these very words",
        SetEnd::Closed = SetEnd::Closed => "the connection is closed",
    );
    each!(StaleReason:
        StaleReason::Refused(_) = StaleReason::Refused(words()) => WORDS,
        StaleReason::NotAnswered = StaleReason::NotAnswered => "`resync_timeout`",
        StaleReason::NotGathered { .. } = StaleReason::NotGathered { limit: 8 } => "`max_resync_bytes` (8)",
    );
    each!(CannotSwitch:
        CannotSwitch::Closed = CannotSwitch::Closed => "make another client",
        CannotSwitch::Offline = CannotSwitch::Offline => "close the client, and make another",
    );
    each!(Accepted:
        Accepted::Sent = Accepted::Sent => "on its way",
        Accepted::Queued = Accepted::Queued => "in the offline store",
        Accepted::Waiting = Accepted::Waiting => "in memory",
    );
    let (set, call) = (SubscriptionId(3), CallId(4));
    let of_call =
        || Cause::Call { call, reducer: "add_note".into(), timestamp, args: Bytes::new() };
    each!(Cause:
        Cause::Applied(_) = Cause::Applied(set) => "query set 3",
        Cause::Resync = Cause::Resync => "came back",
        Cause::Unsubscribed(_) = Cause::Unsubscribed(set) => "ended query set 3",
        Cause::Failed(_) = Cause::Failed(set) => "query set 3 failed",
        Cause::Call { .. } = of_call() => "the call of `add_note`",
        Cause::Optimistic(_) = Cause::Optimistic(call) => "call 4",
        Cause::UserChanged = Cause::UserChanged => "another user",
        Cause::Reverted(_) = Cause::Reverted([CallId(4), CallId(5)].into()) => "call 4, 5",
        Cause::Other = Cause::Other => "another client",
    );
}

#[test]
fn states_say_how_far_and_why() {
    each!(AnswerOrigin:
        AnswerOrigin::Server = AnswerOrigin::Server => "SpacetimeDB",
        AnswerOrigin::Elsewhere = AnswerOrigin::Elsewhere => "something on the way",
        AnswerOrigin::Unknown = AnswerOrigin::Unknown => "the server",
    );
    each!(SlowReason:
        SlowReason::Applying = SlowReason::Applying => "faster than they are applied",
        SlowReason::Callbacks = SlowReason::Callbacks => "callbacks",
        SlowReason::Views = SlowReason::Views => "`max_dead_rows`",
    );
    let behind = Duration::from_secs(2);
    let slow = SlowConsumer { reason: SlowReason::Callbacks, behind, bytes_waiting: 9 };
    says(&slow, "2s behind: callbacks take long; 9 bytes wait");
    each!(Storage:
        Storage::None = Storage::None => "no offline store",
        Storage::Good = Storage::Good => "works",
        Storage::Degraded(_) = Storage::Degraded(words()) => "failed: these very words; nothing more is kept",
    );
    let sync = SyncState {
        pending: 3,
        held: 1,
        failed: 2,
        storage: Storage::Degraded(words()),
        put_aside: Some("/a/file".into()),
        ..SyncState::default()
    };
    says(&sync, "3 kept calls are not answered, 1 of them held; 2 failed");
    says(
        &sync,
        "these very words; nothing more is kept until the program is started again; a damaged one was put aside at /a/file",
    );
    each!(RowStatus:
        RowStatus::Confirmed = RowStatus::Confirmed => "the server's",
        RowStatus::Stale = RowStatus::Stale => "last heard",
        RowStatus::Pending(_) = RowStatus::Pending(vec![MutationId(1)]) => "1 call",
    );
    let drift = Drift { table: "t".into(), missing: 1, surplus: 2 };
    let verification = |drifts| Verification { sets: 2, rows: 9, drifts };
    says(&verification(Vec::new()), "9 rows of 2 query sets compared: no difference");
    says(&verification(vec![(SubscriptionId(3), drift)]), "query set 3: table `t` lacks 1");
    let message = PartialMessage { received: 5, length: Some(9) };
    says(&Receiving { bytes: 5, message: Some(message) }, "5 of 9 bytes");
    says(&PartialMessage { received: 5, length: None }, "5 bytes of a message");
    says(&Receiving { bytes: 5, message: None }, "nothing is arriving; 5 bytes have");
}

#[test]
fn offline_store_says_what_the_system_said() {
    each!(StoreErrorKind:
        StoreErrorKind::InUse = StoreErrorKind::InUse => "open",
        StoreErrorKind::Gone = StoreErrorKind::Gone => "deleted",
        StoreErrorKind::Foreign = StoreErrorKind::Foreign => "not a store of this library",
        StoreErrorKind::Damaged = StoreErrorKind::Damaged => "not what was written",
        StoreErrorKind::Other = StoreErrorKind::Other => "",
    );
    let kinds = [StoreErrorKind::InUse, StoreErrorKind::Damaged, StoreErrorKind::Other];
    for kind in kinds {
        says(&store().of_kind(kind), "cannot open /a/file");
        says(&store().of_kind(kind), WORDS);
    }
    each!(LoadError:
        LoadError::Store(_) = LoadError::Store(store()) => "cannot open /a/file: these very words",
        LoadError::Format { .. } = LoadError::Format { found: 9, known: 1 } => "format 9, and this version reads format 1",
    );
    each!(Failure:
        Failure::Rejected(_) = Failure::Rejected(text()) => "the reducer refused: these very words",
        Failure::Failed(_) = Failure::Failed(words()) => "could not run it: these very words",
        Failure::Unknown = Failure::Unknown => "may have run, or not",
        Failure::Abandoned { .. } = Failure::Abandoned { sent: 3, close_code: None, reason: words() } => "sent 3 times",
        Failure::TempId { .. } = Failure::TempId { id: words() } => "the temporary id these very words",
        Failure::TimedOut { .. } = Failure::TimedOut { sent: true } => "may have run, or may yet",
        Failure::Expired = Failure::Expired => "too old",
        Failure::Dropped = Failure::Dropped => "dropped",
    );
    each!(Held:
        Held::Program = Held::Program => "the program's reducer takes other arguments",
        Held::Server(_) = Held::Server(words()) => WORDS,
        Held::NoReducer = Held::NoReducer => "no such reducer",
    );
    each!(QueuedState:
        QueuedState::Queued = QueuedState::Queued => "to be sent",
        QueuedState::Sent = QueuedState::Sent => "its answer",
        QueuedState::NeedsMigration = QueuedState::NeedsMigration => "held",
    );
    let keys = BTreeSet::from([Box::<[u8]>::from([1])]);
    says(&Loss { keys, unnamed: true }, "1 key");
    says(&Loss::default(), "no write is lost");
}

/// Where somebody prints the chain of an error, nothing is said twice.
#[test]
fn no_error_repeats_its_source() {
    let errors: [Arc<dyn Error>; 6] = [
        Arc::new(LoadError::Store(store())),
        Arc::new(store()),
        Arc::new(lost()),
        Arc::new(TlsError::Pem { what: "private key", r#source: boxed() }),
        Arc::new(QueryError::NoLiteral { what: "x".into(), r#source: NoLiteral::NotANumber }),
        Arc::new(MutationError::Table(RegisterError::Definition { table: "t", what: "keys" })),
    ];
    for error in errors {
        assert!(error.source().is_none(), "{error}");
    }
}
