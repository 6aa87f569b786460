//! Calls of an earlier run beside what the server's reducers take.
//!
//! A module may be changed while a program is not running. What its reducers take is not said on the socket: whoever
//! asks for it elsewhere says so before the connection is made ([`await_schema`](Connection::await_schema)), and tells
//! ([`handle_schema`](Connection::handle_schema)). Until then calls of an earlier run stay where they are.

use std::collections::HashMap;

use super::queue::UNKNOWN_ARGUMENTS;
use crate::calls::{Gate, Waiting};
use crate::conn::{CallId, Connection};
use crate::journal::{Delivery, Entry, Held, QueuedState};
use crate::schema::{FunctionDef, ServerField, ServerSchema, fingerprint, takes_arguments};

/// A reducer that clients can call, as the server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveReducer {
    /// Its name on the wire.
    pub name: Box<str>,
    /// The [fingerprint](crate::schema::fingerprint::server_arguments) of its arguments; none if any fit.
    pub arguments: Option<u64>,
    /// Its arguments, as text.
    pub params: Box<str>,
}

impl LiveReducer {
    /// The reducers of a module that clients can call. A function of the program's, in `ours`, may have other names for
    /// its arguments than the module has.
    pub fn all(schema: &ServerSchema, ours: &[FunctionDef]) -> Vec<Self> {
        let callable = schema.reducers.iter().filter(|reducer| reducer.callable);
        let live = callable.map(|reducer| {
            let of_ours = ours.iter().find(|ours| *ours.name == *reducer.name);
            let arguments = match of_ours {
                Some(ours) if takes_arguments(schema, reducer, ours) => {
                    Some(fingerprint::arguments(ours))
                }
                _ => fingerprint::server_arguments(schema, reducer),
            };
            let param = |param: &ServerField| {
                let ty = schema.display(&param.ty);
                param.name.as_ref().map_or_else(|| ty.to_string(), |name| format!("{name}: {ty}"))
            };
            let params: Vec<_> = reducer.params.iter().map(param).collect();
            Self { name: reducer.name.clone(), arguments, params: params.join(", ").into() }
        });
        live.collect()
    }
}

/// What is known of the server's reducers.
#[derive(Debug, Default)]
pub(super) struct Live {
    is_awaited: bool,
    /// The calls that wait for it.
    unchecked: Vec<CallId>,
    reducers: Option<HashMap<Box<str>, LiveReducer>>,
}

impl Live {
    /// The module may be another one when the connection is back.
    pub(super) fn forget(&mut self) {
        self.reducers = None;
    }

    /// Why a call does not fit, if it is known not to.
    fn misfit(&self, entry: &Entry) -> Option<Held> {
        let Some(reducer) = self.reducers.as_ref()?.get(entry.reducer.as_str()) else {
            return Some(Held::NoReducer);
        };
        let fits = entry.fingerprint == UNKNOWN_ARGUMENTS
            || reducer.arguments.is_none_or(|arguments| arguments == entry.fingerprint);
        (!fits).then(|| Held::Server(reducer.params.clone()))
    }
}

impl Connection {
    /// It will be said what the server's reducers take, once the connection is ready: calls of an earlier run of the
    /// program wait for that, and so do those that were made after them without a connection. To be called before the
    /// connection is ready.
    pub fn await_schema(&mut self) {
        if let Some(offline) = &mut self.offline {
            offline.live.is_awaited = true;
        }
    }

    /// What the server's reducers take; none if that cannot be known. Calls that wait and do not fit are held, and the
    /// others are sent.
    ///
    /// It counts until the connection is lost, because the module may be another one when it is back. It may be told more
    /// than once.
    pub fn handle_schema(&mut self, reducers: Option<Vec<LiveReducer>>) {
        let Some(offline) = &mut self.offline else { return };
        let by_name = |reducer: LiveReducer| (reducer.name.clone(), reducer);
        let reducers = reducers.map(|all| all.into_iter().map(by_name).collect());
        let live = Live { reducers, ..Live::default() };
        let Live { unchecked, .. } = std::mem::replace(&mut offline.live, live);
        self.hold_misfits();
        self.release(unchecked);
        self.send_calls();
    }

    /// Holds the calls that do not fit, as far as that is known.
    pub(super) fn hold_misfits(&mut self) {
        let Some(offline) = &mut self.offline else { return };
        let live = std::mem::take(&mut offline.live);
        self.hold(|entry| live.misfit(entry));
        if let Some(offline) = &mut self.offline {
            offline.live = live;
        }
    }

    /// Takes the calls of an earlier run out of the way, and those that are to come after them, if it is not known yet
    /// whether they fit.
    pub(super) fn put_unchecked_aside(&mut self) {
        let Some(offline) = &mut self.offline else { return };
        if !offline.live.is_awaited {
            return;
        }
        let restored = |waiting: &Waiting| {
            let queued = waiting.seq().and_then(|seq| offline.queue.get(&seq));
            queued.is_some_and(|queued| queued.is_restored && queued.state == QueuedState::Queued)
        };
        if !self.calls.any_waiting(restored) {
            return;
        }
        for waiting in self.calls.take_all_waiting(|waiting| waiting.seq().is_some()) {
            offline.live.unchecked.push(waiting.call);
            self.calls.put_aside(waiting);
        }
    }

    /// Puts calls back in front of those that wait, in their order, but for those that are held or over.
    fn release(&mut self, calls: Vec<CallId>) {
        let Some(offline) = &self.offline else { return };
        let mut released = Vec::new();
        for call in calls {
            let queued = offline.by_call.get(&call).and_then(|seq| offline.queue.get(seq));
            if queued.is_none_or(|queued| queued.state == QueuedState::NeedsMigration) {
                continue;
            }
            let Some(mut waiting) = self.calls.take_waiting(call) else { continue };
            if !offline.is_good()
                && let Some(keep) = &mut waiting.keep
                && keep.gate == Gate::Unmarked
            {
                if keep.delivery != Delivery::AtLeastOnce {
                    // The disk will never say that it is sent, and the next run will send it.
                    self.calls.put_aside(waiting);
                    continue;
                }
                keep.gate = Gate::Open;
            }
            released.push(waiting);
        }
        released.sort_by_key(Waiting::seq);
        self.calls.put_back(released);
    }
}
