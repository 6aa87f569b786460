//! Packed rows.

use core::fmt;
use core::iter::FusedIterator;
use core::num::NonZeroU16;

use bytes::Bytes;

use super::cursor::Cursor;
use super::{WireError, WireErrorKind};
use crate::limits::Limits;

/// A list of packed rows, as it came: one piece of the frame that it was decoded from.
///
/// Cloning one copies no row, and keeps the whole frame alive. Rows are BSATN and are not looked at here.
///
/// # Invariants
///
/// `encoded` is a whole row list of the wire: size hint, then data with its length. Every row that the hint describes
/// lies inside the data, every byte of the data belongs to a row, and no row starts before the one in front of it.
///
/// # Source
///
/// `spacetimedb-client-api-messages` 2.14.0, `websocket/common.rs`, `BsatnRowList` and `RowSizeHint`.
#[derive(Clone)]
pub struct RowList {
    encoded: Bytes,
    layout: Layout,
}

/// Layout of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// All rows have this many bytes.
    Fixed(NonZeroU16),
    /// The list starts with this many offsets at which rows start.
    Offsets(u32),
}

/// Tags of the size hint.
const FIXED_SIZE: u8 = 0;
const ROW_OFFSETS: u8 = 1;

/// The size of a start of a row, in bytes.
const OFFSET_BYTES: usize = 8;
/// Start of the offsets: behind the tag and their number.
const OFFSETS_AT: usize = 1 + 4;
/// Start of the data behind a fixed size: behind the tag, the size and the length.
const FIXED_DATA_AT: usize = 1 + 2 + 4;
/// The least that a row list takes on the wire.
pub(super) const MIN_BYTES: usize = FIXED_DATA_AT;

impl Layout {
    /// Start of the data in the encoding.
    fn data_at(self) -> usize {
        match self {
            Self::Fixed(_) => FIXED_DATA_AT,
            Self::Offsets(count) => OFFSETS_AT + count as usize * OFFSET_BYTES + 4,
        }
    }
}

impl RowList {
    /// A list of no rows.
    pub const fn new() -> Self {
        // As a server writes it: offsets, none; data, none.
        Self {
            encoded: Bytes::from_static(&[ROW_OFFSETS, 0, 0, 0, 0, 0, 0, 0, 0]),
            layout: Layout::Offsets(0),
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self.layout {
            Layout::Fixed(size) => self.data().len() / usize::from(size.get()),
            Layout::Offsets(count) => count as usize,
        }
    }

    /// Returns `true` if there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The encoding of one row.
    pub fn get(&self, row: usize) -> Option<&[u8]> {
        self.iter_from(row).next()
    }

    /// The rows, in order.
    pub fn iter(&self) -> RowIter<'_> {
        let data = self.data();
        match self.layout {
            Layout::Fixed(size) => RowIter { data, starts: Starts::Every(usize::from(size.get())) },
            Layout::Offsets(_) => {
                RowIter { data, starts: Starts::At { offsets: self.offsets(), base: 0 } }
            }
        }
    }

