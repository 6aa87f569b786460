//! A call in the journal.

use std::time::Duration;

use bytes::Bytes;

use crate::bsatn::{self, Decode, DecodeError, Encode, Reader, Refusal, Writer};
use crate::named_ids::NamedId;
use crate::schema::Reducer;
use crate::types::{TimeDuration, Timestamp, Uuid};
use crate::wire::Text;

/// Delivery of a call whose answer is lost with the connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Delivery {
    /// It is sent once. Without an answer it ends as [`Unknown`](crate::conn::Reply::Unknown).
    #[default]
    AtMostOnce,
    /// It is sent again until it is answered, or [given up](crate::conn::Reply::Abandoned) because the server hangs up on
    /// it: the reducer may be run twice, and must come to the same. Exactly once, if an argument names the call and the
    /// module skips names that it has seen.
    AtLeastOnce,
    /// This query is asked first, when the connection is back: if it has rows, the call has run. Else it is sent again.
    Probe(Text),
}

/// Failure of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The reducer refused: the BSATN of its error.
    Rejected(Bytes),
    /// It panicked, does not exist, or could not be run, in the server's words.
    Failed(Box<str>),
    /// It was sent, and its answer was lost: it may have run, or not.
    Unknown,
    /// It was sent again and again, and each time the connection ended before its answer: it may have run, or not, and
    /// is not sent any more.
    Abandoned {
        /// Number of times that it was sent.
        sent: u32,
        /// The code with which the server closed the last connection, if it did.
        close_code: Option<u16>,
        /// End of the last connection.
        reason: Box<str>,
    },
    /// No answer came within the call's timeout.
    TimedOut {
        /// `true` if it was sent.
        sent: bool,
    },
    /// It was older than it was allowed to become before it could be sent.
    Expired,
    /// It was dropped unsent: by a full queue, a veto, or the wish that it be.
    Dropped,
    /// It was not sent: it names a temporary id in whose place the server's did not become known, because the call that it
    /// is of failed, or which row that one inserted could not be told.
    TempId {
        /// The temporary id.
        id: Box<str>,
    },
}

/// In words, with the reducer's where it refused with a text.
impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Rejected(error) => Refusal(error).fmt(f),
            Self::Failed(why) => write!(f, "the server could not run it: {why}"),
            Self::Unknown => f.write_str("its answer was lost; it may have run, or not"),
            Self::Abandoned { sent, reason, .. } => write!(
                f,
                "it was sent {sent} times, and each time the connection ended before the answer; it may have run, or not: {reason}"
            ),
            Self::TimedOut { sent: true } => {
                f.write_str("no answer came in time; it may have run, or may yet")
            }
            Self::TimedOut { sent: false } => f.write_str("it could not be sent in time"),
            Self::Expired => f.write_str("it became too old before it could be sent"),
            Self::Dropped => f.write_str("it was dropped before it was sent"),
            Self::TempId { id } => write!(
                f,
                "it was not sent: the server's id for the temporary id {id}, which it names, did not become known"
            ),
        }
    }
}

/// Decodes the arguments of a call of `reducer`, if that is `R` and they are of its types.
fn decode_args<R: Reducer>(reducer: &Text, args: &Bytes) -> Option<R> {
    (reducer.as_str() == R::DEF.name).then(|| bsatn::from_slice(args).ok()).flatten()
}

/// State of a call on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntryState {
    /// It may be sent. One that is delivered at least once may have been.
    Queued,
    /// It was sent, or was about to be.
    Sent,
    /// It is over, and failed.
    Dead(Failure),
}

/// A call in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the order of calls, for as long as the store lives.
    pub(crate) seq: u64,
    pub(crate) scope: u32,
    pub(crate) id: Uuid,
    pub(crate) reducer: Text,
    pub(crate) args: Bytes,
    pub(crate) fingerprint: u64,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) delivery: Delivery,
    pub(crate) optimistic: Option<Text>,
    /// Number of times that it was sent in vain.
    pub(crate) attempts: u32,
    pub(crate) state: EntryState,
    /// Ends of connections while it alone was in flight, in halves.
    pub(crate) blame: u32,
    /// The number by which its temporary ids are told from those of other calls.
    pub(crate) number: Option<u64>,
    /// The places in the arguments with temporary ids of calls that were not answered.
    pub(crate) names: Vec<NamedId>,
}

/// A call that waits for being sent, or for its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueuedCall {
    /// Its name, for good: the same after a restart.
    pub id: Uuid,
    /// The reducer's name.
    pub reducer: Text,
    /// The BSATN of its arguments.
    pub args: Bytes,
    /// Time at which it was made.
    pub created_at: Timestamp,
    /// Time at which it is given up if it could not be sent.
    pub expires_at: Option<Timestamp>,
    /// Number of times that it was sent in vain.
    pub attempts: u32,
    /// State of the call.
    pub state: QueuedState,
    /// Reason for which it is held, if it [is](QueuedState::NeedsMigration).
    pub held: Option<Held>,
}

