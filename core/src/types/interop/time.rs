//! [`time::OffsetDateTime`] of any offset, and [`time::Duration`].

use super::nanos;
use crate::types::{ParseError, TimeDuration, Timestamp};

impl From<time::OffsetDateTime> for Timestamp {
    fn from(time: time::OffsetDateTime) -> Self {
        nanos::timestamp(time.unix_timestamp_nanos()).expect(
            "`time` ends before the year 1,000,000 at the latest, and this type's nanoseconds fit",
        )
    }
}

/// In UTC. Fails outside of the years -9999 to 9999.
impl TryFrom<Timestamp> for time::OffsetDateTime {
    type Error = ParseError;

    fn try_from(time: Timestamp) -> Result<Self, ParseError> {
        Self::from_unix_timestamp_nanos(i128::from(time.as_micros()) * 1_000)
            .map_err(|_| nanos::out_of_range("time::OffsetDateTime"))
    }
}

/// Fails beyond 292,000 years.
impl TryFrom<time::Duration> for TimeDuration {
    type Error = ParseError;

    fn try_from(span: time::Duration) -> Result<Self, ParseError> {
        nanos::duration(span.whole_nanoseconds())
    }
}

impl From<TimeDuration> for time::Duration {
    fn from(span: TimeDuration) -> Self {
        Self::microseconds(span.as_micros())
    }
}
