//! Writing a whole file: what a compaction keeps, or what damage has left.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};

use super::frame::{self, Draft, FileId, HEADER_BYTES, Kind};

/// How many bytes of records go into one frame.
const FRAME_BYTES: usize = 1 << 20;

/// A file in the making.
pub(super) struct Copy<'a> {
    out: BufWriter<&'a mut File>,
    id: FileId,
    /// Where the next frame goes.
    end: u64,
    seq: u64,
    draft: Draft,
}

impl<'a> Copy<'a> {
    /// Writes the header, with a new id.
    pub(super) fn begin(file: &'a mut File) -> io::Result<Self> {
        let id = crate::driver::clock::random_seed().to_le_bytes();
        let mut out = BufWriter::new(file);
        out.write_all(&frame::encode_header(&id))?;
        Ok(Self { out, id, end: HEADER_BYTES as u64, seq: 0, draft: Draft::default() })
    }

    /// Writes a record.
    pub(super) fn put(&mut self, key: &[u8], value: &[u8], outdated: bool) -> io::Result<()> {
        self.draft.put(key, value, outdated)?;
        if self.draft.len() < FRAME_BYTES { Ok(()) } else { self.write_frame() }
    }

    /// Writes what is known of damage, and says the file's id.
    pub(super) fn end(
        mut self,
        unnamed: bool,
        lost: &BTreeSet<&[u8]>,
        aside: Option<&[u8]>,
    ) -> io::Result<FileId> {
        if unnamed {
            self.draft.unnamed();
        }
        lost.iter().try_for_each(|key| self.draft.lost(key))?;
        if let Some(name) = aside {
            self.draft.aside(name)?;
        }
        self.write_frame()?;
        self.out.flush()?;
        Ok(self.id)
    }

    /// Writes a frame and its confirmation, unless there is nothing in it.
    fn write_frame(&mut self) -> io::Result<()> {
        let draft = std::mem::take(&mut self.draft);
        if draft.len() == 0 {
            return Ok(());
        }
        self.seq += 1;
        let (head, bytes) = draft.frame(Kind::Copy, &self.id, self.end, self.seq)?;
        self.end += bytes.len() as u64;
        let confirmation = frame::confirmation(&head, draft.index(), &self.id, self.end);
        self.end += confirmation.len() as u64;
        self.out.write_all(&bytes)?;
        self.out.write_all(&confirmation)
    }
}
