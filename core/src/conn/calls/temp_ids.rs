//! Calls that name temporary ids of others: they wait until the server's are known.
//!
//! A call whose arguments have a temporary id of a call that is not answered is not sent before that one's answer; then
//! its arguments, in memory and in the journal, get the id that the server gave. If that does not become known, because
//! the call failed, or which row it inserted cannot be told, it ends as [`NotSent::TempId`]. Each call that may have
//! temporary ids has a *number*, which its ids contain, and which the journal keeps: so they are the same after a restart.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use foldhash::HashMap;

use crate::cache::{AnyId, MutationId, NewIds, TempId};
use crate::conn::{CallId, Connection, Event, NotSent, Reply};
use crate::journal::Op;
use crate::limits::MAX_KNOWN_IDS;
use crate::named_ids::{NamedId, each_id, replace_ids};
use crate::schema::AnyType;

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

    /// A call that has a number from before.
    pub(in crate::conn) fn register(&mut self, number: u64, call: CallId) {
        self.next = self.next.max(number.wrapping_add(1));
        // One of another user's journal may be taken: it gets another when it is asked for.
        if let Entry::Vacant(vacant) = self.calls.entry(number) {
            vacant.insert(call);
            self.numbers.insert(call, number);
        }
    }

    fn learn(&mut self, ids: &NewIds) {
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
}

/// Making calls.
impl Connection {
    /// Looks for temporary ids in arguments of these types that are to be called with.
    pub fn name_ids<'t>(
        &self,
        types: impl IntoIterator<Item = AnyType<'t>>,
        args: Bytes,
    ) -> NamedArgs {
        let mut named = NamedArgs { args, is_changed: false, names: Vec::new() };
        if self.temp_ids.known.is_empty() && !self.cache.has_temp_ids() {
            return named;
        }
        let mut known = Vec::new();
        each_id(types, &named.args, &mut |at, id| {
            if self.temp_ids.known.contains_key(&id) {
                known.extend(NamedId::new(at, id, 0));
            } else if id.is_temp_id()
                && let Some(MutationId(owner)) = self.cache.temp_id_owner(id)
                && let Some(number) = self.temp_ids.numbers.get(&CallId(owner))
            {
                named.names.extend(NamedId::new(at, id, *number));
            }
        });
        if !known.is_empty() {
            named.args = self.replace_known(&named.args, &known).0;
            named.is_changed = true;
        }
        named
    }

    fn replace_known(&self, args: &Bytes, names: &[NamedId]) -> (Bytes, Vec<NamedId>) {
        replace_ids(args, names, |id| self.temp_ids.known.get(&id).copied())
    }

    /// The id that the server gave in the place of a temporary one, if that is known. The last
    /// [65,536](MAX_KNOWN_IDS) of them are.
    pub fn server_id<K: TempId>(&self, temporary: &K) -> Option<K> {
        K::from_any(*self.temp_ids.known.get(&temporary.to_any())?)
    }

    /// The number by which a call's temporary ids are told from those of others, while it is not over. For tests.
    #[doc(hidden)]
    pub fn temp_number(&self, call: CallId) -> Option<u64> {
        self.temp_ids.numbers.get(&call).copied()
    }

    /// A call waits that names ids.
    pub(in crate::conn) fn waits_for_ids(&mut self, call: CallId, names: &[NamedId]) {
        for name in names {
            self.temp_ids.named.entry(name.number()).or_default().push(call);
        }
    }
}

/// Sending calls.
impl Connection {
    /// Returns `true` if the first call that waits has to wait for a call in flight whose ids it names. One that waits for a call
    /// which is not in flight is put aside.
    pub(in crate::conn) fn first_waits_for_ids(&mut self) -> bool {
        loop {
            let first = self.calls.first().and_then(|first| first.keep.as_ref());
            let Some(name) = first.and_then(|keep| keep.names.first().copied()) else {
                return false;
            };
            let Some(owner) = self.temp_ids.calls.get(&name.number()).copied() else {
                // Its end is under way.
                return true;
            };
            if self.temp_ids.blocking == Some(owner) {
                return true;
            }
            if self.calls.is_in_flight(owner) {
                self.temp_ids.blocking = Some(owner);
                return true;
            }
            self.calls.put_first_aside();
        }
    }
}

