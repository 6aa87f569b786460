//! A span for `tracing` around what the machine does, for who looks where a frame's time goes.

use tracing::span::Entered;
use tracing::{Level, Span};

use crate::conn::Connection;
use crate::guard::{self, Fenced, TRACING};

/// Runs a step of the machine's, in a span if there is anything to apply and somebody listens. A subscriber that panics hears
/// nothing.
pub(super) fn applying<T>(
    connection: &mut Connection,
    step: impl FnOnce(&mut Connection) -> T,
) -> T {
    let span = make(connection);
    // The span is not moved into what enters it: where entering panics, leaving it must not panic in turn.
    let _entered = span.as_ref().and_then(enter);
    step(connection)
}

fn make(connection: &Connection) -> Option<Fenced<Span>> {
    let span = heard(|| {
        let wanted = tracing::enabled!(Level::TRACE) && connection.has_work();
        wanted.then(|| tracing::trace_span!("lightlike.apply"))
    });
    Some(Fenced::new(TRACING, span??))
}

fn enter(span: &Fenced<Span>) -> Option<Fenced<Entered<'_>>> {
    let span = span.get()?;
    Some(Fenced::new(TRACING, heard(|| span.enter())?))
}

/// The subscriber's answer, unless it panics.
fn heard<T>(tell: impl FnOnce() -> T) -> Option<T> {
    guard::catch(tell).map_err(|message| guard::note(TRACING, message)).ok()
}
