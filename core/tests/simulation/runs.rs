//! Count of mutator runs, and its bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lightlike_core::cache::{LocalTx, Mutation};

use crate::model::mutation;
use crate::server::Act;

/// Runs of one life's mutators. An answered call must cost a constant number of them, however many are pending.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// Runs of each mutator that reads nothing. There is no reason for a second one.
    blind: Vec<Arc<AtomicU64>>,
    slides: Arc<AtomicU64>,
    slid: u64,
    changes: u64,
}

impl Runs {
    /// The mutation of a call, which is counted.
    pub(crate) fn counted(&mut self, act: Act) -> Box<dyn Mutation> {
        let count = match act {
            Act::Put(..) | Act::Add(_) | Act::Refuse => {
                self.blind.push(Arc::default());
                self.blind.last().map(Arc::clone).unwrap()
            }
            Act::Slide(..) => {
                self.slid += 1;
                Arc::clone(&self.slides)
            }
            Act::Remove(_) | Act::Increment(_) => return mutation(act),
        };
        let mutation = mutation(act);
        Box::new(move |tx: &mut LocalTx| {
            count.fetch_add(1, Ordering::Relaxed);
            mutation.run(tx);
        })
    }

    /// The server said something, or a call ended.
    pub(crate) fn changed(&mut self) {
        self.changes += 1;
    }

    /// Checks that no mutator ran without a reason.
    pub(crate) fn check(&self) {
        for count in &self.blind {
            let runs = count.load(Ordering::Relaxed);
            assert!(runs <= 1, "a mutator that reads nothing ran {runs} times");
        }
        // A slide writes the same over whatever row it finds: one change makes one of them run again, or one for each row.
        let (runs, most) = (self.slides.load(Ordering::Relaxed), self.slid + 2 * self.changes);
        assert!(
            runs <= most,
            "{runs} runs of {} mutators over {} changes",
            self.slid,
            self.changes
        );
    }
}
