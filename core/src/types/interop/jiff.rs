//! [`jiff::Timestamp`] and [`jiff::SignedDuration`].

use super::nanos;
use crate::types::{ParseError, TimeDuration, Timestamp};

impl From<jiff::Timestamp> for Timestamp {
    fn from(time: jiff::Timestamp) -> Self {
        nanos::timestamp(time.as_nanosecond())
            .expect("jiff ends at the year 9999, this type 290,000 years later")
    }
}

/// Fails outside of the years -9999 to 9999.
impl TryFrom<Timestamp> for jiff::Timestamp {
    type Error = ParseError;

    fn try_from(time: Timestamp) -> Result<Self, ParseError> {
        Self::from_microsecond(time.as_micros()).map_err(|_| nanos::out_of_range("jiff::Timestamp"))
    }
}

/// Fails beyond 292,000 years.
impl TryFrom<jiff::SignedDuration> for TimeDuration {
    type Error = ParseError;

    fn try_from(span: jiff::SignedDuration) -> Result<Self, ParseError> {
        nanos::duration(span.as_nanos())
    }
}

impl From<TimeDuration> for jiff::SignedDuration {
    fn from(span: TimeDuration) -> Self {
        Self::from_micros(span.as_micros())
    }
}
