//! Frames: how batches lie in the file, as bytes. Pure.
//!
//! The file begins with two copies of its header: magic number, random id of the file, checksum. Frames follow, each a head,
//! an index and a body:
//!
//! | part | what | protected by |
//! | --- | --- | --- |
//! | head | mark, kind, file id, offset in the file, sequence number, lengths | its own CRC-32 |
//! | index | the keys that are written, with length and checksum of each value | a CRC-32 in the head |
//! | body | the values, one behind the other | one CRC-32 a value, over key and value |
//!
//! The head has a checksum of its own so that its lengths can be trusted while the rest is damaged: whoever reads skips a
//! body without looking into it. Nothing that was stored is ever taken for a frame, because a head counts at one offset of
//! one file only: a stored copy of a frame lies elsewhere.
//!
//! A *confirmation* follows a batch when it has been synced. It repeats the batch's index, so that damage to a head or an
//! index does not lose which keys were written; and it proves that a batch which is not whole was, so that a torn write and
//! damage can be told apart.

use std::io;

use super::super::checksum;
use crate::journal::Write;

/// What the file begins with: what it is, and the number of its format.
pub(super) const MAGIC: &[u8; 8] = b"LLjourn2";
/// One copy of the header.
const HEADER_COPY_BYTES: usize = 32;
/// Both copies of the header, behind which the frames begin.
pub(super) const HEADER_BYTES: usize = 2 * HEADER_COPY_BYTES;
/// What a head begins with. Not valid UTF-8, so that it is rare in what is stored.
const MARK: [u8; 4] = [0xf5, b'L', b'J', 0xa2];
pub(super) const HEAD_BYTES: usize = 64;

/// Random number of a file, in its header and in every head.
pub(super) type FileId = [u8; 16];

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What was committed.
    Batch,
    /// What an earlier file had, written by a compaction or after damage.
    Copy,
    /// The batch in front of it was synced. It has an index, and no body.
    BatchConfirmation,
    /// The same of a copy.
    CopyConfirmation,
}

impl Kind {
    /// What it confirms, if it does.
    pub(super) fn confirmed(self) -> Option<Self> {
        match self {
            Self::BatchConfirmation => Some(Self::Batch),
            Self::CopyConfirmation => Some(Self::Copy),
            Self::Batch | Self::Copy => None,
        }
    }
}

/// Head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    /// Number of the batch: one more than that of the batch before. A confirmation has its batch's.
    pub(super) seq: u64,
    /// Length of the body. Of a confirmation: of its batch's.
    pub(super) body: u64,
    pub(super) index: u32,
    index_sum: u32,
}

