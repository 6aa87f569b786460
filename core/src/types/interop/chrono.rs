//! [`chrono::DateTime`] of any time zone, and [`chrono::TimeDelta`].

use chrono::{DateTime, TimeDelta, TimeZone, Utc};

use super::nanos;
use crate::types::{ParseError, TimeDuration, Timestamp};

impl<Z: TimeZone> From<DateTime<Z>> for Timestamp {
    fn from(time: DateTime<Z>) -> Self {
        // `timestamp_micros` rounds down, also before the epoch.
        Self::from_micros(time.timestamp_micros())
    }
}

/// Fails beyond about 262,000 years.
impl TryFrom<Timestamp> for DateTime<Utc> {
    type Error = ParseError;

    fn try_from(time: Timestamp) -> Result<Self, ParseError> {
        Self::from_timestamp_micros(time.as_micros()).ok_or(nanos::out_of_range("chrono::DateTime"))
    }
}

/// Fails beyond 292,000 years.
impl TryFrom<TimeDelta> for TimeDuration {
    type Error = ParseError;

    fn try_from(span: TimeDelta) -> Result<Self, ParseError> {
        let seconds = i128::from(span.num_seconds()) * 1_000_000_000;
        nanos::duration(seconds + i128::from(span.subsec_nanos()))
    }
}

impl From<TimeDuration> for TimeDelta {
    fn from(span: TimeDuration) -> Self {
        Self::microseconds(span.as_micros())
    }
}
