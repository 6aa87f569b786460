//! Calls and queries as they are made: their options, and the receivers of their answers.

use std::time::{Duration, Instant};

use lightlike_core::cache::Mutation;
use lightlike_core::conn::{
    CallId, CallOptions, CallRequest, CallTimes, Connection, NamedArgs, NotSent, Reply, Restored,
};
use lightlike_core::named_ids::NamedId;
use lightlike_core::schema::FieldDef;
use lightlike_core::types::Uuid;
use lightlike_core::wire::Text;
use tokio::sync::oneshot;

use crate::observe::panics::log;
use crate::observe::spans::CallSpan;
use crate::offline::AcceptedSender;
use crate::optimistic::Mutators;
use crate::sync::send;

/// A call or a query that is not answered.
pub(crate) struct Caller {
    request: CallRequest,
    sink: Sink,
    id: Option<Uuid>,
    restored: bool,
    span: CallSpan,
}

/// Receiver of an answer.
pub(crate) enum Sink {
    Tell(oneshot::Sender<Reply>),
    TellWhen(oneshot::Sender<(Reply, CallTimes)>),
    Forget,
    /// The call is of an earlier run of the program, or made again.
    NoReceiver,
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

impl Caller {
    pub(crate) fn new(request: CallRequest, sink: Sink, id: Option<Uuid>, span: CallSpan) -> Self {
        Self { request, sink, id, restored: false, span }
    }

    pub(crate) fn request(&self) -> &CallRequest {
        &self.request
    }

    pub(crate) fn span(&self) -> &CallSpan {
        &self.span
    }

    /// Idempotency key of the call, if there is a journal.
    pub(crate) fn id(&self) -> Option<Uuid> {
        self.id
    }

    /// Returns `true` if an earlier run of the program made the call.
    pub(crate) fn is_restored(&self) -> bool {
        self.restored
    }

    pub(super) fn arguments(&mut self) -> Option<&mut bytes::Bytes> {
        arguments(&mut self.request)
    }

    pub(crate) fn into_parts(self) -> (CallRequest, Sink, CallSpan) {
        (self.request, self.sink, self.span)
    }
}

impl Sink {
    /// Sends the answer to its receiver, or to `accepting`, which waits until a forgotten call is accepted. Returns the answer
    /// if it is to be reported as unhandled.
    pub(crate) fn answer(
        self,
        reply: Reply,
        times: CallTimes,
        accepting: impl FnOnce() -> Option<AcceptedSender>,
    ) -> Option<Reply> {
        match self {
            Self::Tell(sender) => send(sender, reply),
            Self::TellWhen(sender) => send(sender, (reply, times)).map(|(reply, _)| reply),
            Self::Forget => match accepting() {
                Some(accepting) => send(accepting, Err(reply)).and_then(Result::err),
                // A call that is persisted is not over, and one that was dropped or cancelled needs no report.
                None => (!matches!(reply, Reply::Kept | Reply::Dropped | Reply::Cancelled))
                    .then_some(reply),
            },
            Self::NoReceiver => None,
        }
    }
}

impl MadeAgain {
    /// The caller, which waits for nothing, and the predicted effect of the call.
    pub(crate) fn into_caller(self, mutators: &Mutators) -> (Caller, Option<Box<dyn Mutation>>) {
        let Self { id, reducer, args, names, restored, span } = self;
        let mutation = mutators.mutation(&reducer, args.clone(), names);
        let request = CallRequest::Reducer { name: reducer, args };
        (Caller { request, sink: Sink::NoReceiver, id: Some(id), restored, span }, mutation)
    }
}

/// Answers a call that is refused at once. Callbacks hear nothing of it, because they run where events are delivered.
pub(crate) fn refuse(
    function: Option<&str>,
    why: NotSent,
    sink: Sink,
    accepted: Option<AcceptedSender>,
) {
    let reply = Reply::NotSent(why);
    let unheard = match (sink, accepted) {
        (_, Some(accepted)) => send(accepted, Err(reply)).and_then(Result::err),
        (Sink::Tell(sender), None) => send(sender, reply),
        (Sink::TellWhen(sender), None) => {
            send(sender, (reply, CallTimes::default())).map(|(reply, _)| reply)
        }
        (Sink::Forget | Sink::NoReceiver, None) => Some(reply),
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
pub(crate) fn name_ids(
    connection: &Connection,
    params: &[FieldDef],
    request: &mut CallRequest,
) -> NamedArgs {
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
pub(crate) fn expect(
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
