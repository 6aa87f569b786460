//! Temporary ids in the arguments of calls: which call each is of, and the server's ids that are known.
//!
//! A call whose arguments have a temporary id of a call that is not answered is not sent before that one's answer; then
//! its arguments, in memory and in the journal, get the id that the server gave. If that does not become known, because
//! the call failed, or which row it inserted cannot be told, it ends as [`NotSent::TempId`](crate::conn::NotSent::TempId). Each
//! call that may have temporary ids has a *number*, which its ids contain, and which the journal keeps: so they are the same
//! after a restart.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use foldhash::{HashMap, HashSet};

use super::request::CallId;
use crate::cache::{AnyId, MutationId, NewIds};
use crate::limits::MAX_KNOWN_IDS;
use crate::named_ids::{NamedId, replace_ids};

/// Numbers of calls, and the server's ids that are known.
#[derive(Debug)]
pub(in crate::conn) struct TempIds {
    /// The next call's number.
    next: u64,
    /// The calls that are not over and may have temporary ids, by their numbers, and the other way round.
    calls: HashMap<u64, CallId>,
    numbers: HashMap<CallId, u64>,
    /// The calls that wait, or waited, because they name ids of the call with a number.
    named: HashMap<u64, Vec<CallId>>,
    /// The server's ids that are known, and the temporary ones in the order in which that was.
    known: HashMap<AnyId, AnyId>,
    known_order: VecDeque<AnyId>,
    /// The call in flight for which the first that waits waits.
    blocking: Option<CallId>,
    /// Calls that may name ids which will not be known, and whether they are being ended.
    failing: VecDeque<CallId>,
    is_failing: bool,
}

/// A call's arguments, with what is known of temporary ids in them.
#[derive(Debug, Clone)]
pub struct NamedArgs {
    /// The arguments, with the server's ids where those are known.
    pub args: Bytes,
    /// State of being others than before.
    pub is_changed: bool,
    /// The places with ids of calls that are not answered: to be handed to [`CallOptions`](crate::conn::CallOptions).
    pub names: Vec<NamedId>,
}

/// Numbers of calls.
impl TempIds {
    /// `seed` is random: so that numbers of two runs of the program, and of what is no id, hardly ever meet.
    pub(in crate::conn) fn new(seed: u64) -> Self {
        Self {
            // In the lower half of what the smallest ids can tell apart: they ascend for some millions of calls.
            next: seed % (1 << 21),
            calls: HashMap::default(),
            numbers: HashMap::default(),
            named: HashMap::default(),
            known: HashMap::default(),
            known_order: VecDeque::new(),
            blocking: None,
            failing: VecDeque::new(),
            is_failing: false,
        }
    }

    /// The call's number; a new one, if it has none.
    pub(in crate::conn) fn number(&mut self, call: CallId) -> u64 {
        if let Some(number) = self.numbers.get(&call) {
            return *number;
        }
        let number = self.next;
        self.register(number, call);
        number
    }

    /// The call's number, if it has one and is not over.
    pub(in crate::conn) fn number_of(&self, call: CallId) -> Option<u64> {
        self.numbers.get(&call).copied()
    }

    /// The call of a number, if it is not over.
    pub(in crate::conn) fn owner(&self, number: u64) -> Option<CallId> {
        self.calls.get(&number).copied()
    }

    /// A call that has a number from before.
    pub(in crate::conn) fn register(&mut self, number: u64, call: CallId) {
        self.next = self.next.max(number.wrapping_add(1));
        // One of another user's journal may be taken: it gets another when it is asked for.
        if let Entry::Vacant(vacant) = self.calls.entry(number) {
            vacant.insert(call);
            self.numbers.insert(call, number);
        }
    }

    /// A call waits that names ids.
    pub(in crate::conn) fn wait(&mut self, call: CallId, names: &[NamedId]) {
        for name in names {
            self.named.entry(name.number()).or_default().push(call);
        }
    }

    /// A call is over. Returns the calls that name ids of it: where these are not known, they will not be made.
    pub(in crate::conn) fn over(&mut self, call: CallId) -> Option<Vec<CallId>> {
        let number = self.numbers.remove(&call)?;
        self.calls.remove(&number);
        self.blocking = None;
        self.named.remove(&number)
    }

    /// The connection is lost. Returns the calls that others may wait for and that are not among those that will be answered.
    pub(in crate::conn) fn lost(
        &mut self,
        unanswered: impl FnOnce() -> HashSet<CallId>,
    ) -> Vec<CallId> {
        self.blocking = None;
        if self.named.is_empty() {
            return Vec::new();
        }
        let unanswered = unanswered();
        self.numbers.keys().filter(|call| !unanswered.contains(*call)).copied().collect()
    }
}

/// Ids that are known.
impl TempIds {
    /// Returns `true` if ids of the server are known.
    pub(in crate::conn) fn has_known(&self) -> bool {
        !self.known.is_empty()
    }

    /// The id that the server gave in the place of a temporary one.
    pub(in crate::conn) fn known(&self, id: &AnyId) -> Option<AnyId> {
        self.known.get(id).copied()
    }

    /// Puts ids that are known into arguments, and returns the places of those that are not.
    pub(in crate::conn) fn replace(
        &self,
        args: &Bytes,
        names: &[NamedId],
    ) -> (Bytes, Vec<NamedId>) {
        replace_ids(args, names, |id| self.known.get(&id).copied())
    }

    /// The server has given ids to rows that calls had inserted under temporary ones.
    pub(in crate::conn) fn learn(&mut self, ids: &NewIds) {
        for (temp, server) in ids.iter() {
            if self.known.insert(temp, server).is_none() {
                self.known_order.push_back(temp);
            }
        }
        while self.known_order.len() > MAX_KNOWN_IDS {
            if let Some(oldest) = self.known_order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    /// The calls that name ids of the call of a mutation.
    pub(in crate::conn) fn naming(&self, MutationId(owner): MutationId) -> Vec<CallId> {
        let number = self.numbers.get(&CallId(owner));
        number.and_then(|number| self.named.get(number)).cloned().unwrap_or_default()
    }
}

/// The call that blocks others, and calls that are ended.
impl TempIds {
    /// Returns `true` if the first call that waits is known to wait for this one.
    pub(in crate::conn) fn is_blocking(&self, call: CallId) -> bool {
        self.blocking == Some(call)
    }

    /// The first call that waits waits for this one, which is in flight.
    pub(in crate::conn) fn block(&mut self, call: CallId) {
        self.blocking = Some(call);
    }

    /// It is to be looked anew whether the first call has to wait.
    pub(in crate::conn) fn unblock(&mut self) {
        self.blocking = None;
    }

    /// Queues calls that may name ids which will not be known. False if they are being ended already: ending a call may
    /// end those that wait for it, no deeper than this.
    pub(in crate::conn) fn start_failing(&mut self, calls: Vec<CallId>) -> bool {
        self.failing.extend(calls);
        !std::mem::replace(&mut self.is_failing, true)
    }

    /// The next of those calls; none when there are no more.
    pub(in crate::conn) fn next_failing(&mut self) -> Option<CallId> {
        let next = self.failing.pop_front();
        self.is_failing = next.is_some();
        next
    }
}
