//! Calls of reducers and procedures.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use lightlike_core::bsatn::{self, DecodeError, EncodeError};
use lightlike_core::cache::Mutation;
use lightlike_core::conn::{CallId, CallRequest, CallTimes, NotSent, Reply};
use lightlike_core::schema::{Procedure, Reducer};
use lightlike_core::wire::Text;
use tokio::sync::oneshot;

use crate::hub::Hub;
use crate::optimistic::Expected;
use crate::outcome::Outcome;

/// How a call ended that did not commit, or may not have. `E` is the reducer's own error type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E> {
    /// The reducer refused: its own error. Nothing was changed.
    #[error("the reducer refused")]
    Rejected(E),
    /// It panicked, does not exist, or could not be run, in the server's words. Nothing was changed by a reducer; a
    /// procedure may have committed transactions before.
    #[error("the server could not run it: {0}")]
    Failed(Box<str>),
    /// It was sent, and the connection was lost before the answer: it may have run, or not.
    #[error("the connection was lost before the answer; it may have run, or not")]
    Unknown,
    /// No answer came within the call's timeout.
    #[error("no answer came in time")]
    TimedOut {
        /// Whether it was sent. If so it may have run, or may yet; its changes will still be applied.
        sent: bool,
    },
    /// It was not sent.
    #[error("it was not sent")]
    NotSent(#[source] NotSent),
    /// Its arguments have no encoding. It was not sent.
    #[error("its arguments cannot be encoded")]
    Arguments(#[source] EncodeError),
    /// The answer came and does not decode as the Rust type that was declared. `committed` says which answer it was.
    #[error("the answer does not decode as the declared type")]
    Undecodable {
        /// Whether the reducer has committed, or the procedure returned; it has refused otherwise.
        committed: bool,
        /// Why it does not decode.
        #[source]
        source: DecodeError,
    },
}

/// [`CallError`] without what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "see `CallError`")]
pub enum CallErrorKind {
    Rejected,
    Failed,
    Unknown,
    TimedOut,
    NotSent,
    Arguments,
    Undecodable,
}

impl<E> CallError<E> {
    /// Which variant it is.
    pub fn kind(&self) -> CallErrorKind {
        match self {
            Self::Rejected(_) => CallErrorKind::Rejected,
            Self::Failed(_) => CallErrorKind::Failed,
            Self::Unknown => CallErrorKind::Unknown,
            Self::TimedOut { .. } => CallErrorKind::TimedOut,
            Self::NotSent(_) => CallErrorKind::NotSent,
            Self::Arguments(_) => CallErrorKind::Arguments,
            Self::Undecodable { .. } => CallErrorKind::Undecodable,
        }
    }
}

/// Why a query got no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unanswered {
    /// The connection was lost before the answer.
    #[error("the connection was lost before the answer")]
    Lost,
    /// It was not sent.
    #[error("it was not sent")]
    NotSent(#[source] NotSent),
}

/// A call of the reducer `R`, not made yet: await it for its outcome, or [`send`](Self::send) or
/// [`forget`](Self::forget) it.
///
/// # Cancel safety
///
/// Dropping it before it was first polled makes no call. Dropping it later cancels nothing: the call was sent.
#[must_use = "a call is made when it is awaited, sent or forgotten"]
pub struct Call<R: Reducer> {
    hub: Arc<Hub>,
    args: R,
    timeout: Option<Duration>,
    pub(crate) expected: Option<Expected<R>>,
}

impl<R: Reducer> Call<R> {
    pub(crate) fn new(hub: Arc<Hub>, args: R) -> Self {
        Self { hub, args, timeout: None, expected: None }
    }

    /// Ends the call as [`CallError::TimedOut`] if no answer comes in this time. There is no limit otherwise.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Makes the call now, and returns its outcome's future.
    pub fn send(self) -> Pending<R::Ok, R::Error> {
        let Self { hub, args, timeout, expected } = self;
        let encoded = bsatn::to_vec(&args).map(Bytes::from);
        let mutation = mutation(&hub, expected, args, &encoded);
        let (request, read) = (reducer_request::<R>, reducer_outcome::<R>);
        Pending::start(&hub, encoded, request, mutation, timeout, read)
    }

    /// As awaiting it, with what else is known of the outcome: when, and how long it took.
    pub async fn outcome(self) -> Outcome<R::Ok, R::Error> {
        self.send().outcome().await
    }

    /// Makes the call now and lets its outcome go by. If it is not committed,
    /// [`Client::on_unhandled_rejection`](crate::Client::on_unhandled_rejection) is told, or the log.
    pub fn forget(self) {
        let Self { hub, args, timeout, expected } = self;
        let encoded = bsatn::to_vec(&args).map(Bytes::from);
        let mutation = mutation(&hub, expected, args, &encoded);
        match encoded {
            Ok(args) => hub.forget(reducer_request::<R>(args), mutation, timeout),
            Err(error) => tracing::warn!(reducer = R::DEF.name, %error, "a call was not sent"),
        }
    }
}

impl<R: Reducer> IntoFuture for Call<R> {
    type Output = Result<R::Ok, CallError<R::Error>>;
    type IntoFuture = Pending<R::Ok, R::Error>;

    /// Makes the call. Its outcome comes when its rows are in the cache and their callbacks have run.
    fn into_future(self) -> Self::IntoFuture {
        self.send()
    }
}

impl<R: Reducer> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("reducer", &R::DEF.name).finish_non_exhaustive()
    }
}

