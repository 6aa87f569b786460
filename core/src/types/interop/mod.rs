//! Conversions to and from other crates' types, each behind a feature of that crate's name.
//!
//! A conversion that can fail is `TryFrom`, and its error names the type whose range does not reach. What is finer than a
//! microsecond is rounded down, so that order is kept on both sides of the epoch.

#[cfg(feature = "chrono")]
mod chrono;
#[cfg(feature = "jiff")]
mod jiff;
#[cfg(feature = "serde")]
pub(super) mod serde;
#[cfg(feature = "time")]
mod time;
#[cfg(feature = "uuid")]
mod uuid;

#[cfg(any(feature = "chrono", feature = "jiff", feature = "time"))]
mod nanos {
    use crate::types::{ParseError, ParseErrorKind, TimeDuration, Timestamp};

    /// Converts nanoseconds since the Unix epoch.
    pub(super) fn timestamp(nanos: i128) -> Result<Timestamp, ParseError> {
        micros(nanos, "Timestamp").map(Timestamp::from_micros)
    }

    /// Converts a span in nanoseconds.
    pub(super) fn duration(nanos: i128) -> Result<TimeDuration, ParseError> {
        micros(nanos, "TimeDuration").map(TimeDuration::from_micros)
    }

    fn micros(nanos: i128, target: &'static str) -> Result<i64, ParseError> {
        i64::try_from(nanos.div_euclid(1_000)).map_err(|_| out_of_range(target))
    }

    /// The error of a value beyond the range of `target`.
    pub(super) const fn out_of_range(target: &'static str) -> ParseError {
        ParseError::new(target, ParseErrorKind::OutOfRange)
    }
}
