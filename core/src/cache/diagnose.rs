//! Finds the column at fault in a row that does not decode: slow, for errors only.

use core::fmt::Write;

use super::error::RowMismatch;
use crate::bsatn::{DecodeError, Reader};
use crate::schema::{RowDef, SatsType};

/// What is wrong with `bytes`, of which decoding a row of `def` said `error`.
pub(super) fn diagnose(def: &RowDef, bytes: &[u8], error: DecodeError) -> RowMismatch {
    let mut reader = Reader::new(bytes);
    for column in def.columns {
        let ty = column.ty.get();
        let mut width = 0;
        if skip(ty, &mut reader, &mut width).is_none() {
            return RowMismatch::Column { column: column.name, expected: name(ty, 0), error };
        }
    }
    match def.columns.last() {
        Some(column) if !reader.is_empty() => {
            RowMismatch::Longer { column: column.name, left: reader.rest().len() }
        }
        _ => RowMismatch::Row(error),
    }
}

/// Moves past one value; none if it is not an encoding of `ty`. `visited` counts values, so that lists of nothing end.
fn skip(ty: SatsType, reader: &mut Reader<'_>, visited: &mut usize) -> Option<()> {
    const VISITED_MAX: usize = 1 << 20;
    *visited += 1;
    if *visited > VISITED_MAX {
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
            reader
                .nested("array", |reader| {
                    Ok((0..len).try_for_each(|_| skip(inner.get(), reader, visited)))
                })
                .ok()?
        }
        SatsType::Option(inner) => match take(reader, 1)? {
            [0] => reader.nested("option", |reader| Ok(skip(inner.get(), reader, visited))).ok()?,
            [1] => Some(()),
            _ => None,
        },
        SatsType::Result(ok, err) => {
            let inner = match take(reader, 1)? {
                [0] => ok,
                [1] => err,
                _ => return None,
            };
            reader.nested("result", |reader| Ok(skip(inner.get(), reader, visited))).ok()?
        }
        SatsType::ScheduleAt => match take(reader, 1)? {
            [0 | 1] => take(reader, 8).map(drop),
            _ => None,
        },
        SatsType::Product(def) => reader
            .nested("product", |reader| {
                Ok(def.fields.iter().try_for_each(|field| skip(field.ty.get(), reader, visited)))
            })
            .ok()?,
        SatsType::Sum(def) => {
            let &[tag] = take(reader, 1)? else { return None };
            match def.variants.get(usize::from(tag))?.payload {
                Some(inner) => {
                    reader.nested("sum", |reader| Ok(skip(inner.get(), reader, visited))).ok()?
                }
                None => Some(()),
            }
        }
        fixed => take(reader, fixed_size(fixed)?).map(drop),
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
    let inner = |ty: crate::schema::TypeRef| name(ty.get(), depth + 1);
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
