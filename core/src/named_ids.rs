//! Temporary ids in the arguments of calls.

use bytes::Bytes;

use crate::bsatn::{Decode, DecodeError, Encode, Reader, Writer};
use crate::cache::{AnyId, IdKind};
use crate::schema::{AnyType, Scalar, Shape};

/// A place in a call's arguments with a temporary id of another call's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedId {
    /// Offset of its first byte.
    offset: u32,
    kind: IdKind,
    /// The number of the call that it is of.
    number: u64,
}

impl NamedId {
    pub(crate) fn new(offset: usize, id: AnyId, number: u64) -> Option<Self> {
        Some(Self { offset: u32::try_from(offset).ok()?, kind: id.kind(), number })
    }

    pub(crate) fn number(self) -> u64 {
        self.number
    }

    /// The id that is there.
    pub(crate) fn id(self, args: &[u8]) -> Option<AnyId> {
        AnyId::read(self.kind, args.get(self.offset as usize..)?)
    }
}

/// Puts other ids in the places of those that are known, and returns the places of the others.
pub fn replace_ids(
    args: &Bytes,
    names: &[NamedId],
    known: impl Fn(AnyId) -> Option<AnyId>,
) -> (Bytes, Vec<NamedId>) {
    let mut replaced = args.to_vec();
    let mut left = Vec::new();
    for name in names {
        let place = replaced.get_mut(name.offset as usize..);
        match name.id(args).and_then(&known).zip(place) {
            Some((id, place)) => id.write(place),
            None => left.push(*name),
        }
    }
    (replaced.into(), left)
}

/// Shows every id in encoded values, one after the other, and where it begins. Stops where the bytes are no encoding.
pub(crate) fn each_id<'t>(
    types: impl IntoIterator<Item = AnyType<'t>>,
    bytes: &[u8],
    each: &mut dyn FnMut(usize, AnyId),
) {
    let mut walk = Walk { bytes, at: 0, visited: 0, each };
    for ty in types {
        if walk.value(ty, 0).is_none() {
            return;
        }
    }
}

struct Walk<'w> {
    bytes: &'w [u8],
    at: usize,
    visited: usize,
    each: &'w mut dyn FnMut(usize, AnyId),
}

/// Greatest depth and number of values: lists of nothing take no bytes.
const DEPTH_MAX: usize = 64;
const VISITED_MAX: usize = 1 << 20;

impl Walk<'_> {
    fn value(&mut self, ty: AnyType<'_>, depth: usize) -> Option<()> {
        self.visited += 1;
        if depth > DEPTH_MAX || self.visited > VISITED_MAX {
            return None;
        }
        match ty.shape() {
            Shape::Scalar(scalar) => self.scalar(scalar),
            Shape::Array(element) => self.array(element, depth),
            Shape::Option(some) => match self.tag()? {
                0 => self.value(some, depth + 1),
                _ => Some(()),
            },
            Shape::Result(ok, err) => {
                let tag = self.tag()?;
                self.value(if tag == 0 { ok } else { err }, depth + 1)
            }
            Shape::Product(fields) => {
                fields.types().try_for_each(|field| self.value(field, depth + 1))
            }
            Shape::Sum(variants) => {
                let tag = self.tag()?;
                match variants.payload(usize::from(tag))? {
                    Some(payload) => self.value(payload, depth + 1),
                    None => Some(()),
                }
            }
        }
    }

    fn array(&mut self, element: AnyType<'_>, depth: usize) -> Option<()> {
        let len = self.len()?;
        if let Shape::Scalar(scalar) = element.shape()
            && id_kind(scalar).is_none()
            && let Some(size) = size(scalar)
        {
            return self.skip(len.checked_mul(size)?);
        }
        (0..len).try_for_each(|_| self.value(element, depth + 1))
    }

    fn scalar(&mut self, scalar: Scalar) -> Option<()> {
        if let Some(kind) = id_kind(scalar) {
            let id = AnyId::read(kind, self.bytes.get(self.at..)?)?;
            (self.each)(self.at, id);
        }
        match size(scalar) {
            Some(size) => self.skip(size),
            None => {
                let len = self.len()?;
                self.skip(len)
            }
        }
    }

    fn tag(&mut self) -> Option<u8> {
        let tag = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(tag)
    }

    fn len(&mut self) -> Option<usize> {
        let len = self.bytes.get(self.at..self.at + 4)?;
        self.at += 4;
        usize::try_from(u32::from_le_bytes(len.try_into().ok()?)).ok()
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.at = self.at.checked_add(bytes).filter(|at| *at <= self.bytes.len())?;
        Some(())
    }
}

