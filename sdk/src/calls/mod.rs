//! Calls of reducers and procedures.

pub(crate) mod callers;
mod error;
pub(crate) mod making;
pub(crate) mod outcome;
mod pending;

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lightlike_core::bsatn::{self, EncodeError};
use lightlike_core::conn::{CallOptions, CallRequest};
use lightlike_core::schema::{Procedure, Reducer, fingerprint};
use lightlike_core::types::Uuid;
use lightlike_core::wire::Text;
use tokio::sync::oneshot;

use crate::calls::making::{MakeMutation, Making, Sink};
use crate::hub::Hub;
use crate::observe;
use crate::offline::AcceptedSender;
use crate::optimistic::Expected;

#[doc(inline)]
pub use lightlike_core::conn::{Accepted, CallId, NotSent, WhileDisconnected};
#[doc(inline)]
pub use lightlike_core::journal::Delivery;

pub use self::error::{CallError, CallErrorKind, Unanswered};
pub(crate) use self::error::{failure, procedure_outcome, reducer_outcome, words};
pub use self::outcome::{Latency, Outcome};
pub use self::pending::Pending;

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
    /// Zero: at once. [`Duration::MAX`]: never.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[reducer]
    /// # fn send_message(text: String) -> Result<(), String>;
    /// # async fn example(db: &Client) -> Result<(), lightlike::Error> {
    /// let hello = send_message("hello".into());
    /// db.call(hello).timeout(std::time::Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the policy of the call if there is no connection, in place of the
    /// [builder's](crate::ClientBuilder::while_disconnected).
    pub fn while_disconnected(mut self, policy: WhileDisconnected) -> Self {
        self.options.while_disconnected = Some(policy);
        self
    }

    /// Ends the call as [`CallError::Expired`] if it could not be sent in this time, restarts of the program counted.
    /// Zero: unless it can be sent at once. [`Duration::MAX`]: never.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.options.ttl = Some(ttl);
        self
    }

    /// Sets the delivery of the call if its answer is lost. By default a reducer that is declared `idempotent` is
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

    /// Sets the idempotency key of the call, in place of a generated one: see
    /// [`Client::new_idempotency_key`](crate::Client::new_idempotency_key).
    pub fn idempotency_key(mut self, key: Uuid) -> Self {
        self.options.id = Some(key);
        self
    }

    /// Makes the call now, and returns its outcome's future.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[reducer]
    /// # fn send_message(text: String) -> Result<(), String>;
    /// # async fn example(db: &Client) -> Result<(), lightlike::Error> {
    /// let first = db.call(send_message("hello".into())).send();
    /// let second = db.call(send_message("again".into())).send(); // under way together, run in their order
    /// first.await?;
    /// second.await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn send(self) -> Pending<R::Ok, R::Error> {
        let hub = Arc::clone(&self.hub);
        let (sender, answer) = oneshot::channel();
        let made = self.make(Sink::TellWhen(sender), None);
        Pending::new(&hub, made.map(|call| (call, answer)), reducer_outcome::<R>)
    }

    /// As awaiting it, with what else is known of the outcome: when, and how long it took.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[reducer]
    /// # fn send_message(text: String) -> Result<(), String>;
    /// # async fn example(db: &Client) {
    /// let outcome = db.call(send_message("hello".into())).outcome().await;
    /// println!("{:?} after {:?}", outcome.result, outcome.latency);
    /// # }
    /// ```
    pub async fn outcome(self) -> Outcome<R::Ok, R::Error> {
        self.send().outcome().await
    }

    /// Makes the call now and lets its outcome go by. If it is not committed,
    /// [`Client::on_unhandled_rejection`](crate::Client::on_unhandled_rejection) is told, or the log. Arguments without an
    /// encoding (text or a list of 4 GiB) make no call: of those only the log is told.
    ///
    /// If the program ends now, its end waits for the answer a little, unless the call waits for a lost connection:
    /// [how a client ends](crate::Client#ending).
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # #[reducer]
    /// # fn send_message(text: String) -> Result<(), String>;
    /// # fn example(db: &Client) {
    /// db.call(send_message("hello".into())).forget();
    /// # }
    /// ```
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
        let mutators = Arc::clone(&hub);
        let mutation: MakeMutation = Box::new(move |named| match expected {
            Some(expected) => Some(expected(args, named)),
            None => mutators.mutators.mutation(R::DEF.name, named.args, named.names),
        });
        if hub.offline.is_enabled() {
            options.fingerprint = fingerprint::arguments(&R::DEF);
        }
        let name = Text::from_static(R::DEF.name);
        let request = CallRequest::Reducer { name, args: encoded };
        let making = Making { options, params: R::DEF.params, mutation, timeout };
        Ok(hub.start_call(request, making, sink, accepted))
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
    /// Zero: at once. [`Duration::MAX`]: never.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Makes the call now, and returns its outcome's future.
    pub fn send(self) -> Pending<P::Output, std::convert::Infallible> {
        let Self { hub, args, timeout } = self;
        let made = bsatn::to_vec(&args).map(|args| {
            let request = procedure_request::<P>(args.into());
            hub.call_timed(request, Making::of(P::DEF.params, timeout))
        });
        Pending::new(&hub, made, procedure_outcome::<P>)
    }

    /// As awaiting it, with what else is known of the outcome: when, and how long it took.
    pub async fn outcome(self) -> Outcome<P::Output, std::convert::Infallible> {
        self.send().outcome().await
    }

    /// Makes the call now and lets its outcome go by. If it fails,
    /// [`Client::on_unhandled_rejection`](crate::Client::on_unhandled_rejection) is told, or the log. If the program ends
    /// now, its end waits for the answer a little, as for [a reducer's](Call::forget).
    pub fn forget(self) {
        let Self { hub, args, timeout } = self;
        match bsatn::to_vec(&args) {
            Ok(args) => {
                let request = procedure_request::<P>(args.into());
                let making = Making::of(P::DEF.params, timeout);
                hub.start_call(request, making, Sink::Forget, None);
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

fn procedure_request<P: Procedure>(args: Bytes) -> CallRequest {
    CallRequest::Procedure { name: Text::from_static(P::DEF.name), args }
}
