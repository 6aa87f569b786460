//! From JSON to BSATN.

mod sums;

use core::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess,
    Unexpected, Visitor,
};

use self::sums::SumVisitor;
use super::error::{Path, Repr, Step};
use super::{JsonError, special_field};
use crate::bsatn::{self, Decode, Encode, Writer};
use crate::schema::{AnyType, Fields, Sats, SatsValue, Scalar, Shape};
use crate::types::{I256, U256};

/// Reads a value from its JSON.
///
/// # Errors
///
/// A [`JsonError`] that says where in the value, and where in the text, something is wrong.
pub fn from_str<T: Sats + for<'a> Decode<'a>>(json: &str) -> Result<T, JsonError> {
    from_slice(json.as_bytes())
}

/// [`from_str`] of bytes that may not be text.
///
/// # Errors
///
/// As [`from_str`].
pub fn from_slice<T: Sats + for<'a> Decode<'a>>(json: &[u8]) -> Result<T, JsonError> {
    Ok(bsatn::from_slice(&to_bsatn(T::TYPE, json)?)?)
}

/// Reads a value of the type `ty` from its JSON.
///
/// # Errors
///
/// As [`from_str`].
pub fn value_from_str<'t>(ty: impl Into<AnyType<'t>>, json: &str) -> Result<SatsValue, JsonError> {
    let ty = ty.into();
    Ok(SatsValue::from_slice(ty, &to_bsatn(ty, json.as_bytes())?)?)
}

/// The BSATN encoding of a value of the type `ty` from its JSON.
///
/// # Errors
///
/// As [`from_str`].
pub fn to_bsatn<'t>(ty: impl Into<AnyType<'t>>, json: &[u8]) -> Result<Vec<u8>, JsonError> {
    let mut output = Output { bytes: Vec::with_capacity(json.len()), path: Path::default() };
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let read = Value { ty: ty.into(), output: &mut output }
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    match read {
        Ok(()) => Ok(output.bytes),
        Err(error) => Err(JsonError::new(output.path, Repr::Read(error))),
    }
}

/// Output of reading so far.
struct Output {
    bytes: Vec<u8>,
    /// Current path; left as it is by an error.
    path: Path,
}

impl Output {
    fn put<E: Error>(&mut self, value: &(impl Encode + ?Sized)) -> Result<(), E> {
        let mut writer = Writer::append_to(core::mem::take(&mut self.bytes));
        value.encode(&mut writer);
        let (bytes, result) = writer.into_parts();
        self.bytes = bytes;
        result.map_err(E::custom)
    }

    /// Sets the length for which room was left at `at`.
    fn patch_len<E: Error>(&mut self, at: usize, len: usize) -> Result<(), E> {
        let len = u32::try_from(len).map_err(E::custom)?;
        if let Some(place) = self.bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&len.to_le_bytes());
        }
        Ok(())
    }
}

/// One value of a type.
struct Value<'t, 'o> {
    ty: AnyType<'t>,
    output: &'o mut Output,
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        let Self { ty, output } = self;
        match ty.shape() {
            Shape::Scalar(scalar) => read_scalar(scalar, output, json),
            Shape::Array(element) => match element.shape() {
                Shape::Scalar(Scalar::U8) => json.deserialize_any(BytesVisitor { output }),
                _ => json.deserialize_seq(ArrayVisitor { element, output }),
            },
            Shape::Product(fields) => json.deserialize_any(ProductVisitor { fields, output }),
            shape => json.deserialize_any(SumVisitor { shape, output }),
        }
    }
}

/// Reads what lies one step further in.
fn within<R, E>(
    output: &mut Output,
    step: Step,
    read: impl FnOnce(&mut Output) -> Result<R, E>,
) -> Result<R, E> {
    output.path.0.push(step);
    let result = read(output)?;
    output.path.0.pop();
    Ok(result)
}

