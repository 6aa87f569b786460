//! Kept calls beside what the server's reducers take.
//!
//! A module may be changed while a program is not running, or not connected. What its reducers take is not said on the
//! socket: whoever asks for it elsewhere says so once ([`await_schema`](Connection::await_schema)), and tells it whenever it
//! is wanted ([`handle_schema`](Connection::handle_schema)). Until then the calls that were kept stay where they are.

use std::collections::HashMap;

use super::queue::UNKNOWN_ARGUMENTS;
use crate::calls::{Gate, Waiting};
use crate::conn::{CallId, Connection, Event};
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

/// Reducers of the server, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Live {
    is_awaited: bool,
    /// Connection that they are of.
    round: SchemaRound,
    /// The calls that wait for it.
    unchecked: Vec<CallId>,
    reducers: Option<HashMap<Box<str>, LiveReducer>>,
}

/// Until when a schema counts that is asked for now: the module may be another one at the next connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SchemaRound(u64);

impl Live {
    /// The connection is lost.
    pub(super) fn forget(&mut self) {
        self.round.0 += 1;
        self.reducers = None;
    }

    /// Reason for which a call does not fit, if it is known not to.
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
    /// It will be said what the server's reducers take, whenever that is [wanted](crate::conn::Event::SchemaWanted): when a
    /// connection is ready, kept calls wait for it, those of an earlier run and those that were made without a connection.
    /// To be called before the first connection is ready.
    pub fn await_schema(&mut self) {
        if let Some(offline) = &mut self.offline {
            offline.live.is_awaited = true;
        }
    }

    /// Returns `true` if kept calls wait for the schema.
    pub fn wants_schema(&self) -> bool {
        self.offline.as_ref().is_some_and(|offline| !offline.live.unchecked.is_empty())
    }

    /// To be kept from before the schema is asked for until it is told.
    pub fn schema_round(&self) -> SchemaRound {
        self.offline.as_ref().map(|offline| offline.live.round).unwrap_or_default()
    }

    /// Takes the parameters of the server's reducers; none if they cannot be known. Calls that wait and do not fit are
    /// held, and the others are sent.
    ///
    /// It counts until the connection is lost, because the module may be another one when it is back: nothing is done if
    /// it was lost since `round`. It may be told more than once.
    pub fn handle_schema(&mut self, round: SchemaRound, reducers: Option<Vec<LiveReducer>>) {
        let Some(offline) = &mut self.offline else { return };
        if round != offline.live.round {
            return;
        }
        let by_name = |reducer: LiveReducer| (reducer.name.clone(), reducer);
        offline.live.reducers = reducers.map(|all| all.into_iter().map(by_name).collect());
        let unchecked = std::mem::take(&mut offline.live.unchecked);
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

    /// Takes the calls that were kept out of the way, if it is to be known first whether they fit.
    pub(super) fn put_unchecked_aside(&mut self) {
        let Some(offline) = &mut self.offline else { return };
        if !offline.live.is_awaited {
            return;
        }
        for waiting in self.calls.take_all_waiting(|waiting| waiting.seq().is_some()) {
            offline.live.unchecked.push(waiting.call);
            self.calls.put_aside(waiting);
        }
        if self.wants_schema() {
            self.events.push_back(Event::SchemaWanted);
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
