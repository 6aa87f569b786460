//! Types as constants all the way down, for comparisons while a program is compiled.
//!
//! A [`SatsType`](super::SatsType) resolves what is inside when the program runs, because a type may contain itself.
//! Here a type is described by *types*, of which constants are made only where one is asked for: so a type that contains
//! itself is described too, and only cannot be compared.

mod compare;
mod described;
mod text;

pub use compare::{check_key, check_type};
pub use described::{
    Array, Described, Fields, Late, Leaf, List, Named, Opt, Res, Shape, Tuple, Variants,
};

pub use super::any::Scalar;
pub use crate::sats::UnknownVariants;

/// A type, and all types inside.
#[derive(Debug, Clone, Copy)]
pub enum StaticType {
    /// A type with no other inside.
    Scalar(Scalar),
    /// Any number of one type.
    Array(&'static Self),
    /// One or none.
    Option(&'static Self),
    /// One of two, of which the second is an error.
    Result(&'static Self, &'static Self),
    /// All of several.
    Product {
        /// The name; none of tuples.
        name: Option<&'static str>,
        /// The names of the fields; none of tuples.
        names: &'static [&'static str],
        /// The types of the fields.
        types: StaticTypes,
    },
    /// One of several.
    Sum {
        /// The name.
        name: Option<&'static str>,
        /// The names of the variants.
        names: &'static [&'static str],
        /// Payloads of the variants; the unit product where there is none.
        types: StaticTypes,
        /// Variants beside these.
        unknown: UnknownVariants,
    },
}

impl StaticType {
    /// The unit type.
    pub const UNIT: Self =
        Self::Product { name: None, names: &[], types: StaticTypes { first: None } };
}

/// Types, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct StaticTypes {
    /// The first, and those behind it.
    pub first: Option<(&'static StaticType, &'static Self)>,
}
