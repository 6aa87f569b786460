//! Times of a call's phases, in few bytes: they pass through every queue that the call does.

use std::time::{Duration, Instant};

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

    /// Times of a call that was made and sent then, and whose answer came in a frame after `round_trip`, and is read now. Its
    /// rows may be applied later.
    pub(in crate::conn) fn answered(
        made: Option<Instant>,
        sent: Option<Instant>,
        round_trip: Option<Duration>,
        (came, now): (Option<Instant>, Option<Instant>),
    ) -> Self {
        let queued = Span::between(made, sent);
        let round_trip = round_trip.map_or_else(Span::default, Span::of);
        Self { queued, round_trip, applying: Span::between(came, now) }
    }

    /// The same times, where the answer's rows came in a frame and are applied now.
    pub(in crate::conn) fn applied(self, came: Option<Instant>, now: Instant) -> Self {
        Self { applying: Span::between(came, Some(now)), ..self }
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
