//! Validation of queued calls against the reducers of the program and of the module.
//!
//! A module may be changed while a program is not running, or not connected. What its reducers take is not said on the
//! socket: the facade fetches it elsewhere, and tells it whenever it is wanted. Until then the calls that were
//! persisted stay where they are.

use std::collections::HashMap;

use crate::conn::calls::CallId;
use crate::journal::{Entry, Held};
use crate::schema::{FunctionDef, ServerField, ServerSchema, fingerprint, takes_arguments};

/// Fingerprint of unknown arguments, which always fit.
pub(in crate::conn) const UNKNOWN_ARGUMENTS: u64 = 0;
/// Fingerprint of a reducer that does not exist: nothing fits.
const NO_REDUCER: u64 = 1;

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

/// Reducers of the program and of the server, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Reducers {
    /// The arguments that they have in this program.
    program: HashMap<Box<str>, u64>,
    server: Option<HashMap<Box<str>, LiveReducer>>,
    /// It will be told what the server's take.
    is_awaited: bool,
    /// Connection that the server's are of.
    round: SchemaRound,
    /// The calls that wait for it.
    unchecked: Vec<CallId>,
}

/// Until when a schema counts that is asked for now: the module may be another one at the next connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SchemaRound(u64);

impl Reducers {
    /// The connection is lost.
    pub(super) fn lost(&mut self) {
        self.round.0 += 1;
        self.server = None;
    }

    /// It will be told what the server's reducers take.
    pub(super) fn await_server(&mut self) {
        self.is_awaited = true;
    }

    pub(super) fn is_awaited(&self) -> bool {
        self.is_awaited
    }

    pub(super) fn round(&self) -> SchemaRound {
        self.round
    }

    /// A call waits for the server's reducers.
    pub(super) fn wait(&mut self, call: CallId) {
        self.unchecked.push(call);
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.unchecked.is_empty()
    }

    /// Takes what the server's reducers take, and returns the calls that waited for it. None if it is of another
    /// connection.
    pub(super) fn set_server(
        &mut self,
        round: SchemaRound,
        reducers: Option<Vec<LiveReducer>>,
    ) -> Option<Vec<CallId>> {
        if round != self.round {
            return None;
        }
        let by_name = |reducer: LiveReducer| (reducer.name.clone(), reducer);
        self.server = reducers.map(|all| all.into_iter().map(by_name).collect());
        Some(std::mem::take(&mut self.unchecked))
    }

    /// Takes the fingerprint of a reducer of the program; none if there is no such reducer. False if it is known.
    pub(super) fn set_program(&mut self, reducer: &str, fingerprint: Option<u64>) -> bool {
        let takes = fingerprint.unwrap_or(NO_REDUCER);
        if self.program.get(reducer) == Some(&takes) {
            return false;
        }
        self.program.insert(reducer.into(), takes);
        true
    }

    /// Reason for which a call does not fit a reducer of the program.
    pub(super) fn program_misfit(
        entry: &Entry,
        reducer: &str,
        fingerprint: Option<u64>,
    ) -> Option<Held> {
        let misfits = entry.reducer == reducer
            && entry.fingerprint != UNKNOWN_ARGUMENTS
            && Some(entry.fingerprint) != fingerprint;
        misfits.then(|| fingerprint.map_or(Held::NoReducer, |_| Held::Program))
    }

    /// Reason for which a call does not fit the server's reducers, if it is known not to.
    pub(super) fn server_misfit(&self, entry: &Entry) -> Option<Held> {
        let Some(reducer) = self.server.as_ref()?.get(entry.reducer.as_str()) else {
            return Some(Held::NoReducer);
        };
        let fits = entry.fingerprint == UNKNOWN_ARGUMENTS
            || reducer.arguments.is_none_or(|arguments| arguments == entry.fingerprint);
        (!fits).then(|| Held::Server(reducer.params.clone()))
    }
}