/// One entry of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// A record. It may be older than the last that was written, if that one is lost.
    Put { key: &'a [u8], len: u32, sum: u32, outdated: bool },
    /// Nothing is under the key.
    Delete { key: &'a [u8] },
    /// The last write of the key is lost, and nothing older is there.
    Lost { key: &'a [u8] },
    /// Writes are lost of which the keys are not known.
    Unnamed,
    /// The name of the file that has what was damaged.
    Aside { name: &'a [u8] },
}

/// Tags of items.
const PUT: u8 = 0;
const DELETE: u8 = 1;
const PUT_OUTDATED: u8 = 2;
const LOST: u8 = 3;
const UNNAMED: u8 = 4;
const ASIDE: u8 = 5;

/// The header of a file: both copies.
pub(super) fn encode_header(id: &FileId) -> [u8; HEADER_BYTES] {
    let mut copy = [0; HEADER_COPY_BYTES];
    copy[..8].copy_from_slice(MAGIC);
    copy[8..24].copy_from_slice(id);
    let sum = checksum(&[&copy[..28]]);
    copy[28..].copy_from_slice(&sum.to_le_bytes());
    let mut header = [0; HEADER_BYTES];
    header[..HEADER_COPY_BYTES].copy_from_slice(&copy);
    header[HEADER_COPY_BYTES..].copy_from_slice(&copy);
    header
}

/// The id in a file's header, and whether both copies of it are whole. None if neither is.
pub(super) fn parse_header(bytes: &[u8]) -> Option<(FileId, bool)> {
    let mut copies = bytes.chunks_exact(HEADER_COPY_BYTES).take(2).map(parse_copy);
    let (first, second) = (copies.next().flatten(), copies.next().flatten());
    let id = first.or(second)?;
    Some((id, first == second))
}

fn parse_copy(copy: &[u8]) -> Option<FileId> {
    let sum = u32::from_le_bytes(copy[28..].try_into().ok()?);
    let is_whole = copy.starts_with(MAGIC) && checksum(&[&copy[..28]]) == sum;
    is_whole.then(|| copy[8..24].try_into().ok())?
}

/// Whether a file looks like one of this format of which the beginning is damaged: a copy of the magic number differs in
/// no more than two bytes.
pub(super) fn resembles_header(bytes: &[u8]) -> bool {
    let resembles = |at: usize| {
        let copy = bytes.get(at..at + MAGIC.len());
        copy.is_some_and(|copy| copy.iter().zip(MAGIC).filter(|(a, b)| a != b).count() <= 2)
    };
    resembles(0) || resembles(HEADER_COPY_BYTES) || MAGIC.starts_with(bytes)
}

impl Head {
    /// Length of the frame.
    pub(super) fn frame(&self) -> u64 {
        let body = if self.kind.confirmed().is_some() { 0 } else { self.body };
        (HEAD_BYTES as u64 + u64::from(self.index)).saturating_add(body)
    }

    pub(super) fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    fn encode(&self, id: &FileId, at: u64) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..4].copy_from_slice(&MARK);
        bytes[4] = match self.kind {
            Kind::Batch => 1,
            Kind::Copy => 2,
            Kind::BatchConfirmation => 3,
            Kind::CopyConfirmation => 4,
        };
        bytes[8..24].copy_from_slice(id);
        bytes[24..32].copy_from_slice(&at.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.seq.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.body.to_le_bytes());
        bytes[48..52].copy_from_slice(&self.index.to_le_bytes());
        bytes[52..56].copy_from_slice(&self.index_sum.to_le_bytes());
        let sum = checksum(&[&bytes[..60]]);
        bytes[60..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The head at an offset of a file, and the file's id, if there is a whole one that was written there.
    pub(super) fn parse(bytes: &[u8], at: usize) -> Option<(Self, FileId)> {
        let head = bytes.get(at..)?.get(..HEAD_BYTES)?;
        let u32_at = |at: usize| Some(u32::from_le_bytes(head[at..at + 4].try_into().ok()?));
        let u64_at = |at: usize| Some(u64::from_le_bytes(head[at..at + 8].try_into().ok()?));
        if head[..4] != MARK || u64_at(24)? != at as u64 || checksum(&[&head[..60]]) != u32_at(60)?
        {
            return None;
        }
        let kind = match head[4] {
            1 => Kind::Batch,
            2 => Kind::Copy,
            3 => Kind::BatchConfirmation,
            4 => Kind::CopyConfirmation,
            _ => return None,
        };
        let (seq, body, index, index_sum) = (u64_at(32)?, u64_at(40)?, u32_at(48)?, u32_at(52)?);
        Some((Self { kind, seq, body, index, index_sum }, head[8..24].try_into().ok()?))
    }

    /// The items of an index, if it is whole.
    pub(super) fn items<'a>(&self, index: &'a [u8]) -> Option<Vec<Item<'a>>> {
        if checksum(&[index]) != self.index_sum {
            return None;
        }
        let (mut rest, mut items) = (index, Vec::new());
        while !rest.is_empty() {
            items.push(take_item(&mut rest)?);
        }
        Some(items)
    }
}

/// The first offset from `from` on at which a mark lies.
pub(super) fn find_mark(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == MARK[0])?;
        if bytes[at..].starts_with(&MARK) {
            return Some(at);
        }
        at += 1;
    }
}

