//! Serde forms of the server's types, as its own Rust types have them.
//!
//! | type | form |
//! | --- | --- |
//! | `Identity`, `ConnectionId` | a string of hex digits, without `0x` |
//! | `Timestamp`, `TimeDuration`, `Uuid` | a struct of one number, whose field has the name that the type has on the wire |
//! | `ScheduleAt` | an enum of `Interval` and `Time` |
//! | `U256`, `I256` | a string of hex digits, with `0x`, by `ethnum` |
//!
//! Formats for people (JSON, TOML) may hold the text form instead of a struct when they are read: [`text`] writes it.
//!
//! # Source
//!
//! `spacetimedb-lib` and `spacetimedb-sats`, whose types are serialised by `SerializeWrapper` where they implement serde
//! by that alone.

use core::fmt;
use core::marker::PhantomData;
use core::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::types::{ConnectionId, Identity, ScheduleAt, TimeDuration, Timestamp, Uuid};

/// The text form, for `#[serde(with = "..")]` on a field: RFC 3339 for a [`Timestamp`], hyphens for a [`Uuid`].
///
/// ```
/// # use lightlike_core::types::{Timestamp, text};
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Note {
///     #[serde(with = "text")]
///     sent: Timestamp,
/// }
///
/// let note = Note { sent: Timestamp::UNIX_EPOCH };
/// assert_eq!(serde_json::to_string(&note)?, r#"{"sent":"1970-01-01T00:00:00+00:00"}"#);
/// # Ok::<_, serde_json::Error>(())
/// ```
pub mod text {
    use core::fmt::Display;
    use core::str::FromStr;

    use serde::de::{Deserializer, Error};
    use serde::ser::Serializer;

    use super::TextVisitor;

    /// Writes the text form as a string.
    ///
    /// # Errors
    ///
    /// The serializer's own.
    pub fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    /// Reads the text form from a string.
    ///
    /// # Errors
    ///
    /// The deserializer's own, and the [`ParseError`](crate::types::ParseError) of a text that is not one.
    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text = deserializer.deserialize_str(TextVisitor)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Takes a string, borrowed or not.
struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Box<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Box<str>, E> {
        Ok(text.into())
    }
}

macro_rules! hex_string {
    ($($name:ty)*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                text::serialize(self, serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text::deserialize(deserializer)
            }
        }
    )*};
}

hex_string!(Identity ConnectionId);

/// A type that is one number on the wire, in a field of a reserved name.
trait Special: FromStr<Err: fmt::Display> {
    const NAME: &'static str;
    const FIELDS: &'static [&'static str; 1];
    type Number;

    fn of(number: Self::Number) -> Self;
}

macro_rules! special {
    ($($name:ident, $number:ty, $field:literal, $to:ident, $from:ident;)*) => {$(
        impl Special for $name {
            const NAME: &'static str = stringify!($name);
            const FIELDS: &'static [&'static str; 1] = &[$field];
            type Number = $number;

            fn of(number: $number) -> Self {
                Self::$from(number)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut product = serializer.serialize_struct(Self::NAME, 1)?;
                product.serialize_field($field, &self.$to())?;
                product.end()
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                product_or_text(deserializer)
            }
        }
    )*};
}

special! {
    Timestamp, i64, "__timestamp_micros_since_unix_epoch__", as_micros, from_micros;
    TimeDuration, i64, "__time_duration_micros__", as_micros, from_micros;
    Uuid, u128, "__uuid__", to_u128, from_u128;
}

fn product_or_text<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Special<Number: Deserialize<'de>>,
    D: Deserializer<'de>,
{
    let visitor = ProductVisitor(PhantomData);
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(visitor)
    } else {
        deserializer.deserialize_struct(T::NAME, T::FIELDS, visitor)
    }
}

struct ProductVisitor<T>(PhantomData<T>);

impl<'de, T: Special<Number: Deserialize<'de>>> Visitor<'de> for ProductVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a struct with the field `{}`, or the text form of `{}`", T::FIELDS[0], T::NAME)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<T, A::Error> {
        let number = fields.next_element()?;
        number.map(T::of).ok_or_else(|| A::Error::invalid_length(0, &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<T, A::Error> {
        let mut number = None;
        while let Some(name) = fields.next_key::<Box<str>>()? {
            if *name != *T::FIELDS[0] {
                return Err(A::Error::unknown_field(&name, T::FIELDS));
            }
            if number.replace(fields.next_value()?).is_some() {
                return Err(A::Error::duplicate_field(T::FIELDS[0]));
            }
        }
        number.map(T::of).ok_or_else(|| A::Error::missing_field(T::FIELDS[0]))
    }
}

/// The form of [`ScheduleAt`], whose variants are the server's.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "ScheduleAt")]
enum Schedule {
    Interval(TimeDuration),
    Time(Timestamp),
}

impl Serialize for ScheduleAt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = match *self {
            Self::Interval(interval) => Schedule::Interval(interval),
            Self::Time(time) => Schedule::Time(time),
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ScheduleAt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Schedule::deserialize(deserializer)? {
            Schedule::Interval(interval) => Self::Interval(interval),
            Schedule::Time(time) => Self::Time(time),
        })
    }
}
