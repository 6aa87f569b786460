//! Times of a call's phases, in few bytes: they pass through every queue that the call does.

use std::time::{Duration, Instant};

use crate::conn::{Connection, Event};

/// Times of a call's phases, by the clock that the machine was told; `None` for what did not happen, such as an answer
/// to a call that timed out. Good to a ten-millionth.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CallTimes {
    queued: Span,
    round_trip: Span,
    applying: Span,
}

impl CallTimes {
    /// From the call to its place in a frame: it waited for a connection, or for the answers of others.
    pub fn queued(&self) -> Option<Duration> {
        self.queued.get()
    }

    /// From there to the frame with the answer.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip.get()
    }

    /// From there until the answer's rows were in the cache.
    pub fn applying(&self) -> Option<Duration> {
        self.applying.get()
    }
}

/// Seconds; less than none where there are none.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Span(f32);

impl Default for Span {
    fn default() -> Self {
        Self(-1.0)
    }
}

impl Span {
    fn between(from: Option<Instant>, to: Option<Instant>) -> Self {
        match (from, to) {
            (Some(from), Some(to)) if from == to => Self(0.0),
            (Some(from), Some(to)) => Self::of(to.saturating_duration_since(from)),
            _ => Self::default(),
        }
    }

    fn of(duration: Duration) -> Self {
        Self(duration.as_secs_f32())
    }

    fn get(self) -> Option<Duration> {
        Duration::try_from_secs_f32(self.0).ok()
    }
}

impl Connection {
    /// The times of a call that was made and sent then, and whose answer is the message that was just read. Its rows come
    /// later, if there are any.
    pub(in crate::conn) fn answered_now(
        &mut self,
        made: Option<Instant>,
        sent: Option<Instant>,
    ) -> CallTimes {
        let now = self.calls.clock();
        let came = self.inbox.came().or(now);
        self.stats.calls_answered += 1;
        let mut round_trip = Span::default();
        if let (Some(sent), Some(came)) = (sent, came) {
            let took = came.saturating_duration_since(sent);
            self.stats.round_trips.record(took);
            round_trip = Span::of(took);
        }
        let (queued, applying) = (Span::between(made, sent), Span::between(came, now));
        CallTimes { queued, round_trip, applying }
    }

    /// An event that waited for the rows of the message that was read last, which are there now.
    pub(in crate::conn) fn applied_now(&self, event: Event, now: Instant) -> Event {
        match event {
            Event::Answered { call, reply, times } => {
                let applying = Span::between(self.inbox.came(), Some(now));
                Event::Answered { call, reply, times: CallTimes { applying, ..times } }
            }
            event => event,
        }
    }
}
