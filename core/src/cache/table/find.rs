//! Finding what a table has of the rows of a list.

use core::hint::black_box;

use super::rows::Rows;
use super::stride::StridePredictor;
use crate::bsatn::DecodeError;
use crate::cache::index::identity::Identity;
use crate::cache::storage::row_id::RowId;
use crate::cache::storage::slot::SlotState;
use crate::schema::Row;

/// Row of the table that matches a row that came.
#[derive(Debug, Clone, Copy)]
pub(in crate::cache) enum Found {
    /// Nothing, by the index.
    Nothing { hash: u64 },
    /// A row that came with the same message.
    Staged(RowId),
    /// A live row, and the one of the same message that replaces it.
    Live { live: RowId, staged: Option<RowId> },
}

/// Takes the rows of a list one by one, and finds each: in the predicted slot, else by the index.
pub(in crate::cache) struct Finder<'b, R: Row, I: Identity<R>, L> {
    rows: L,
    /// The next rows, the first one last.
    ahead: Vec<Probed<'b, I::Probe<'b>>>,
    predictor: StridePredictor,
}

/// A row as it came, and what identifies it, with its hash.
struct Probed<'b, P> {
    bytes: &'b [u8],
    probe: Result<(u64, P), DecodeError>,
}

/// Number of rows prefetched ahead of being staged: more than a processor fetches at once.
const AHEAD_ROWS: usize = 32;

impl<'b, R: Row, I: Identity<R>, L: Iterator<Item = &'b [u8]>> Finder<'b, R, I, L> {
    pub(in crate::cache) fn new(rows: L) -> Self {
        Self { rows, ahead: Vec::new(), predictor: StridePredictor::default() }
    }

    /// The next row, and what the table has of it, if what identifies it can be decoded.
    // Called once in each loop over rows; as a call it hands what it found over in memory, which costs 40 instructions.
    #[inline(always)]
    pub(in crate::cache) fn next(
        &mut self,
        table: &Rows<R>,
    ) -> Option<(&'b [u8], Result<Found, DecodeError>)> {
        if self.ahead.is_empty() {
            let bytes = self.rows.next()?;
            if let Some(live) = self.predictor.next()
                && let Some(found) = found_at::<R, I>(table, live, bytes)
            {
                self.predictor.learn(Some(live));
                return Some((bytes, Ok(found)));
            }
            self.look_ahead(table, bytes);
        }
        let Probed { bytes, probe } = self.ahead.pop()?;
        let found = probe.map(|(hash, probe)| {
            let found = find::<R, I>(table, hash, &probe);
            self.predictor.learn(match found {
                Found::Live { live, .. } => Some(live),
                Found::Staged(_) | Found::Nothing { .. } => None,
            });
            found
        });
        Some((bytes, found))
    }

    /// Finds out what identifies the next rows.
    ///
    /// A lookup waits for memory twice, and putting a row into its slot keeps the processor from going ahead. So the
    /// places where some rows will be looked for are touched first, all at once.
    #[inline(never)]
    fn look_ahead(&mut self, table: &Rows<R>, first: &'b [u8]) {
        let probed = |bytes| {
            let probe = I::probe(bytes);
            let probe = probe.map(|probe| (I::hash(&probe, table.indexes().hasher()), probe));
            Probed { bytes, probe }
        };
        self.ahead.push(probed(first));
        self.ahead.extend(self.rows.by_ref().take(AHEAD_ROWS - 1).map(probed));
        let probes = self.ahead.iter().flat_map(|row| &row.probe);
        let index = table.indexes().by_identity();
        let likely: Vec<_> =
            probes.filter_map(|(hash, probe)| Some((index.first(*hash)?, probe))).collect();
        let found = likely.into_iter().filter(|(id, probe)| {
            // A key may lie in another cache line than the stamps.
            table.storage().slot(RowId(*id)).is_some_and(|slot| {
                slot.state() == SlotState::Live
                    && (!I::KEYED || slot.row().is_some_and(|row| I::is(probe, row)))
            })
        });
        black_box(found.count());
        self.ahead.reverse();
    }
}

/// Matches a row with the one in this slot, if it is there.
#[inline]
fn found_at<R: Row, I: Identity<R>>(rows: &Rows<R>, live: RowId, bytes: &[u8]) -> Option<Found> {
    let slot = rows.storage().slot(live).filter(|slot| slot.state() == SlotState::Live)?;
    let is_it = I::is(&I::probe(bytes).ok()?, slot.row()?);
    is_it.then(|| Found::Live { live, staged: rows.storage().chunks().newer(live) })
}

/// Looks a row up by the index.
#[inline]
fn find<R: Row, I: Identity<R>>(rows: &Rows<R>, hash: u64, probe: &I::Probe<'_>) -> Found {
    let (mut live, mut staged) = (None, None);
    rows.indexes().by_identity().find(hash, |id| {
        for id in rows.storage().versions(RowId(id)) {
            let slot = rows.storage().slot(id)?;
            let found = match slot.state() {
                SlotState::Deleted => continue,
                SlotState::Live => &mut live,
                SlotState::Staged => &mut staged,
            };
            if !I::is(probe, slot.row()?) {
                break;
            }
            *found = Some(id);
        }
        None::<()>
    });
    match (live, staged) {
        (Some(live), staged) => Found::Live { live, staged },
        (None, Some(staged)) => Found::Staged(staged),
        (None, None) => Found::Nothing { hash },
    }
}
