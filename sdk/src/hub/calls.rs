//! Calls and queries: who makes them, and who hears of the answer.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use lightlike_core::cache::Mutation;
use lightlike_core::conn::{
    CallId, CallOptions, CallRequest, CallTimes, Connection, NamedArgs, NotSent, Reply, Restored,
};
use lightlike_core::deadline::after;
use lightlike_core::named_ids::NamedId;
use lightlike_core::schema::FieldDef;
use lightlike_core::types::Uuid;
use lightlike_core::wire::Text;
use tokio::sync::oneshot;

use super::Hub;
use crate::client::Handle;
use crate::events::listeners::{Called, Unhandled};
use crate::observe;
use crate::observe::panics::log;
use crate::observe::spans::CallSpan;
use crate::offline::AcceptedSender;
use crate::sync::{lock, send};

/// A call or a query that is not answered.
pub(crate) struct Caller {
    pub(crate) request: CallRequest,
    sink: Sink,
    /// The call's name in the journal, if there is one.
    pub(crate) id: Option<Uuid>,
    /// An earlier run of the program made the call.
    pub(crate) restored: bool,
    span: CallSpan,
}

/// Receiver of an answer.
pub(crate) enum Sink {
    Tell(oneshot::Sender<Reply>),
    TellWhen(oneshot::Sender<(Reply, CallTimes)>),
    Forget,
    /// The call is of an earlier run of the program, or made again.
    Nobody,
}

/// A call that nobody waits for: an earlier run of the program made it, or it failed and is made again.
pub(crate) struct MadeAgain {
    pub(crate) id: Uuid,
    pub(crate) reducer: Text,
    pub(crate) args: bytes::Bytes,
    /// The places in them with temporary ids of calls that are not answered.
    pub(crate) names: Vec<NamedId>,
    pub(crate) restored: bool,
    pub(crate) span: CallSpan,
}

impl From<Restored> for MadeAgain {
    fn from(restored: Restored) -> Self {
        let Restored { id, reducer, args, names, .. } = restored;
        let span = CallSpan::restored(&reducer);
        Self { id, reducer, args, names, restored: true, span }
    }
}

/// Makes what a call is expected to do, when it is known which temporary ids its arguments have.
pub(crate) type MakeMutation = Box<dyn FnOnce(NamedArgs) -> Option<Box<dyn Mutation>> + Send>;

/// Options of a call that is made.
pub(crate) struct Making {
    pub(crate) options: CallOptions,
    /// Types of its arguments; nothing where nobody knows.
    pub(crate) params: &'static [FieldDef],
    pub(crate) mutation: MakeMutation,
    pub(crate) timeout: Option<Duration>,
}

impl Making {
    /// A call with these arguments, of which nothing is expected.
    pub(crate) fn of(params: &'static [FieldDef], timeout: Option<Duration>) -> Self {
        let mutation = Box::new(|_| None);
        Self { options: CallOptions::default(), params, mutation, timeout }
    }
}

impl Hub {
    pub(crate) fn call(
        self: &Arc<Self>,
        request: CallRequest,
        timeout: Option<Duration>,
    ) -> oneshot::Receiver<Reply> {
        let (sender, receiver) = oneshot::channel();
        self.start_call(request, Making::of(&[], timeout), Sink::Tell(sender), None);
        receiver
    }

    /// As [`call`](Self::call), with the call's name, and its times with the answer.
    pub(crate) fn call_timed(
        self: &Arc<Self>,
        request: CallRequest,
        making: Making,
    ) -> (CallId, oneshot::Receiver<(Reply, CallTimes)>) {
        let (sender, receiver) = oneshot::channel();
        let call = self.start_call(request, making, Sink::TellWhen(sender), None);
        (call, receiver)
    }

    /// Makes a call. Whoever asks to be told is told where it is, or how it ended before it was anywhere.
    pub(crate) fn start_call(
        self: &Arc<Self>,
        mut request: CallRequest,
        making: Making,
        sink: Sink,
        accepted: Option<AcceptedSender>,
    ) -> CallId {
        let Making { mut options, params, mutation, timeout } = making;
        options.tell_accepted = accepted.is_some();
        let span = CallSpan::new(&request, !matches!(sink, Sink::Forget));
        let made = span.clone();
        if let Some(why) = self.refuses_call(&request) {
            let call = self.command(|connection, _| connection.skip_call());
            made.made(call);
            made.answered(&Reply::NotSent(why.clone()));
            refuse(function(&request), why, sink, accepted);
            return call;
        }
        let call = self.command(|connection, now| {
            options.deadline = timeout.and_then(|timeout| after(now, timeout));
            if self.offline.is_enabled() && options.id.is_none() {
                options.id = connection.new_call_name(now);
            }
            let named = name_ids(connection, params, &mut request);
            options.names.clone_from(&named.names);
            let (kept, id) = (request.clone(), options.id);
            let caller = Caller { request: kept, sink, id, restored: false, span };
            let call = connection.call_with(now, request, options);
            // Before the lock is let go: so they come in their order, and the answer finds whom to tell.
            lock(&self.calls).push(call, caller);
            if let Some(accepted) = accepted {
                self.offline.expect_accepted(call, accepted);
            }
            expect(connection, now, call, mutation(named));
            call
        });
        made.made(call);
        call
    }

