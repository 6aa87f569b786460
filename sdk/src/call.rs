//! Calls of reducers and procedures.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use lightlike_core::bsatn::{self, DecodeError, EncodeError};
use lightlike_core::cache::Mutation;
use lightlike_core::conn::{
    Accepted, CallId, CallOptions, CallRequest, CallTimes, NotSent, Reply, WhileDisconnected,
};
use lightlike_core::journal::Delivery;
use lightlike_core::schema::{Procedure, Reducer, fingerprint};
use lightlike_core::types::Uuid;
use lightlike_core::wire::Text;
use tokio::sync::oneshot;

use crate::hub::{Hub, Sink};
use crate::observe;
use crate::offline::AcceptedSender;
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
    /// It was not sent: it was to be dropped without a connection, or a full queue or a veto dropped it.
    #[error("it was dropped before it was sent")]
    Dropped,
    /// It was not sent: it became older than its time to live, or than
    /// [`max_age`](crate::OfflineConfig::max_age).
    #[error("it was not sent in time")]
    Expired,
    /// It was not sent: it was taken back.
    #[error("it was taken back before it was sent")]
    Cancelled,
    /// It is not over: the connection is closed, the offline store has the call, and the next run of the program goes on
    /// with it.
    #[error("it is kept in the offline store for the next run of the program")]
    Kept,
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
    Dropped,
    Expired,
    Cancelled,
    Kept,
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
            Self::Dropped => CallErrorKind::Dropped,
            Self::Expired => CallErrorKind::Expired,
            Self::Cancelled => CallErrorKind::Cancelled,
            Self::Kept => CallErrorKind::Kept,
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
    options: CallOptions,
    pub(crate) expected: Option<Expected<R>>,
}

impl<R: Reducer> Call<R> {
    pub(crate) fn new(hub: Arc<Hub>, args: R) -> Self {
        let delivery = if R::DEF.idempotent { Delivery::AtLeastOnce } else { Delivery::AtMostOnce };
        let options = CallOptions { delivery, ..CallOptions::default() };
        Self { hub, args, timeout: None, options, expected: None }
    }

    /// Ends the call as [`CallError::TimedOut`] if no answer comes in this time. There is no limit otherwise.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// What becomes of the call if there is no connection, in place of what the
    /// [builder](crate::ClientBuilder::while_disconnected) said.
    pub fn while_disconnected(mut self, policy: WhileDisconnected) -> Self {
        self.options.while_disconnected = Some(policy);
        self
    }

