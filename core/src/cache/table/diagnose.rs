//! Finds the column at fault in a row that does not decode: slow, for errors only.

use core::fmt::Write;

use crate::bsatn::{DecodeError, Reader};
use crate::cache::error::RowMismatch;
use crate::schema::{RowDef, SatsType, SumDef, TypeRef, UnknownVariants, VariantDef};

/// Finds what is wrong with `bytes`, for which decoding a row of `def` failed with `error`.
pub(in crate::cache) fn diagnose(def: &RowDef, bytes: &[u8], error: DecodeError) -> RowMismatch {
    let mut reader = Reader::new(bytes);
    let mut unknown = None;
    for column in def.columns {
        let ty = column.ty.get();
        let mut walk = Walk::default();
        let skipped = walk.skip(ty, &mut reader);
        unknown = unknown.or_else(|| Some((column.name, walk.unknown?)));
        if skipped.is_none() && unknown.is_none() {
            return RowMismatch::Column { column: column.name, expected: name(ty, 0), error };
        }
        if skipped.is_none() {
            break;
        }
    }
    if let Some((column, (name, tag))) = unknown {
        return RowMismatch::UnknownVariant { column, name, tag, error };
    }
    match def.columns.last() {
        Some(column) if !reader.is_empty() => {
            RowMismatch::Longer { column: column.name, left: reader.rest().len() }
        }
        _ => RowMismatch::Row(error),
    }
}

/// Moves past values.
#[derive(Default)]
struct Walk {
    /// Counts values, so that lists of nothing end.
    visited: usize,
    /// The enum and the tag of the first variant that an enum keeps without knowing it.
    unknown: Option<(&'static str, u8)>,
}

impl Walk {
    /// Moves past one value; none if it is not an encoding of `ty`.
    fn skip(&mut self, ty: SatsType, reader: &mut Reader<'_>) -> Option<()> {
        const VISITED_MAX: usize = 1 << 20;
        self.visited += 1;
        if self.visited > VISITED_MAX {
            return None;
        }
        match ty {
            SatsType::Bool => matches!(take(reader, 1)?, [0 | 1]).then_some(()),
            SatsType::String => {
                let len = length(reader)?;
                core::str::from_utf8(take(reader, len)?).ok().map(drop)
            }
            SatsType::Array(inner) => {
                let len = length(reader)?;
                let mut each = |reader: &mut Reader<'_>| {
                    (0..len).try_for_each(|_| self.skip(inner.get(), reader))
                };
                reader.nested("array", |reader| Ok(each(reader))).ok()?
            }
            SatsType::Option(inner) => match take(reader, 1)? {
                [0] => self.inside(inner, reader),
                [1] => Some(()),
                _ => None,
            },
            SatsType::Result(ok, err) => match take(reader, 1)? {
                [0] => self.inside(ok, reader),
                [1] => self.inside(err, reader),
                _ => None,
            },
            SatsType::ScheduleAt => match take(reader, 1)? {
                [0 | 1] => take(reader, 8).map(drop),
                _ => None,
            },
            SatsType::Product(def) => {
                def.fields.iter().try_for_each(|field| self.inside(field.ty, reader))
            }
            SatsType::Sum(def) => self.sum(def, reader),
            fixed => take(reader, fixed_size(fixed)?).map(drop),
        }
    }

    fn inside(&mut self, ty: TypeRef, reader: &mut Reader<'_>) -> Option<()> {
        reader.nested("value", |reader| Ok(self.skip(ty.get(), reader))).ok()?
    }

    fn sum(&mut self, def: SumDef, reader: &mut Reader<'_>) -> Option<()> {
        let &[tag] = take(reader, 1)? else { return None };
        match (def.variants.get(usize::from(tag)), def.unknown) {
            (Some(VariantDef { payload: Some(inner), .. }), _) => self.inside(*inner, reader),
            (Some(_), _) => Some(()),
            (None, UnknownVariants::Tag) => {
                self.unknown = self.unknown.or(Some((def.name, tag)));
                Some(())
            }
            (None, _) => None,
        }
    }
}

fn take<'a>(reader: &mut Reader<'a>, len: usize) -> Option<&'a [u8]> {
    reader.bytes(len, "column").ok()
}

fn length(reader: &mut Reader<'_>) -> Option<usize> {
    let bytes = take(reader, 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
}

fn fixed_size(ty: SatsType) -> Option<usize> {
    Some(match ty {
        SatsType::I8 | SatsType::U8 => 1,
        SatsType::I16 | SatsType::U16 => 2,
        SatsType::I32 | SatsType::U32 | SatsType::F32 => 4,
        SatsType::I64 | SatsType::U64 | SatsType::F64 => 8,
        SatsType::Timestamp | SatsType::TimeDuration => 8,
        SatsType::I128 | SatsType::U128 | SatsType::ConnectionId | SatsType::Uuid => 16,
        SatsType::I256 | SatsType::U256 | SatsType::Identity => 32,
        _ => return None,
    })
}

/// The type in SpacetimeDB's words, inner types to a small depth.
fn name(ty: SatsType, depth: u32) -> String {
    const DEPTH_MAX: u32 = 3;
    if depth > DEPTH_MAX {
        return "..".into();
    }
    let inner = |ty: TypeRef| name(ty.get(), depth + 1);
    match ty {
        SatsType::Array(of) => format!("Array<{}>", inner(of)),
        SatsType::Option(of) => format!("Option<{}>", inner(of)),
        SatsType::Result(ok, err) => format!("Result<{}, {}>", inner(ok), inner(err)),
        SatsType::Product(def) => match def.name {
            Some(name) => name.into(),
            None => {
                let fields: Vec<_> = def.fields.iter().map(|field| inner(field.ty)).collect();
                format!("({})", fields.join(", "))
            }
        },
        SatsType::Sum(def) => def.name.into(),
        plain => {
            let mut text = String::new();
            // Writing to a string cannot fail.
            let _ = write!(text, "{plain:?}");
            text
        }
    }
}
