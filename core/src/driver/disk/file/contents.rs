//! Where the record of each key lies in a file, and which writes are known to be lost.

use std::collections::{HashMap, HashSet};

use super::frame::Item;
use crate::journal::Loss;

/// Bytes that a record costs beside its key and its value: its entry in an index, and in the confirmation's copy of it.
const RECORD_BYTES: u64 = 2 * 13;

/// Place of a record's value in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) at: u64,
    pub(super) len: u32,
    pub(super) sum: u32,
    /// How many gaps were in front of it.
    gaps: u32,
}

/// What the batches of a file come to.
///
/// # Invariants
///
/// `live` is the sum of [`cost`] over all places. A key that is in `lost` has had no whole write since the lost one.
#[derive(Debug, Default)]
pub(super) struct Contents {
    places: HashMap<Box<[u8]>, Place>,
    live: u64,
    /// Keys of which the last write is lost by damage that was found now.
    lost: HashSet<Box<[u8]>>,
    /// How often batches are missing of which the keys are not known.
    gaps: u32,
    /// What was found when the file was written anew, and not committed after.
    reported: Reported,
}

/// Damage that was found in an earlier file, of which this one is what was left.
#[derive(Debug, Default)]
struct Reported {
    lost: HashSet<Box<[u8]>>,
    unnamed: bool,
    aside: Option<Box<[u8]>>,
}

impl Contents {
    /// Applies an item of an index, the value of which lies at `at`.
    pub(super) fn apply(&mut self, item: &Item<'_>, at: u64) {
        match *item {
            Item::Put { key, len, sum, outdated } => {
                self.forget_loss(key);
                if outdated {
                    self.reported.lost.insert(key.into());
                }
                self.place(key, Some(Place { at, len, sum, gaps: self.gaps }));
            }
            Item::Delete { key } => {
                self.forget_loss(key);
                self.place(key, None);
            }
            Item::Lost { key } => drop(self.reported.lost.insert(key.into())),
            Item::Unnamed => self.reported.unnamed = true,
            Item::Aside { name } => self.reported.aside = Some(name.into()),
        }
    }

    /// Notes that the last write of a key cannot be read.
    pub(super) fn lose(&mut self, key: &[u8]) {
        self.lost.insert(key.into());
    }

    /// Notes that batches are missing, and that nobody knows what they wrote.
    pub(super) fn miss_batches(&mut self) {
        self.gaps += 1;
    }

    /// Notes that a batch was committed by somebody who had heard of what an earlier file had lost.
    pub(super) fn acknowledge(&mut self) {
        self.reported = Reported::default();
    }

    fn forget_loss(&mut self, key: &[u8]) {
        if !self.lost.is_empty() {
            self.lost.remove(key);
        }
        if !self.reported.lost.is_empty() {
            self.reported.lost.remove(key);
        }
    }

    fn place(&mut self, key: &[u8], place: Option<Place>) {
        let before = match place {
            Some(place) => {
                self.live += cost(key, &place);
                self.places.insert(key.into(), place)
            }
            None => self.places.remove(key),
        };
        self.live -= before.map_or(0, |before| cost(key, &before));
    }

    /// The records, by their places.
    pub(super) fn places(&self) -> Vec<(&[u8], Place)> {
        let mut places: Vec<_> = self.places.iter().map(|(key, place)| (&**key, *place)).collect();
        places.sort_unstable_by_key(|(_, place)| place.at);
        places
    }

    /// How many bytes of the file are records that count.
    pub(super) fn live(&self) -> u64 {
        self.live
    }

    /// Name of the file that has what was damaged, until a commit follows.
    pub(super) fn aside(&self) -> Option<&[u8]> {
        self.reported.aside.as_deref()
    }

    /// What is lost, as far as it is not acknowledged.
    pub(super) fn loss(&self) -> Loss {
        let keys = self.lost.iter().chain(&self.reported.lost).cloned().collect();
        let mut loss = Loss { keys, unnamed: self.gaps > 0 || self.reported.unnamed };
        if self.gaps > 0 {
            let older = self.places.iter().filter(|(_, place)| place.gaps < self.gaps);
            loss.keys.extend(older.map(|(key, _)| key.clone()));
        }
        loss
    }
}

fn cost(key: &[u8], place: &Place) -> u64 {
    u64::from(place.len) + 2 * key.len() as u64 + RECORD_BYTES
}
