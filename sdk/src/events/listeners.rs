//! Listeners to this client's calls, besides those who await them.

use std::cell::Cell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use lightlike_core::bsatn;
use lightlike_core::conn::{CallId, CallRequest, CallTimes, Reply};
use lightlike_core::schema::{Procedure, Reducer};
use lightlike_core::types::Timestamp;
use lightlike_core::wire::Text;

use crate::calls::outcome::{Latency, timestamp};
use crate::calls::{CallError, CallErrorKind, failure, procedure_outcome, reducer_outcome};
use crate::client::Client;
use crate::events::callbacks::{CallbackId, Callbacks, Keep};
use crate::observe::panics::{Panics, log};
use crate::sync::lock;

/// Kind of a call's function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FunctionKind {
    /// A reducer.
    Reducer,
    /// A procedure.
    Procedure,
}

impl fmt::Display for FunctionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reducer => "reducer",
            Self::Procedure => "procedure",
        })
    }
}

/// A call of this client's that was answered, or will not be. Cheap to clone.
#[derive(Clone)]
pub struct Called {
    inner: Arc<Inner>,
}

struct Inner {
    id: CallId,
    kind: FunctionKind,
    name: Text,
    args: Bytes,
    reply: Reply,
    times: CallTimes,
}

impl Called {
    /// None of a query.
    pub(crate) fn new(
        id: CallId,
        request: &CallRequest,
        reply: &Reply,
        times: CallTimes,
    ) -> Option<Self> {
        let (kind, name, args) = match request {
            CallRequest::Reducer { name, args } => (FunctionKind::Reducer, name, args),
            CallRequest::Procedure { name, args } => (FunctionKind::Procedure, name, args),
            CallRequest::Query { .. } => return None,
        };
        let (name, args, reply) = (name.clone(), args.clone(), reply.clone());
        Some(Self { inner: Arc::new(Inner { id, kind, name, args, reply, times }) })
    }

    /// Memory of the call: arguments, and what came back.
    pub(crate) fn bytes(&self) -> usize {
        let Inner { name, args, reply, .. } = &*self.inner;
        let reply = match reply {
            Reply::Committed { returned: bytes, .. }
            | Reply::Rejected { error: bytes, .. }
            | Reply::Returned { value: bytes, .. } => bytes.len(),
            Reply::Failed(why) => why.len(),
            _ => 0,
        };
        size_of::<Inner>() + name.as_bytes().len() + args.len() + reply
    }

    /// Id of the call, as [`Cause::Call`](crate::events::Cause::Call) and [`Pending::id`](crate::Pending::id) name it.
    pub fn id(&self) -> CallId {
        self.inner.id
    }

    /// Kind of its function: a reducer or a procedure.
    pub fn kind(&self) -> FunctionKind {
        self.inner.kind
    }

    /// The function's name on the wire.
    pub fn function(&self) -> &str {
        self.inner.name.as_str()
    }

    /// The arguments' BSATN, one after the other.
    pub fn args_bsatn(&self) -> &Bytes {
        &self.inner.args
    }

    /// The arguments, if it was a call of the reducer `R`.
    pub fn args<R: Reducer>(&self) -> Option<R> {
        self.is_of(FunctionKind::Reducer, R::DEF.name).then(|| self.decode_args()).flatten()
    }

    /// Outcome, if it was a call of the reducer `R`.
    pub fn outcome<R: Reducer>(&self) -> Option<Result<R::Ok, CallError<R::Error>>> {
        let is_of = self.is_of(FunctionKind::Reducer, R::DEF.name);
        is_of.then(|| reducer_outcome::<R>(&self.inner.reply))
    }

    /// The arguments, if it was a call of the procedure `P`.
    pub fn procedure_args<P: Procedure>(&self) -> Option<P> {
        self.is_of(FunctionKind::Procedure, P::DEF.name).then(|| self.decode_args()).flatten()
    }

    /// Outcome, if it was a call of the procedure `P`.
    pub fn procedure_outcome<P: Procedure>(
        &self,
    ) -> Option<Result<P::Output, CallError<Infallible>>> {
        let is_of = self.is_of(FunctionKind::Procedure, P::DEF.name);
        is_of.then(|| procedure_outcome::<P>(&self.inner.reply))
    }

    /// Outcome, without what it returned or was rejected with: those have types of their own.
    ///
    /// # Errors
    ///
    /// The [`CallError`] that awaiting the call gives, with the error of a rejection left out.
    pub fn result(&self) -> Result<(), CallError<()>> {
        match &self.inner.reply {
            Reply::Committed { .. } | Reply::Returned { .. } => Ok(()),
            Reply::Rejected { .. } => Err(CallError::Rejected(())),
            other => Err(failure(other)),
        }
    }

