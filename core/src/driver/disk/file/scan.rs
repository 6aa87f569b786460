//! Reading a file: which of its batches are whole, and what the others have lost. Pure, and linear in the file's length.
//!
//! Frames are read one after the other, by the lengths in their heads. Where no head is, the next one is looked for, by
//! its mark; what lies between is damage. A batch that is not whole is a *torn* one, which was never acknowledged, if it is
//! the last thing in the file and looks as a crash leaves it: it counts as never written. It is damaged if anything follows, because a batch is synced
//! before that is written: then those of its records count that are whole, and the keys of the others are lost.

use super::super::checksum;
use super::contents::Contents;
use super::frame::{
    FileId, HEAD_BYTES, HEADER_BYTES, Head, Item, Kind, find_mark, parse_header, resembles_header,
};
use super::v1;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// What a file is.
#[derive(Debug)]
pub(super) enum Scan {
    Ours(Box<Found>),
    /// Empty, or nothing but zeros: a file of ours is never that.
    Blank,
    /// Of the format before this one.
    Old,
    /// It was never a file of ours.
    Foreign,
}

/// What was found in a file.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: FileId,
    pub(super) contents: Contents,
    /// Where the next frame goes; what lies behind is torn.
    pub(super) end: u64,
    /// Number of the last batch.
    pub(super) seq: u64,
    /// Something in front of `end` is damaged.
    pub(super) is_damaged: bool,
    /// Head and place of the last batch, if it is whole and not confirmed.
    pub(super) unconfirmed: Option<(Head, u64)>,
}

/// Finds out what a file has.
pub(super) fn scan(bytes: &[u8]) -> Scan {
    if is_zero(bytes) {
        return Scan::Blank;
    }
    if v1::begins(bytes) {
        return Scan::Old;
    }
    let (id, is_whole) = match parse_header(bytes) {
        Some(header) => header,
        None => match find_frame(bytes, 0, None) {
            Some((_, _, id)) => (id, false),
            None if v1::resembles(bytes) => return Scan::Old,
            None if resembles_header(bytes) => return Scan::Ours(Box::new(Found::nothing())),
            None => return Scan::Foreign,
        },
    };
    let mut scanner = Scanner { bytes, found: Found::new(id), held: None };
    scanner.found.is_damaged = !is_whole;
    scanner.run();
    Scan::Ours(Box::new(scanner.found))
}

impl Found {
    fn new(id: FileId) -> Self {
        Self {
            id,
            contents: Contents::default(),
            end: HEADER_BYTES as u64,
            seq: 0,
            is_damaged: false,
            unconfirmed: None,
        }
    }

    /// A file of which nothing is left.
    pub(super) fn nothing() -> Self {
        let mut found = Self::new(FileId::default());
        found.contents.miss_batches();
        found.is_damaged = true;
        found
    }
}

/// A batch that is not whole. What follows tells whether it is torn or damaged.
#[derive(Debug)]
struct Held {
    head: Head,
    at: usize,
}

/// A batch, read.
struct Batch<'a> {
    head: Head,
    /// What it writes, and where; values that are damaged are nowhere. None if its index is damaged.
    items: Option<Vec<(Item<'a>, Option<u64>)>>,
    is_whole: bool,
    end: u64,
}

#[derive(Debug)]
struct Scanner<'a> {
    bytes: &'a [u8],
    found: Found,
    held: Option<Held>,
}

impl<'a> Scanner<'a> {
    fn run(&mut self) {
        let mut at = HEADER_BYTES;
        while at < self.bytes.len() {
            let Some((place, head, _)) = find_frame(self.bytes, at, Some(&self.found.id)) else {
                return self.end_without_frame(at);
            };
            let next = (place as u64).saturating_add(head.frame());
            let Some(next) = usize::try_from(next).ok().filter(|next| *next <= self.bytes.len())
            else {
                return self.end_with_cut(head);
            };
            self.found.is_damaged |= place != at;
            self.visit(head, place);
            at = next;
        }
        self.end_without_frame(at);
    }

    /// The last frame is cut short, as its length tells. What it says of those before it counts.
    fn end_with_cut(&mut self, head: Head) {
        self.held.take().into_iter().for_each(|held| self.end(held, None));
        let before =
            if head.kind.confirmed().is_some() { head.seq } else { head.seq.saturating_sub(1) };
        if before > self.found.seq {
            self.miss(before);
        }
    }

    /// Tells whether what is left at the end, in which there is no frame, is torn or damaged.
    fn end_without_frame(&mut self, mut at: usize) {
        if let Some(held) = self.held.take() {
            let end = held.at + held.head.frame() as usize;
            // Nothing is written behind a batch before it is synced.
            if is_zero(&self.bytes[end..]) {
                return;
            }
            at = end + HEAD_BYTES + held.head.index as usize;
            self.end(held, None);
        } else if let Some((head, _)) = self.found.unconfirmed {
            at += HEAD_BYTES + head.index as usize;
        }
        if !is_torn(self.bytes.get(at..).unwrap_or_default(), at) {
            self.miss(self.found.seq + 1);
        }
    }

    fn visit(&mut self, head: Head, at: usize) {
        match head.kind.confirmed() {
            Some(_) => self.visit_confirmation(head, at),
            None => {
                self.held.take().into_iter().for_each(|held| self.end(held, None));
                self.visit_batch(head, at);
            }
        }
    }