/// Reason for which a call is held: it was made with other arguments than its reducer takes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Held {
    /// The reducer takes other arguments in this version of the program.
    Program,
    /// It takes other arguments on the server: these, as text.
    Server(Box<str>),
    /// There is no such reducer that clients can call.
    NoReducer,
}

impl core::fmt::Display for Held {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Program => f.write_str(
                "the program's reducer takes other arguments than when the call was made",
            ),
            Self::Server(params) => write!(
                f,
                "the server's reducer takes other arguments than the call was made with: ({params})"
            ),
            Self::NoReducer => f.write_str("there is no such reducer any more"),
        }
    }
}

/// State of a call in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueuedState {
    /// It waits for being sent.
    Queued,
    /// It was sent, and is not answered.
    Sent,
    /// The reducer takes other arguments than when the call was made, in the program or on the server: it is not sent
    /// until it is made anew with those, or taken back. The next run of the program looks at it again.
    NeedsMigration,
}

impl core::fmt::Display for QueuedState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Queued => "waits to be sent",
            Self::Sent => "waits for its answer",
            Self::NeedsMigration => "is held",
        })
    }
}

/// A call that failed, kept to be looked at, made again or discarded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The call's name.
    pub id: Uuid,
    /// The reducer's name.
    pub reducer: Text,
    /// The BSATN of its arguments.
    pub args: Bytes,
    /// Time at which it was made.
    pub created_at: Timestamp,
    /// Failure of the call.
    pub failure: Failure,
}

impl QueuedCall {
    /// The call's arguments, if it is one of the reducer `R` and was made with arguments of these types.
    pub fn decode<R: Reducer>(&self) -> Option<R> {
        decode_args(&self.reducer, &self.args)
    }
}

/// The reducer, and how far the call is. Its arguments are shown by [`decode`](QueuedCall::decode).
impl core::fmt::Display for QueuedCall {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "`{}` of {}", self.reducer.as_str(), self.created_at)?;
        match &self.held {
            Some(held) => write!(f, " is held: {held}"),
            None => write!(f, " {}", self.state),
        }
    }
}

impl DeadLetter {
    /// The call's arguments, if it is one of the reducer `R` and was made with arguments of these types.
    pub fn decode<R: Reducer>(&self) -> Option<R> {
        decode_args(&self.reducer, &self.args)
    }
}

/// The reducer, when it was called, and how that failed. Its arguments are shown by [`decode`](DeadLetter::decode).
impl core::fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "`{}` of {}: {}", self.reducer.as_str(), self.created_at, self.failure)
    }
}

impl Entry {
    /// The call's name, for good.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The reducer's name.
    pub fn reducer(&self) -> &Text {
        &self.reducer
    }

    /// The BSATN of its arguments.
    pub fn args(&self) -> &Bytes {
        &self.args
    }

    /// Bytes that it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        /// Beside what it names: its own size, and that of what finds it.
        const ENTRY_BYTES: usize = 512;
        let probe = match &self.delivery {
            Delivery::Probe(query) => query.as_bytes().len(),
            Delivery::AtMostOnce | Delivery::AtLeastOnce => 0,
        };
        let failure = match &self.state {
            EntryState::Dead(Failure::Rejected(error)) => error.len(),
            EntryState::Dead(Failure::Failed(why)) => why.len(),
            _ => 0,
        };
        ENTRY_BYTES + self.reducer.as_bytes().len() + self.args.len() + probe + failure
    }

    /// The name of the mutator that shows what it will come to.
    pub fn optimistic(&self) -> Option<&Text> {
        self.optimistic.as_ref()
    }

    pub(crate) fn shown(&self, state: QueuedState, held: Option<Held>) -> QueuedCall {
        QueuedCall {
            id: self.id,
            reducer: self.reducer.clone(),
            args: self.args.clone(),
            created_at: self.created_at,
            expires_at: self.expires_at,
            attempts: self.attempts,
            state,
            held,
        }
    }

    /// As a dead letter, if it is one.
    pub(crate) fn dead_letter(&self) -> Option<DeadLetter> {
        let EntryState::Dead(failure) = &self.state else { return None };
        Some(DeadLetter {
            id: self.id,
            reducer: self.reducer.clone(),
            args: self.args.clone(),
            created_at: self.created_at,
            failure: failure.clone(),
        })
    }
}

/// The moment `after` a moment; the last one there is, if that is later.
pub(crate) fn wall_after(moment: Timestamp, after: Duration) -> Timestamp {
    let span = TimeDuration::from_duration(after).unwrap_or(TimeDuration::MAX);
    moment.checked_add(span).unwrap_or(Timestamp::from_micros(i64::MAX))
}