    /// The rows from `row` on; none if there are fewer.
    pub fn iter_from(&self, row: usize) -> RowIter<'_> {
        self.iter().at(row)
    }

    /// The rows' encodings, one after the other.
    pub fn data(&self) -> &[u8] {
        &self.encoded[self.layout.data_at()..]
    }

    /// Number of bytes in the rows, without what describes them.
    pub fn data_bytes(&self) -> usize {
        self.data().len()
    }

    /// The size of every row in bytes, where the list says that they have the same.
    pub fn row_bytes(&self) -> Option<usize> {
        match self.layout {
            Layout::Fixed(size) => Some(usize::from(size.get())),
            Layout::Offsets(_) => None,
        }
    }

    /// The list as it is on the wire.
    pub(crate) fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    /// Reads a list as it is on the wire, and checks it.
    pub(crate) fn from_encoded(encoded: &Bytes, limits: &Limits) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(encoded, 0, "RowList", limits);
        let list = Self::decode(&mut cursor, Fields { size_hint: "size_hint", data: "data" })?;
        cursor.finish().map(|()| list)
    }

    fn offsets(&self) -> &[u8] {
        match self.layout {
            Layout::Fixed(_) => &[],
            Layout::Offsets(count) => {
                &self.encoded[OFFSETS_AT..OFFSETS_AT + count as usize * OFFSET_BYTES]
            }
        }
    }

    /// Packs rows as a server does: rows that all have one size, which fits into 16 bits and is not 0, without offsets.
    ///
    /// # Panics
    ///
    /// If the rows have more than `u32::MAX` bytes together, which a row list cannot say.
    pub fn from_rows<I>(rows: I) -> Self
    where
        I: IntoIterator<Item: AsRef<[u8]>>,
    {
        let mut data = Vec::new();
        let mut starts = Vec::new();
        for row in rows {
            starts.push(data.len() as u64);
            data.extend_from_slice(row.as_ref());
        }
        Self::pack(&data, &starts)
    }

    fn pack(data: &[u8], starts: &[u64]) -> Self {
        let mut encoded =
            Vec::with_capacity(OFFSETS_AT + starts.len() * OFFSET_BYTES + 4 + data.len());
        let layout = match common_size(data, starts) {
            Some(size) => {
                encoded.push(FIXED_SIZE);
                encoded.extend_from_slice(&size.get().to_le_bytes());
                Layout::Fixed(size)
            }
            None => {
                let count =
                    u32::try_from(starts.len()).expect("a row list has at most `u32::MAX` rows");
                encoded.push(ROW_OFFSETS);
                encoded.extend_from_slice(&count.to_le_bytes());
                starts.iter().for_each(|start| encoded.extend_from_slice(&start.to_le_bytes()));
                Layout::Offsets(count)
            }
        };
        let len = u32::try_from(data.len()).expect("a row list has at most `u32::MAX` bytes");
        encoded.extend_from_slice(&len.to_le_bytes());
        encoded.extend_from_slice(data);
        Self { encoded: encoded.into(), layout }
    }

    /// Reads a row list and checks where its rows are, in one pass over the offsets and none over the rows.
    pub(super) fn decode(cursor: &mut Cursor<'_>, field: Fields) -> Result<Self, WireError> {
        let start = cursor.offset();
        let layout = match cursor.u8(field.size_hint)? {
            FIXED_SIZE => Layout::Fixed(decode_fixed_size(cursor, field)?),
            ROW_OFFSETS => Layout::Offsets(cursor.skip_u64s(field.size_hint)? as u32),
            tag => return Err(cursor.unknown_tag(tag, field.size_hint)),
        };
        cursor.skip_bytes(field.data)?;
        let list = Self { encoded: cursor.since(start), layout };
        let limit = cursor.limits().max_row_bytes;
        match list.check(limit) {
            Ok(()) => Ok(list),
            Err(kind) => Err(cursor.error(kind, field.size_hint, start)),
        }
    }

    fn check(&self, max_row_bytes: usize) -> Result<(), WireErrorKind> {
        let data = self.data().len();
        match self.layout {
            Layout::Fixed(size) => check_fixed(usize::from(size.get()), data, max_row_bytes),
            Layout::Offsets(0) if data > 0 => Err(WireErrorKind::DataWithoutRows { data }),
            Layout::Offsets(_) => check_offsets(self.offsets(), data, max_row_bytes),
        }
    }
}

/// The names of a row list's fields, for errors: a message may have several.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    pub(super) size_hint: &'static str,
    pub(super) data: &'static str,
}

fn decode_fixed_size(cursor: &mut Cursor<'_>, field: Fields) -> Result<NonZeroU16, WireError> {
    let start = cursor.offset();
    let size = cursor.u16(field.size_hint)?;
    NonZeroU16::new(size)
        .ok_or_else(|| cursor.error(WireErrorKind::FixedSizeZero, field.size_hint, start))
}

fn check_fixed(row: usize, data: usize, max_row_bytes: usize) -> Result<(), WireErrorKind> {
    if !data.is_multiple_of(row) {
        return Err(WireErrorKind::PartialRow { row, data });
    }
    if row > max_row_bytes && data > 0 {
        return Err(WireErrorKind::RowTooLarge { row: 0, bytes: row, limit: max_row_bytes });
    }
    Ok(())
}

/// Checks that rows start at 0, ascend, stay inside `data` bytes and have at most `max_row_bytes` each.
fn check_offsets(offsets: &[u8], data: usize, max_row_bytes: usize) -> Result<(), WireErrorKind> {
    // One comparison a row says it all, so that the pass runs as fast as memory: a row that starts before its
    // predecessor has, wrapped around, a huge size. It cannot wrap into the allowed range: a start that was let through
    // is at most 2^29 rows (those that fit into a body) times 2^32 bytes.
    let max_row = max_row_bytes.min(data) as u64;
    let mut bad = false;
    let mut previous = 0;
    let starts = offsets.as_chunks::<OFFSET_BYTES>().0;
    for start in starts {
        let start = u64::from_le_bytes(*start);
        bad |= start.wrapping_sub(previous) > max_row;
        previous = start;
    }
    bad |= (data as u64).wrapping_sub(previous) > max_row;
    let first = starts.first().map_or(0, |start| u64::from_le_bytes(*start));
    if bad || first != 0 { Err(find_bad_row(starts, data, max_row_bytes)) } else { Ok(()) }
}

