//! Changes of the cache that are to be made, in order, with what follows each.

use std::collections::VecDeque;

use crate::cache::{Cache, Change, Part, SetId};
use crate::conn::calls::CallId;
use crate::conn::event::{Cause, Event};
use crate::conn::subscriptions::Arrival;

/// Changes that are to be made, in order, and the one under way in the cache.
#[derive(Debug, Default)]
pub(in crate::conn) struct ChangeQueue {
    queue: VecDeque<(Change, Pending)>,
    under_way: Option<Pending>,
}

/// Reason for which a change is made, and what follows it.
#[derive(Debug)]
pub(in crate::conn) struct Pending {
    pub(in crate::conn) cause: Cause,
    pub(in crate::conn) then: Vec<Then>,
    /// Parts of it that outlive the program.
    pub(in crate::conn) persisted: Option<Vec<Part>>,
}

/// Consequence of a change, once it is visible.
#[derive(Debug)]
pub(in crate::conn) enum Then {
    /// The application is told.
    Say(Event),
    /// A call that was told to have timed out is answered.
    Over(CallId),
    /// These rows of sets have come in: what the change means for each set that it brings rows of.
    Arrived(Vec<Arrival>),
    /// Everything that was here before is replaced.
    Reloaded,
    /// Every set that could be is in step.
    Ready,
}

/// A change that is given up, and the work that this leaves.
#[derive(Debug)]
pub(in crate::conn) enum Aborted {
    /// It only takes back what was expected of calls, and is to be [put back](ChangeQueue::put_back).
    Stays(Change, Pending),
    /// It only drops the rows of these sets, which go all the same.
    Drops(Vec<SetId>, Pending),
    /// It is not made.
    Skipped(Vec<Then>),
}

impl ChangeQueue {
    /// Puts a change at the end. What refused calls were expected to do is taken back in one change where nothing comes
    /// in between: what others make of the same rows is then found out once.
    pub(in crate::conn) fn push(&mut self, change: Change, cause: Cause, then: Vec<Then>) {
        // Joining is sound only at the end of the queue and only for changes without rows: then no reader can tell the states
        // between them apart, and every consequence still follows its own call's end.
        if let Some((last, Pending { cause: Cause::Reverted(reverted), then: last_then, .. })) =
            self.queue.back_mut()
            && let Cause::Reverted(more) = &cause
            && last.parts.is_empty()
            && change.parts.is_empty()
        {
            if !change.ends.is_empty() {
                *reverted = reverted.iter().chain(more).copied().collect();
            }
            last.ends.extend(change.ends);
            last_then.extend(then);
        } else {
            self.queue.push_back((change, Pending { cause, then, persisted: None }));
        }
    }

    /// Takes the next change.
    pub(in crate::conn) fn pop(&mut self) -> Option<(Change, Pending)> {
        self.queue.pop_front()
    }

    /// The cache begins with a change.
    pub(in crate::conn) fn begin(&mut self, pending: Pending) {
        self.under_way = Some(pending);
    }

    /// The change under way is over.
    pub(in crate::conn) fn end(&mut self) -> Option<Pending> {
        self.under_way.take()
    }

    /// Returns `true` if no change waits, and none is under way.
    pub(in crate::conn) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.under_way.is_none()
    }

    /// Number of changes that are not made.
    pub(in crate::conn) fn len(&self) -> usize {
        self.queue.len() + usize::from(self.under_way.is_some())
    }

    /// The changes that wait.
    pub(in crate::conn) fn waiting(&self) -> impl Iterator<Item = &Change> {
        self.queue.iter().map(|(change, _)| change)
    }

    /// Returns `true` if the last change only takes back what refused calls were expected to do.
    pub(in crate::conn) fn ends_with_refusals(&self) -> bool {
        self.queue.back().is_some_and(|(change, pending)| {
            change.parts.is_empty() && matches!(pending.cause, Cause::Reverted(_))
        })
    }

    /// Gives up every change, and returns in their order what is to be done about each: rows of sets that are over go all the
    /// same, and what was expected of calls stays to be taken back.
    pub(in crate::conn) fn abort(&mut self, cache: &mut Cache) -> Vec<Aborted> {
        let under_way = cache.abort();
        let Self { queue, under_way: pending } = std::mem::take(self);
        let under_way = pending.map(|pending| (under_way.unwrap_or_default(), pending));
        let aborted = under_way.into_iter().chain(queue).map(|(change, pending)| {
            if change.parts.is_empty() {
                Aborted::Stays(change, pending)
            } else if change.only_drops() {
                Aborted::Drops(change.parts.iter().map(Part::set).collect(), pending)
            } else {
                Aborted::Skipped(pending.then)
            }
        });
        aborted.collect()
    }

    /// Puts a change at the end as it is.
    pub(in crate::conn) fn put_back(&mut self, change: Change, pending: Pending) {
        self.queue.push_back((change, pending));
    }

    /// Takes out of the changes that are not made what they say of rows under these names. The one under way starts anew.
    pub(in crate::conn) fn forget_rows(&mut self, cache: &mut Cache, names: &[SetId]) {
        let is_about =
            |change: &Change| change.parts.iter().any(|part| names.contains(&part.set()));
        if cache.under_way().is_some_and(is_about)
            && let Some(change) = cache.abort()
            && let Some(pending) = self.under_way.take()
        {
            self.queue.push_front((change, Pending { persisted: None, ..pending }));
        }
        for (change, _) in &mut self.queue {
            change.parts.retain(|part| !names.contains(&part.set()));
        }
    }

    /// Forgets every change, and returns what was to follow them. The cache is to be told.
    pub(in crate::conn) fn take_consequences(&mut self) -> impl Iterator<Item = Then> + use<> {
        let Self { queue, under_way } = std::mem::take(self);
        let pending = under_way.into_iter().chain(queue.into_iter().map(|(_, pending)| pending));
        pending.flat_map(|pending| pending.then)
    }
}
