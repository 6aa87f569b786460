//! From BSATN to JSON.

use core::fmt::Write as _;

use super::error::{Path, Repr, Step};
use super::{Form, JsonError, special_field};
use crate::bsatn::{self, Decode, DecodeError, DecodeErrorKind, Encode, Reader};
use crate::schema::{AnyType, Fields, Sats, SatsValue, Scalar, Shape, UnknownVariants, Variants};
use crate::types::{I256, TimeDuration, Timestamp, U256};

/// The JSON of a value.
///
/// # Errors
///
/// A [`JsonError`] if the value has a float that is not a number, an infinite one, or something longer than BSATN can
/// say.
pub fn to_string<T: Encode + Sats + ?Sized>(value: &T, form: Form) -> Result<String, JsonError> {
    from_bsatn(T::TYPE, &bsatn::to_vec(value)?, form)
}

/// The JSON of a value of the type `ty`.
///
/// # Errors
///
/// As [`to_string`], and if the value is not of the type.
pub fn value_to_string<'t>(
    ty: impl Into<AnyType<'t>>,
    value: &SatsValue,
    form: Form,
) -> Result<String, JsonError> {
    from_bsatn(ty, &bsatn::to_vec(value)?, form)
}

/// The JSON of a value of the type `ty` from its BSATN encoding, which must be all of `bytes`.
///
/// # Errors
///
/// As [`to_string`], and if the bytes are not an encoding of the type.
pub fn from_bsatn<'t>(
    ty: impl Into<AnyType<'t>>,
    bytes: &[u8],
    form: Form,
) -> Result<String, JsonError> {
    let mut writer = JsonWriter {
        reader: Reader::new(bytes),
        out: String::with_capacity(bytes.len()),
        form,
        path: Path::default(),
        depth: 0,
    };
    let written = writer.value(ty.into()).and_then(|()| Ok(writer.reader.finish("JSON")?));
    match written {
        Ok(()) => Ok(writer.out),
        Err(repr) => Err(JsonError::new(writer.path, repr)),
    }
}

impl From<DecodeError> for Repr {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

struct JsonWriter<'a> {
    reader: Reader<'a>,
    out: String,
    form: Form,
    /// Current path; left as it is by an error.
    path: Path,
    depth: u32,
}

impl<'a> JsonWriter<'a> {
    fn value(&mut self, ty: AnyType<'_>) -> Result<(), Repr> {
        if self.depth > SatsValue::MAX_DEPTH {
            let kind = DecodeErrorKind::TooDeep { limit: SatsValue::MAX_DEPTH };
            return Err(DecodeError::new(kind, "JSON", self.reader.offset()).into());
        }
        self.depth += 1;
        match ty.shape() {
            Shape::Scalar(scalar) => self.scalar(scalar)?,
            Shape::Array(element) => self.array(element)?,
            Shape::Option(some) => match self.reader.tag("Option")? {
                0 => self.variant(0, Some("some"), Some(some))?,
                1 => self.variant(1, Some("none"), None)?,
                tag => return Err(self.reader.invalid_tag(tag, "Option").into()),
            },
            Shape::Result(ok, err) => match self.reader.tag("Result")? {
                0 => self.variant(0, Some("ok"), Some(ok))?,
                1 => self.variant(1, Some("err"), Some(err))?,
                tag => return Err(self.reader.invalid_tag(tag, "Result").into()),
            },
            Shape::Product(fields) => self.product(fields)?,
            Shape::Sum(variants) => self.sum(variants)?,
        }
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self, element: AnyType<'_>) -> Result<(), Repr> {
        if matches!(element.shape(), Shape::Scalar(Scalar::U8)) {
            let len = self.reader.len("bytes")?;
            let bytes = self.reader.bytes(len, "bytes")?;
            self.out.push('"');
            bytes.iter().for_each(|byte| self.push(format_args!("{byte:02x}")));
            self.out.push('"');
            return Ok(());
        }
        let len = self.reader.len("array")?;
        self.out.push('[');
        let (mut at, mut empty) = (0, 0);
        while at < len {
            let before = self.reader.offset();
            self.separator(at);
            self.within(Step::Position(at), element)?;
            if self.reader.offset() == before {
                empty += 1;
                if empty > Reader::MAX_EMPTY_ELEMENTS {
                    let kind = DecodeErrorKind::TooManyEmptyElements;
                    return Err(DecodeError::new(kind, "JSON", before).into());
                }
            }
            at += 1;
        }
        self.out.push(']');
        Ok(())
    }

    fn product(&mut self, fields: Fields<'_>) -> Result<(), Repr> {
        // A tuple has no names.
        let named = self.form == Form::Named && fields.name(0).is_some();
        self.out.push(if named { '{' } else { '[' });
        for (at, ty) in fields.types().enumerate() {
            self.separator(at);
            let name = fields.name(at).filter(|_| named);
            if named {
                match name {
                    Some(name) => self.string(name),
                    None => self.push(format_args!("\"{at}\"")),
                }
                self.out.push(':');
            }
            self.within(step(name, at), ty)?;
        }
        self.out.push(if named { '}' } else { ']' });
        Ok(())
    }

