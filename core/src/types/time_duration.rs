//! Signed durations.

use core::fmt;
use core::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use core::str::FromStr;
use core::time::Duration;

use super::{ParseError, ParseErrorKind, transparent};

/// Signed duration in microseconds: up to about 292,000 years.
///
/// The text form is a sign, the seconds, and six digits of their fraction: `+1.500000`. When it is read, the sign may be
/// missing, and so may be the end of the fraction or all of it.
///
/// # Source
///
/// A product of one `i64`, whose field is called `__time_duration_micros__`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TimeDuration(i64);

transparent!(TimeDuration, i64);

impl TimeDuration {
    /// No time.
    pub const ZERO: Self = Self(0);
    /// The longest time back.
    pub const MIN: Self = Self(i64::MIN);
    /// The longest time.
    pub const MAX: Self = Self(i64::MAX);

    /// From microseconds.
    #[inline]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// In microseconds.
    #[inline]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// From a span that is not negative, without the part below a microsecond; none if it is too long.
    pub fn from_duration(duration: Duration) -> Option<Self> {
        i64::try_from(duration.as_micros()).ok().map(Self)
    }

    /// The span, if it is not negative.
    pub fn to_duration(self) -> Option<Duration> {
        u64::try_from(self.0).ok().map(Duration::from_micros)
    }

    /// The span, or zero if it is negative.
    pub fn to_duration_saturating(self) -> Duration {
        self.to_duration().unwrap_or_default()
    }

    /// The span without its sign, as long as it goes.
    #[must_use]
    pub const fn saturating_abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// The span without its sign.
    pub const fn unsigned_abs(self) -> Duration {
        Duration::from_micros(self.0.unsigned_abs())
    }

    /// Returns `true` if the span is negative.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Both together, if they are in range.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// This without the other, if it is in range.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// So many times this, if it is in range.
    pub fn checked_mul(self, times: i64) -> Option<Self> {
        self.0.checked_mul(times).map(Self)
    }
}

super::operators! {
    TimeDuration, Self, Self::checked_add, Self::checked_sub;
}

/// # Panics
///
/// On [`TimeDuration::MIN`].
impl Neg for TimeDuration {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.checked_neg().expect("TimeDuration out of range"))
    }
}

impl fmt::Display for TimeDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative() { '-' } else { '+' };
        let micros = self.0.unsigned_abs();
        f.pad(&format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000))
    }
}

impl fmt::Debug for TimeDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimeDuration({self})")
    }
}

impl FromStr for TimeDuration {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = |kind| ParseError::new("TimeDuration", kind);
        let (negative, digits) = match text.as_bytes() {
            [b'-', ..] => (true, &text[1..]),
            [b'+', ..] => (false, &text[1..]),
            _ => (false, text),
        };
        let (seconds, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(seconds) || !is_number(fraction) || fraction.len() > 6 {
            return Err(error(ParseErrorKind::InvalidForm { expected: "+1.000000" }));
        }
        let micros = format!("{seconds}{fraction:0<6}").parse::<i128>();
        micros
            .ok()
            .and_then(|micros| i64::try_from(if negative { -micros } else { micros }).ok())
            .map(Self)
            .ok_or_else(|| error(ParseErrorKind::OutOfRange))
    }
}

/// The error says that the span is negative.
impl TryFrom<TimeDuration> for Duration {
    type Error = ParseError;

    fn try_from(span: TimeDuration) -> Result<Self, ParseError> {
        span.to_duration().ok_or(ParseError::new("Duration", ParseErrorKind::OutOfRange))
    }
}

/// The error says that the span is too long.
impl TryFrom<Duration> for TimeDuration {
    type Error = ParseError;

    fn try_from(duration: Duration) -> Result<Self, ParseError> {
        Self::from_duration(duration)
            .ok_or(ParseError::new("TimeDuration", ParseErrorKind::OutOfRange))
    }
}
