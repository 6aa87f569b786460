//! A subscriber that keeps what it is told.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Level, Metadata, Subscriber};
use tracing_core::span::Current;

/// Target of what the test itself logs, in callbacks and around calls.
pub(crate) const APPLICATION: &str = "an application";

/// Keeps all spans and events of the client's and of the application's, on one thread.
#[derive(Clone)]
pub(crate) struct Recorder {
    level: Level,
    told: Arc<Mutex<Told>>,
}

#[derive(Default)]
struct Told {
    spans: Vec<Span>,
    metadata: Vec<&'static Metadata<'static>>,
    events: Vec<Event>,
    /// The spans that were entered and not left, by their places in `spans`.
    entered: Vec<usize>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Span {
    pub(crate) name: &'static str,
    pub(crate) fields: BTreeMap<&'static str, String>,
    pub(crate) parent: Option<usize>,
    pub(crate) follows: Vec<usize>,
    handles: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) name: &'static str,
    pub(crate) fields: BTreeMap<&'static str, String>,
    /// The spans that it is inside of, the innermost first.
    pub(crate) inside: Vec<Span>,
}

impl Span {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.handles == 0
    }
}

impl Event {
    pub(crate) fn message(&self) -> &str {
        self.fields.get("message").map_or("", String::as_str)
    }

    pub(crate) fn spans(&self) -> Vec<&'static str> {
        self.inside.iter().map(|span| span.name).collect()
    }
}

impl Recorder {
    /// Listens to what is at least as important as `level`, on this thread, until the guard goes.
    pub(crate) fn listen(level: Level) -> (Self, DefaultGuard) {
        let recorder = Self { level, told: Arc::default() };
        let guard = tracing::subscriber::set_default(recorder.clone());
        (recorder, guard)
    }

    pub(crate) fn spans(&self, name: &str) -> Vec<Span> {
        self.told().spans.iter().filter(|span| span.name == name).cloned().collect()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.told().events.clone()
    }

    /// The one event of the application's with this text.
    pub(crate) fn said(&self, message: &str) -> Event {
        let said: Vec<_> =
            self.events().into_iter().filter(|event| event.message() == message).collect();
        assert_eq!(said.len(), 1, "{message}: {said:?}");
        said.into_iter().next().unwrap()
    }

    pub(crate) fn span_at(&self, at: usize) -> Span {
        self.told().spans[at].clone()
    }

    /// Every value of every field that was told.
    pub(crate) fn values(&self) -> Vec<String> {
        let told = self.told();
        let spans = told.spans.iter().flat_map(|span| span.fields.values());
        spans.chain(told.events.iter().flat_map(|event| event.fields.values())).cloned().collect()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }
}

/// Ids are places counted from one.
fn place(id: &Id) -> usize {
    usize::try_from(id.into_u64()).unwrap() - 1
}

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        // Not the server, which runs beside it.
        let ours = target == APPLICATION
            || ["lightlike", "lightlike_core"].contains(&target.split("::").next().unwrap());
        ours && *metadata.level() <= self.level
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut told = self.told();
        let current = || told.entered.last().copied();
        let parent = match attributes.parent() {
            Some(parent) => Some(place(parent)),
            None if attributes.is_contextual() => current(),
            None => None,
        };
        let name = attributes.metadata().name();
        let mut span = Span { name, parent, handles: 1, ..Span::default() };
        attributes.record(&mut Fields(&mut span.fields));
        told.spans.push(span);
        told.metadata.push(attributes.metadata());
        Id::from_u64(told.spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut told = self.told();
        let span = &mut told.spans[place(span)];
        assert!(!span.is_closed(), "{span:?}");
        values.record(&mut Fields(&mut span.fields));
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.told().spans[place(span)].follows.push(place(follows));
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        let mut told = self.told();
        let mut inside = Vec::new();
        let mut at = told.entered.last().copied();
        while let Some(span) = at.map(|at| told.spans[at].clone()) {
            at = span.parent;
            inside.push(span);
        }
        told.events.push(Event { name: event.metadata().name(), fields, inside });
    }

    fn enter(&self, span: &Id) {
        self.told().entered.push(place(span));
    }

    fn exit(&self, span: &Id) {
        let mut told = self.told();
        let last = told.entered.iter().rposition(|entered| *entered == place(span));
        told.entered.remove(last.unwrap());
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.told().spans[place(span)].handles += 1;
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        let mut told = self.told();
        let span = &mut told.spans[place(&span)];
        span.handles -= 1;
        span.is_closed()
    }

    fn current_span(&self) -> Current {
        let told = self.told();
        match told.entered.last() {
            Some(at) => Current::new(Id::from_u64(*at as u64 + 1), told.metadata[*at]),
            None => Current::none(),
        }
    }
}