    /// Ends the call as [`CallError::Expired`] if it could not be sent in this time, restarts of the program counted.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.options.ttl = Some(ttl);
        self
    }

    /// What becomes of the call if its answer is lost. By default a reducer that is declared `idempotent` is
    /// [called again](Delivery::AtLeastOnce), and all others [are not](Delivery::AtMostOnce).
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.options.delivery = delivery;
        self
    }

    /// A query that has rows if and only if the call has run, by which it is found out whether it did when its answer was
    /// lost: it is asked over the next connection, and the call sent again if it has none.
    ///
    /// What the reducer returned is not known then: a call of one that returns something ends as
    /// [`CallError::Undecodable`].
    pub fn probe(self, sql: impl Into<String>) -> Self {
        self.delivery(Delivery::Probe(Text::from(sql.into())))
    }

    /// Names the call, in place of a name that is made for it: see [`Client::new_call_id`](crate::Client::new_call_id).
    pub fn named(mut self, id: Uuid) -> Self {
        self.options.id = Some(id);
        self
    }

    /// Makes the call now, and returns its outcome's future.
    pub fn send(self) -> Pending<R::Ok, R::Error> {
        let hub = Arc::clone(&self.hub);
        let (sender, answer) = oneshot::channel();
        let made = self.make(Sink::TellWhen(sender), None);
        Pending::new(&hub, made.map(|call| (call, answer)), reducer_outcome::<R>)
    }

    /// As awaiting it, with what else is known of the outcome: when, and how long it took.
    pub async fn outcome(self) -> Outcome<R::Ok, R::Error> {
        self.send().outcome().await
    }

    /// Makes the call now and lets its outcome go by. If it is not committed,
    /// [`Client::on_unhandled_rejection`](crate::Client::on_unhandled_rejection) is told, or the log. Arguments without an
    /// encoding (text or a list of 4 GiB) make no call: of those only the log is told.
    pub fn forget(self) {
        if let Err(error) = self.make(Sink::Forget, None) {
            observe::unencodable(R::DEF.name, &error);
        }
    }

    /// Makes the call now, and waits until it is on its way or [on disk](Accepted::Queued). Its outcome is told to the
    /// [stream of outcomes](crate::Client::call_outcomes), and as that of a [forgotten](Self::forget) call.
    ///
    /// # Errors
    ///
    /// The call's own, if it is over before it was accepted.
    ///
    /// # Cancel safety
    ///
    /// Dropping this after it was first polled cancels nothing: the call was made.
    pub async fn accepted(self) -> Result<Accepted, CallError<R::Error>> {
        let (sender, accepted) = oneshot::channel();
        self.make(Sink::Forget, Some(sender)).map_err(CallError::Arguments)?;
        match accepted.await {
            Ok(Ok(accepted)) => Ok(accepted),
            Ok(Err(reply)) => reducer_outcome::<R>(&reply).map(|_| Accepted::Sent),
            Err(_) => Err(CallError::Unknown),
        }
    }

    fn make(self, sink: Sink, accepted: Option<AcceptedSender>) -> Result<CallId, EncodeError> {
        let Self { hub, args, timeout, mut options, expected } = self;
        let encoded = Bytes::from(bsatn::to_vec(&args)?);
        let mutation = mutation(&hub, expected, args, &encoded);
        if hub.offline.is_enabled() {
            options.fingerprint = fingerprint::arguments(&R::DEF);
        }
        let name = Text::from_static(R::DEF.name);
        let request = CallRequest::Reducer { name, args: encoded };
        Ok(hub.start_call(request, options, mutation, timeout, sink, accepted))
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
        let made = bsatn::to_vec(&args).map(|args| {
            let request = procedure_request::<P>(args.into());
            hub.call_timed(request, CallOptions::default(), None, timeout)
        });
        Pending::new(&hub, made, procedure_outcome::<P>)
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
            Ok(args) => {
                let request = procedure_request::<P>(args.into());
                let options = CallOptions::default();
                hub.start_call(request, options, None, timeout, Sink::Forget, None);
            }
            Err(error) => observe::unencodable(P::DEF.name, &error),
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
    hub: Weak<Hub>,
    read: fn(&Reply) -> Result<T, CallError<E>>,
    outcome: PhantomData<fn() -> (T, E)>,
}

/// Where a call's answer comes from.
enum Answer {
    Coming(CallId, oneshot::Receiver<(Reply, CallTimes)>),
    Unencodable(EncodeError),
}

impl<T, E> Pending<T, E> {
    fn new(
        hub: &Arc<Hub>,
        made: Result<(CallId, oneshot::Receiver<(Reply, CallTimes)>), EncodeError>,
        read: fn(&Reply) -> Result<T, CallError<E>>,
    ) -> Self {
        let answer = match made {
            Ok((call, answer)) => Answer::Coming(call, answer),
            Err(error) => Answer::Unencodable(error),
        };
        Self { answer, hub: Arc::downgrade(hub), read, outcome: PhantomData }
    }

    /// Takes the call back, if it was not sent: it ends as [`CallError::Cancelled`]. False if it was, or is over.
    pub fn cancel(&self) -> bool {
        match (&self.answer, self.hub.upgrade()) {
            (Answer::Coming(call, _), Some(hub)) => {
                hub.command(|connection, _| connection.cancel(*call))
            }
            _ => false,
        }
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
    encoded: &Bytes,
) -> Option<Box<dyn Mutation>> {
    match expected {
        Some(expected) => Some(expected(args)),
        None => hub.mutators.mutation(R::DEF.name, encoded),
    }
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
        Reply::Dropped => CallError::Dropped,
        Reply::Expired => CallError::Expired,
        Reply::Cancelled => CallError::Cancelled,
        Reply::Kept => CallError::Kept,
        _ => CallError::Unknown,
    }
}
