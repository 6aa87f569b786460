//! UTC timestamps.

use core::fmt;
use core::ops::{Add, AddAssign, Sub, SubAssign};
use core::str::FromStr;
use std::time::{Duration, SystemTime};

use super::calendar::Date;
use super::{ParseError, ParseErrorKind, TimeDuration, transparent};

/// UTC timestamp in microseconds since 1970-01-01T00:00:00Z: up to about 292,000 years before and after it.
///
/// The text form is that of RFC 3339, in UTC: `2030-01-31T12:00:00.250+00:00`, with three, six or no digits of the
/// seconds' fraction. Any offset is understood when it is read, and so is `Z`; digits below a microsecond are dropped.
/// Years with more than four digits, or before year 0, have a sign.
///
/// # Source
///
/// A product of one `i64`, whose field is called `__timestamp_micros_since_unix_epoch__`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

transparent!(Timestamp, i64);

const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 60 * 60 * SECOND;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(0);
    /// The earliest.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest.
    pub const MAX: Self = Self(i64::MAX);

    /// From microseconds since the Unix epoch.
    #[inline]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    #[inline]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Reads the system's clock.
    ///
    /// # Panics
    ///
    /// If the clock is more than 292,000 years off.
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    pub fn now() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the caller asks for the clock")]
        let now = SystemTime::now();
        Self::from_system_time(now).expect("the clock is within 292,000 years of 1970")
    }

    /// From the system's time, without the part below a microsecond; none if it is out of range.
    pub fn from_system_time(time: SystemTime) -> Option<Self> {
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).ok().map(Self),
            Err(before) => {
                // Times are rounded down, on both sides of the epoch.
                let micros = before.duration().as_nanos().div_ceil(1_000);
                i128::try_from(micros).ok().and_then(|micros| i64::try_from(-micros).ok()).map(Self)
            }
        }
    }

    /// The system's time; none if the system cannot express it.
    pub fn to_system_time(self) -> Option<SystemTime> {
        let distance = Duration::from_micros(self.0.unsigned_abs());
        if self.0 < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(distance)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(distance)
        }
    }

    /// The time so much later, if it is in range.
    pub fn checked_add(self, span: TimeDuration) -> Option<Self> {
        self.0.checked_add(span.as_micros()).map(Self)
    }

    /// The time so much earlier, if it is in range.
    pub fn checked_sub(self, span: TimeDuration) -> Option<Self> {
        self.0.checked_sub(span.as_micros()).map(Self)
    }

    /// The span from `earlier` to this, negative if this is before it; none if that is out of range.
    pub fn since(self, earlier: Self) -> Option<TimeDuration> {
        self.0.checked_sub(earlier.0).map(TimeDuration::from_micros)
    }

    /// The span from `earlier` to this, if this is not before it.
    pub fn duration_since(self, earlier: Self) -> Option<Duration> {
        (self.0 >= earlier.0).then(|| Duration::from_micros(self.0.abs_diff(earlier.0)))
    }

    /// The time so much later, if it is in range; what is below a microsecond is dropped.
    pub fn checked_add_duration(self, span: Duration) -> Option<Self> {
        u64::try_from(span.as_micros())
            .ok()
            .and_then(|span| self.0.checked_add_unsigned(span))
            .map(Self)
    }

    /// The time so much earlier, if it is in range; what is below a microsecond is dropped.
    pub fn checked_sub_duration(self, span: Duration) -> Option<Self> {
        u64::try_from(span.as_micros())
            .ok()
            .and_then(|span| self.0.checked_sub_unsigned(span))
            .map(Self)
    }

    /// The text form of RFC 3339, in UTC; the same as [`Display`](fmt::Display).
    pub fn to_rfc3339(self) -> String {
        self.to_string()
    }

    /// Reads a text of RFC 3339, of any offset; the same as [`FromStr`].
    ///
    /// # Errors
    ///
    /// A [`ParseError`] that says what the text lacks.
    pub fn parse_rfc3339(text: &str) -> Result<Self, ParseError> {
        text.parse()
    }
}

/// 1970-01-01T00:00:00Z.
impl Default for Timestamp {
    fn default() -> Self {
        Self::UNIX_EPOCH
    }
}

super::operators! {
    Timestamp, TimeDuration, Self::checked_add, Self::checked_sub;
    Timestamp, Duration, Self::checked_add_duration, Self::checked_sub_duration;
}

/// The same as [`Timestamp::to_system_time`]; the error says that the system cannot express the time.
impl TryFrom<Timestamp> for SystemTime {
    type Error = ParseError;

    fn try_from(time: Timestamp) -> Result<Self, ParseError> {
        time.to_system_time().ok_or(ParseError::new("SystemTime", ParseErrorKind::OutOfRange))
    }
}

/// The error says that the time is out of range.
impl TryFrom<SystemTime> for Timestamp {
    type Error = ParseError;

