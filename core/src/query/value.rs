//! The types that SQL can compare, their order on the server, and their literals.

use core::cmp::Ordering;
use core::fmt::{self, Write as _};
use std::borrow::Cow;
use std::sync::Arc;

use crate::types::{ConnectionId, I256, Identity, Timestamp, U256, Uuid};

/// A type whose values SQL can compare, so a condition can be about a column of it.
///
/// Numbers, booleans, text, bytes, identities, connection ids, timestamps and UUIDs are such types, and so is a struct with
/// `#[bsatn(transparent)]` around one of them.
///
/// # Source
///
/// `spacetimedb-expr` 2.14.0, `op_supports_type` and `parse`.
#[diagnostic::on_unimplemented(
    message = "SQL cannot compare values of the type `{Self}`",
    label = "no condition can be about a column of this type",
    note = "the server compares numbers, booleans, text, bytes, identities, connection ids, timestamps and UUIDs, and \
            `#[bsatn(transparent)]` structs of these; look at other columns where the rows are read: `iter().filter(..)`"
)]
pub trait SqlValue: Send + Sync {
    /// The server's order of two values: total, with NaN equal to itself and greatest, and both zeros equal.
    fn compare(&self, other: &Self) -> Ordering;

    /// Appends the value's literal to SQL text.
    ///
    /// # Errors
    ///
    /// [`NoLiteral`] for the few values that cannot be written.
    fn push_literal(&self, sql: &mut String) -> Result<(), NoLiteral>;
}

/// A type that a view can take as an argument.
///
/// A subscription passes arguments to a view by position, as SQL literals. The server takes booleans, integers, text, bytes,
/// identities, connection ids, timestamps and UUIDs, and no floats: a module whose view takes one is refused when it is
/// published.
///
/// # Source
///
/// `spacetimedb-expr` 2.14.0, `is_sql_literal_type`; `spacetimedb-schema` 2.14.0, `ViewFloatParam`.
#[diagnostic::on_unimplemented(
    message = "a view cannot take an argument of the type `{Self}`",
    label = "not a type that a view can take",
    note = "arguments are SQL literals, by position: booleans, integers, text, bytes, identities, connection ids, timestamps, \
            UUIDs, and `#[bsatn(transparent)]` structs of these; the server refuses floats, and arrays, structs, enums and \
            options have no literal"
)]
pub trait ViewArgument: SqlValue {}

/// A value that SQL has no literal for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoLiteral {
    /// A float that is not a number.
    #[error("SQL has no literal for NaN")]
    NotANumber,
    /// A time that the server's text form does not reach.
    #[error("SQL writes times in the years 0 to 9999, and this one is {0}")]
    Year(Timestamp),
}

fn push(sql: &mut String, text: fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = sql.write_fmt(text);
}

macro_rules! plain {
    ($($ty:ty, $value:ident, $literal:expr;)*) => {$(
        impl SqlValue for $ty {
            #[inline]
            fn compare(&self, other: &Self) -> Ordering {
                self.cmp(other)
            }

            fn push_literal(&self, sql: &mut String) -> Result<(), NoLiteral> {
                let $value = self;
                push(sql, $literal);
                Ok(())
            }
        }

        impl ViewArgument for $ty {}
    )*};
}

plain! {
    bool, value, format_args!("{}", if *value { "TRUE" } else { "FALSE" });
    u8, value, format_args!("{value}");
    u16, value, format_args!("{value}");
    u32, value, format_args!("{value}");
    u64, value, format_args!("{value}");
    u128, value, format_args!("{value}");
    U256, value, format_args!("{value}");
    i8, value, format_args!("{value}");
    i16, value, format_args!("{value}");
    i32, value, format_args!("{value}");
    i64, value, format_args!("{value}");
    i128, value, format_args!("{value}");
    I256, value, format_args!("{value}");
    Identity, value, format_args!("0x{value}");
    ConnectionId, value, format_args!("0x{value}");
    Uuid, value, format_args!("'{value}'");
}

macro_rules! floats {
    ($($float:ty),*) => {$(
        impl SqlValue for $float {
            #[inline]
            fn compare(&self, other: &Self) -> Ordering {
                self.partial_cmp(other).unwrap_or_else(|| self.is_nan().cmp(&other.is_nan()))
            }

            fn push_literal(&self, sql: &mut String) -> Result<(), NoLiteral> {
                push_float(f64::from(*self), sql)
            }
        }
    )*};
}
floats!(f32, f64);

/// Without an exponent: the server multiplies by powers of ten, and rounds once more.
fn push_float(value: f64, sql: &mut String) -> Result<(), NoLiteral> {
    if value.is_nan() {
        return Err(NoLiteral::NotANumber);
    }
    if value.is_infinite() {
        // There is no word for it, but the server rounds what is too large to it.
        sql.push_str(if value > 0.0 { "1e400" } else { "-1e400" });
    } else {
        push(sql, format_args!("{value}"));
    }
    Ok(())
}

