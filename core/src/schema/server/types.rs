//! The types of a module, as its schema tells them at run time.

use core::fmt;

use crate::schema::any::{AnyType, Scalar};

/// A type that a server told us of.
///
/// The special types are recognised by the name of their one field, options and results by the names of their variants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerType {
    /// The type at a position of the schema's typespace.
    Ref(u32),
    /// A type with no other inside.
    Scalar(Scalar),
    /// Any number of one type.
    Array(Box<Self>),
    /// One or none.
    Option(Box<Self>),
    /// One of two, of which the second is an error.
    Result(Box<Self>, Box<Self>),
    /// All of several.
    Product(Vec<ServerField>),
    /// One of several.
    Sum(Vec<ServerVariant>),
}

/// A field of a product: a column, a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerField {
    /// Its name, if it has one.
    pub name: Option<Box<str>>,
    /// Its type.
    pub ty: ServerType,
}

/// A variant of a sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerVariant {
    /// Its name, if it has one.
    pub name: Option<Box<str>>,
    /// The type of its one value; none for a unit variant.
    pub payload: Option<ServerType>,
}

impl ServerType {
    /// The unit type.
    #[cfg(feature = "json")]
    pub(super) const UNIT: Self = Self::Product(Vec::new());

    /// The type, to be walked; what it refers to is looked up in `typespace`.
    pub fn within<'t>(&'t self, typespace: &'t [Self]) -> AnyType<'t> {
        AnyType::server(self, typespace)
    }

    /// A product, which may be a special type.
    #[cfg(feature = "json")]
    pub(super) fn product(fields: Vec<ServerField>) -> Self {
        use Scalar::{ConnectionId, I64, Identity, TimeDuration, Timestamp, U128, U256, Uuid};
        let [ServerField { name: Some(name), ty: Self::Scalar(inner) }] = &fields[..] else {
            return Self::Product(fields);
        };
        Self::Scalar(match (&**name, inner) {
            ("__identity__", U256) => Identity,
            ("__connection_id__", U128) => ConnectionId,
            ("__timestamp_micros_since_unix_epoch__", I64) => Timestamp,
            ("__time_duration_micros__", I64) => TimeDuration,
            ("__uuid__", U128) => Uuid,
            _ => return Self::Product(fields),
        })
    }

    /// A sum, which may be an option, a result or a `ScheduleAt`.
    #[cfg(feature = "json")]
    pub(super) fn sum(mut variants: Vec<ServerVariant>) -> Self {
        use Scalar::{ScheduleAt, TimeDuration, Timestamp};
        let [first, second] = &mut variants[..] else { return Self::Sum(variants) };
        let names = (first.name.as_deref(), second.name.as_deref());
        let (Some(first_name), Some(second_name)) = names else { return Self::Sum(variants) };
        match (first_name, &first.payload, second_name, &second.payload) {
            (
                "Interval",
                Some(Self::Scalar(TimeDuration)),
                "Time",
                Some(Self::Scalar(Timestamp)),
            ) => Self::Scalar(ScheduleAt),
            ("some", _, "none", None) => Self::Option(Box::new(taken(&mut first.payload))),
            ("ok", _, "err", _) => {
                let (ok, err) = (taken(&mut first.payload), taken(&mut second.payload));
                Self::Result(Box::new(ok), Box::new(err))
            }
            _ => Self::Sum(variants),
        }
    }

    /// Moves every reference on by as much.
    #[cfg(feature = "json")]
    pub(super) fn shift(&mut self, by: u32) {
        match self {
            Self::Ref(at) => *at = at.saturating_add(by),
            Self::Scalar(_) => (),
            Self::Array(inner) | Self::Option(inner) => inner.shift(by),
            Self::Result(ok, err) => {
                ok.shift(by);
                err.shift(by);
            }
            Self::Product(fields) => fields.iter_mut().for_each(|field| field.ty.shift(by)),
            Self::Sum(variants) => {
                let payloads = variants.iter_mut().filter_map(|variant| variant.payload.as_mut());
                payloads.for_each(|payload| payload.shift(by));
            }
        }
    }

    /// The type as the payload of a variant: none where it is the unit type.
    #[cfg(feature = "json")]
    pub(super) fn into_payload(self) -> Option<Self> {
        (self != Self::UNIT).then_some(self)
    }
}

#[cfg(feature = "json")]
fn taken(payload: &mut Option<ServerType>) -> ServerType {
    payload.take().unwrap_or(ServerType::UNIT)
}

/// Shows a type as it would be written in Rust, with what a reference is called.
pub(super) struct Named<'t, F>(pub(super) &'t ServerType, pub(super) F);

impl<'n, F: Fn(u32) -> Option<&'n str> + Copy> fmt::Display for Named<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(ty, name) = *self;
        let named = |ty| Named(ty, name);
        match ty {
            ServerType::Ref(at) => match name(*at) {
                Some(name) => f.write_str(name),
                None => write!(f, "type {at}"),
            },
            ServerType::Scalar(scalar) => scalar.fmt(f),
            ServerType::Array(element) => write!(f, "Vec<{}>", named(element)),
            ServerType::Option(some) => write!(f, "Option<{}>", named(some)),
            ServerType::Result(ok, err) => write!(f, "Result<{}, {}>", named(ok), named(err)),
            ServerType::Product(fields) => {
                f.write_str("(")?;
                for (at, field) in fields.iter().enumerate() {
                    let separator = if at == 0 { "" } else { ", " };
                    write!(f, "{separator}{}", named(&field.ty))?;
                }
                f.write_str(if fields.len() == 1 { ",)" } else { ")" })
            }
            ServerType::Sum(variants) => {
                f.write_str("enum {")?;
                for (at, variant) in variants.iter().enumerate() {
                    let separator = if at == 0 { " " } else { ", " };
                    write!(f, "{separator}{}", variant.name.as_deref().unwrap_or("_"))?;
                }
                f.write_str(" }")
            }
        }
    }
}

/// Without the names of what is referred to.
impl fmt::Display for ServerType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Named(self, |_| None).fmt(f)
    }
}
