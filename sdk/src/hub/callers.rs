//! Calls whose answers are not delivered, by whoever made them.

use bytes::Bytes;
use lightlike_core::conn::{CallId, CallRequest, NotSent};
use lightlike_core::in_order::InOrder;
use lightlike_core::limits::Limits;

use super::Caller;

/// Callers in the order of their calls.
///
/// The machine bounds calls that are not answered. Where nobody ticks, answers wait to be delivered, refusals among them: as
/// much again of those may be here, and what is beyond is refused at once.
pub(super) struct Callers {
    list: InOrder<Caller>,
    bytes: usize,
    limits: Limits,
}

impl Callers {
    pub(super) fn new(limits: Limits) -> Self {
        Self { list: InOrder::default(), bytes: 0, limits }
    }

    pub(super) fn push(&mut self, call: CallId, caller: Caller) {
        self.bytes += caller.request.bytes();
        self.list.push(call.0, caller);
    }

    pub(super) fn get(&self, call: CallId) -> Option<&Caller> {
        self.list.get(call.0)
    }

    pub(super) fn take(&mut self, call: CallId) -> Option<Caller> {
        let caller = self.list.take(call.0)?;
        self.bytes -= caller.request.bytes();
        Some(caller)
    }

    /// Gives a call other arguments.
    pub(super) fn set_args(&mut self, call: CallId, new: Bytes) {
        if let Some(caller) = self.list.get_mut(call.0)
            && let CallRequest::Reducer { args, .. } | CallRequest::Procedure { args, .. } =
                &mut caller.request
        {
            self.bytes = self.bytes - args.len() + new.len();
            *args = new;
        }
    }

    /// Reason for which there is no room for another.
    pub(super) fn refusal(&self, request: &CallRequest) -> Option<NotSent> {
        let (waiting, limit) = (self.list.len(), self.limits.max_calls);
        if waiting >= limit.saturating_mul(2) {
            return Some(NotSent::TooMany { waiting, limit });
        }
        let (waiting, limit) = (self.bytes, self.limits.max_call_bytes);
        let is_full = waiting.saturating_add(request.bytes()) > limit.saturating_mul(2);
        is_full.then_some(NotSent::TooManyBytes { waiting, limit })
    }
}
