//! The arguments of a call, from what was typed: by the types of the function's parameters, so that a text needs no quotes and an
//! identity no braces.

use lightlike::json::value_from_str;
use lightlike::schema::{AnyType, SatsValue, Scalar, ServerField, ServerSchema, Shape};
use lightlike::untyped::Args;

use crate::failure::{Exit, Failure};

/// Function to call, with its parameters.
pub(crate) struct Function<'s> {
    pub(crate) schema: &'s ServerSchema,
    pub(crate) name: &'s str,
    pub(crate) params: &'s [ServerField],
}

impl<'s> Function<'s> {
    /// The reducer or procedure with a name; none if there is none.
    pub(crate) fn find(schema: &'s ServerSchema, name: &'s str) -> Option<Self> {
        let reducer = schema.reducer(name).map(|reducer| &reducer.params);
        let params = reducer.or_else(|| schema.procedure(name).map(|procedure| &procedure.params));
        params.map(|params| Self { schema, name, params })
    }

    /// Name and parameters.
    pub(crate) fn signature(&self) -> String {
        format!("{}({})", self.name, params(self.schema, self.params))
    }

    /// The arguments: values in order, or each as `name=value`.
    pub(crate) fn args(&self, typed: &[String]) -> Result<Args, Failure> {
        let named: Option<Vec<_>> = typed.iter().map(|typed| self.named(typed)).collect();
        match named {
            Some(named) if !named.is_empty() => {
                let values = named.into_iter().map(|(param, text)| {
                    let name = param.name.as_deref().unwrap_or_default();
                    Ok::<_, Failure>((name, self.value(param, text)?))
                });
                Ok(Args::named(values.collect::<Result<Vec<_>, _>>()?))
            }
            _ if typed.len() == self.params.len() => {
                let values = self.params.iter().zip(typed).map(|(p, text)| self.value(p, text));
                Ok(Args::values(values.collect::<Result<Vec<_>, _>>()?))
            }
            _ => Err(Failure::new(
                Exit::Usage,
                format_args!(
                    "`{}` takes {} {} and not {}",
                    self.signature(),
                    self.params.len(),
                    if self.params.len() == 1 { "argument" } else { "arguments" },
                    typed.len()
                ),
            )),
        }
    }

    fn named<'t>(&self, typed: &'t str) -> Option<(&'s ServerField, &'t str)> {
        let (name, text) = typed.split_once('=')?;
        let param = self.params.iter().find(|param| param.name.as_deref() == Some(name))?;
        Some((param, text))
    }

    fn value(&self, param: &ServerField, text: &str) -> Result<SatsValue, Failure> {
        value(self.schema.resolve(&param.ty), text).map_err(|why| {
            let name = param.name.as_deref().unwrap_or("_");
            let ty = self.schema.display(&param.ty);
            Failure::new(Exit::Usage, format_args!("`{text}` is no `{ty}` for `{name}`: {why}"))
                .tip(format_args!(
                    "it is `{}`; values are JSON, texts and identities may be bare",
                    self.signature()
                ))
        })
    }
}

/// Parameters and their types.
pub(crate) fn params(schema: &ServerSchema, params: &[ServerField]) -> String {
    let params = params.iter().map(|param| {
        let ty = schema.display(&param.ty);
        param.name.as_ref().map_or_else(|| ty.to_string(), |name| format!("{name}: {ty}"))
    });
    params.collect::<Vec<_>>().join(", ")
}