fn read_scalar<'de, D: Deserializer<'de>>(
    scalar: Scalar,
    output: &mut Output,
    json: D,
) -> Result<(), D::Error> {
    if special_field(scalar).is_some() {
        return json.deserialize_any(SpecialVisitor { scalar, output });
    }
    read_plain(scalar, output, json)
}

/// Reads the number in a special type, or any other scalar.
fn read_plain<'de, D: Deserializer<'de>>(
    scalar: Scalar,
    output: &mut Output,
    json: D,
) -> Result<(), D::Error> {
    match scalar {
        Scalar::Bool => output.put(&bool::deserialize(json)?),
        Scalar::I8 => output.put(&i8::deserialize(json)?),
        Scalar::U8 => output.put(&u8::deserialize(json)?),
        Scalar::I16 => output.put(&i16::deserialize(json)?),
        Scalar::U16 => output.put(&u16::deserialize(json)?),
        Scalar::I32 => output.put(&i32::deserialize(json)?),
        Scalar::U32 => output.put(&u32::deserialize(json)?),
        Scalar::I64 | Scalar::Timestamp | Scalar::TimeDuration => {
            output.put(&i64::deserialize(json)?)
        }
        Scalar::U64 => output.put(&u64::deserialize(json)?),
        Scalar::I128 => output.put(&i128::deserialize(json)?),
        Scalar::U128 | Scalar::ConnectionId | Scalar::Uuid => output.put(&u128::deserialize(json)?),
        Scalar::I256 => output.put(&json.deserialize_any(HugeVisitor(I256::from_str_prefixed))?),
        Scalar::U256 | Scalar::Identity => {
            output.put(&json.deserialize_any(HugeVisitor(U256::from_str_prefixed))?)
        }
        // What is not a number is written as `null` by most.
        Scalar::F32 => output.put(&Option::<f32>::deserialize(json)?.unwrap_or(f32::NAN)),
        Scalar::F64 => output.put(&Option::<f64>::deserialize(json)?.unwrap_or(f64::NAN)),
        Scalar::String => json.deserialize_str(TextVisitor { output }),
        Scalar::ScheduleAt => {
            json.deserialize_any(SumVisitor { shape: Shape::Scalar(Scalar::ScheduleAt), output })
        }
    }
}

/// A number of 256 bits: text, or a number as far as those go.
struct HugeVisitor<T>(fn(&str) -> Result<T, core::num::ParseIntError>);

impl<T> Visitor<'_> for HugeVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of 256 bits as text, such as `\"0x2a\"`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

struct TextVisitor<'o> {
    output: &'o mut Output,
}

impl Visitor<'_> for TextVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.output.put(text)
    }
}

/// Bytes: hex digits, or an array of numbers.
struct BytesVisitor<'o> {
    output: &'o mut Output,
}

impl<'de> Visitor<'de> for BytesVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes as hex digits or as an array")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
        let (pairs, []) = digits.as_chunks::<2>() else {
            return Err(E::invalid_value(Unexpected::Str(text), &self));
        };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let byte = |[high, low]: &[u8; 2]| Some((digit(*high)? << 4 | digit(*low)?) as u8);
        match pairs.iter().map(byte).collect::<Option<Vec<u8>>>() {
            Some(bytes) => self.output.put(&bytes),
            None => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = elements.next_element::<u8>()? {
            bytes.push(byte);
        }
        self.output.put(&bytes)
    }
}

struct ArrayVisitor<'t, 'o> {
    element: AnyType<'t>,
    output: &'o mut Output,
}

impl<'de> Visitor<'de> for ArrayVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Self { element, output } = self;
        let start = output.bytes.len();
        output.put(&0u32)?;
        let mut len = 0;
        loop {
            let next = within(output, Step::Position(len), |output| {
                elements.next_element_seed(Value { ty: element, output })
            })?;
            if next.is_none() {
                return output.patch_len(start, len);
            }
            len += 1;
        }
    }
}

/// A special type: its number, in an array or an object of one.
struct SpecialVisitor<'o> {
    scalar: Scalar,
    output: &'o mut Output,
}

