//! The types that SpacetimeDB has beyond those of Rust: who, which connection, when, how long, which one.
//!
//! Each is transparent on the wire, where it is the number inside, and has a text form, the same that the server uses,
//! both ways. None of them reads a clock or makes random bytes: both are inputs.

mod calendar;
mod connection_id;
mod error;
mod hex;
mod identity;
mod schedule_at;
mod time_duration;
mod timestamp;
mod uuid;

pub use connection_id::ConnectionId;
pub use error::{ParseError, ParseErrorKind};
pub use ethnum::{I256, U256};
pub use identity::Identity;
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

        impl crate::schema::Sats for $name {
            const TYPE: crate::schema::SatsType = crate::schema::SatsType::$name;
        }
    };
}
use transparent;