/// A frame in the making.
#[derive(Debug, Default)]
pub(super) struct Draft {
    index: Vec<u8>,
    body: Vec<u8>,
}

impl Draft {
    pub(super) fn of(writes: &[Write]) -> io::Result<Self> {
        let mut draft = Self::default();
        for write in writes {
            match write {
                Write::Put { key, value } => draft.put(key, value, false)?,
                Write::Delete { key } => draft.key(DELETE, key)?,
            }
        }
        Ok(draft)
    }

    pub(super) fn put(&mut self, key: &[u8], value: &[u8], outdated: bool) -> io::Result<()> {
        self.key(if outdated { PUT_OUTDATED } else { PUT }, key)?;
        self.index.extend_from_slice(&size(value.len())?.to_le_bytes());
        self.index.extend_from_slice(&checksum(&[key, value]).to_le_bytes());
        self.body.extend_from_slice(value);
        Ok(())
    }

    pub(super) fn lost(&mut self, key: &[u8]) -> io::Result<()> {
        self.key(LOST, key)
    }

    pub(super) fn unnamed(&mut self) {
        self.index.push(UNNAMED);
    }

    pub(super) fn aside(&mut self, name: &[u8]) -> io::Result<()> {
        self.key(ASIDE, name)
    }

    fn key(&mut self, tag: u8, key: &[u8]) -> io::Result<()> {
        self.index.push(tag);
        self.index.extend_from_slice(&size(key.len())?.to_le_bytes());
        self.index.extend_from_slice(key);
        Ok(())
    }

    /// Bytes so far, without the head.
    pub(super) fn len(&self) -> usize {
        self.index.len() + self.body.len()
    }

    /// Head and bytes of the frame, for one offset of one file.
    pub(super) fn frame(
        &self,
        kind: Kind,
        id: &FileId,
        at: u64,
        seq: u64,
    ) -> io::Result<(Head, Vec<u8>)> {
        let (index, body) = (size(self.index.len())?, self.body.len() as u64);
        let head = Head { kind, seq, body, index, index_sum: checksum(&[&self.index]) };
        Ok((head, [&head.encode(id, at)[..], &self.index, &self.body].concat()))
    }

    pub(super) fn index(&self) -> &[u8] {
        &self.index
    }
}

/// The confirmation of a batch with this head and index.
pub(super) fn confirmation(batch: &Head, index: &[u8], id: &FileId, at: u64) -> Vec<u8> {
    let kind = match batch.kind {
        Kind::Copy | Kind::CopyConfirmation => Kind::CopyConfirmation,
        Kind::Batch | Kind::BatchConfirmation => Kind::BatchConfirmation,
    };
    [&batch.of_kind(kind).encode(id, at)[..], index].concat()
}

fn size(len: usize) -> io::Result<u32> {
    u32::try_from(len).map_err(|_| io::Error::other("more than four gigabytes in one record"))
}

fn take_item<'a>(rest: &mut &'a [u8]) -> Option<Item<'a>> {
    let tag = take(rest, 1)?[0];
    Some(match tag {
        PUT | PUT_OUTDATED => {
            let (key, len, sum) = (take_sized(rest)?, take_u32(rest)?, take_u32(rest)?);
            Item::Put { key, len, sum, outdated: tag == PUT_OUTDATED }
        }
        DELETE => Item::Delete { key: take_sized(rest)? },
        LOST => Item::Lost { key: take_sized(rest)? },
        UNNAMED => Item::Unnamed,
        ASIDE => Item::Aside { name: take_sized(rest)? },
        _ => return None,
    })
}

pub(super) fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, behind) = rest.split_at_checked(len)?;
    *rest = behind;
    Some(taken)
}

pub(super) fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    take(rest, 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes)
}

pub(super) fn take_sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = take_u32(rest)?;
    take(rest, len as usize)
}