    /// The BSATN of what it returned, or of what it was rejected with.
    pub fn returned_bsatn(&self) -> Option<&Bytes> {
        match &self.inner.reply {
            Reply::Committed { returned: bytes, .. }
            | Reply::Rejected { error: bytes, .. }
            | Reply::Returned { value: bytes, .. } => Some(bytes),
            _ => None,
        }
    }

    /// Time at which the server ran it, by its clock, if it did and said so.
    pub fn timestamp(&self) -> Option<Timestamp> {
        timestamp(&self.inner.reply)
    }

    /// Times of its phases.
    pub fn latency(&self) -> Latency {
        Latency::new(&self.inner.reply, self.inner.times)
    }

    fn is_of(&self, kind: FunctionKind, name: &str) -> bool {
        self.inner.kind == kind && self.inner.name.as_str() == name
    }

    fn decode_args<A: bsatn::Bsatn>(&self) -> Option<A> {
        let decoded = bsatn::from_slice(&self.inner.args);
        let function = self.function();
        decoded.inspect_err(|error| log!(warn, function, %error, "a call's arguments")).ok()
    }
}

impl fmt::Debug for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Called")
            .field("function", &self.function())
            .field("reply", &self.inner.reply)
            .finish_non_exhaustive()
    }
}

/// The function, and how the call ended: in words, for the types of its values are not known here.
impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.function(), self.inner.reply)
    }
}

/// Outcome of a call, in a word for logs.
pub(crate) fn kind_of(reply: &Reply) -> &'static str {
    match reply {
        Reply::Committed { .. } => "committed",
        Reply::Rejected { .. } => "rejected",
        Reply::Failed(_) | Reply::QueryRefused(_) => "failed",
        Reply::Returned { .. } | Reply::Rows(_) => "returned",
        Reply::NotSent(_) => "not sent",
        Reply::Dropped => "dropped",
        Reply::Expired => "expired",
        Reply::Cancelled => "cancelled",
        Reply::Kept => "kept",
        Reply::TimedOut { .. } => "timed out",
        Reply::Abandoned { .. } => "abandoned",
        _ => "unknown",
    }
}

/// Call as a listener hears of it, besides its arguments and its outcome.
pub struct CallEvent<'a> {
    client: &'a Client,
    called: &'a Called,
    unregister: Cell<bool>,
}

impl<'a> CallEvent<'a> {
    /// The client. Do not keep a clone in a callback: it would keep the connection open; see [`Client::downgrade`].
    pub fn db(&self) -> &'a Client {
        self.client
    }

    /// The call.
    pub fn called(&self) -> &'a Called {
        self.called
    }

    /// Removes the callback that is running: it runs no more after this.
    pub fn unregister(&self) {
        self.unregister.set(true);
    }

    fn keep(&self) -> Keep {
        if self.unregister.take() { Keep::No } else { Keep::Yes }
    }
}

impl fmt::Debug for CallEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallEvent").field("called", &self.called).finish_non_exhaustive()
    }
}

type Listener = dyn FnMut(&CallEvent<'_>) + Send;
pub(crate) type UnhandledCallback = dyn FnMut(&Client, &Unhandled) + Send;

/// A call that failed, and nobody waited for it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Unhandled {
    /// The function's name.
    pub function: Box<str>,
    /// Kind of the outcome.
    pub kind: CallErrorKind,
    /// How it ended, with the reducer's words, the server's or ours. What a reducer rejected a call with is of its own type, for
    /// which see [`call`](Self::call); here it is the text, if it is one, or else bytes in hex.
    pub message: Box<str>,
    /// The call.
    pub call: Called,
}

/// The function, and how the call ended.
impl fmt::Display for Unhandled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.function, self.message)
    }
}

impl Unhandled {
    /// None of a call that succeeded.
    pub(crate) fn of(call: Called) -> Option<Self> {
        let error = call.result().err()?;
        let (function, message) = (call.function().into(), call.inner.reply.to_string().into());
        Some(Self { function, kind: error.kind(), message, call })
    }
}

/// Everything that wants to know of calls.
pub(crate) struct Listeners {
    panics: Arc<Panics>,
    all: Arc<Callbacks<Listener>>,
    /// Number of functions that were ever listened to: where there is none, nothing is locked.
    functions: AtomicUsize,
    by_function: Mutex<ByFunction>,
}

