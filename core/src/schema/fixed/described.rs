//! Descriptions of Rust types by types.

use core::marker::PhantomData;
use std::borrow::Cow;
use std::sync::Arc;

use super::{StaticType, StaticTypes};
use crate::sats::UnknownVariants;
use crate::schema::any::Scalar;
use crate::types::{ConnectionId, I256, Identity, ScheduleAt, TimeDuration, Timestamp, U256, Uuid};

/// A Rust type that can be compared with a schema while the program is compiled. Made by `#[derive(Bsatn)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be compared with a schema while the program is compiled",
    note = "add `#[derive(Bsatn)]` to `{Self}`"
)]
pub trait Described {
    /// Description: a [`Shape`], where all that is inside is described too. That is asked for where types are compared,
    /// so that a type without an encoding is one mistake and not two.
    type As;
}

/// A description: a type whose constant is made when it is asked for.
#[diagnostic::on_unimplemented(
    message = "something in this type cannot be compared with a schema while the program is compiled",
    note = "add `#[derive(Bsatn)]` to what has it not"
)]
pub trait Shape {
    /// The type.
    const TYPE: &'static StaticType;
}

/// Description `S` under a lifetime: a bound with any lifetime is not looked into before it is used, so that a type
/// without an encoding is one mistake and not two.
#[derive(Debug)]
pub struct Late<'a, S>(PhantomData<(&'a (), S)>);

impl<S: Shape> Shape for Late<'_, S> {
    const TYPE: &'static StaticType = S::TYPE;
}

/// Descriptions in a list of pairs: `(u8, (String, ()))`. Eight at once may stand before the rest, so that a type with
/// hundreds of variants stays within the depth that the compiler looks into types.
pub trait List {
    /// The types.
    const TYPES: StaticTypes;
}

impl List for () {
    const TYPES: StaticTypes = StaticTypes { first: None };
}

impl<T: Described<As: Shape>, L: List> List for (T, L) {
    const TYPES: StaticTypes = StaticTypes { first: Some((T::As::TYPE, &L::TYPES)) };
}

macro_rules! list_of_eight {
    ($head:ident $($tail:ident)*) => {
        impl<$head, $($tail,)* L: List> List for ($head, $($tail,)* L)
        where
            $head: Described<As: Shape>,
            $($tail: Described<As: Shape>,)*
        {
            const TYPES: StaticTypes = list_of_eight!(@ $head $($tail)*);
        }
    };
    (@ $head:ident $($tail:ident)+) => {
        StaticTypes { first: Some(($head::As::TYPE, &list_of_eight!(@ $($tail)+))) }
    };
    (@ $last:ident) => {
        StaticTypes { first: Some(($last::As::TYPE, &L::TYPES)) }
    };
}

list_of_eight!(T0 T1 T2 T3 T4 T5 T6 T7);

/// A struct or an enum: its name, and those of its fields or variants.
pub trait Named {
    /// The Rust name.
    const NAME: &'static str;
    /// On the wire.
    const NAMES: &'static [&'static str];
    /// Variants beside these, of an enum.
    const UNKNOWN: UnknownVariants = UnknownVariants::Refused;
}

/// The struct `T` with fields of the types `L`.
#[derive(Debug)]
pub struct Fields<T, L>(PhantomData<(T, L)>);

impl<T: Named, L: List> Shape for Fields<T, L> {
    const TYPE: &'static StaticType =
        &StaticType::Product { name: Some(T::NAME), names: T::NAMES, types: L::TYPES };
}

/// The enum `T` with variants of the types `L`.
#[derive(Debug)]
pub struct Variants<T, L>(PhantomData<(T, L)>);

impl<T: Named, L: List> Shape for Variants<T, L> {
    const TYPE: &'static StaticType = &StaticType::Sum {
        name: Some(T::NAME),
        names: T::NAMES,
        types: L::TYPES,
        unknown: T::UNKNOWN,
    };
}

/// A tuple of the types `L`.
#[derive(Debug)]
pub struct Tuple<L>(PhantomData<L>);

impl<L: List> Shape for Tuple<L> {
    const TYPE: &'static StaticType =
        &StaticType::Product { name: None, names: &[], types: L::TYPES };
}

/// A type with no other inside: the scalar at a position.
#[derive(Debug)]
pub struct Leaf<const SCALAR: usize>;

macro_rules! leaves {
    ($($name:ident: $($ty:ty),+;)*) => {$(
        impl Shape for Leaf<{ Scalar::$name as usize }> {
            const TYPE: &'static StaticType = &StaticType::Scalar(Scalar::$name);
        }
        $(
            impl Described for $ty {
                type As = Leaf<{ Scalar::$name as usize }>;
            }
        )+
    )*};
}

leaves! {
    Bool: bool;
    I8: i8;
    U8: u8;
    I16: i16;
    U16: u16;
    I32: i32;
    U32: u32;
    I64: i64;
    U64: u64;
    I128: i128;
    U128: u128;
    I256: I256;
    U256: U256;
    F32: f32;
    F64: f64;
    String: str, String;
    Identity: Identity;
    ConnectionId: ConnectionId;
    Timestamp: Timestamp;
    TimeDuration: TimeDuration;
    ScheduleAt: ScheduleAt;
    Uuid: Uuid;
}

/// Any number of `T`.
#[derive(Debug)]
pub struct Array<T>(PhantomData<T>);

impl<T: Described<As: Shape>> Shape for Array<T> {
    const TYPE: &'static StaticType = &StaticType::Array(T::As::TYPE);
}

/// A `T` or nothing.
#[derive(Debug)]
pub struct Opt<T>(PhantomData<T>);

impl<T: Described<As: Shape>> Shape for Opt<T> {
    const TYPE: &'static StaticType = &StaticType::Option(T::As::TYPE);
}

/// A `T` or an `E`.
#[derive(Debug)]
pub struct Res<T, E>(PhantomData<(T, E)>);

impl<T: Described<As: Shape>, E: Described<As: Shape>> Shape for Res<T, E> {
    const TYPE: &'static StaticType = &StaticType::Result(T::As::TYPE, E::As::TYPE);
}

impl<T: Described> Described for Vec<T> {
    type As = Array<T>;
}

impl<T: Described> Described for [T] {
    type As = Array<T>;
}

impl<T: Described, const N: usize> Described for [T; N] {
    type As = Array<T>;
}

impl<T: Described> Described for Option<T> {
    type As = Opt<T>;
}

impl<T: Described, E: Described> Described for Result<T, E> {
    type As = Res<T, E>;
}

macro_rules! through {
    ($([$($generics:tt)*] $pointer:ty;)*) => {$(
        impl<$($generics)*> Described for $pointer {
            type As = T::As;
        }
    )*};
}

through! {
    [T: Described + ?Sized] &T;
    [T: Described + ?Sized] Box<T>;
    [T: Described + ?Sized] Arc<T>;
    [T: Described + ToOwned + ?Sized] Cow<'_, T>;
}

impl Described for () {
    type As = Tuple<()>;
}

macro_rules! tuples {
    ($($first:ident $($rest:ident)*;)*) => {$(
        impl<$first: Described, $($rest: Described),*> Described for ($first, $($rest,)*) {
            type As = Tuple<tuples!(@list $first $($rest)*)>;
        }
    )*};
    (@list) => { () };
    (@list $first:ident $($rest:ident)*) => { ($first, tuples!(@list $($rest)*)) };
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
}