/// Finds the row that [`check_offsets`] rejects, row by row.
#[cold]
fn find_bad_row(starts: &[[u8; OFFSET_BYTES]], data: usize, max_row_bytes: usize) -> WireErrorKind {
    let mut min = 0;
    let mut max = 0;
    for (row, start) in starts.iter().enumerate() {
        let start = u64::from_le_bytes(*start);
        if !(min..=max).contains(&start) {
            return WireErrorKind::MisplacedRow { row, start, min, max };
        }
        let end = starts.get(row + 1).map_or(data as u64, |next| u64::from_le_bytes(*next));
        if (start..=data as u64).contains(&end) && end - start > max_row_bytes as u64 {
            let bytes = (end - start) as usize;
            return WireErrorKind::RowTooLarge { row, bytes, limit: max_row_bytes };
        }
        (min, max) = (start, data as u64);
    }
    WireErrorKind::DataWithoutRows { data }
}

/// The size that all rows have, if a server would pack them so.
fn common_size(data: &[u8], starts: &[u64]) -> Option<NonZeroU16> {
    let size = data.len() / starts.len().max(1);
    let rows_have_it = starts.iter().enumerate().all(|(row, &start)| start == (row * size) as u64);
    if rows_have_it && starts.len() * size == data.len() {
        NonZeroU16::new(u16::try_from(size).ok()?)
    } else {
        None
    }
}

impl Default for RowList {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for RowList {
    /// Returns `true` if both are the same on the wire: the same rows may be packed in two ways.
    fn eq(&self, other: &Self) -> bool {
        self.encoded == other.encoded
    }
}
impl Eq for RowList {}

impl fmt::Debug for RowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowList")
            .field("rows", &self.len())
            .field("data_bytes", &self.data_bytes())
            .finish()
    }
}

impl<R: AsRef<[u8]>> FromIterator<R> for RowList {
    /// As [`RowList::from_rows`].
    fn from_iter<I: IntoIterator<Item = R>>(rows: I) -> Self {
        Self::from_rows(rows)
    }
}

impl<'a> IntoIterator for &'a RowList {
    type Item = &'a [u8];
    type IntoIter = RowIter<'a>;

    fn into_iter(self) -> RowIter<'a> {
        self.iter()
    }
}

/// The encodings of a [`RowList`]'s rows, in order.
#[derive(Debug, Clone)]
pub struct RowIter<'a> {
    /// From the next row on.
    data: &'a [u8],
    starts: Starts<'a>,
}

/// Starts of the rows in an iterator's `data`.
#[derive(Debug, Clone, Copy)]
enum Starts<'a> {
    /// One after the other, each of this many bytes.
    Every(usize),
    /// At `offsets`, from the next row's on; `base` is the next row's own.
    At { offsets: &'a [u8], base: usize },
}

impl<'a> RowIter<'a> {
    /// Moves to `row`, counted from here.
    fn at(self, row: usize) -> Self {
        match self.starts {
            Starts::Every(size) => {
                let at = row.saturating_mul(size).min(self.data.len());
                Self { data: &self.data[at..], starts: self.starts }
            }
            Starts::At { offsets, base } => {
                let at = row.saturating_mul(OFFSET_BYTES).min(offsets.len());
                let offsets = &offsets[at..];
                let start = first_start(offsets).unwrap_or(base + self.data.len());
                Self {
                    data: &self.data[start - base..],
                    starts: Starts::At { offsets, base: start },
                }
            }
        }
    }
}

/// The first of encoded offsets. They were checked to lie inside the data, so each fits into a `usize`.
fn first_start(offsets: &[u8]) -> Option<usize> {
    offsets.first_chunk().map(|start| u64::from_le_bytes(*start) as usize)
}

impl<'a> Iterator for RowIter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let size = match &mut self.starts {
            Starts::Every(size) => *size,
            Starts::At { offsets, base } => {
                *offsets = offsets.get(OFFSET_BYTES..)?;
                let next = first_start(offsets).unwrap_or(*base + self.data.len());
                let size = next - *base;
                *base = next;
                size
            }
        };
        let (row, rest) = self.data.split_at_checked(size)?;
        self.data = rest;
        Some(row)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = match self.starts {
            Starts::Every(size) => self.data.len() / size,
            Starts::At { offsets, .. } => offsets.len() / OFFSET_BYTES,
        };
        (len, Some(len))
    }

    fn nth(&mut self, rows: usize) -> Option<&'a [u8]> {
        *self = self.clone().at(rows);
        self.next()
    }
}

impl ExactSizeIterator for RowIter<'_> {}
impl FusedIterator for RowIter<'_> {}
