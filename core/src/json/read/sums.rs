//! Sums: one of several variants, said by name or by tag.

use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use super::{Output, Value, no_more, no_more_members, within};
use crate::json::error::Step;
use crate::schema::{AnyType, Sats, Shape, UnknownVariants};
use crate::types::{TimeDuration, Timestamp};

/// A sum of any kind: options, results and `ScheduleAt` are sums with known names.
pub(super) struct SumVisitor<'t, 'o> {
    pub(super) shape: Shape<'t>,
    pub(super) output: &'o mut Output,
}

impl<'t> SumVisitor<'t, '_> {
    fn len(&self) -> usize {
        match self.shape {
            Shape::Sum(variants) => variants.len(),
            _ => 2,
        }
    }

    fn name(&self, tag: usize) -> Option<&'t str> {
        let names = match self.shape {
            Shape::Sum(variants) => return variants.name(tag),
            Shape::Option(_) => ["some", "none"],
            Shape::Result(..) => ["ok", "err"],
            _ => ["Interval", "Time"],
        };
        names.get(tag).copied()
    }

    fn payload(&self, tag: usize) -> Option<AnyType<'t>> {
        match (self.shape, tag) {
            (Shape::Sum(variants), _) => variants.payload(tag).flatten(),
            (Shape::Option(some), 0) => Some(some),
            (Shape::Result(ok, _), 0) => Some(ok),
            (Shape::Result(_, err), _) => Some(err),
            (Shape::Scalar(_), 0) => Some(TimeDuration::TYPE.into()),
            (Shape::Scalar(_), _) => Some(Timestamp::TYPE.into()),
            _ => None,
        }
    }

    /// Whether a tag can be read: an unknown one too, where the enum keeps it.
    fn is_tag(&self, tag: usize) -> bool {
        let keeps_unknown = matches!(self.shape, Shape::Sum(variants) if variants.unknown() != UnknownVariants::Refused);
        tag < self.len() || keeps_unknown
    }

    /// The tag that a variant's name, or its tag as text, stands for.
    fn tag<E: Error>(&self, variant: &VariantKey) -> Result<u8, E> {
        let found = match variant {
            VariantKey::Tag(tag) => usize::try_from(*tag).ok().filter(|tag| self.is_tag(*tag)),
            VariantKey::Name(name) => (0..self.len())
                .find(|tag| self.name(*tag) == Some(name))
                .or_else(|| name.parse().ok().filter(|tag| self.is_tag(*tag))),
        };
        let tag = found.and_then(|tag| u8::try_from(tag).ok());
        tag.ok_or_else(|| {
            let names: Vec<_> = (0..self.len()).filter_map(|tag| self.name(tag)).collect();
            E::custom(format_args!("no variant is {variant}; there are {}", names.join(", ")))
        })
    }

    fn within<E: Error>(
        self,
        tag: u8,
        read: impl FnOnce(Value<'t, '_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let step = self.name(usize::from(tag)).map(|name| Step::Name(name.into()));
        let step = step.unwrap_or_else(|| Step::Position(usize::from(tag)));
        // The payload of a unit variant is an empty product, and no other is taken of an unknown one.
        let ty = self.payload(usize::from(tag)).unwrap_or_else(|| <()>::TYPE.into());
        self.output.put(&tag)?;
        within(self.output, step, |output| read(Value { ty, output }))
    }
}

impl<'de> Visitor<'de> for SumVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a variant as `{\"name\": ..}` or `[tag, ..]`")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        match self.shape {
            Shape::Option(_) => self.output.put(&1u8),
            _ => Err(E::invalid_type(Unexpected::Unit, &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Some(name) = members.next_key::<String>()? else {
            return Err(A::Error::invalid_length(0, &"an object of one member"));
        };
        let tag = self.tag(&VariantKey::Name(name))?;
        self.within(tag, |value| members.next_value_seed(value))?;
        no_more_members(members)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Some(key) = elements.next_element()? else {
            return Err(A::Error::invalid_length(0, &"an array of a tag and a value"));
        };
        let tag = self.tag(&key)?;
        self.within(tag, |value| match elements.next_element_seed(value)? {
            Some(()) => Ok(()),
            None => Err(A::Error::invalid_length(1, &"an array of a tag and a value")),
        })?;
        no_more(elements, 2)
    }
}

/// Key that selects a variant.
enum VariantKey {
    Tag(u64),
    Name(String),
}

impl fmt::Display for VariantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Name(name) => write!(f, "`{name}`"),
        }
    }
}

impl<'de> Deserialize<'de> for VariantKey {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = VariantKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name or the tag of a variant")
            }

            fn visit_u64<E: Error>(self, tag: u64) -> Result<VariantKey, E> {
                Ok(VariantKey::Tag(tag))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<VariantKey, E> {
                Ok(VariantKey::Name(name.to_owned()))
            }
        }
        json.deserialize_any(KeyVisitor)
    }
}