/// Reads a value of a type.
fn value(ty: AnyType<'_>, text: &str) -> Result<SatsValue, String> {
    let json = || value_from_str(ty, text).map_err(|error| error.to_string());
    match ty.shape() {
        Shape::Scalar(Scalar::String) if !text.starts_with('"') => Ok(text.into()),
        Shape::Scalar(Scalar::Identity) => parsed::<lightlike::types::Identity>(text, json),
        Shape::Scalar(Scalar::ConnectionId) => parsed::<lightlike::types::ConnectionId>(text, json),
        Shape::Scalar(Scalar::Timestamp) => parsed::<lightlike::types::Timestamp>(text, json),
        Shape::Scalar(Scalar::TimeDuration) => parsed::<lightlike::types::TimeDuration>(text, json),
        Shape::Scalar(Scalar::ScheduleAt) => parsed::<lightlike::types::ScheduleAt>(text, json),
        Shape::Scalar(Scalar::Uuid) => parsed::<lightlike::types::Uuid>(text, json),
        Shape::Option(_) if matches!(text, "none" | "null") => Ok(SatsValue::Option(None)),
        Shape::Option(some) => {
            json().or_else(|_| value(some, text).map(|value| SatsValue::Option(Some(value.into()))))
        }
        Shape::Array(element) if matches!(element.shape(), Shape::Scalar(Scalar::U8)) => {
            let quoted = text.strip_prefix("0x").map(|digits| format!("\"{digits}\""));
            let text = quoted.as_deref().unwrap_or(text);
            value_from_str(ty, text).map_err(|error| error.to_string())
        }
        Shape::Sum(variants) => {
            let unit = (0..variants.len()).find(|at| {
                let name = variants.name(*at).unwrap_or_default();
                matches!(variants.payload(*at), Some(None)) && name.eq_ignore_ascii_case(text)
            });
            match unit.and_then(|tag| u8::try_from(tag).ok()) {
                Some(tag) => Ok(SatsValue::Sum { tag, payload: None }),
                None => json(),
            }
        }
        _ => json(),
    }
}

fn parsed<T: std::str::FromStr + Into<SatsValue>>(
    text: &str,
    json: impl FnOnce() -> Result<SatsValue, String>,
) -> Result<SatsValue, String>
where
    T::Err: std::fmt::Display,
{
    match text.parse::<T>() {
        Ok(value) => Ok(value.into()),
        Err(error) if text.starts_with(['{', '[', '"']) => json().map_err(|_| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use lightlike::types::{Identity, Timestamp};
    use lightlike_core::schema::{Sats as _, SatsType, TypeRef};

    use super::*;

    fn read(ty: SatsType, text: &str) -> Result<SatsValue, String> {
        value(ty.into(), text)
    }

    #[test]
    fn texts_and_identities_are_bare() {
        assert_eq!(read(String::TYPE, "hello, \"you\""), Ok("hello, \"you\"".into()));
        assert_eq!(read(String::TYPE, r#""a\nb""#), Ok("a\nb".into()));
        assert_eq!(read(String::TYPE, "none"), Ok("none".into()));
        let identity = Identity::from_be_bytes([7; 32]);
        assert_eq!(read(SatsType::Identity, &identity.to_hex()), Ok(identity.into()));
        let json = format!(r#"{{"__identity__": "0x{}"}}"#, identity.to_hex());
        assert_eq!(read(SatsType::Identity, &json), Ok(identity.into()));
        let time = Timestamp::from_micros(1_500_000);
        assert_eq!(read(SatsType::Timestamp, &time.to_string()), Ok(time.into()));
        assert!(read(SatsType::Identity, "ada").is_err());
    }

    #[test]
    fn options_are_values_or_none() {
        let option = SatsType::Option(TypeRef::of::<u32>());
        let some = |value: u32| SatsValue::Option(Some(Box::new(value.into())));
        assert_eq!(read(option, "none"), Ok(SatsValue::Option(None)));
        assert_eq!(read(option, "null"), Ok(SatsValue::Option(None)));
        assert_eq!(read(option, "7"), Ok(some(7)));
        assert_eq!(read(option, r#"{"some": 7}"#), Ok(some(7)));
        assert!(read(option, "seven").is_err());
        let text = SatsType::Option(TypeRef::of::<String>());
        assert_eq!(read(text, "Ada"), Ok(SatsValue::Option(Some(Box::new("Ada".into())))));
    }

    #[test]
    fn bytes_are_hex_and_the_rest_is_json() {
        let bytes = SatsType::Array(TypeRef::of::<u8>());
        assert_eq!(read(bytes, "0x0aff"), Ok(SatsValue::Bytes(vec![10, 255])));
        assert_eq!(read(bytes, "[10, 255]"), Ok(SatsValue::Bytes(vec![10, 255])));
        assert_eq!(read(u32::TYPE, "7"), Ok(7_u32.into()));
        assert_eq!(read(bool::TYPE, "true"), Ok(true.into()));
        assert!(read(u32::TYPE, "-7").is_err());
    }
}