    /// Reason for which a call is refused at once: see [`Callers`](super::Callers).
    fn refuses_call(&self, request: &CallRequest) -> Option<NotSent> {
        lock(&self.calls).refusal(request)
    }

    /// A call that waits has other arguments now.
    pub(super) fn arguments_changed(&self, call: CallId, new: bytes::Bytes) {
        lock(&self.calls).set_args(call, new);
    }

    /// The request of a call that is not answered.
    pub(crate) fn request_of(&self, call: CallId) -> Option<CallRequest> {
        lock(&self.calls).get(call).map(|caller| caller.request.clone())
    }

    /// The span of a call that is not answered.
    pub(super) fn span_of(&self, call: CallId) -> CallSpan {
        lock(&self.calls).get(call).map(|caller| caller.span.clone()).unwrap_or_default()
    }

    /// A call is in the machine again.
    pub(crate) fn register_call(
        &self,
        connection: &mut Connection,
        now: Instant,
        call: CallId,
        MadeAgain { id, reducer, args, names, restored, span }: MadeAgain,
    ) {
        let mutation = self.mutators.mutation(&reducer, args.clone(), names);
        let request = CallRequest::Reducer { name: reducer, args };
        span.made(call);
        let caller = Caller { request, sink: Sink::Nobody, id: Some(id), restored, span };
        lock(&self.calls).push(call, caller);
        expect(connection, now, call, mutation);
    }

    pub(super) fn answered(
        &self,
        handle: &Weak<Handle>,
        call: CallId,
        reply: Reply,
        times: CallTimes,
    ) {
        let Some(caller) = lock(&self.calls).take(call) else { return };
        self.offline.ended(&caller, &reply);
        let Caller { request, sink, span, .. } = caller;
        span.answered(&reply);
        let _in_call = span.enter();
        observe::answered(function(&request), &reply, times);
        self.observers.called(handle, || Called::new(call, &request, &reply, times));
        let unheard = match sink {
            Sink::Tell(sender) => send(sender, reply),
            Sink::TellWhen(sender) => send(sender, (reply, times)).map(|(reply, _)| reply),
            Sink::Forget => match self.offline.take_accepting(call) {
                Some(accepting) => send(accepting, Err(reply)).and_then(Result::err),
                // What is kept is not over, and what was to be dropped or was taken back needs no word.
                None => (!matches!(reply, Reply::Kept | Reply::Dropped | Reply::Cancelled))
                    .then_some(reply),
            },
            Sink::Nobody => None,
        };
        if let Some(reply) = unheard
            && let Some(called) = Called::new(call, &request, &reply, times)
            && let Some(unhandled) = Unhandled::of(called)
        {
            self.observers.unhandled(handle, &unhandled);
        }
    }
}

/// Answers a call that is refused at once. Callbacks hear nothing of it, because they run where events are delivered.
fn refuse(function: Option<&str>, why: NotSent, sink: Sink, accepted: Option<AcceptedSender>) {
    let reply = Reply::NotSent(why);
    let unheard = match (sink, accepted) {
        (_, Some(accepted)) => send(accepted, Err(reply)).and_then(Result::err),
        (Sink::Tell(sender), None) => send(sender, reply),
        (Sink::TellWhen(sender), None) => {
            send(sender, (reply, CallTimes::default())).map(|(reply, _)| reply)
        }
        (Sink::Forget | Sink::Nobody, None) => Some(reply),
    };
    if let Some(Reply::NotSent(why)) = unheard {
        log!(
            warn,
            name: "lightlike.call.unhandled",
            function,
            message = %why,
            "a call failed and nobody waited for it"
        );
    }
}

/// Looks for temporary ids in the arguments of a call that is to be made; those for which the server's are known get them.
fn name_ids(connection: &Connection, params: &[FieldDef], request: &mut CallRequest) -> NamedArgs {
    let Some(args) = arguments(request) else {
        return NamedArgs { args: bytes::Bytes::new(), is_changed: false, names: Vec::new() };
    };
    let types = params.iter().map(|param| param.ty.get().into());
    let named = connection.name_ids(types, args.clone());
    args.clone_from(&named.args);
    named
}

fn arguments(request: &mut CallRequest) -> Option<&mut bytes::Bytes> {
    match request {
        CallRequest::Reducer { args, .. } | CallRequest::Procedure { args, .. } => Some(args),
        CallRequest::Query { .. } => None,
    }
}

/// Shows what a call is expected to do.
fn expect(
    connection: &mut Connection,
    now: Instant,
    call: CallId,
    mutation: Option<Box<dyn Mutation>>,
) {
    if let Some(mutation) = mutation
        && let Err(error) = connection.optimistic(now, call, mutation)
    {
        log!(warn, %error, "a mutator contributes nothing, for now");
    }
}

/// The function that a request calls; none of a query.
pub(crate) fn function(request: &CallRequest) -> Option<&str> {
    match request {
        CallRequest::Reducer { name, .. } | CallRequest::Procedure { name, .. } => {
            Some(name.as_str())
        }
        CallRequest::Query { .. } => None,
    }
}