/// A call of the procedure `P`, not made yet: await it for what it returns.
///
/// # Cancel safety
///
/// As [`Call`]'s.
#[must_use = "a call is made when it is awaited or sent"]
pub struct ProcedureCall<P: Procedure> {
    hub: Arc<Hub>,
    args: P,
    timeout: Option<Duration>,
}

impl<P: Procedure> ProcedureCall<P> {
    pub(crate) fn new(hub: Arc<Hub>, args: P) -> Self {
        Self { hub, args, timeout: None }
    }

    /// Ends the call as [`CallError::TimedOut`] if no answer comes in this time. There is no limit otherwise.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Makes the call now, and returns its outcome's future.
    pub fn send(self) -> Pending<P::Output, std::convert::Infallible> {
        let Self { hub, args, timeout } = self;
        let encoded = bsatn::to_vec(&args).map(Bytes::from);
        let (request, read) = (procedure_request::<P>, procedure_outcome::<P>);
        Pending::start(&hub, encoded, request, None, timeout, read)
    }

    /// As awaiting it, with what else is known of the outcome: when, and how long it took.
    pub async fn outcome(self) -> Outcome<P::Output, std::convert::Infallible> {
        self.send().outcome().await
    }

    /// Makes the call now and lets its outcome go by. If it fails,
    /// [`Client::on_unhandled_rejection`](crate::Client::on_unhandled_rejection) is told, or the log.
    pub fn forget(self) {
        let Self { hub, args, timeout } = self;
        match bsatn::to_vec(&args) {
            Ok(args) => hub.forget(procedure_request::<P>(args.into()), None, timeout),
            Err(error) => tracing::warn!(procedure = P::DEF.name, %error, "a call was not sent"),
        }
    }
}

impl<P: Procedure> IntoFuture for ProcedureCall<P> {
    type Output = Result<P::Output, CallError<std::convert::Infallible>>;
    type IntoFuture = Pending<P::Output, std::convert::Infallible>;

    fn into_future(self) -> Self::IntoFuture {
        self.send()
    }
}

impl<P: Procedure> fmt::Debug for ProcedureCall<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcedureCall").field("procedure", &P::DEF.name).finish_non_exhaustive()
    }
}

/// The outcome of a call that was made. Dropping it cancels nothing: if the call fails then,
/// [`Client::on_unhandled_rejection`](crate::Client::on_unhandled_rejection) is told.
#[must_use = "this is the call's outcome; `forget` a call whose outcome does not matter"]
pub struct Pending<T, E> {
    answer: Answer,
    read: fn(&Reply) -> Result<T, CallError<E>>,
    outcome: PhantomData<fn() -> (T, E)>,
}

/// Where a call's answer comes from.
enum Answer {
    Coming(CallId, oneshot::Receiver<(Reply, CallTimes)>),
    Unencodable(EncodeError),
}