#[derive(Default)]
struct ByFunction {
    reducers: HashMap<&'static str, Arc<Callbacks<Listener>>>,
    procedures: HashMap<&'static str, Arc<Callbacks<Listener>>>,
}

impl ByFunction {
    fn of(&mut self, kind: FunctionKind) -> &mut HashMap<&'static str, Arc<Callbacks<Listener>>> {
        match kind {
            FunctionKind::Reducer => &mut self.reducers,
            FunctionKind::Procedure => &mut self.procedures,
        }
    }
}

impl Listeners {
    pub(crate) fn new(panics: &Arc<Panics>) -> Self {
        Self {
            panics: Arc::clone(panics),
            all: Callbacks::new("on_calls", None, panics),
            functions: AtomicUsize::new(0),
            by_function: Mutex::default(),
        }
    }

    /// Drops all listeners: there will be no more calls.
    pub(crate) fn end(&self) {
        self.all.end();
        let lists: Vec<_> = {
            let functions = self.lock();
            functions.reducers.values().chain(functions.procedures.values()).cloned().collect()
        };
        lists.iter().for_each(|list| list.end());
    }

    /// Returns `true` if there are no listeners.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.functions.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn tell(&self, client: &Client, called: &Called) {
        let event = CallEvent { client, called, unregister: Cell::new(false) };
        let of_this = self.lock().of(called.kind()).get(called.function()).cloned();
        for callbacks in of_this.iter().chain([&self.all]).filter(|list| !list.is_empty()) {
            callbacks.run().each_kept(|callback| {
                callback(&event);
                event.keep()
            });
        }
    }

    fn of(&self, kind: FunctionKind, name: &'static str) -> Arc<Callbacks<Listener>> {
        let registered = match kind {
            FunctionKind::Reducer => "on_call",
            FunctionKind::Procedure => "on_procedure",
        };
        let mut functions = self.lock();
        let list = functions.of(kind).entry(name);
        let list = list.or_insert_with(|| Callbacks::new(registered, None, &self.panics)).clone();
        self.functions.fetch_add(1, Ordering::Relaxed);
        list
    }

    fn lock(&self) -> MutexGuard<'_, ByFunction> {
        lock(&self.by_function)
    }
}

/// Listening to calls.
impl Client {
    /// Runs `callback` for every call of the reducer `R` that this client makes, when it is answered or will not be: after
    /// its rows and their callbacks, and before whoever awaits the call.
    ///
    /// ```no_run
    /// # use lightlike::prelude::*;
    /// # fn example(db: &Client) {
    /// #[reducer]
    /// fn set_name(name: String) -> Result<(), String>;
    ///
    /// db.on_call::<SetName>(|event, SetName { name }, outcome| match outcome {
    ///     Ok(()) => println!("now called {name}, after {:?}", event.called().latency().total()),
    ///     Err(error) => println!("{name}: {error}"),
    /// });
    /// # }
    /// ```
    pub fn on_call<R: Reducer>(
        &self,
        mut callback: impl FnMut(&CallEvent<'_>, &R, &Result<R::Ok, CallError<R::Error>>)
        + Send
        + 'static,
    ) -> CallbackId {
        let list = self.hub().observers.listeners().of(FunctionKind::Reducer, R::DEF.name);
        list.register(Box::new(move |event| {
            let called = event.called();
            if let (Some(args), Some(outcome)) = (called.args::<R>(), called.outcome::<R>()) {
                callback(event, &args, &outcome);
            }
        }))
    }

    /// As [`on_call`](Self::on_call), for calls of the procedure `P`.
    pub fn on_procedure<P: Procedure>(
        &self,
        mut callback: impl FnMut(&CallEvent<'_>, &P, &Result<P::Output, CallError<Infallible>>)
        + Send
        + 'static,
    ) -> CallbackId {
        let list = self.hub().observers.listeners().of(FunctionKind::Procedure, P::DEF.name);
        list.register(Box::new(move |event| {
            let called = event.called();
            let args = called.procedure_args::<P>();
            if let (Some(args), Some(outcome)) = (args, called.procedure_outcome::<P>()) {
                callback(event, &args, &outcome);
            }
        }))
    }

    /// Runs `callback` for every call of a reducer or a procedure that this client makes, after those who listen to
    /// that function: see [`on_call`](Self::on_call).
    pub fn on_calls(&self, callback: impl FnMut(&CallEvent<'_>) + Send + 'static) -> CallbackId {
        self.hub().observers.listeners().all.register(Box::new(callback))
    }
}