fn id_kind(scalar: Scalar) -> Option<IdKind> {
    Some(match scalar {
        Scalar::U32 => IdKind::U32,
        Scalar::I32 => IdKind::I32,
        Scalar::U64 => IdKind::U64,
        Scalar::I64 => IdKind::I64,
        Scalar::U128 => IdKind::U128,
        Scalar::I128 => IdKind::I128,
        Scalar::Uuid => IdKind::Uuid,
        _ => return None,
    })
}

/// Size of a value in bytes; none of text, which begins with that.
fn size(scalar: Scalar) -> Option<usize> {
    Some(match scalar {
        Scalar::Bool | Scalar::I8 | Scalar::U8 => 1,
        Scalar::I16 | Scalar::U16 => 2,
        Scalar::I32 | Scalar::U32 | Scalar::F32 => 4,
        Scalar::I64 | Scalar::U64 | Scalar::F64 | Scalar::Timestamp | Scalar::TimeDuration => 8,
        Scalar::ScheduleAt => 9,
        Scalar::I128 | Scalar::U128 | Scalar::ConnectionId | Scalar::Uuid => 16,
        Scalar::I256 | Scalar::U256 | Scalar::Identity => 32,
        Scalar::String => return None,
    })
}

impl Encode for NamedId {
    fn encode(&self, out: &mut Writer) {
        self.offset.encode(out);
        out.tag(self.kind as u8);
        self.number.encode(out);
    }
}

impl<'de> Decode<'de> for NamedId {
    const SIZE: Option<usize> = None;

    fn decode(reader: &mut Reader<'de>) -> Result<Self, DecodeError> {
        const KINDS: [IdKind; 7] = [
            IdKind::U32,
            IdKind::I32,
            IdKind::U64,
            IdKind::I64,
            IdKind::U128,
            IdKind::I128,
            IdKind::Uuid,
        ];
        let offset = u32::decode(reader)?;
        let tag = reader.tag("IdKind")?;
        let kind = KINDS.get(usize::from(tag)).copied();
        let kind = kind.ok_or_else(|| reader.invalid_tag(tag, "IdKind"))?;
        Ok(Self { offset, kind, number: u64::decode(reader)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bsatn;
    use crate::cache::TempId as _;
    use crate::schema::Sats;
    use crate::types::Uuid;

    /// All ids of a value that are temporary.
    fn found<T: Encode + Sats>(value: &T) -> Vec<AnyId> {
        let mut found = Vec::new();
        let bytes = bsatn::to_vec(value).unwrap();
        each_id([T::TYPE.into()], &bytes, &mut |at, id| {
            assert_eq!(AnyId::read(id.kind(), &bytes[at..]), Some(id));
            found.extend(id.is_temp_id().then_some(id));
        });
        found
    }

    #[test]
    fn ids_are_found_in_values_of_any_shape() {
        let (large, small) = (u64::temp_id(7, 1), i32::temp_id(7, 2));
        let uuid = Uuid::temp_id(7, 3);
        let value = (
            "text".to_owned(),
            vec![1_u8, 2, 3],
            Some(large),
            vec![(true, small), (false, 5)],
            (Result::<Uuid, String>::Ok(uuid), None::<u64>),
        );
        assert_eq!(found(&value), [large.to_any(), small.to_any(), uuid.to_any()]);
        assert_eq!(found(&vec![(); 3]), []);
        assert_eq!(found(&7_u64), []);
    }

    #[test]
    fn known_ids_are_replaced_and_others_stay() {
        let (known, unknown) = (u64::temp_id(1, 0), u64::temp_id(2, 0));
        let args = Bytes::from(bsatn::to_vec(&(known, 9_u8, unknown)).unwrap());
        let names = [(0, known, 1), (9, unknown, 2)]
            .map(|(offset, id, number)| NamedId::new(offset, id.to_any(), number).unwrap());
        let replace = |id| (id == known.to_any()).then(|| 55_u64.to_any());
        let (replaced, left) = replace_ids(&args, &names, replace);
        assert_eq!(replaced, bsatn::to_vec(&(55_u64, 9_u8, unknown)).unwrap());
        assert_eq!(left, [names[1]]);
        let bytes = bsatn::to_vec(&names.to_vec()).unwrap();
        assert_eq!(bsatn::from_slice::<Vec<NamedId>>(&bytes).unwrap(), names);
    }
}
