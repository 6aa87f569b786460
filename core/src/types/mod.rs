//! SpacetimeDB's own types: identities, connection ids, times, durations, schedules and UUIDs.
//!
//! Each is transparent on the wire, where it is the number inside, and has a text form, the same that the server uses,
//! both ways. Nothing here makes random bytes, and [`Timestamp::now`] alone reads a clock: elsewhere both are inputs.

mod calendar;
mod connection_id;
mod error;
mod hex;
mod identity;
mod interop;
mod schedule_at;
mod time_duration;
mod timestamp;
mod uuid;

pub use connection_id::ConnectionId;
pub use error::{ParseError, ParseErrorKind};
pub use ethnum::{I256, U256};
pub use identity::Identity;
#[cfg(feature = "serde")]
pub use interop::serde::text;
pub use schedule_at::ScheduleAt;
pub use time_duration::TimeDuration;
pub use timestamp::Timestamp;
pub use uuid::Uuid;

/// Encodes a type as its one field, a number.
macro_rules! transparent {
    ($name:ident, $field:ty) => {
        impl crate::bsatn::Encode for $name {
            #[inline]
            fn encode(&self, out: &mut crate::bsatn::Writer) {
                self.0.encode(out);
            }

            #[inline]
            fn matches(&self, reader: &mut crate::bsatn::Reader<'_>) -> bool {
                self.0.matches(reader)
            }
        }

        impl<'de> crate::bsatn::Decode<'de> for $name {
            const SIZE: Option<usize> = Some(size_of::<$field>());

            #[inline]
            fn decode(
                reader: &mut crate::bsatn::Reader<'de>,
            ) -> Result<Self, crate::bsatn::DecodeError> {
                let bytes = reader.array(stringify!($name))?;
                Ok(Self(<$field>::from_le_bytes(*bytes)))
            }
        }

        impl crate::sats::Sats for $name {
            const TYPE: crate::sats::SatsType = crate::sats::SatsType::$name;
        }
    };
}
use transparent;

/// Implements `+`, `-`, `+=` and `-=` by checked methods.
macro_rules! operators {
    ($($name:ident, $span:ty, $add:expr, $sub:expr;)*) => {$(
        /// # Panics
        ///
        /// If the result is out of range.
        impl Add<$span> for $name {
            type Output = Self;

            fn add(self, span: $span) -> Self {
                $add(self, span).expect(concat!(stringify!($name), " out of range"))
            }
        }

        /// # Panics
        ///
        /// If the result is out of range.
        impl Sub<$span> for $name {
            type Output = Self;

            fn sub(self, span: $span) -> Self {
                $sub(self, span).expect(concat!(stringify!($name), " out of range"))
            }
        }

        impl AddAssign<$span> for $name {
            fn add_assign(&mut self, span: $span) {
                *self = *self + span;
            }
        }

        impl SubAssign<$span> for $name {
            fn sub_assign(&mut self, span: $span) {
                *self = *self - span;
            }
        }
    )*};
}
use operators;