/// Ids that become known.
impl Connection {
    /// The server has given ids to rows that calls had inserted under temporary ones.
    pub(in crate::conn) fn learn_ids(&mut self, ids: &NewIds) {
        if ids.is_empty() {
            return;
        }
        self.temp_ids.learn(ids);
        for MutationId(owner) in ids.owners() {
            let number = self.temp_ids.numbers.get(&CallId(owner));
            let named = number.and_then(|number| self.temp_ids.named.get(number)).cloned();
            named.into_iter().flatten().for_each(|call| self.name_known_ids(call));
        }
        self.temp_ids.blocking = None;
        self.send_calls();
    }

    /// Puts ids that are known into the arguments of a call that waits.
    fn name_known_ids(&mut self, call: CallId) {
        let Some(waiting) = self.calls.get_waiting(call) else { return };
        let (Some(args), Some(keep)) = (waiting.request.args(), &waiting.keep) else { return };
        let before = keep.names.len();
        let (args, names) = self.replace_known(args, &keep.names);
        if names.len() == before {
            return;
        }
        let is_ready = names.is_empty();
        if let Some(waiting) = self.calls.get_waiting_mut(call) {
            waiting.request.set_args(args.clone());
            if let Some(keep) = &mut waiting.keep {
                keep.names.clone_from(&names);
            }
        }
        self.write_args(call, args.clone(), names);
        self.events.push_back(Event::ArgumentsChanged { call, args });
        if is_ready {
            self.calls.bring_back(call);
        }
    }

    /// A call waits that may name ids which are known by now, or will never be.
    pub(in crate::conn) fn name_or_fail(&mut self, call: CallId) {
        self.name_known_ids(call);
        self.fail_unknown_ids(vec![call]);
    }

    /// The arguments of a call that waits, and the places in them with ids of calls that are not answered.
    pub fn waiting_args(&self, call: CallId) -> Option<(Bytes, Vec<NamedId>)> {
        let waiting = self.calls.get_waiting(call)?;
        let names = waiting.keep.as_ref().map(|keep| keep.names.clone()).unwrap_or_default();
        Some((waiting.request.args()?.clone(), names))
    }

    fn write_args(&mut self, call: CallId, args: Bytes, names: Vec<NamedId>) {
        let Some(offline) = &mut self.offline else { return };
        if let Some(entry) = offline.entry_of(call) {
            (entry.args, entry.names) = (args, names);
            let entry = Box::new(entry.clone());
            offline.write(Op::Entry(entry));
        }
    }

    /// A call is over: those that name ids of it which are not known will not be made.
    pub(in crate::conn) fn ids_are_over(&mut self, call: CallId) {
        let Some(number) = self.temp_ids.numbers.remove(&call) else { return };
        self.temp_ids.calls.remove(&number);
        self.temp_ids.blocking = None;
        if let Some(named) = self.temp_ids.named.remove(&number) {
            self.fail_unknown_ids(named);
        }
    }

    /// Calls that were sent and are not known any more will have no answer.
    pub(in crate::conn) fn forget_lost_owners(&mut self) {
        self.temp_ids.blocking = None;
        if self.temp_ids.named.is_empty() {
            return;
        }
        let unanswered = self.calls.unanswered();
        let owners = self.temp_ids.numbers.keys().filter(|call| !unanswered.contains(*call));
        let lost: Vec<CallId> = owners.copied().collect();
        lost.into_iter().for_each(|call| self.ids_are_over(call));
    }

    /// Ends those of the calls that name ids of calls which are over.
    pub(in crate::conn) fn fail_unknown_ids(&mut self, calls: Vec<CallId>) {
        self.temp_ids.failing.extend(calls);
        // Calls that end here may be waited for by others: no deeper than this.
        if std::mem::replace(&mut self.temp_ids.is_failing, true) {
            return;
        }
        while let Some(call) = self.temp_ids.failing.pop_front() {
            if let Some(id) = self.unknown_id(call) {
                let _ = self.calls.take_waiting(call);
                self.answer(call, Reply::NotSent(NotSent::TempId { id }));
            }
        }
        self.temp_ids.is_failing = false;
        self.send_calls();
    }

    /// The first id in a call that waits which will not be known.
    fn unknown_id(&self, call: CallId) -> Option<AnyId> {
        let waiting = self.calls.get_waiting(call)?;
        let mut names = waiting.keep.as_ref()?.names.iter();
        let has_no_owner = |name: &&NamedId| !self.temp_ids.calls.contains_key(&name.number());
        names.find(has_no_owner)?.id(waiting.request.args()?)
    }
}
