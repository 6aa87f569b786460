//! What lifting mutations, changing the server's rows and writing over them again come to, row by row.

use foldhash::HashMap;

use super::overlay::Lifted;
use super::writes::encode_alike;
use crate::bsatn::Writer;
use crate::cache::diff::Pair;
use crate::cache::identity::{ByBytes, ByKey, Identity};
use crate::cache::slots::NO_ROW;
use crate::cache::store::TableStore;
use crate::schema::Row;

impl<R: Row> TableStore<R> {
    /// Brings what was lifted, what the change did, and what was written over it to one list of changes: from what was
    /// seen before it to what is seen after it.
    pub(in crate::cache) fn rebase(&mut self) {
        let lifted = core::mem::take(&mut self.overlay.lifted);
        let rewritten = core::mem::take(&mut self.overlay.rewritten);
        if lifted.is_empty() && rewritten.is_empty() {
            return;
        }
        self.staging
            .died
            .extend(lifted.iter().map(|lifted| lifted.entry.shown).filter(|&id| id != NO_ROW));
        let pairs = core::mem::take(&mut self.staging.pairs);
        self.staging.pairs = if self.is_keyed() {
            self.net::<ByKey>(lifted, pairs, &rewritten)
        } else {
            self.net::<ByBytes>(lifted, pairs, &rewritten)
        };
        self.staging.committed = self.staging.pairs.len();
    }

    fn net<I: Identity<R>>(
        &self,
        lifted: Vec<Lifted>,
        pairs: Vec<Pair>,
        rewritten: &[Pair],
    ) -> Vec<Pair> {
        let mut nets = Nets::default();
        for Lifted { entry, came_back } in lifted {
            let new = came_back.map_or(NO_ROW, |id| id.0);
            nets.add::<R, I>(self, Pair { old: entry.shown, new });
        }
        // Their rows may be among those of the change, and must be found there.
        let lifts = nets.list.len();
        for &pair in rewritten {
            if nets.find::<R, I>(self, pair).is_none() {
                nets.add::<R, I>(self, pair);
            }
        }
        let mut rest = Vec::with_capacity(pairs.len());
        for pair in pairs {
            match nets.find::<R, I>(self, pair) {
                Some(at) if at < lifts || nets.list[at].is_changed => {
                    nets.list[at].pair.new = pair.new;
                }
                Some(at) => {
                    // Seen before the change, as it was.
                    nets.list[at].pair = pair;
                    nets.list[at].is_changed = true;
                }
                None => rest.push(pair),
            }
        }
        for &pair in rewritten {
            if let Some(at) = nets.find::<R, I>(self, pair) {
                nets.list[at].pair.new = pair.new;
            }
        }
        rest.extend(nets.list.iter().map(|net| net.pair).filter(|&pair| self.is_seen(pair)));
        rest
    }

    /// Whether readers notice.
    fn is_seen(&self, Pair { old, new }: Pair) -> bool {
        match (self.row_of(old), self.row_of(new)) {
            (Some(old), Some(new)) => !encode_alike(old, new),
            (None, None) => false,
            _ => true,
        }
    }
}

/// Changes of one row, one after the other.
#[derive(Default)]
struct Nets {
    list: Vec<Net>,
    by_hash: HashMap<u64, Vec<u32>>,
}

struct Net {
    pair: Pair,
    /// Any slot whose row says which row it is.
    witness: u32,
    is_changed: bool,
}

impl Nets {
    fn witness(pair: Pair) -> u32 {
        if pair.old == NO_ROW { pair.new } else { pair.old }
    }

    fn add<R: Row, I: Identity<R>>(&mut self, store: &TableStore<R>, pair: Pair) {
        let witness = Self::witness(pair);
        // A deleted row that came back as nothing.
        let Some(row) = store.row_of(witness) else { return };
        let hash = I::hash_row(row, &store.snapshot.hasher, &mut Writer::new());
        self.by_hash.entry(hash).or_default().push(self.list.len() as u32);
        self.list.push(Net { pair, witness, is_changed: false });
    }

    fn find<R: Row, I: Identity<R>>(&self, store: &TableStore<R>, pair: Pair) -> Option<usize> {
        let row = store.row_of(Self::witness(pair))?;
        let mut bytes = Writer::new();
        let hash = I::hash_row(row, &store.snapshot.hasher, &mut bytes);
        let same_hash = self.by_hash.get(&hash)?;
        bytes.clear();
        row.encode(&mut bytes);
        let probe = I::probe(bytes.as_slice()).ok()?;
        let is = |at: &&u32| {
            let other = store.row_of(self.list[**at as usize].witness);
            other.is_some_and(|other| I::is(&probe, other))
        };
        same_hash.iter().find(is).map(|&at| at as usize)
    }
}