    fn visit_batch(&mut self, head: Head, at: usize) {
        if head.seq <= self.found.seq {
            // It was not written after what is in front of it.
            self.found.is_damaged = true;
            return;
        }
        let batch = self.read(head, at, None);
        if batch.is_whole {
            self.found.unconfirmed = Some((head, at as u64));
            self.take(batch);
        } else {
            self.held = Some(Held { head, at });
        }
    }

    fn visit_confirmation(&mut self, head: Head, at: usize) {
        let index = slice(self.bytes, at + HEAD_BYTES, u64::from(head.index));
        let items = index.and_then(|index| head.items(index));
        let end = at + head.frame() as usize;
        let is_of_last = self.held.is_none() && head.seq == self.found.seq;
        if items.is_none() && is_of_last && is_zero(&self.bytes[end..]) {
            // It is not synced itself, so a crash may leave it torn. Its batch is whole without it.
            return;
        }
        self.found.is_damaged |= items.is_none();
        match self.held.take() {
            Some(held) if held.head.seq == head.seq => self.end(held, items),
            held => {
                held.into_iter().for_each(|held| self.end(held, None));
                if head.seq > self.found.seq {
                    self.take_headless(head, at, items);
                }
            }
        }
        self.found.unconfirmed = None;
        self.found.end = end as u64;
    }

    /// Takes what is whole of a batch that turned out to be damaged. Its confirmation has its items too.
    fn end(&mut self, Held { head, at }: Held, confirmed: Option<Vec<Item<'a>>>) {
        self.found.is_damaged = true;
        let batch = self.read(head, at, confirmed);
        self.take(batch);
    }

    /// Takes a batch of which the head is damaged: it lies right in front of its confirmation.
    fn take_headless(&mut self, head: Head, at: usize, items: Option<Vec<Item<'a>>>) {
        self.found.is_damaged = true;
        let whole = head.body.saturating_add(u64::from(head.index) + HEAD_BYTES as u64);
        match usize::try_from(whole).ok().and_then(|whole| at.checked_sub(whole)) {
            Some(start) => {
                let kind = head.kind.confirmed().unwrap_or(head.kind);
                let batch = self.read(head.of_kind(kind), start, items);
                self.take(batch);
            }
            None => self.miss(head.seq),
        }
    }

    /// Reads a batch, by its own index or by that of its confirmation.
    fn read(&self, head: Head, at: usize, confirmed: Option<Vec<Item<'a>>>) -> Batch<'a> {
        let index = slice(self.bytes, at + HEAD_BYTES, u64::from(head.index));
        let own = index.and_then(|index| head.items(index));
        let mut is_whole = own.is_some();
        let mut place = at + HEAD_BYTES + head.index as usize;
        let end = (place as u64).saturating_add(head.body);
        let items = own.or(confirmed).map(|items| {
            let placed = items.into_iter().map(|item| {
                let Item::Put { key, len, sum, .. } = item else { return (item, Some(0)) };
                let value = slice(self.bytes, place, u64::from(len));
                let is_same = value.is_some_and(|value| checksum(&[key, value]) == sum);
                is_whole &= is_same;
                let at = is_same.then_some(place as u64);
                place = place.saturating_add(len as usize);
                (item, at)
            });
            placed.collect()
        });
        Batch { head, items, is_whole, end }
    }

    /// Takes the whole records of a batch, and notes the keys of the others.
    fn take(&mut self, Batch { head, items, end, .. }: Batch<'a>) {
        if head.seq > self.found.seq + 1 {
            self.miss(head.seq - 1);
        }
        self.found.end = end;
        let Some(items) = items else { return self.miss(head.seq) };
        self.found.seq = head.seq;
        let contents = &mut self.found.contents;
        if head.kind == Kind::Batch {
            contents.acknowledge();
        }
        for (item, at) in items {
            match (item, at) {
                (item, Some(at)) => contents.apply(&item, at),
                (Item::Put { key, .. }, None) => contents.lose(key),
                (_, None) => (),
            }
        }
    }

    /// Notes that the batches up to this one cannot be read.
    fn miss(&mut self, seq: u64) {
        self.found.is_damaged = true;
        self.found.contents.miss_batches();
        self.found.seq = seq;
    }
}

/// The first frame from `from` on, of the file of this id or of any.
fn find_frame(bytes: &[u8], from: usize, id: Option<&FileId>) -> Option<(usize, Head, FileId)> {
    let mut at = from;
    loop {
        at = find_mark(bytes, at)?;
        if let Some((head, of)) = Head::parse(bytes, at)
            && id.is_none_or(|id| *id == of)
        {
            return Some((at, head, of));
        }
        at += 1;
    }
}

/// Whether a crash may leave this behind the last frame: less than a head, or sectors that were never written. Of a sector
/// a disk writes all or nothing.
fn is_torn(tail: &[u8], at: usize) -> bool {
    let Some(head) = tail.get(..HEAD_BYTES) else { return true };
    let in_sector = SECTOR_BYTES - at % SECTOR_BYTES;
    let (first, second) = head.split_at(in_sector.min(HEAD_BYTES));
    let first = if second.is_empty() { &tail[..in_sector.min(tail.len())] } else { first };
    is_zero(first) || !second.is_empty() && is_zero(second)
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn slice(bytes: &[u8], at: usize, len: u64) -> Option<&[u8]> {
    bytes.get(at..)?.get(..usize::try_from(len).ok()?)
}