fn text(reader: &mut Reader<'_>) -> Result<Text, DecodeError> {
    <&str>::decode(reader).map(Text::from)
}

fn bytes(reader: &mut Reader<'_>) -> Result<Bytes, DecodeError> {
    <&[u8]>::decode(reader).map(Bytes::copy_from_slice)
}

fn put_bytes(out: &mut Writer, bytes: &[u8]) {
    out.len(bytes.len());
    out.bytes(bytes);
}

impl Encode for Entry {
    fn encode(&self, out: &mut Writer) {
        self.seq.encode(out);
        self.scope.encode(out);
        self.id.encode(out);
        self.reducer.as_str().encode(out);
        put_bytes(out, &self.args);
        self.fingerprint.encode(out);
        self.created_at.encode(out);
        self.expires_at.encode(out);
        self.delivery.encode(out);
        self.optimistic.as_ref().map(Text::as_str).encode(out);
        self.attempts.encode(out);
        self.state.encode(out);
        self.blame.encode(out);
        self.number.encode(out);
        self.names.encode(out);
    }
}

impl<'de> Decode<'de> for Entry {
    const SIZE: Option<usize> = None;

    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        let mut entry = Self {
            seq: u64::decode(reader)?,
            scope: u32::decode(reader)?,
            id: Uuid::decode(reader)?,
            reducer: text(reader)?,
            args: bytes(reader)?,
            fingerprint: u64::decode(reader)?,
            created_at: Timestamp::decode(reader)?,
            expires_at: Option::decode(reader)?,
            delivery: Delivery::decode(reader)?,
            optimistic: Option::<&str>::decode(reader)?.map(Text::from),
            attempts: u32::decode(reader)?,
            state: EntryState::decode(reader)?,
            blame: 0,
            number: None,
            names: Vec::new(),
        };
        // What was written by an earlier version ends here.
        if !reader.is_empty() {
            entry.blame = u32::decode(reader)?;
            entry.number = Option::decode(reader)?;
            entry.names = Vec::decode(reader)?;
        }
        Ok(entry)
    }
}

impl Encode for Delivery {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::AtMostOnce => out.tag(0),
            Self::AtLeastOnce => out.tag(1),
            Self::Probe(sql) => {
                out.tag(2);
                sql.as_str().encode(out);
            }
        }
    }
}

impl<'de> Decode<'de> for Delivery {
    const SIZE: Option<usize> = None;

    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        match reader.tag("Delivery")? {
            0 => Ok(Self::AtMostOnce),
            1 => Ok(Self::AtLeastOnce),
            2 => text(reader).map(Self::Probe),
            tag => Err(reader.invalid_tag(tag, "Delivery")),
        }
    }
}

impl Encode for EntryState {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Queued => out.tag(0),
            Self::Sent => out.tag(1),
            Self::Dead(failure) => {
                out.tag(2);
                failure.encode(out);
            }
        }
    }
}

impl<'de> Decode<'de> for EntryState {
    const SIZE: Option<usize> = None;

    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        match reader.tag("EntryState")? {
            0 => Ok(Self::Queued),
            1 => Ok(Self::Sent),
            2 => Failure::decode(reader).map(Self::Dead),
            tag => Err(reader.invalid_tag(tag, "EntryState")),
        }
    }
}

impl Encode for Failure {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Rejected(error) => {
                out.tag(0);
                put_bytes(out, error);
            }
            Self::Failed(why) => {
                out.tag(1);
                why.encode(out);
            }
            Self::Unknown => out.tag(2),
            Self::TimedOut { sent } => {
                out.tag(3);
                sent.encode(out);
            }
            Self::Expired => out.tag(4),
            Self::Dropped => out.tag(5),
            Self::Abandoned { sent, close_code, reason } => {
                out.tag(6);
                sent.encode(out);
                close_code.encode(out);
                reason.encode(out);
            }
            Self::TempId { id } => {
                out.tag(7);
                id.encode(out);
            }
        }
    }
}

impl<'de> Decode<'de> for Failure {
    const SIZE: Option<usize> = None;

    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        match reader.tag("Failure")? {
            0 => bytes(reader).map(Self::Rejected),
            1 => Box::decode(reader).map(Self::Failed),
            2 => Ok(Self::Unknown),
            3 => bool::decode(reader).map(|sent| Self::TimedOut { sent }),
            4 => Ok(Self::Expired),
            5 => Ok(Self::Dropped),
            6 => Ok(Self::Abandoned {
                sent: u32::decode(reader)?,
                close_code: Option::decode(reader)?,
                reason: Box::decode(reader)?,
            }),
            7 => Box::decode(reader).map(|id| Self::TempId { id }),
            tag => Err(reader.invalid_tag(tag, "Failure")),
        }
    }
}