    fn sum(&mut self, variants: Variants<'_>) -> Result<(), Repr> {
        let tag = self.reader.tag(variants.target())?;
        match variants.payload(usize::from(tag)) {
            Some(payload) => self.variant(tag, variants.name(usize::from(tag)), payload),
            // What is left of a value, nothing here can write.
            None if variants.unknown() != UnknownVariants::Refused => self.variant(tag, None, None),
            None => Err(self.reader.invalid_tag(tag, variants.target()).into()),
        }
    }

    fn variant(
        &mut self,
        tag: u8,
        name: Option<&str>,
        payload: Option<AnyType<'_>>,
    ) -> Result<(), Repr> {
        let name = name.filter(|_| self.form == Form::Named);
        match name {
            Some(name) => {
                self.out.push('{');
                self.string(name);
                self.out.push(':');
            }
            None => self.push(format_args!("[{tag},")),
        }
        match payload {
            Some(payload) => self.within(step(name, usize::from(tag)), payload)?,
            None => self.out.push_str("[]"),
        }
        self.out.push(if name.is_some() { '}' } else { ']' });
        Ok(())
    }

    /// Writes what lies one step further in.
    fn within(&mut self, step: Step, ty: AnyType<'_>) -> Result<(), Repr> {
        self.path.0.push(step);
        self.value(ty)?;
        self.path.0.pop();
        Ok(())
    }

    fn scalar(&mut self, scalar: Scalar) -> Result<(), Repr> {
        if scalar == Scalar::ScheduleAt {
            return self.schedule_at();
        }
        let field = special_field(scalar);
        match field {
            Some(name) if self.form == Form::Named => self.push(format_args!("{{\"{name}\":")),
            Some(_) => self.out.push('['),
            None => (),
        }
        match scalar {
            Scalar::Bool => self.shown::<bool>()?,
            Scalar::I8 => self.shown::<i8>()?,
            Scalar::U8 => self.shown::<u8>()?,
            Scalar::I16 => self.shown::<i16>()?,
            Scalar::U16 => self.shown::<u16>()?,
            Scalar::I32 => self.shown::<i32>()?,
            Scalar::U32 => self.shown::<u32>()?,
            Scalar::I64 | Scalar::Timestamp | Scalar::TimeDuration => self.shown::<i64>()?,
            Scalar::U64 => self.shown::<u64>()?,
            Scalar::I128 => self.shown::<i128>()?,
            Scalar::U128 | Scalar::ConnectionId | Scalar::Uuid => self.shown::<u128>()?,
            Scalar::I256 => {
                let number = I256::decode(&mut self.reader)?;
                let sign = if number.is_negative() { "-" } else { "" };
                self.push(format_args!("\"{sign}0x{:x}\"", number.unsigned_abs()));
            }
            Scalar::U256 | Scalar::Identity => {
                let number = U256::decode(&mut self.reader)?;
                self.push(format_args!("\"0x{number:x}\""));
            }
            Scalar::F32 => {
                let number = f32::decode(&mut self.reader)?;
                self.float(f64::from(number), format_args!("{number:?}"))?;
            }
            Scalar::F64 => {
                let number = f64::decode(&mut self.reader)?;
                self.float(number, format_args!("{number:?}"))?;
            }
            Scalar::String => {
                let text = self.reader.str("String")?;
                self.string(text);
            }
            Scalar::ScheduleAt => (),
        }
        match field {
            Some(_) if self.form == Form::Named => self.out.push('}'),
            Some(_) => self.out.push(']'),
            None => (),
        }
        Ok(())
    }

    fn schedule_at(&mut self) -> Result<(), Repr> {
        match self.reader.tag("ScheduleAt")? {
            0 => self.variant(0, Some("Interval"), Some(TimeDuration::TYPE.into())),
            1 => self.variant(1, Some("Time"), Some(Timestamp::TYPE.into())),
            tag => Err(self.reader.invalid_tag(tag, "ScheduleAt").into()),
        }
    }

    /// Writes a value whose text form is its JSON.
    fn shown<T: Decode<'a> + core::fmt::Display>(&mut self) -> Result<(), Repr> {
        let value = T::decode(&mut self.reader)?;
        self.push(format_args!("{value}"));
        Ok(())
    }

    /// Writes a float whose shortest text that reads back as itself is `text`.
    fn float(&mut self, number: f64, text: core::fmt::Arguments<'_>) -> Result<(), Repr> {
        if !number.is_finite() {
            return Err(Repr::NotANumber(number));
        }
        self.push(text);
        Ok(())
    }

    fn string(&mut self, text: &str) {
        let quoted = serde_json::to_string(text).expect("a string has JSON");
        self.out.push_str(&quoted);
    }

    fn separator(&mut self, at: usize) {
        if at > 0 {
            self.out.push(',');
        }
    }

    fn push(&mut self, text: core::fmt::Arguments<'_>) {
        // A `String` takes whatever is written to it.
        let _ = self.out.write_fmt(text);
    }
}

fn step(name: Option<&str>, at: usize) -> Step {
    name.map_or(Step::Position(at), |name| Step::Name(name.into()))
}