struct Plain<'o> {
    scalar: Scalar,
    output: &'o mut Output,
}

impl<'de> DeserializeSeed<'de> for Plain<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        read_plain(self.scalar, self.output, json)
    }
}

impl<'de> Visitor<'de> for SpecialVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} as `[..]` or `{{\"{}\": ..}}`",
            self.scalar,
            special_field(self.scalar).unwrap_or_default()
        )
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Self { scalar, output } = self;
        if elements.next_element_seed(Plain { scalar, output })?.is_none() {
            return Err(A::Error::invalid_length(0, &"an array of one number"));
        }
        no_more(elements, 1)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self { scalar, output } = self;
        let name = members.next_key::<String>()?;
        if name.as_deref() != special_field(scalar) {
            let name = name.unwrap_or_default();
            return Err(A::Error::custom(format_args!("unknown field `{name}` of {scalar}")));
        }
        members.next_value_seed(Plain { scalar, output })?;
        no_more_members(members)
    }
}

struct ProductVisitor<'t, 'o> {
    fields: Fields<'t>,
    output: &'o mut Output,
}

impl<'de> Visitor<'de> for ProductVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.fields.len();
        write!(f, "an array or an object of {len} value{}", if len == 1 { "" } else { "s" })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Self { fields, output } = self;
        for (at, ty) in fields.types().enumerate() {
            let read = within(output, field_step(fields, at), |output| {
                elements.next_element_seed(Value { ty, output })
            })?;
            if read.is_none() {
                output.path.0.pop();
                return Err(A::Error::invalid_length(
                    at,
                    &format!("{} values", fields.len()).as_str(),
                ));
            }
        }
        no_more(elements, fields.len())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self { fields, output } = self;
        // The members may come in any order, each is encoded apart.
        let mut encoded: Vec<Option<Vec<u8>>> = vec![None; fields.len()];
        while let Some(name) = members.next_key::<String>()? {
            let found = field_at(fields, &name).and_then(|at| Some((at, fields.ty(at)?)));
            let Some((at, ty)) = found else {
                return Err(A::Error::custom(format_args!("unknown field `{name}`")));
            };
            if encoded[at].is_some() {
                return Err(A::Error::custom(format_args!("the field `{name}` stands twice")));
            }
            let before = core::mem::take(&mut output.bytes);
            within(output, field_step(fields, at), |output| {
                members.next_value_seed(Value { ty, output })
            })?;
            encoded[at] = Some(core::mem::replace(&mut output.bytes, before));
        }
        for (at, field) in encoded.into_iter().enumerate() {
            let Some(field) = field else {
                let name = fields.name(at).map_or_else(|| at.to_string(), str::to_owned);
                return Err(A::Error::custom(format_args!("the field `{name}` is missing")));
            };
            output.bytes.extend_from_slice(&field);
        }
        Ok(())
    }
}

fn field_step(fields: Fields<'_>, at: usize) -> Step {
    fields.name(at).map_or(Step::Position(at), |name| Step::Name(name.into()))
}

/// The field with a name; one without a name is called by its position.
fn field_at(fields: Fields<'_>, name: &str) -> Option<usize> {
    (0..fields.len()).find(|at| match fields.name(*at) {
        Some(field) => field == name,
        None => name.parse() == Ok(*at),
    })
}

fn no_more<'de, A: SeqAccess<'de>>(mut elements: A, len: usize) -> Result<(), A::Error> {
    match elements.next_element::<IgnoredAny>()? {
        None => Ok(()),
        Some(_) => Err(A::Error::custom(format_args!("more than {len} values in an array"))),
    }
}

fn no_more_members<'de, A: MapAccess<'de>>(mut members: A) -> Result<(), A::Error> {
    match members.next_key::<String>()? {
        None => Ok(()),
        Some(name) => Err(A::Error::custom(format_args!("unexpected member `{name}`"))),
    }
}
