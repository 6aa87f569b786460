//! Keys and records, as bytes.

use bytes::{Buf as _, Bytes};

use super::Write;
use super::batch::KeptPart;
use crate::bsatn::{self, Decode, DecodeError, DecodeErrorKind, Encode, Reader, Writer};
use crate::limits::Limits;
use crate::wire::{RowList, TableName};

/// The number of this format. Another one is not read, and not touched.
pub(super) const FORMAT: u32 = 1;

/// Key of a record. Keys of one kind are in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key<'a> {
    Format,
    Scope(u32),
    Entry(u64),
    Set(u32, u32),
    Table(u32, &'a str),
    Rows(u32, u64),
}

impl<'a> Key<'a> {
    fn bytes(self) -> Box<[u8]> {
        let parts: [&[u8]; 3] = match &self {
            Self::Format => [b"f", &[], &[]],
            Self::Scope(scope) => [b"s", &scope.to_be_bytes(), &[]],
            Self::Entry(seq) => [b"c", &seq.to_be_bytes(), &[]],
            Self::Set(scope, set) => [b"q", &scope.to_be_bytes(), &set.to_be_bytes()],
            Self::Table(scope, name) => [b"t", &scope.to_be_bytes(), name.as_bytes()],
            Self::Rows(scope, number) => [b"r", &scope.to_be_bytes(), &number.to_be_bytes()],
        };
        parts.concat().into()
    }

    pub(super) fn put(self, value: Bytes) -> Write {
        Write::Put { key: self.bytes(), value }
    }

    pub(super) fn delete(self) -> Write {
        Write::Delete { key: self.bytes() }
    }

    /// The key of these bytes, if they are one.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let number = |at: usize| Some(u32::from_be_bytes(rest.get(at..at + 4)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_be_bytes(rest.get(at..)?.try_into().ok()?));
        match (kind, rest.len()) {
            (b'f', 0) => Some(Self::Format),
            (b's', 4) => number(0).map(Self::Scope),
            (b'c', 8) => long(0).map(Self::Entry),
            (b'q', 8) => Some(Self::Set(number(0)?, number(4)?)),
            (b't', 4..) => Some(Self::Table(number(0)?, core::str::from_utf8(&rest[4..]).ok()?)),
            (b'r', 12) => Some(Self::Rows(number(0)?, long(4)?)),
            _ => None,
        }
    }
}

pub(super) fn number() -> Bytes {
    Bytes::copy_from_slice(&FORMAT.to_le_bytes())
}

pub(super) fn encode<T: Encode + ?Sized>(value: &T) -> Bytes {
    let encoded = bsatn::to_vec(value);
    encoded.expect("nothing in the journal is longer than what is sent in one message").into()
}

/// Tags of [`KeptPart`].
const INSERTS: u8 = 0;
const DELETES: u8 = 1;
const DROP: u8 = 2;
const DROP_TABLE: u8 = 3;

pub(super) fn encode_parts(parts: &[KeptPart]) -> Bytes {
    let mut out = Writer::new();
    out.reserve(parts.iter().map(|part| part.bytes() + 64).sum());
    for part in parts {
        let (tag, set, table, rows) = match part {
            KeptPart::Inserts(set, table, rows) => (INSERTS, set, Some(table), Some(rows)),
            KeptPart::Deletes(set, table, rows) => (DELETES, set, Some(table), Some(rows)),
            KeptPart::Drop(set) => (DROP, set, None, None),
            KeptPart::DropTable(set, table) => (DROP_TABLE, set, Some(table), None),
        };
        out.tag(tag);
        set.encode(&mut out);
        if let Some(table) = table {
            table.as_str().encode(&mut out);
        }
        if let Some(rows) = rows {
            // Rows of one message may be more than four gigabytes together with their places.
            (rows.encoded().len() as u64).encode(&mut out);
            out.bytes(rows.encoded());
        }
    }
    out.into_parts().0.into()
}

/// Reads what [`encode_parts`] wrote. The rows share the record's buffer.
pub(super) fn decode_parts(record: &Bytes, limits: &Limits) -> Result<Vec<KeptPart>, DecodeError> {
    let mut reader = Reader::new(record);
    let mut parts = Vec::new();
    while !reader.is_empty() {
        let tag = reader.tag("KeptPart")?;
        let set = u32::decode(&mut reader)?;
        if tag == DROP {
            parts.push(KeptPart::Drop(set));
            continue;
        }
        let table = TableName::from(<&str>::decode(&mut reader)?);
        if tag == DROP_TABLE {
            parts.push(KeptPart::DropTable(set, table));
            continue;
        }
        let len = usize::try_from(u64::decode(&mut reader)?).unwrap_or(usize::MAX);
        let mut rows = record.clone();
        rows.advance(reader.offset());
        reader.bytes(len, "rows")?;
        rows.truncate(len);
        let rows = RowList::from_encoded(&rows, limits).map_err(|_| {
            DecodeError::new(DecodeErrorKind::TrailingBytes { left: len }, "rows", reader.offset())
        })?;
        parts.push(match tag {
            INSERTS => KeptPart::Inserts(set, table, rows),
            DELETES => KeptPart::Deletes(set, table, rows),
            tag => return Err(reader.invalid_tag(tag, "KeptPart")),
        });
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_and_nothing_else_is_one() {
        for key in [
            Key::Format,
            Key::Scope(7),
            Key::Entry(u64::MAX),
            Key::Set(1, 2),
            Key::Table(3, "note"),
            Key::Rows(4, 1 << 40),
        ] {
            assert_eq!(Key::parse(&key.bytes()), Some(key));
        }
        for no_key in [&b""[..], b"x", b"f1", b"s123", b"c1234567", b"q123", b"t1", b"r1"] {
            assert_eq!(Key::parse(no_key), None, "{no_key:?}");
        }
    }

    #[test]
    fn parts_round_trip_and_truncation_yields_none() {
        let rows = || RowList::from_rows(["one", "three"]);
        let parts = [
            KeptPart::Inserts(1, "note".into(), rows()),
            KeptPart::Deletes(2, "user".into(), rows()),
            KeptPart::Drop(3),
            KeptPart::DropTable(4, "note".into()),
        ];
        let record = encode_parts(&parts);
        let again = decode_parts(&record, &Limits::DEFAULT).unwrap();
        assert_eq!(format!("{again:?}"), format!("{parts:?}"));
        let whole = |len: usize| decode_parts(&record.slice(..len), &Limits::DEFAULT);
        let ends = (0..=record.len()).filter(|&len| whole(len).is_ok()).count();
        assert_eq!(ends, 5, "before and after each part");
    }
}
