//! Delivery of the machine's events about its journal.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use lightlike_core::conn::{Accepted, CallId, CallRequest, Replay, Reply, Restored, SyncState};
use lightlike_core::journal::QueuedCall;
use tokio::sync::oneshot;

use super::{CallEnd, CallOutcome};
use crate::hub::{Caller, Hub};
use crate::stream::{EventStream, Feed};
use crate::watch::Source;

/// Number of outcomes that a stream holds, and that are kept for the first one that is asked for.
const OUTCOME_CAPACITY: usize = 1024;

/// Decides what becomes of a call that was made without a connection.
pub(crate) type BeforeReplay = Box<dyn FnMut(&QueuedCall) -> Replay + Send>;

/// Tells where a call is, or how it ended before it was anywhere.
pub(crate) type AcceptedSender = oneshot::Sender<Result<Accepted, Reply>>;

/// Receivers of events about calls that are kept.
pub(crate) struct OfflineHub {
    /// `true` if there is a journal.
    enabled: AtomicBool,
    pub(super) sync: Source<SyncState>,
    accepting: Mutex<HashMap<CallId, AcceptedSender>>,
    outcomes: Mutex<Outcomes>,
    /// `true` if outcomes are wanted, for calls, which are many; the same as `outcomes`.
    wants_outcomes: AtomicBool,
    pub(super) before_replay: Mutex<Option<BeforeReplay>>,
}

impl Default for OfflineHub {
    fn default() -> Self {
        Self {
            enabled: AtomicBool::new(false),
            sync: Source::new(SyncState::default()),
            accepting: Mutex::default(),
            outcomes: Mutex::default(),
            wants_outcomes: AtomicBool::new(false),
            before_replay: Mutex::default(),
        }
    }
}

#[derive(Default)]
struct Outcomes {
    feeds: Vec<Feed<CallOutcome>>,
    /// Those that nobody could have heard of yet.
    backlog: VecDeque<CallOutcome>,
    /// `true` if a stream was ever asked for.
    asked: bool,
    /// The connection is closed: a new stream ends after the backlog.
    ended: bool,
}

impl OfflineHub {
    pub(super) fn enable(&self) {
        self.enabled.store(true, Ordering::Relaxed);
        self.wants_outcomes.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    pub(crate) fn expect_accepted(&self, call: CallId, sender: AcceptedSender) {
        lock(&self.accepting).insert(call, sender);
    }

    pub(crate) fn accepted(&self, call: CallId, accepted: Accepted) {
        if let Some(sender) = lock(&self.accepting).remove(&call) {
            let _ = sender.send(Ok(accepted));
        }
    }

    /// Takes the waiter for a call to be accepted, which is over before it was.
    pub(crate) fn take_accepting(&self, call: CallId) -> Option<AcceptedSender> {
        lock(&self.accepting).remove(&call)
    }

    pub(crate) fn sync_changed(&self, state: SyncState) {
        self.sync.set(state);
    }

    /// A call is over.
    pub(crate) fn ended(&self, caller: &Caller, reply: &Reply) {
        if !self.wants_outcomes.load(Ordering::Relaxed) {
            return;
        }
        let CallRequest::Reducer { name, .. } = &caller.request else { return };
        let Some(end) = CallEnd::of(reply) else { return };
        let (id, reducer, restored) = (caller.id, name.clone(), caller.restored);
        let outcome = CallOutcome { id, reducer, restored, end };
        let mut outcomes = lock(&self.outcomes);
        if !outcomes.asked {
            if outcomes.backlog.len() == OUTCOME_CAPACITY {
                outcomes.backlog.pop_front();
            }
            return outcomes.backlog.push_back(outcome);
        }
        outcomes.feeds.retain(Feed::is_open);
        outcomes.feeds.iter().for_each(|feed| feed.push(outcome.clone()));
    }

    pub(super) fn stream(&self) -> EventStream<CallOutcome> {
        let (stream, feed) = EventStream::new(OUTCOME_CAPACITY);
        let mut outcomes = lock(&self.outcomes);
        outcomes.asked = true;
        self.wants_outcomes.store(true, Ordering::Relaxed);
        outcomes.backlog.drain(..).for_each(|outcome| feed.push(outcome));
        if !outcomes.ended {
            outcomes.feeds.push(feed);
        }
        stream
    }

    /// Nothing more will come.
    pub(crate) fn end_streams(&self) {
        let mut outcomes = lock(&self.outcomes);
        outcomes.ended = true;
        outcomes.feeds.clear();
    }
}

impl Hub {
    /// Asks the application what becomes of calls that were made without a connection.
    pub(crate) fn before_replay(self: &Arc<Self>, calls: &[QueuedCall]) {
        let mut veto = lock(&self.offline.before_replay).take();
        let verdicts: Vec<_> = match &mut veto {
            Some(veto) => calls.iter().map(|call| (call.id, veto(call))).collect(),
            None => Vec::new(),
        };
        *lock(&self.offline.before_replay) = veto;
        self.shared.command(|connection, _| connection.replay(&verdicts));
    }

    /// A call of an earlier run was found that nobody has heard of yet.
    pub(crate) fn restored(&self, restored: Restored) {
        let (call, again) = (restored.call, restored.into());
        self.shared.command(|connection, now| self.register_call(connection, now, call, again));
    }

    /// Delivers what the disk's thread caused, before there is a driver and after it has ended.
    pub(super) fn deliver_undriven(hub: &Weak<Self>) {
        if let Some(hub) = hub.upgrade() {
            while let Some(event) = hub.shared.undriven_event() {
                hub.deliver(&Weak::new(), event);
            }
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
