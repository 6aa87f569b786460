//! Delivery of the machine's events about its journal.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use lightlike_core::conn::{Accepted, CallId, CallRequest, Replay, Reply, SyncState};
use lightlike_core::guard::{self, Fenced};
use lightlike_core::journal::QueuedCall;
use lightlike_core::limits::Limits;
use lightlike_core::types::Uuid;
use tokio::sync::oneshot;

use super::{CallEnd, CallOutcome};
use crate::calls::making::Caller;
use crate::events::callbacks::Callbacks;
use crate::events::stream::{Bounds, EventStream};
use crate::events::watches::{Source, Watch};
use crate::observe::panics::Panics;
use crate::sync::{lock, send};

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
    sync: Source<SyncState>,
    accepting: Mutex<HashMap<CallId, AcceptedSender>>,
    outcomes: Arc<Callbacks<OutcomeReader>>,
    first: Mutex<FirstOutcomes>,
    stream_bytes: usize,
    /// `true` if outcomes are wanted, for calls, which are many.
    wants_outcomes: AtomicBool,
    before_replay: Mutex<Option<Fenced<BeforeReplay>>>,
}

/// Feeds a stream of outcomes.
type OutcomeReader = dyn FnMut(&CallOutcome) + Send;

/// The first stream of outcomes, which has those that nobody could have heard of yet.
#[derive(Default)]
struct FirstOutcomes {
    /// Fed since the first outcome, until it is asked for.
    stream: Option<EventStream<CallOutcome>>,
    asked: bool,
}

impl OfflineHub {
    pub(crate) fn new(panics: &Arc<Panics>, limits: &Limits) -> Self {
        Self {
            enabled: AtomicBool::new(false),
            sync: Source::new(SyncState::default()),
            accepting: Mutex::default(),
            outcomes: Callbacks::new("a stream of outcomes", None, panics),
            first: Mutex::default(),
            stream_bytes: limits.max_stream_bytes,
            wants_outcomes: AtomicBool::new(false),
            before_replay: Mutex::default(),
        }
    }

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
        let sender = lock(&self.accepting).remove(&call);
        if let Some(sender) = sender {
            let _ = send(sender, Ok(accepted));
        }
    }

    /// Takes the waiter for a call to be accepted, which is over before it was.
    pub(crate) fn take_accepting(&self, call: CallId) -> Option<AcceptedSender> {
        lock(&self.accepting).remove(&call)
    }

    pub(super) fn sync(&self) -> Watch<SyncState> {
        self.sync.subscribe()
    }

    pub(crate) fn sync_changed(&self, state: SyncState) {
        self.sync.set(state);
    }

    /// A call is over.
    pub(crate) fn ended(&self, caller: &Caller, reply: &Reply) {
        if !self.wants_outcomes.load(Ordering::Relaxed) {
            return;
        }
        let CallRequest::Reducer { name, args } = caller.request() else { return };
        let Some(end) = CallEnd::of(reply) else { return };
        let (id, restored) = (caller.id(), caller.is_restored());
        let (reducer, args) = (name.clone(), args.clone());
        let outcome = CallOutcome { id, reducer, args, restored, end };
        let mut first = lock(&self.first);
        if !first.asked && first.stream.is_none() {
            first.stream = Some(self.feed_stream());
        }
        drop(first);
        self.outcomes.run().each(|read| read(&outcome));
    }

    pub(super) fn stream(&self) -> EventStream<CallOutcome> {
        self.wants_outcomes.store(true, Ordering::Relaxed);
        let mut first = lock(&self.first);
        first.asked = true;
        first.stream.take().unwrap_or_else(|| self.feed_stream())
    }

    fn feed_stream(&self) -> EventStream<CallOutcome> {
        let bounds = Bounds { events: OUTCOME_CAPACITY, bytes: self.stream_bytes };
        let (stream, feed) = EventStream::new(bounds);
        let read = move |outcome: &CallOutcome| feed.push(outcome.clone(), outcome.bytes());
        stream.fed_by(self.outcomes.register(Box::new(read)))
    }

    pub(super) fn set_before_replay(&self, before_replay: Option<Fenced<BeforeReplay>>) {
        *lock(&self.before_replay) = before_replay;
    }

    /// Asks the application for its verdicts on calls that were made without a connection.
    pub(crate) fn before_replay(&self, calls: &[QueuedCall]) -> Vec<(Uuid, Replay)> {
        let mut veto = lock(&self.before_replay).take();
        let verdict = |veto: &mut BeforeReplay, call: &QueuedCall| {
            // A veto that panics keeps no call from being sent.
            guard::catch(|| veto(call)).unwrap_or_else(|message| {
                guard::note("before_replay", message);
                Replay::Send
            })
        };
        let verdicts = match veto.as_mut().and_then(Fenced::get_mut) {
            Some(veto) => calls.iter().map(|call| (call.id, verdict(veto, call))).collect(),
            None => Vec::new(),
        };
        self.set_before_replay(veto);
        verdicts
    }

    /// Nothing more will come.
    pub(crate) fn end_streams(&self) {
        self.outcomes.end();
    }
}