    fn try_from(time: SystemTime) -> Result<Self, ParseError> {
        Self::from_system_time(time).ok_or(ParseError::new("Timestamp", ParseErrorKind::OutOfRange))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Date { year, month, day } = Date::from_days(self.0.div_euclid(DAY));
        let micros = self.0.rem_euclid(DAY);
        let (seconds, fraction) = (micros / SECOND, micros % SECOND);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let year = match year {
            0..=9999 => format!("{year:04}"),
            _ => format!("{year:+05}"),
        };
        let fraction = match fraction {
            0 => String::new(),
            _ if fraction % 1_000 == 0 => format!(".{:03}", fraction / 1_000),
            _ => format!(".{fraction:06}"),
        };
        f.pad(&format!(
            "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}+00:00"
        ))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

impl FromStr for Timestamp {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut fields = Fields { rest: text };
        let date = fields.date()?;
        fields.one_of(&['T', 't', ' '])?;
        let micros_of_day = fields.time_of_day()?;
        let offset = fields.offset()?;
        if !fields.rest.is_empty() {
            return Err(invalid_form());
        }
        let micros = i128::from(date.days()) * i128::from(DAY) + i128::from(micros_of_day - offset);
        i64::try_from(micros).map(Self).map_err(|_| error(ParseErrorKind::OutOfRange))
    }
}

/// Rest of a text that is read.
struct Fields<'a> {
    rest: &'a str,
}

impl<'a> Fields<'a> {
    fn date(&mut self) -> Result<Date, ParseError> {
        let signed = self.rest.starts_with(['+', '-']);
        let sign = if signed { self.one_of(&['+', '-'])? } else { '+' };
        // Six digits reach further than the type does.
        let digits = self.digits(4, if signed { 6 } else { 4 })?;
        let year = i64::from(number(digits));
        let year = if sign == '-' { -year } else { year };
        self.one_of(&['-'])?;
        let month = self.two_digits()?;
        self.one_of(&['-'])?;
        let day = self.two_digits()?;
        Date::new(year, month as u8, day as u8).ok_or_else(|| no_such("day"))
    }

    /// Microseconds since midnight.
    fn time_of_day(&mut self) -> Result<i64, ParseError> {
        let minutes = self.hours_and_minutes()?;
        self.one_of(&[':'])?;
        let second = self.two_digits()?;
        // A leap second is called 60; it is counted as the one after it.
        if second > 60 {
            return Err(no_such("second"));
        }
        let mut micros = 0;
        if self.rest.starts_with('.') {
            self.one_of(&['.'])?;
            let digits = self.digits(1, usize::MAX)?;
            micros = number(&digits[..digits.len().min(6)]);
            for _ in digits.len()..6 {
                micros *= 10;
            }
        }
        Ok((minutes * 60 + i64::from(second)) * SECOND + i64::from(micros))
    }

    /// The offset from UTC, in microseconds.
    fn offset(&mut self) -> Result<i64, ParseError> {
        Ok(match self.one_of(&['Z', 'z', '+', '-'])? {
            '+' => self.hours_and_minutes()? * 60 * SECOND,
            '-' => -self.hours_and_minutes()? * 60 * SECOND,
            _ => 0,
        })
    }

    /// The minutes of `hh:mm`.
    fn hours_and_minutes(&mut self) -> Result<i64, ParseError> {
        let hour = self.two_digits()?;
        self.one_of(&[':'])?;
        let minute = self.two_digits()?;
        match (hour, minute) {
            (24.., _) => Err(no_such("hour")),
            (_, 60..) => Err(no_such("minute")),
            _ => Ok(i64::from(hour * 60 + minute)),
        }
    }

    fn two_digits(&mut self) -> Result<u32, ParseError> {
        self.digits(2, 2).map(number)
    }

    /// Takes as many digits as there are up to `max`, if they are at least `min`.
    fn digits(&mut self, min: usize, max: usize) -> Result<&'a str, ParseError> {
        let count = self.rest.bytes().take(max).take_while(u8::is_ascii_digit).count();
        if count < min {
            return Err(invalid_form());
        }
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(digits)
    }

    fn one_of(&mut self, wanted: &[char]) -> Result<char, ParseError> {
        let mut chars = self.rest.chars();
        match chars.next() {
            Some(found) if wanted.contains(&found) => {
                self.rest = chars.as_str();
                Ok(found)
            }
            _ => Err(invalid_form()),
        }
    }
}

/// The number that at most six digits are.
fn number(digits: &str) -> u32 {
    digits.bytes().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

fn error(kind: ParseErrorKind) -> ParseError {
    ParseError::new("Timestamp", kind)
}

fn no_such(part: &'static str) -> ParseError {
    error(ParseErrorKind::NoSuch { part })
}

fn invalid_form() -> ParseError {
    error(ParseErrorKind::InvalidForm { expected: "2030-01-31T12:00:00.250+00:00" })
}
