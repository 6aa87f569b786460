//! Model of the rows that should be seen: set by set, and pending calls, recomputed from scratch.

use std::collections::{BTreeMap, BTreeSet};

use lightlike_core::cache::{LocalTx, TempId};
use lightlike_core::conn::{CallId, SubscriptionId};
use lightlike_core::wire::RequestId;

use crate::item::Item;
use crate::server::{Act, Deed, Items, Sent};

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    /// Rows that each set is known to hold.
    pub(crate) held: BTreeMap<SubscriptionId, Items>,
    /// The sets that are as the server has them.
    in_step: BTreeSet<SubscriptionId>,
    /// The sets by the number in their query.
    pub(crate) by_query: BTreeMap<u64, SubscriptionId>,
    /// Predicted effects of calls, in order.
    pub(crate) expected: Vec<Expected>,
    /// Rows of each set as the server last described them, before they were reported.
    said: BTreeMap<SubscriptionId, Items>,
}

#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) call: CallId,
    pub(crate) act: Act,
    /// Its number among calls with temporary ids.
    pub(crate) number: u64,
    /// Its outcome will not be known before the rows are resynced.
    pub(crate) is_orphan: bool,
}

/// Predicted effect of the act: the same as the mutation below.
fn run(items: &mut Items, number: u64, act: Act) {
    match act {
        Act::Put(id, value) => drop(items.insert(id, value)),
        Act::Slide(id, value) => {
            if let Some(now) = items.get_mut(&id) {
                *now = value;
            }
        }
        Act::Remove(id) => drop(items.remove(&id)),
        Act::Increment(id) => {
            if let Some(value) = items.get_mut(&id) {
                *value += 1;
            }
        }
        Act::Add(value) => {
            let id: u32 = TempId::temp_id(number, 0);
            items.insert(id, value);
        }
        Act::Refuse => drop(items.insert(77, 7)),
    }
}

/// The mutation of a call.
pub(crate) fn mutation(act: Act) -> Box<dyn lightlike_core::cache::Mutation> {
    Box::new(move |tx: &mut LocalTx| match act {
        Act::Put(id, value) => tx.upsert(Item { id, value }),
        Act::Slide(id, value) => {
            let Some(&item) = tx.find(Item::ID, &id) else { return };
            tx.update(Item { value, ..item });
        }
        Act::Remove(id) => {
            tx.delete_by(Item::ID, &id);
        }
        Act::Increment(id) => {
            let Some(&Item { value, .. }) = tx.find(Item::ID, &id) else { return };
            tx.update(Item { id, value: value + 1 });
        }
        Act::Add(value) => {
            let id = tx.temp_id();
            tx.insert(Item { id, value });
        }
        Act::Refuse => tx.upsert(Item { id: 77, value: 7 }),
    })
}

impl Model {
    /// A message was applied.
    pub(crate) fn hear(&mut self, sent: &Sent) {
        for (query, items) in sent.sets.values() {
            if let Some(set) = self.by_query.get(query) {
                self.said.insert(*set, items.clone());
            }
        }
        for set in self.in_step.clone() {
            self.catch_up(set);
        }
    }

    /// A set has its rows, or has them again.
    pub(crate) fn applied(&mut self, set: SubscriptionId) {
        self.in_step.insert(set);
        self.catch_up(set);
    }

    /// A set holds what the server last said of it.
    fn catch_up(&mut self, set: SubscriptionId) {
        let Some(items) = self.said.get(&set).cloned() else { return };
        // A row that a set holds which does not hear of changes is replaced without it.
        for (other, held) in &mut self.held {
            if !self.in_step.contains(other) {
                for (id, value) in &mut *held {
                    if let Some(now) = items.get(id) {
                        *value = *now;
                    }
                }
            }
        }
        self.held.insert(set, items);
    }

    pub(crate) fn ended(&mut self, set: SubscriptionId) {
        self.in_step.remove(&set);
        self.held.remove(&set);
        self.said.remove(&set);
        self.by_query.retain(|_, other| *other != set);
    }

    /// The socket is gone.
    pub(crate) fn lost(&mut self) {
        self.in_step.clear();
        self.said.clear();
    }

    /// Rows that should be seen.
    pub(crate) fn seen(&self) -> Items {
        let mut items = Items::new();
        for held in self.held.values() {
            items.extend(held);
        }
        for expected in &self.expected {
            run(&mut items, expected.number, expected.act);
        }
        items
    }

    pub(crate) fn answered(&mut self, call: CallId) {
        self.expected.retain(|expected| expected.call != call);
    }

    pub(crate) fn is_unknown(&mut self, call: CallId) {
        let mut of_call = self.expected.iter_mut().filter(|expected| expected.call == call);
        if let Some(expected) = of_call.next() {
            expected.is_orphan = true;
        }
    }

    pub(crate) fn ready(&mut self) {
        self.expected.retain(|expected| !expected.is_orphan);
    }
}

/// Facts about a call on the wire.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    by_id: BTreeMap<RequestId, Deed>,
}

impl Requests {
    pub(crate) fn note(&mut self, request: RequestId, deed: Deed) {
        self.by_id.insert(request, deed);
    }

    pub(crate) fn has(&self, deed: Deed) -> bool {
        self.by_id.values().any(|sent| *sent == deed)
    }

    pub(crate) fn take(&mut self, request: RequestId) -> Option<Deed> {
        self.by_id.remove(&request)
    }

    pub(crate) fn clear(&mut self) {
        self.by_id.clear();
    }
}
