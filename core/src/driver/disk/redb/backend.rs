//! What redb reads from and writes to: a file, what lies behind a page of our own, and a copy that nobody keeps.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::redb::StorageBackend;

/// A file that is open and locked.
#[derive(Debug)]
pub(super) struct Disk(File);

impl Disk {
    /// Another handle of a file, which has the same lock.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        file.try_clone().map(Self)
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    #[cfg(unix)]
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, out, offset)
    }

    #[cfg(not(unix))]
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        use std::io::{Read as _, Seek as _};
        let mut file = &self.0;
        file.seek(io::SeekFrom::Start(offset))?;
        file.read_exact(out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    #[cfg(unix)]
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.0, data, offset)
    }

    #[cfg(not(unix))]
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        use std::io::{Seek as _, Write as _};
        let mut file = &self.0;
        file.seek(io::SeekFrom::Start(offset))?;
        file.write_all(data)
    }
}

/// What lies behind the first bytes of a backend that others use too.
#[derive(Debug)]
pub(super) struct Behind {
    pub(super) whole: Arc<dyn StorageBackend>,
    pub(super) offset: u64,
}

impl StorageBackend for Behind {
    fn len(&self) -> io::Result<u64> {
        Ok(self.whole.len()?.saturating_sub(self.offset))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.whole.read(shifted(offset, self.offset)?, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.whole.set_len(shifted(len, self.offset)?)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.whole.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.whole.write(shifted(offset, self.offset)?, data)
    }
}

fn shifted(offset: u64, by: u64) -> io::Result<u64> {
    offset.checked_add(by).ok_or_else(|| io::Error::other("an offset is beyond any file"))
}

/// Bytes of a block, the unit in which what is written is kept.
const BLOCK_BYTES: usize = 4096;

/// A backend of which nothing is ever changed: what is written is forgotten with this.
#[derive(Debug)]
pub(super) struct Overlay<B> {
    below: B,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    len: u64,
    /// What of `below` counts.
    len_below: u64,
    blocks: BTreeMap<u64, Box<[u8; BLOCK_BYTES]>>,
}

impl<B: StorageBackend> Overlay<B> {
    pub(super) fn new(below: B) -> io::Result<Self> {
        let len = below.len()?;
        let written = Written { len, len_below: len, blocks: BTreeMap::new() };
        Ok(Self { below, written: Mutex::new(written) })
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of a block as they are below; zeros behind the end.
    fn block(&self, number: u64, len_below: u64) -> io::Result<Box<[u8; BLOCK_BYTES]>> {
        let mut block = Box::new([0; BLOCK_BYTES]);
        let start = number * BLOCK_BYTES as u64;
        let len = len_below.saturating_sub(start).min(BLOCK_BYTES as u64);
        self.below.read(start, &mut block[..len as usize])?;
        Ok(block)
    }
}

impl<B: StorageBackend> StorageBackend for Overlay<B> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.lock();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > written.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (number, within, part) in parts(offset, out.len()) {
            let out = &mut out[part];
            let len = out.len();
            match written.blocks.get(&number) {
                Some(block) => out.copy_from_slice(&block[within..within + len]),
                None => {
                    let block = self.block(number, written.len_below)?;
                    out.copy_from_slice(&block[within..within + len]);
                }
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.lock();
        let Written { len: now, len_below, blocks } = &mut *written;
        // What is cut off is zero when it comes back.
        *len_below = (*len_below).min(len);
        let last = len / BLOCK_BYTES as u64;
        blocks.retain(|number, _| *number <= last);
        if let Some(block) = blocks.get_mut(&last) {
            block[(len % BLOCK_BYTES as u64) as usize..].fill(0);
        }
        *now = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.lock();
        if offset.checked_add(data.len() as u64).is_none_or(|end| end > written.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let len_below = written.len_below;
        for (number, within, part) in parts(offset, data.len()) {
            let data = &data[part];
            let block = match written.blocks.entry(number) {
                Entry::Occupied(block) => block.into_mut(),
                Entry::Vacant(place) => place.insert(self.block(number, len_below)?),
            };
            block[within..within + data.len()].copy_from_slice(data);
        }
        Ok(())
    }
}

/// The blocks that some bytes lie in: the block, the place in it, and which of the bytes these are.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let within = (at % BLOCK_BYTES as u64) as usize;
        let part = done..len.min(done + BLOCK_BYTES - within);
        done = part.end;
        Some((at / BLOCK_BYTES as u64, within, part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlay_reads_writes_and_leaves_file_alone() {
        let below = Arc::new(::redb::backends::InMemoryBackend::new());
        below.set_len(10_000).unwrap();
        below.write(0, &[1; 10_000]).unwrap();
        let whole: Arc<dyn StorageBackend> =
            Arc::<::redb::backends::InMemoryBackend>::clone(&below);
        let behind = Behind { whole, offset: 100 };
        let overlay = Overlay::new(behind).unwrap();
        let read = |from, len| {
            let mut out = vec![7; len];
            overlay.read(from, &mut out).map(|()| out)
        };
        assert_eq!(overlay.len().unwrap(), 9_900);
        overlay.write(4_000, &[2; 200]).unwrap();
        assert_eq!(read(3_999, 202).unwrap(), [&[1][..], &[2; 200], &[1]].concat());
        overlay.set_len(4_100).unwrap();
        overlay.set_len(9_900).unwrap();
        assert_eq!(read(4_098, 4).unwrap(), [2, 2, 0, 0]);
        assert_eq!(read(9_000, 900).unwrap(), [0; 900]);
        assert!(read(9_000, 901).is_err());
        let mut out = [0; 1];
        below.read(4_150, &mut out).unwrap();
        assert_eq!(out, [1]);
    }
}
