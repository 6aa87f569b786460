//! Spans for `tracing`: an attempt at a socket, a session, a transaction, a call. Its events are in `observe`.
//!
//! Names and fields are those of `docs/observability.md`. Where nobody listens each costs what asking for the level does.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use lightlike_core::cache::TableDiff;
use lightlike_core::conn::{
    CallId, CallRequest, Cause, CloseReason, ConnectionState, Dial, Endpoint, Event, Greeting,
    Lost, Reply,
};
use lightlike_core::driver::{Dialer, Dialing};
use lightlike_core::guard::{self, Fenced, TRACING};
use tracing::Span;
use tracing::field::{Empty, Value, display};
use tracing::span::Entered;

use crate::calls::making::function;
use crate::events::changes::Changes;
use crate::events::listeners::kind_of;
use crate::observe;
use crate::sync::lock;

/// Database of a client, as spans and events name it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Origin {
    address: Box<str>,
    database: Box<str>,
}

impl Origin {
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        let address = endpoint.server().http_uri("").into();
        Self { address, database: endpoint.database().into() }
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }
}

/// A span of a subscriber that may panic: whatever that does, it ends nothing of the client's.
pub(crate) struct QuietSpan(Fenced<Span>);

impl QuietSpan {
    /// Makes a span; none if that panics.
    pub(crate) fn new(make: impl FnOnce() -> Span) -> Self {
        let span = guard::catch(make).unwrap_or_else(|message| {
            guard::note(TRACING, message);
            Span::none()
        });
        Self(Fenced::new(TRACING, span))
    }

    pub(crate) fn none() -> Self {
        Self(Fenced::new(TRACING, Span::none()))
    }

    /// The span, if somebody listens.
    fn get(&self) -> Option<&Span> {
        self.0.get().filter(|span| !span.is_disabled())
    }

    pub(crate) fn is_disabled(&self) -> bool {
        self.get().is_none()
    }

    /// Enters the span, until what this returns is dropped.
    pub(crate) fn enter(&self) -> Option<Fenced<Entered<'_>>> {
        let span = self.get()?;
        match guard::catch(|| span.enter()) {
            Ok(entered) => Some(Fenced::new(TRACING, entered)),
            Err(message) => {
                guard::note(TRACING, message);
                None
            }
        }
    }

    fn record(&self, field: &'static str, value: impl Value) {
        if let Some(span) = self.get() {
            guard::quietly(TRACING, || {
                span.record(field, value);
            });
        }
    }

    fn follows_from(&self, other: &Self) {
        if let (Some(span), Some(other)) = (self.get(), other.get()) {
            guard::quietly(TRACING, || {
                span.follows_from(other);
            });
        }
    }

    fn again(&self) -> Self {
        self.get().map_or_else(Self::none, |span| Self::new(|| span.clone()))
    }
}

/// A dialer each of whose attempts is a span, the exchange of tokens included.
pub(crate) struct Traced {
    dialer: Fenced<Arc<dyn Dialer>>,
    origin: Origin,
}

impl Traced {
    pub(crate) fn new(dialer: Arc<dyn Dialer>, origin: Origin) -> Self {
        Self { dialer: Fenced::new("dialer", dialer), origin }
    }
}

impl Dialer for Traced {
    fn dial(&self, dial: &Dial) -> Dialing {
        let Some(dialer) = self.dialer.get() else { return Box::pin(std::future::pending()) };
        let span = QuietSpan::new(|| {
            tracing::info_span!(
                "lightlike.dial",
                address = &*self.origin.address,
                database = &*self.origin.database,
                attempt = dial.attempt,
                protocol = Empty,
                error = Empty,
            )
        });
        if span.is_disabled() {
            return dialer.dial(dial);
        }
        let entered = span.enter();
        let mut dialing = dialer.dial(dial);
        drop(entered);
        Box::pin(async move {
            let outcome = poll_fn(|cx| {
                let _entered = span.enter();
                dialing.as_mut().poll(cx)
            })
            .await;
            match &outcome {
                Ok(opened) => span.record("protocol", opened.protocol.subprotocol()),
                Err(error) => span.record("error", display(error)),
            }
            outcome
        })
    }
}

/// The session that is open, if there is one and somebody listens.
#[derive(Default)]
pub(crate) struct Sessions {
    pub(crate) origin: Origin,
    /// State of `open`, for events, which are many.
    is_open: AtomicBool,
    open: Mutex<Option<QuietSpan>>,
}

impl Sessions {
    pub(crate) fn new(origin: Origin) -> Self {
        Self { origin, ..Self::default() }
    }

    /// The session that an event is of: one begins with the server's greeting, and ends with the state that says that
    /// the socket is lost.
    pub(crate) fn of(&self, event: &Event) -> QuietSpan {
        match event {
            Event::Connected(greeting) => self.begin(greeting),
            _ if !self.is_open.load(Ordering::Relaxed) => QuietSpan::none(),
            Event::State(
                ConnectionState::Reconnecting { reason, .. }
                | ConnectionState::NeedsAuth(reason)
                | ConnectionState::Closed(CloseReason::Lost(reason)),
            ) => self.end(Some(reason)),
            Event::State(ConnectionState::Closed(_)) => self.end(None),
            _ => self.lock().as_ref().map_or_else(QuietSpan::none, QuietSpan::again),
        }
    }