impl SqlValue for Timestamp {
    #[inline]
    fn compare(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }

    fn push_literal(&self, sql: &mut String) -> Result<(), NoLiteral> {
        let text = self.to_string();
        if text.starts_with(['+', '-']) {
            return Err(NoLiteral::Year(*self));
        }
        push(sql, format_args!("'{text}'"));
        Ok(())
    }
}

impl SqlValue for str {
    #[inline]
    fn compare(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }

    fn push_literal(&self, sql: &mut String) -> Result<(), NoLiteral> {
        sql.push('\'');
        for part in self.split_inclusive('\'') {
            sql.push_str(part);
            if part.ends_with('\'') {
                sql.push('\'');
            }
        }
        sql.push('\'');
        Ok(())
    }
}

impl SqlValue for [u8] {
    #[inline]
    fn compare(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }

    fn push_literal(&self, sql: &mut String) -> Result<(), NoLiteral> {
        sql.push_str("0x");
        self.iter().for_each(|byte| push(sql, format_args!("{byte:02x}")));
        Ok(())
    }
}

macro_rules! through {
    ($([$($generics:tt)*] $ty:ty as $inner:ty;)*) => {$(
        impl<$($generics)*> SqlValue for $ty {
            #[inline]
            fn compare(&self, other: &Self) -> Ordering {
                <$inner>::compare(self, other)
            }

            fn push_literal(&self, sql: &mut String) -> Result<(), NoLiteral> {
                <$inner>::push_literal(self, sql)
            }
        }

        impl<$($generics)*> ViewArgument for $ty where $inner: ViewArgument {}
    )*};
}

through! {
    [] String as str;
    [] Vec<u8> as [u8];
    [const N: usize] [u8; N] as [u8];
    [] Cow<'static, str> as str;
    [] Cow<'static, [u8]> as [u8];
    [T: SqlValue + ?Sized] &T as T;
    [T: SqlValue + ?Sized] Box<T> as T;
    [T: SqlValue + ?Sized] Arc<T> as T;
}

impl ViewArgument for Timestamp {}
impl ViewArgument for str {}
impl ViewArgument for [u8] {}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal<V: SqlValue + ?Sized>(value: &V) -> String {
        let mut sql = String::new();
        value.push_literal(&mut sql).expect("this value has a literal");
        sql
    }

    #[test]
    fn each_type_has_its_literal() {
        let cases = [
            (literal(&true), "TRUE"),
            (literal(&i8::MIN), "-128"),
            (literal(&u128::MAX), "340282366920938463463374607431768211455"),
            (
                literal(&I256::MIN),
                "-57896044618658097711785492504343953926634992332820282019728792003956564819968",
            ),
            (literal("it's"), "'it''s'"),
            (literal("''"), "''''''"),
            (literal(&String::new()), "''"),
            (literal(&[0_u8, 255]), "0x00ff"),
            (literal(&Vec::<u8>::new()), "0x"),
            (literal(&ConnectionId::from_u128(1)), "0x00000000000000000000000000000001"),
            (literal(&Uuid::from_u128(1)), "'00000000-0000-0000-0000-000000000001'"),
            (literal(&Timestamp::from_micros(-1)), "'1969-12-31T23:59:59.999999+00:00'"),
            (literal(&Arc::new(7_u8)), "7"),
        ];
        for (literal, expected) in cases {
            assert_eq!(literal, expected);
        }
        assert!(literal(&Identity::ZERO).starts_with("0x000000"));
    }

    #[test]
    fn floats_are_written_without_an_exponent() {
        assert_eq!(literal(&0.1_f64), "0.1");
        assert_eq!(
            literal(&0.1_f32),
            "0.10000000149011612",
            "as it is, for the server rounds twice"
        );
        assert_eq!(literal(&1e21_f64), "1000000000000000000000");
        assert_eq!(literal(&-1e-7_f64), "-0.0000001");
        assert_eq!(literal(&f32::NEG_INFINITY), "-1e400");
    }

    #[test]
    fn times_beyond_the_text_form_have_no_literal() {
        let years = |text: &str| text.parse::<Timestamp>().expect("a time");
        let last = years("9999-12-31T23:59:59.999999Z");
        assert_eq!(literal(&last), "'9999-12-31T23:59:59.999999+00:00'");
        let late = Timestamp::from_micros(last.as_micros() + 1);
        let error = late.push_literal(&mut String::new()).unwrap_err();
        assert_eq!(error, NoLiteral::Year(late));
        assert!(error.to_string().contains("+10000-01-01"), "{error}");
    }

    #[test]
    fn nan_is_equal_to_itself_and_greatest() {
        assert!(f64::NAN.compare(&f64::NAN).is_eq());
        assert!(f64::NAN.compare(&f64::INFINITY).is_gt());
        assert!((-0.0_f32).compare(&0.0).is_eq());
    }
}