impl<T, E> Pending<T, E> {
    fn start(
        hub: &Arc<Hub>,
        args: Result<Bytes, EncodeError>,
        request: impl FnOnce(Bytes) -> CallRequest,
        mutation: Option<Box<dyn Mutation>>,
        timeout: Option<Duration>,
        read: fn(&Reply) -> Result<T, CallError<E>>,
    ) -> Self {
        let answer = match args {
            Ok(args) => {
                let (call, answer) = hub.call_timed(request(args), mutation, timeout);
                Answer::Coming(call, answer)
            }
            Err(error) => Answer::Unencodable(error),
        };
        Self { answer, read, outcome: PhantomData }
    }

    /// Which call this is, as [`Cause::Call`](crate::Cause::Call) names it; `None` if its arguments have no encoding.
    pub fn id(&self) -> Option<CallId> {
        match &self.answer {
            Answer::Coming(call, _) => Some(*call),
            Answer::Unencodable(_) => None,
        }
    }

    /// Waits for the outcome, with what else is known of it: when, and how long it took.
    ///
    /// # Cancel safety
    ///
    /// As that of the call itself: dropping this cancels nothing.
    pub async fn outcome(self) -> Outcome<T, E> {
        match self.answer {
            Answer::Unencodable(error) => Outcome::unknown(Err(CallError::Arguments(error))),
            Answer::Coming(_, answer) => match answer.await {
                Ok((reply, times)) => Outcome::new((self.read)(&reply), &reply, times),
                Err(_) => Outcome::unknown(Err(CallError::Unknown)),
            },
        }
    }
}

impl<T, E> Future for Pending<T, E> {
    type Output = Result<T, CallError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let read = self.read;
        match &mut self.answer {
            Answer::Unencodable(error) => Poll::Ready(Err(CallError::Arguments(*error))),
            Answer::Coming(_, answer) => Pin::new(answer).poll(cx).map(|answer| match answer {
                Ok((reply, _)) => read(&reply),
                // The driver answers every call before it goes, so it went without one: the program is ending.
                Err(_) => Err(CallError::Unknown),
            }),
        }
    }
}

impl<T, E> fmt::Debug for Pending<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

/// What a call is expected to do: what it says itself, or else what was said of its reducer.
fn mutation<R: Reducer>(
    hub: &Hub,
    expected: Option<Expected<R>>,
    args: R,
    encoded: &Result<Bytes, EncodeError>,
) -> Option<Box<dyn Mutation>> {
    match expected {
        Some(expected) => Some(expected(args)),
        None => hub.mutators.mutation(R::DEF.name, encoded.as_ref().ok()?),
    }
}

fn reducer_request<R: Reducer>(args: Bytes) -> CallRequest {
    CallRequest::Reducer { name: Text::from_static(R::DEF.name), args }
}

fn procedure_request<P: Procedure>(args: Bytes) -> CallRequest {
    CallRequest::Procedure { name: Text::from_static(P::DEF.name), args }
}

/// What the reducer `R` made of its call.
pub(crate) fn reducer_outcome<R: Reducer>(reply: &Reply) -> Result<R::Ok, CallError<R::Error>> {
    match reply {
        Reply::Committed { returned, .. } => decode_returned(returned),
        Reply::Rejected { error, .. } => match bsatn::from_slice(error) {
            Ok(error) => Err(CallError::Rejected(error)),
            Err(source) => Err(CallError::Undecodable { committed: false, source }),
        },
        other => Err(failure(other)),
    }
}

/// What the procedure `P` made of its call.
pub(crate) fn procedure_outcome<P: Procedure>(
    reply: &Reply,
) -> Result<P::Output, CallError<std::convert::Infallible>> {
    match reply {
        Reply::Returned { value, .. } => decode_returned(value),
        other => Err(failure(other)),
    }
}

/// Decodes what a function returned.
fn decode_returned<T: bsatn::Bsatn, E>(bytes: &Bytes) -> Result<T, CallError<E>> {
    bsatn::from_slice(bytes).map_err(|source| CallError::Undecodable { committed: true, source })
}

/// How a call ended that has no answer of its own kind.
pub(crate) fn failure<E>(reply: &Reply) -> CallError<E> {
    match reply {
        Reply::Failed(why) | Reply::QueryRefused(why) => CallError::Failed(why.clone()),
        Reply::NotSent(why) => CallError::NotSent(why.clone()),
        Reply::TimedOut { sent } => CallError::TimedOut { sent: *sent },
        _ => CallError::Unknown,
    }
}