    fn begin(&self, greeting: &Greeting) -> QuietSpan {
        let span = QuietSpan::new(|| {
            tracing::info_span!(
                "lightlike.session",
                address = &*self.origin.address,
                database = &*self.origin.database,
                connection = %greeting.connection_id.to_hex(),
                reason = Empty,
            )
        });
        if !span.is_disabled() {
            *self.lock() = Some(span.again());
            self.is_open.store(true, Ordering::Relaxed);
        }
        span
    }

    fn end(&self, reason: Option<&Lost>) -> QuietSpan {
        self.is_open.store(false, Ordering::Relaxed);
        let span = self.lock().take().unwrap_or_else(QuietSpan::none);
        match reason {
            Some(reason) => span.record("reason", display(reason)),
            None => span.record("reason", "closed"),
        }
        span
    }

    fn lock(&self) -> MutexGuard<'_, Option<QuietSpan>> {
        lock(&self.open)
    }
}

/// A transaction that is about to be told. `call` is asked for the span of the call that made it.
pub(crate) fn transaction(changes: &Changes, call: impl FnOnce(CallId) -> CallSpan) -> QuietSpan {
    let span = QuietSpan::new(|| {
        tracing::debug_span!(
            "lightlike.transaction",
            cause = observe::cause(changes.cause()),
            tables = changes.diffs().len(),
            rows = changes.diffs().iter().map(TableDiff::len).sum::<usize>(),
        )
    });
    if !span.is_disabled()
        && let Cause::Call { call: id, .. } | Cause::Optimistic(id) = changes.cause()
    {
        call(*id).0.iter().for_each(|made| span.follows_from(made));
    }
    span
}

/// The span of a call or a query, if somebody listens.
#[derive(Default, Clone)]
pub(crate) struct CallSpan(Option<Arc<QuietSpan>>);

// Every call that is not answered has one.
const _: () = assert!(size_of::<CallSpan>() == size_of::<usize>());

impl CallSpan {
    /// Of a call that is about to be made. It is a part of what its caller does, if the caller waits for it; otherwise it
    /// only follows from that, which may be over long before.
    pub(crate) fn new(request: &CallRequest, is_awaited: bool) -> Self {
        let maker = if is_awaited { Maker::Waits } else { Maker::GoesOn };
        Self::of(kind(request), function(request), maker)
    }

    /// Of a call that failed, and is about to be made again.
    pub(crate) fn again(reducer: &str) -> Self {
        Self::of(REDUCER, Some(reducer), Maker::GoesOn)
    }

    /// Of a call that an earlier run of the program made: nothing that this one does is its reason.
    pub(crate) fn restored(reducer: &str) -> Self {
        Self::of(REDUCER, Some(reducer), Maker::EarlierRun)
    }

    fn of(kind: &'static str, function: Option<&str>, maker: Maker) -> Self {
        let span = QuietSpan::new(|| {
            tracing::debug_span!(
                parent: matches!(maker, Maker::Waits).then(|| Span::current().id()).flatten(),
                "lightlike.call",
                kind,
                function,
                restored = matches!(maker, Maker::EarlierRun).then_some(true),
                call = Empty,
                outcome = Empty,
            )
        });
        if span.is_disabled() {
            return Self::default();
        }
        if let Maker::GoesOn = maker {
            span.follows_from(&QuietSpan::new(Span::current));
        }
        Self(Some(Arc::new(span)))
    }

    /// The call was made, and is called this.
    pub(crate) fn made(&self, call: CallId) {
        if let Some(span) = &self.0 {
            span.record("call", call.0);
        }
    }

    pub(crate) fn answered(&self, reply: &Reply) {
        if let Some(span) = &self.0 {
            span.record("outcome", kind_of(reply));
        }
    }

    /// Enters the span, if somebody listens, until what this returns is dropped.
    pub(crate) fn enter(&self) -> Option<Fenced<Entered<'_>>> {
        self.0.as_ref()?.enter()
    }
}

/// Maker of a call.
enum Maker {
    /// Somebody who waits for it.
    Waits,
    /// Somebody who does not.
    GoesOn,
    EarlierRun,
}

const REDUCER: &str = "reducer";

fn kind(request: &CallRequest) -> &'static str {
    match request {
        CallRequest::Reducer { .. } => REDUCER,
        CallRequest::Procedure { .. } => "procedure",
        CallRequest::Query { .. } => "query",
    }
}

#[cfg(test)]
mod tests {
    use lightlike_core::conn::Server;
    use lightlike_core::types::{ConnectionId, Identity};
    use lightlike_core::wire::Text;

    use super::*;

    #[test]
    fn spans_cost_nothing_without_subscriber() {
        let sql = Text::from_static("SELECT * FROM user");
        let call = CallSpan::new(&CallRequest::Query { sql }, true);
        assert!(call.0.is_none() && call.enter().is_none());

        let server = Server::parse("https://host/base").unwrap();
        let origin = Origin::new(&Endpoint::new(server, "chat").unwrap());
        assert_eq!((&*origin.address, origin.database()), ("https://host/base", "chat"));
        let sessions = Sessions::new(origin);
        let greeting = Greeting {
            identity: Identity::from_le_bytes([1; 32]),
            connection_id: ConnectionId::from_u128(1),
            token: "secret".into(),
        };
        assert!(sessions.of(&Event::Connected(greeting)).is_disabled());
        assert!(!sessions.is_open.load(Ordering::Relaxed) && sessions.lock().is_none());
        assert!(sessions.of(&Event::State(ConnectionState::Ready)).is_disabled());
    }
}
