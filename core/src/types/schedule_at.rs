//! Schedules of reducers.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use std::time::SystemTime;

use super::{ParseError, ParseErrorKind, TimeDuration, Timestamp};
use crate::bsatn::{Decode, DecodeError, Encode, Reader, Writer};
use crate::sats::{Sats, SatsType};

/// Schedule of a reducer: again and again, or once. A column of this type is what makes a table a schedule.
///
/// The text form is that of the span or of the time.
///
/// # Source
///
/// A sum of `Interval(TimeDuration)` and `Time(Timestamp)`, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScheduleAt {
    /// Every so often.
    Interval(TimeDuration),
    /// Once, then.
    Time(Timestamp),
}

impl ScheduleAt {
    /// Time at which it is due, seen from `now`: none if that is out of range.
    pub fn due(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Interval(interval) => now.checked_add(interval),
            Self::Time(time) => Some(time),
        }
    }
}

impl From<TimeDuration> for ScheduleAt {
    fn from(interval: TimeDuration) -> Self {
        Self::Interval(interval)
    }
}

impl From<Timestamp> for ScheduleAt {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

/// The error says that the span is too long.
impl TryFrom<Duration> for ScheduleAt {
    type Error = ParseError;

    fn try_from(interval: Duration) -> Result<Self, ParseError> {
        TimeDuration::try_from(interval).map(Self::Interval)
    }
}

/// The error says that the time is out of range.
impl TryFrom<SystemTime> for ScheduleAt {
    type Error = ParseError;

    fn try_from(time: SystemTime) -> Result<Self, ParseError> {
        Timestamp::try_from(time).map(Self::Time)
    }
}

impl fmt::Display for ScheduleAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interval(interval) => interval.fmt(f),
            Self::Time(time) => time.fmt(f),
        }
    }
}

impl FromStr for ScheduleAt {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        // Only a time has a `T` or a space between its date and its time of day.
        let parsed = match text.contains(['T', 't', ' ']) {
            true => text.parse().map(Self::Time),
            false => text.parse().map(Self::Interval),
        };
        parsed.map_err(|error: ParseError| match error.kind() {
            ParseErrorKind::InvalidForm { .. } => {
                let expected = "+1.000000` or `2030-01-31T12:00:00+00:00";
                ParseError::new("ScheduleAt", ParseErrorKind::InvalidForm { expected })
            }
            kind => ParseError::new("ScheduleAt", kind),
        })
    }
}

impl Encode for ScheduleAt {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Interval(interval) => {
                out.tag(0);
                interval.encode(out);
            }
            Self::Time(time) => {
                out.tag(1);
                time.encode(out);
            }
        }
    }

    #[inline]
    fn matches(&self, reader: &mut Reader<'_>) -> bool {
        match self {
            Self::Interval(interval) => reader.take_if_equal(&[0]) && interval.matches(reader),
            Self::Time(time) => reader.take_if_equal(&[1]) && time.matches(reader),
        }
    }
}

impl<'de> Decode<'de> for ScheduleAt {
    const SIZE: Option<usize> = Some(9);

    #[inline]
    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        match reader.tag("ScheduleAt")? {
            0 => TimeDuration::decode(reader).map(Self::Interval),
            1 => Timestamp::decode(reader).map(Self::Time),
            tag => Err(reader.invalid_tag(tag, "ScheduleAt")),
        }
    }
}

impl Sats for ScheduleAt {
    const TYPE: SatsType = SatsType::ScheduleAt;
}
