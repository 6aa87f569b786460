//! Values for people: by their type, so that variants and fields have their names.

use std::fmt::Write as _;

use lightlike::json::{Form, value_to_string};
use lightlike::schema::{AnyType, SatsValue, Shape};

use crate::terminal::line;

/// Form in which identities and connection ids are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    /// All digits.
    Full,
    /// The first and the last.
    Short,
}

/// The value as a cell of a table: a text without quotes, no value as `none`. For people, and so on one line.
pub(crate) fn cell(ty: AnyType<'_>, value: &SatsValue, ids: Ids) -> String {
    shown(ty, value, ids, true)
}

/// The value inside a line: texts in quotes. For people.
pub(crate) fn inline(ty: AnyType<'_>, value: &SatsValue, ids: Ids) -> String {
    shown(ty, value, ids, false)
}

fn shown(ty: AnyType<'_>, value: &SatsValue, ids: Ids, bare: bool) -> String {
    let mut out = String::new();
    write(&mut out, ty, value, ids, bare);
    // Names of fields and variants are the module's, as texts are.
    line(&out).into_owned()
}

/// The value as a cell for programs: a text as it is, no value as nothing, and JSON of what has parts.
pub(crate) fn data_cell(ty: AnyType<'_>, value: &SatsValue) -> String {
    match (ty.shape(), value) {
        (_, SatsValue::String(text)) => text.clone(),
        (_, SatsValue::Option(None)) => String::new(),
        (Shape::Option(some), SatsValue::Option(Some(value))) => data_cell(some, value),
        (Shape::Sum(variants), SatsValue::Sum { tag, payload: None }) => {
            variants.name((*tag).into()).map_or_else(|| format!("#{tag}"), str::to_owned)
        }
        (
            Shape::Array(_) | Shape::Product(_) | Shape::Sum(_) | Shape::Result(..),
            SatsValue::Array(_)
            | SatsValue::Product(_)
            | SatsValue::Sum { .. }
            | SatsValue::Result(_),
        ) => json(ty, value),
        (_, value) => value.to_string(),
    }
}

/// The value as JSON, its fields and variants by name. A float without a number in JSON is null.
pub(crate) fn json(ty: AnyType<'_>, value: &SatsValue) -> String {
    value_to_string(ty, value, Form::Named).unwrap_or_else(|_| "null".to_owned())
}

fn write(out: &mut String, ty: AnyType<'_>, value: &SatsValue, ids: Ids, bare: bool) {
    match (ty.shape(), value) {
        (_, SatsValue::String(text)) if bare => out.push_str(text),
        (_, SatsValue::String(text)) => push(out, format_args!("{text:?}")),
        (_, SatsValue::Identity(identity)) if ids == Ids::Short => {
            push(out, format_args!("{}", identity.abbreviated()));
        }
        (Shape::Option(_), SatsValue::Option(None)) => out.push_str("none"),
        (Shape::Option(some), SatsValue::Option(Some(value))) => write(out, some, value, ids, bare),
        (Shape::Result(ok, _), SatsValue::Result(Ok(value))) => {
            wrapped(out, "ok", ok, value, ids);
        }
        (Shape::Result(_, err), SatsValue::Result(Err(value))) => {
            wrapped(out, "err", err, value, ids);
        }
        (Shape::Array(element), SatsValue::Array(values)) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write(out, element, value, ids, false);
            }
            out.push(']');
        }
        (Shape::Product(fields), SatsValue::Product(values)) => {
            out.push('{');
            for (at, (ty, value)) in fields.types().zip(values).enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                if let Some(name) = fields.name(at) {
                    push(out, format_args!("{name}: "));
                }
                write(out, ty, value, ids, false);
            }
            out.push('}');
        }
        (Shape::Sum(variants), SatsValue::Sum { tag, payload }) => {
            let at = usize::from(*tag);
            match variants.name(at) {
                Some(name) => out.push_str(name),
                None => push(out, format_args!("#{tag}")),
            }
            if let (Some(Some(ty)), Some(value)) = (variants.payload(at), payload) {
                out.push('(');
                write(out, ty, value, ids, false);
                out.push(')');
            }
        }
        (_, value) => push(out, format_args!("{value}")),
    }
}

fn wrapped(out: &mut String, name: &str, ty: AnyType<'_>, value: &SatsValue, ids: Ids) {
    out.push_str(name);
    out.push('(');
    write(out, ty, value, ids, false);
    out.push(')');
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A `String` takes whatever is written to it.
    let _ = out.write_fmt(text);
}
