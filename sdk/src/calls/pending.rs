//! The future of a call's outcome.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use lightlike_core::bsatn::EncodeError;
use lightlike_core::conn::{CallId, CallTimes, Reply};
use tokio::sync::oneshot;

use super::CallError;
use crate::calls::outcome::Outcome;
use crate::hub::Hub;

/// The outcome of a call that was made. Dropping it cancels nothing: if the call fails then,
/// [`Client::on_unhandled_rejection`](crate::Client::on_unhandled_rejection) is told.
#[must_use = "this is the call's outcome; `forget` a call whose outcome does not matter"]
pub struct Pending<T, E> {
    answer: Answer,
    hub: Weak<Hub>,
    read: fn(&Reply) -> Result<T, CallError<E>>,
    outcome: PhantomData<fn() -> (T, E)>,
}

/// Source of a call's answer.
enum Answer {
    Coming(CallId, oneshot::Receiver<(Reply, CallTimes)>),
    Unencodable(EncodeError),
}

impl<T, E> Pending<T, E> {
    pub(super) fn new(
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

    /// Id of the call, as [`Cause::Call`](crate::events::Cause::Call) names it; `None` if its arguments have no encoding.
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
