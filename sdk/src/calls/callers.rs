//! Calls that are not answered, and their callers.

use std::sync::Mutex;

use bytes::Bytes;
use lightlike_core::conn::{CallId, CallRequest, NotSent};
use lightlike_core::in_order::InOrder;
use lightlike_core::limits::Limits;

use super::making::Caller;
use crate::observe::spans::CallSpan;
use crate::sync::lock;

/// Callers in the order of their calls.
///
/// The machine bounds calls that are not answered. Where nobody ticks, answers wait to be delivered, refusals among them: as
/// much again of those may be here, and what is beyond is refused at once.
pub(crate) struct Callers {
    list: Mutex<List>,
    limits: Limits,
}

#[derive(Default)]
struct List {
    callers: InOrder<Caller>,
    bytes: usize,
}

impl Callers {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { list: Mutex::default(), limits }
    }

    pub(crate) fn push(&self, call: CallId, caller: Caller) {
        let mut list = lock(&self.list);
        list.bytes += caller.request().bytes();
        list.callers.push(call.0, caller);
    }

    pub(crate) fn take(&self, call: CallId) -> Option<Caller> {
        let mut list = lock(&self.list);
        let caller = list.callers.take(call.0)?;
        list.bytes -= caller.request().bytes();
        Some(caller)
    }

    /// The request of a call that is not answered.
    pub(crate) fn request_of(&self, call: CallId) -> Option<CallRequest> {
        lock(&self.list).callers.get(call.0).map(|caller| caller.request().clone())
    }

    /// The span of a call that is not answered.
    pub(crate) fn span_of(&self, call: CallId) -> CallSpan {
        lock(&self.list).callers.get(call.0).map(|caller| caller.span().clone()).unwrap_or_default()
    }

    /// Sets other arguments of a call that waits.
    pub(crate) fn set_args(&self, call: CallId, new: Bytes) {
        let mut list = lock(&self.list);
        let List { callers, bytes } = &mut *list;
        if let Some(args) = callers.get_mut(call.0).and_then(Caller::arguments) {
            *bytes = *bytes - args.len() + new.len();
            *args = new;
        }
    }

    /// Reason for which there is no room for another call.
    pub(crate) fn refusal(&self, request: &CallRequest) -> Option<NotSent> {
        let list = lock(&self.list);
        let (waiting, limit) = (list.callers.len(), self.limits.max_calls);
        if waiting >= limit.saturating_mul(2) {
            return Some(NotSent::TooMany { waiting, limit });
        }
        let (waiting, limit) = (list.bytes, self.limits.max_call_bytes);
        let is_full = waiting.saturating_add(request.bytes()) > limit.saturating_mul(2);
        is_full.then_some(NotSent::TooManyBytes { waiting, limit })
    }
}
